package exchange

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// subscribe is a SUBSCRIBE of a phone.
func subscribe(t *testing.T, user, to string) leg.Packet {
	t.Helper()
	msg, err := gosip.ParseMessage([]byte(strings.ReplaceAll(fmt.Sprintf(`SUBSCRIBE sip:%[2]s@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:7002;branch=z9hG4bK%[1]s%[2]s;rport
Max-Forwards: 70
From: <sip:%[1]s@127.0.0.1>;tag=w
To: <sip:%[2]s@127.0.0.1>
Call-ID: %[1]s-watches-%[2]s
CSeq: 1 SUBSCRIBE
Contact: <sip:%[1]s@127.0.0.1:7002>
Event: dialog
Accept: application/dialog-info+xml
Expires: 300
Content-Length: 0

`, user, to), "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return leg.Packet{Msg: msg, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort("127.0.0.1:7002"), Symmetric: true}}
}

var versionIn = regexp.MustCompile(`version="(\d+)"`)

// told is the last NOTIFY about a lamp, and its version.
func (w *fakeWire) told(t *testing.T, user, to string) (text string, version int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.sent) - 1; i >= 0; i-- {
		if strings.HasPrefix(w.sent[i], "NOTIFY") && strings.Contains(w.sent[i],
			"\r\nCall-ID: "+user+"-watches-"+to+"\r\n") {
			m := versionIn.FindStringSubmatch(w.sent[i])
			if m == nil {
				t.Fatalf("no version in\n%s", w.sent[i])
			}
			version, _ = strconv.Atoi(m[1])
			return w.sent[i], version
		}
	}
	t.Fatalf("%s was never told of %s", user, to)
	return "", 0
}

// answerNotifies is a phone that takes all it is told.
func (w *fakeWire) answerNotifies(t *testing.T, from int) int {
	t.Helper()
	w.mu.Lock()
	sent := append([]string(nil), w.sent[from:]...)
	w.mu.Unlock()
	for _, text := range sent {
		if !strings.HasPrefix(text, "NOTIFY") {
			continue
		}
		m, err := gosip.ParseMessage([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		res := leg.Reply(leg.Packet{Msg: m}, 200, "", "")
		res.SetBody(nil)
		w.mu.Lock()
		sink := w.sinks[m.CallID().Value()]
		w.mu.Unlock()
		if sink != nil {
			sink.Post(ua.Inbound{Packet: leg.Packet{Msg: res}})
		}
	}
	return from + len(sent)
}

// A call lights the lamp of its line, for the desks of the line with the caller's
// number, for others without; and when it is over they go out.
func TestLampOfALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		for _, user := range []string{"1102", "2101"} {
			p := subscribe(t, user, "110")
			w.Bind(p.CallID(), x.Incoming(ua.Origin{Network: "lab", User: user}, p))
		}
		synctest.Wait()
		at := w.answerNotifies(t, 0)
		synctest.Wait()
		_, first := w.told(t, "1102", "110")
		one := x.Incoming(pstn, invite(t, "110"))
		synctest.Wait()
		at = w.answerNotifies(t, at)
		synctest.Wait()
		text, second := w.told(t, "1102", "110")
		if !strings.Contains(text, "<state>early</state>") || !strings.Contains(text, "sip:13812345678@127.0.0.1") ||
			second <= first {
			t.Errorf("the line's own desk is told, version %d after %d\n%s", second, first, text)
		}
		text, _ = w.told(t, "2101", "110")
		if !strings.Contains(text, "<state>early</state>") || strings.Contains(text, "138") ||
			strings.Contains(text, "call-id") {
			t.Errorf("another line's desk is told\n%s", text)
		}
		if s := x.Stats().Subscribers; s.On != 2 || s.Sent != 4 {
			t.Errorf("%+v", s)
		}
		cancel := strings.NewReplacer("INVITE sip", "CANCEL sip", "1 INVITE",
			"1 CANCEL").Replace(invite(t, "110").Msg.String())
		m, err := gosip.ParseMessage([]byte(cancel))
		if err != nil {
			t.Fatal(err)
		}
		one.Post(ua.Inbound{Packet: leg.Packet{Msg: m, Flow: invite(t, "110").Flow}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		w.answerNotifies(t, at)
		for _, user := range []string{"1102", "2101"} {
			if text, _ := w.told(t, user, "110"); !strings.Contains(text, "<state>terminated</state>") {
				t.Errorf("%s is told\n%s", user, text)
			}
		}
	})
}

// Who may watch what.
func TestLampsFound(t *testing.T) {
	d := dialogs{dir: simDirectory}
	for _, c := range []struct {
		user, to, lamp string
		code           int
	}{
		{"1101", "1102", "seat/1102", 0},
		{"1101", "1101", "seat/1101", 0},
		{"1101", "2101", "", 403},
		{"1101", "110", "line/110", 0},
		{"2101", "110", "foreign/line/110", 0},
		{"1101", "handover", "verb/handover/1101", 0},
		{"1101", "7777", "", 404},
		{"9999", "110", "", 403},
	} {
		if lamp, code := d.Find(c.user, header.URI{User: c.to}); lamp != c.lamp || code != c.code {
			t.Errorf("%s watches %s: %q %d, want %q %d", c.user, c.to, lamp, code, c.lamp, c.code)
		}
	}
}

// Versions rise over restarts, however short the run, wherever the clock stands,
// and without the file when the clock goes on.
func TestVersionsRise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamps")
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	log := slog.New(slog.DiscardHandler)
	start := func(at time.Time) (*Versions, uint32) {
		v := NewVersions(path, at, log)
		floor := v.begin()
		v.end() // killed at once
		return v, floor
	}
	v, top := start(now)
	for range 3 * versionBlock { // each one in use must be under what is on disk
		v.used(top)
		v.end()
		text, err := os.ReadFile(path)
		if n, bad := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || bad != nil || uint32(n) <= top {
			t.Fatalf("version %d is in use, the file holds %q: %v", top, text, err)
		}
		top += 7
	}
	for _, at := range []time.Time{now.Add(time.Second), now.AddDate(-3, 0, 0), time.Unix(0, 0), now} {
		_, floor := start(at)
		if floor < top {
			t.Errorf("at %v versions begin at %d, %d was told", at, floor, top)
		}
		top = floor + 1
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, floor := start(now.AddDate(1, 0, 0)); floor < top {
		t.Errorf("without the file they begin at %d, %d was told", floor, top)
	}
}
