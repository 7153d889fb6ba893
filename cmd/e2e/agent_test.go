package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/phone"
)

// chair waits until a seat stands as wanted.
func (s *serving) chair(t testing.TB, user, state, reason string) {
	t.Helper()
	var last []feed.Chair
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		out, err := s.tryGet("/v1/seats")
		if err != nil || json.Unmarshal(out, &last) != nil {
			continue
		}
		for _, c := range last {
			if c.User == user && c.State == state && c.Reason == reason {
				return
			}
		}
	}
	t.Fatalf("%s is never %s %q, but %+v", user, state, reason, last)
}

// dials has a phone dial a service, which is answered, heard and ended by the switch.
func (s *serving) dials(t testing.TB, p *phone.Phone, number string) {
	t.Helper()
	c, err := p.Call(number, phone.CallOptions{})
	must(t, err)
	waitConfirmed(t, c)
	must(t, c.WaitState(within(t, 20*time.Second), phone.Ended))
}

// A taker dials to be not ready: a citizen waits, rather than ring there, and the death of the process changes nothing
// of it; ready again, the phone rings at once. After the call there is time to write it up, which a dialled number
// ends. At an emergency line the phone of who is not ready rings when nobody else is there.
func TestSeatThatIsNotReady(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), "services={'*81': ready, '*82': not_ready, '*83': not_ready break}",
		"hotlines.12345.after_call=10m")
	taker := s.desk(t, "2101", deskTone, phone.AnswerAfter(0))
	s.chair(t, "2101", "free", "")
	s.dials(t, taker, "*83")
	s.chair(t, "2101", "not_ready", "break")
	c := s.call(t, s.caller(t, callerTone), "12345")
	hearsNone(t, c, deskTone) // the queue's music
	s.kill(t)
	s.chair(t, "2101", "not_ready", "break")
	select {
	case <-taker.Incoming():
		t.Fatal("the seat is not ready and rings")
	case <-time.After(500 * time.Millisecond):
	}
	s.dials(t, taker, "*81")
	d := next(t, taker)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	s.chair(t, "2101", "talking", "")
	must(t, c.Hangup(within(t, 10*time.Second)))
	s.chair(t, "2101", "after_call", "")
	s.kill(t)
	s.chair(t, "2101", "after_call", "")
	s.dials(t, taker, "*81")
	s.chair(t, "2101", "free", "")

	police := s.desk(t, "1101", partnerTone, phone.AnswerAfter(0))
	res, err := http.Post("http://"+s.http+"/v1/seats/1101/state?state=not_ready", "", nil)
	must(t, err)
	must(t, res.Body.Close())
	s.chair(t, "1101", "not_ready", "")
	c = s.call(t, s.caller(t, callerTone), "110")
	next(t, police)
	hears(t, c, partnerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	s.chair(t, "1101", "not_ready", "")
}
