package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// A switch that is told to stop takes no new calls, and lets those that are on end: who talks goes on, who comes is
// turned away, an edge that asks is told so, and who is left at the limit hears it before the BYE.
func TestDrain(t *testing.T) {
	if testing.Short() {
		t.Skip("as long as calls may last")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), "shutdown.drain=10s")
	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller := s.caller(t, callerTone)
	c := s.call(t, caller, "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	began := time.Now()
	must(t, s.keeper.Process.Signal(syscall.SIGTERM))
	eventually(t, "not ready", func() bool {
		res, _ := s.get(t, "/readyz")
		return res.StatusCode == http.StatusServiceUnavailable
	})
	late := s.call(t, s.caller(t, callerTone), "110")
	must(t, late.WaitState(within(t, 10*time.Second), phone.Ended))
	if e := late.Ending(); e.Code != 503 {
		t.Errorf("a new call got %+v", e)
	}
	hears(t, c, deskTone)
	must(t, c.WaitHeard(within(t, 25*time.Second), 400*time.Millisecond, func(pcm []int16) bool {
		// what the citizen is told, beside the desk
		return phone.Loudness(pcm) > 50 && phone.Share(pcm, deskTone) < 0.95
	}))
	must(t, c.WaitState(within(t, 30*time.Second), phone.Ended))
	must(t, d.WaitState(within(t, 10*time.Second), phone.Ended))
	if took := time.Since(began); took < 10*time.Second || c.Ending().Local {
		t.Errorf("after %v: %+v", took, c.Ending())
	}
	must(t, s.keeper.Wait())
}

// Who rings is told to come again; a second signal does not wait.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), "shutdown.drain=5m")
	desk := s.desk(t, "1101", deskTone, phone.NeverAnswer())
	c := s.call(t, s.caller(t, callerTone), "110")
	next(t, desk)
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
	must(t, s.keeper.Process.Signal(syscall.SIGTERM))
	eventually(t, "not ready", func() bool {
		res, _ := s.get(t, "/readyz")
		return res.StatusCode == http.StatusServiceUnavailable
	})
	must(t, s.keeper.Process.Signal(syscall.SIGTERM))
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ended))
	if e := c.Ending(); e.Code != 503 {
		t.Errorf("who rings got %+v", e)
	}
	for _, m := range c.Messages() {
		if m.Message.Code == 503 && m.Message.Get("Retry-After") == "" {
			t.Errorf("without Retry-After:\n%s", m.Message.Bytes())
		}
	}
	must(t, s.keeper.Wait())
}
