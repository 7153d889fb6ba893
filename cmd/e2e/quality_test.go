package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// eventsOf waits for n call events of a kind.
func eventsOf(t testing.TB, redis, kind string, n int) (found []map[string]string) {
	t.Helper()
	conn, err := net.Dial("tcp", redis)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	r := bufio.NewReader(conn)
	for last := "0"; len(found) < n; {
		reply := command(t, conn, r, "XREAD", "BLOCK", "15000", "STREAMS", "liandong:calls", last)
		streams, _ := reply.([]any)
		if len(streams) == 0 {
			t.Fatalf("%d events %s, want %d: %v", len(found), kind, n, found)
		}
		for _, e := range streams[0].([]any)[1].([]any) {
			last = e.([]any)[0].(string)
			if fields := fieldMap(e.([]any)[1].([]any)); fields["event"] == kind {
				found = append(found, fields)
			}
		}
	}
	return found
}

// Both legs of an ordinary call have their figures in the call events and in the metrics: the phones answer the
// switch's reports, so that the round trip is known.
func TestQuality(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.Busy())
	for _, c := range []*phone.Call{h.caller, h.desk} { // a report to answer, and time for the answer
		deadline := time.After(80 * time.Second)
		for c.Reports().Sender < 2 || c.Reports().AboutUs < 1 || len(c.Reports().Extended) < 1 {
			select {
			case <-deadline:
				t.Fatalf("reports: %+v", c.Reports())
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	hangUp(t, h.caller)
	ended(t, h.desk)
	parties := map[string]string{}
	for _, e := range eventsOf(t, h.redis, "quality", 2) {
		if e["detail"] != "leg_closed" { // a machine that stands still may sound poor
			t.Logf("%v", e)
			continue
		}
		parties[e["party"]] = e["agent"]
		if n := figure(t, e, "packets"); n < 100 {
			t.Errorf("%s: %v packets", e["party"], n)
		}
		if rtt := figure(t, e, "rtt_ms"); rtt <= 0 || rtt > 5000 {
			t.Errorf("%s: round trip %v ms", e["party"], rtt)
		}
		if mos := figure(t, e, "mos"); mos < 1 || mos > 4.5 {
			t.Errorf("%s: MOS %v", e["party"], mos)
		}
		if figure(t, e, "remote_loss_percent") > 5 { // a busy machine loses a datagram
			t.Errorf("%s: the phones report no loss: %v", e["party"], e)
		}
		t.Log(e)
	}
	if agent, ok := parties["caller"]; !ok || agent != "" || parties["desk"] != "1101" {
		t.Errorf("parties %v", parties)
	}
	if x := h.caller.Reports().Extended; x[len(x)-1].Gmin != 16 {
		t.Errorf("extended reports %+v, want gaps of 16 packets", x)
	}
	res, err := http.Get("http://" + h.http + "/metrics")
	must(t, err)
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	must(t, err)
	for _, line := range []string{
		`liandong_media_mos_count{direction="in",network="lab"}`,
		`liandong_media_mos_count{direction="out",network="lab"}`,
		`liandong_media_rtt_seconds_count{network="lab"}`,
		`liandong_media_loss_ratio_count{direction="in",network="lab"}`,
		`liandong_media_jitter_seconds_bucket{direction="in",network="lab",le="0.05"}`,
	} {
		_, rest, ok := strings.Cut(string(page), line+" ")
		count, _, _ := strings.Cut(rest, "\n")
		if !ok || count == "0" {
			t.Errorf("%s is %q", line, count)
		}
	}
}

// figure is a field of a call event that must be a number.
func figure(t testing.TB, event map[string]string, name string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(event[name], 64)
	if err != nil {
		t.Errorf("%s of %s: %v", name, event["party"], err)
	}
	return x
}
