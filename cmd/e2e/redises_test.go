package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// twoSides is a switch with a foot in two networks, of which each has a Redis: 110 stands in lab, 12345 in gov.
func twoSides(t *testing.T, lab, gov *redistest.Server) (l *lab, first, partner *phone.Phone) {
	t.Helper()
	side := netip.MustParseAddr("127.0.0.2")
	at := freePort(t, side)
	rtp := 20000 + 400*rand.IntN(24)
	l = startSwitch(t, lab.Addr(), "trunks.pstn.network=lab", "hotlines.110.network=lab",
		"networks.gov.sip.udp="+at.String(), "networks.gov.rtp.address="+side.String(),
		fmt.Sprintf("networks.gov.rtp.ports=%d-%d", rtp, rtp+399),
		"networks.gov.redis.url="+gov.URL(), "hotlines.12345.network=gov")
	there := *l
	there.server = at
	return l, l.desk(t, "1101", deskTone, phone.AnswerAfter(0)),
		there.desk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
}

// ask sends a Redis one command.
func ask(t testing.TB, redis string, words ...string) any {
	t.Helper()
	conn, err := net.Dial("tcp", redis)
	must(t, err)
	defer conn.Close()
	return command(t, conn, bufio.NewReader(conn), words...)
}

// keys lists what is in a Redis.
func keys(t *testing.T, redis string) (names []string) {
	t.Helper()
	for _, k := range ask(t, redis, "KEYS", "*").([]any) {
		names = append(names, k.(string))
	}
	slices.Sort(names)
	return names
}

// wholeStream is what is in a stream now.
func wholeStream(t testing.TB, redis, stream string) (all []map[string]string) {
	t.Helper()
	for _, e := range ask(t, redis, "XRANGE", stream, "-", "+").([]any) {
		all = append(all, fieldMap(e.([]any)[1].([]any)))
	}
	return all
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late, tick := within(t, 20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.Done():
			t.Fatal("not in time: ", what)
		}
	}
}

// handsOver plays a call to 110 that is handed over to 12345.
func (l *lab) handsOver(t *testing.T, first, partner *phone.Phone) {
	t.Helper()
	c := l.call(t, l.caller(t, callerTone), "110")
	pushes(t, waitConfirmed(t, next(t, first)), "*1")
	p := waitConfirmed(t, next(t, partner))
	hears(t, c, partnerTone)
	hangUp(t, c)
	ended(t, p)
}

// Each network has a Redis. A line's entries are in that of its own network and nothing of them in the other, whose
// death holds nothing up; what waits for it comes when it is back.
func TestRedisOfEachNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("two calls in real time")
	}
	t.Parallel()
	police, gov := redistest.Start(t), redistest.Start(t)
	l, first, partner := twoSides(t, police, gov)
	police.Kill()
	l.handsOver(t, first, partner)
	e := readEntries(t, gov.Addr(), "liandong:tickets:12345", 2)
	if e[0]["event"] != "opened" || e[1]["event"] != "answered" {
		t.Errorf("entries %v", e)
	}
	police.Restart()
	gov.Kill()
	l.handsOver(t, first, partner)
	eventually(t, "call events of the first line", func() bool {
		return len(wholeStream(t, police.Addr(),
			"liandong:calls")) > 0
	})
	gov.Restart()
	e = readEntries(t, gov.Addr(), "liandong:tickets:12345", 4)
	if e[2]["event"] != "opened" || e[3]["event"] != "answered" || e[2]["stub_id"] != e[3]["stub_id"] ||
		e[0]["stub_id"] == e[2]["stub_id"] {
		t.Errorf("entries %v", e)
	}
	eventually(t, "the state of the matter", func() bool {
		return slices.Contains(keys(t, gov.Addr()),
			"liandong:"+e[3]["stub_id"])
	})
	for where, c := range map[string]struct {
		redis string
		never []string
	}{"the first line's": {police.Addr(), []string{"12345", e[0]["stub_id"], e[2]["stub_id"]}},
		"the partner's": {gov.Addr(), []string{"tickets:110"}}} {
		names := strings.Join(keys(t, c.redis), " ")
		for _, word := range c.never {
			if strings.Contains(names, word) {
				t.Errorf("%s Redis holds %s: %s", where, word, names)
			}
		}
	}
	events := wholeStream(t, gov.Addr(), "liandong:calls")
	if len(events) == 0 {
		t.Error("12345's screens have learnt nothing of the call that came to them")
	}
	for _, event := range events {
		if event["agent"] != "2101" {
			t.Errorf("an event that is none of 12345's: %v", event)
		}
	}
	page, err := http.Get("http://" + l.http + "/metrics")
	must(t, err)
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	must(t, err)
	for _, line := range []string{`liandong_outbox_waiting{redis="gov"} 0`, `liandong_redis_up{redis="lab"} 1`,
		`liandong_ledger_leading{redis="gov"} 1`} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
