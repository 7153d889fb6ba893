package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/phone"
)

// missed waits until the list of missed calls has one that is as wanted.
func (s *serving) missed(t testing.TB, what string, ok func(api.Missed) bool) api.Missed {
	t.Helper()
	var last []api.Missed
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		out, err := s.tryGet("/v1/missed")
		if err != nil || json.Unmarshal(out, &last) != nil {
			continue
		}
		for _, m := range last {
			if ok(m) {
				return m
			}
		}
	}
	t.Fatalf("%s: %+v", what, last)
	return api.Missed{}
}

// callBack asks for a missed call to be called back.
func (s *serving) callBack(t testing.TB, id, user string) (status int, said string) {
	t.Helper()
	res, err := http.Post("http://"+s.http+"/v1/missed/"+id+"/call?user="+user, "", nil)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, strings.TrimSpace(string(body))
}

// givesUp is a citizen who calls a line, hears it ring, and hangs up.
func (s *serving) givesUp(t testing.TB, p *phone.Phone, line string) {
	t.Helper()
	c := s.call(t, p, line)
	must(t, c.WaitState(within(t, 20*time.Second), phone.Ringing))
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, c.WaitState(within(t, 20*time.Second), phone.Ended))
}

// A citizen gives up twice and is one missed call; the death of the process loses none and doubles none. A desk calls
// back with one press: its phone rings first, then the citizen's, who sees the line's number; the process dies while it
// rings; they talk, and the desk hands over as in any call. Nobody else calls meanwhile, nor afterwards.
func TestMissedCallIsCalledBack(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	redis := miniredis.RunT(t).Addr()
	s := startServing(t, redis, "hotlines.110.callback={trunk: pstn, number: '110'}", "hotlines.110.no_answer=2m",
		"trunks.pstn.pai=true")
	man := newPhone(t, phone.Config{Name: "citizen", Listen: s.trunk, Server: s.server,
		Speech: phone.Tone(callerTone, time.Second), RTCP: true, Policy: phone.AnswerAfter(3 * time.Second)})
	s.desk(t, "1101", deskTone, phone.NeverAnswer())
	s.givesUp(t, man, "110")
	m := s.missed(t, "missed once", func(m api.Missed) bool { return m.Count == 1 && m.State == "open" })
	if m.Caller != "+86138****5678" || m.Reason != "abandoned" || !m.Callable || m.Hotline != "110" {
		t.Errorf("%+v", m)
	}
	s.kill(t)
	s.givesUp(t, man, "110")
	s.missed(t, "missed twice", func(is api.Missed) bool { return is.ID == m.ID && is.Count == 2 })

	taker := s.desk(t, "1102", partnerTone, phone.AnswerAfter(0))
	if status, said := s.callBack(t, m.ID, "2101"); status != http.StatusForbidden {
		t.Errorf("a desk of another line: %d %s", status, said)
	}
	if status, said := s.callBack(t, m.ID, "1102"); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	d := waitConfirmed(t, next(t, taker))
	c := next(t, man)
	if status, said := s.callBack(t, m.ID, "1101"); status != http.StatusConflict || !strings.Contains(said, "1102") {
		t.Errorf("while it is called: %d %s", status, said)
	}
	s.kill(t) // while the citizen's phone rings
	waitConfirmed(t, c)
	if from := c.Invite().Get("From"); !strings.Contains(from, "<sip:110@") {
		t.Errorf("the citizen sees %s", from)
	}
	if pai := c.Invite().Get("P-Asserted-Identity"); !strings.Contains(pai, "<sip:110@") {
		t.Errorf("the citizen sees %s", pai)
	}
	hears(t, c, partnerTone)
	hears(t, d, callerTone)
	s.missed(t, "called back", func(is api.Missed) bool {
		return is.ID == m.ID && is.State == "called_back" && is.By == "1102" && is.Result == "answered"
	})
	if status, said := s.callBack(t, m.ID, "1101"); status != http.StatusConflict || !strings.Contains(said, "1102") {
		t.Errorf("after it: %d %s", status, said)
	}

	partner := s.desk(t, "2101", deskTone, phone.AnswerAfter(0))
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner))
	hears(t, c, deskTone)
	hears(t, p, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))

	// One who calls again and is answered is off the list.
	other := newPhone(t, phone.Config{Name: "other", Listen: netip.AddrPortFrom(citizen, 0), Server: s.server})
	l, err := other.Call("sip:12345@"+s.server.Addr().String(), phone.CallOptions{From: "13912345678"})
	must(t, err)
	must(t, l.WaitState(within(t, 20*time.Second), phone.Confirmed)) // 2101 is free again, and answers
	must(t, l.Hangup(within(t, 10*time.Second)))

	// What has become of them is in the stream, each once.
	want := map[string]int{"missed": 1, "missed_again": 1, "called_back": 1, "opened": 0}
	got := map[string]int{}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got = map[string]int{}
		ids := map[string]bool{}
		for _, fields := range wholeStream(t, redis, "liandong:tickets:110") {
			if !ids[fields["event_id"]] {
				got[fields["event"]]++
			}
			ids[fields["event_id"]] = true
			if fields["event"] == "missed_again" && (fields["missed_count"] != "2" || fields["stub_id"] != m.ID) {
				t.Errorf("%v", fields)
			}
		}
		if got["called_back"] > 0 {
			break
		}
	}
	for event, n := range want {
		if got[event] != n {
			t.Errorf("%s: %d times, want %d", event, got[event], n)
		}
	}
}

// A citizen who was missed and calls again is answered: nobody has to call back.
func TestMissedCallIsReached(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr())
	man := s.caller(t, callerTone)
	c := s.call(t, man, "110") // no phone is there
	hearsNone(t, c, deskTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	m := s.missed(t, "missed", func(m api.Missed) bool { return m.State == "open" })
	if m.Callable {
		t.Errorf("without a trunk for it: %+v", m)
	}
	s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	status, said := s.callBack(t, m.ID, "1101")
	if status != http.StatusConflict || !strings.Contains(said, "callback") {
		t.Errorf("%d %s", status, said)
	}
	c = s.call(t, man, "110")
	waitConfirmed(t, c)
	s.missed(t, "reached", func(is api.Missed) bool {
		return is.ID == m.ID && is.State == "reached" && is.By == "1101"
	})
	must(t, c.Hangup(within(t, 10*time.Second)))
}
