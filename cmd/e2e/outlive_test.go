package e2e

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// A call goes on when the process that carries it is killed: while it rings, while it is talked, while another line
// rings. Nobody is let go, nothing is agreed anew, and there is one of every message.
func TestCallOutlivesItsProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr())
	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(3*time.Second))
	partner := s.desk(t, "2101", partnerTone, phone.AnswerAfter(3*time.Second))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
	s.kill(t) // while it rings
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	s.kill(t) // while they talk
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := next(t, partner)
	s.kill(t) // while the partner rings
	waitConfirmed(t, p)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	s.kill(t)
	hears(t, c, partnerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	for name, call := range map[string]*phone.Call{"citizen": c, "desk": d, "partner": p} {
		invites := map[string]bool{}
		for _, m := range call.Messages() {
			if m.Message.Method == "INVITE" {
				invites[m.Message.Get("CSeq")] = true
			}
		}
		if len(invites) != 1 {
			t.Errorf("%s: %d INVITEs", name, len(invites))
		}
	}
}
