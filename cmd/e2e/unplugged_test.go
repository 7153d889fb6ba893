package e2e

import (
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// A desk phone of another make stands still in the middle of a call, as if its cable had been pulled: nothing comes of
// it any more, and nothing tells that nobody is there. The citizen hears that somebody looks after them, and a
// colleague has them. So it is while they talk and while the citizen is on hold.
func TestDeskPhoneIsUnplugged(t *testing.T) {
	t.Parallel()
	for _, phase := range []string{"talking", "on hold"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr())
			b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain,
				tone: deskTone})
			b.registered(t)
			c := l.call(t, l.caller(t, callerTone), "110")
			b.event(t, "CALL_INCOMING", 1)
			b.do(t, "accept", "")
			hears(t, waitConfirmed(t, c), deskTone)
			if phase == "on hold" {
				b.do(t, "hold", "")
				must(t, c.WaitHeard(within(t, 15*time.Second), 500*time.Millisecond, func(pcm []int16) bool {
					return phone.Loudness(pcm) > 50 && phone.Share(pcm, deskTone) < 0.2
				}))
			}
			colleague := l.desk(t, "1102", partnerTone, phone.AnswerAfter(0))
			must(t, b.self.Signal(syscall.SIGSTOP))
			stopped := time.Now()
			if phase == "talking" {
				must(t, c.WaitHeard(within(t, 30*time.Second), 300*time.Millisecond, func(pcm []int16) bool {
					return phone.Loudness(pcm) > 50 && phone.Share(pcm, deskTone) < 0.2
				}))
				t.Logf("the citizen hears that somebody looks after them after %v", time.Since(stopped))
			}
			d := next(t, colleague)
			t.Logf("a colleague rings after %v", time.Since(stopped))
			hears(t, waitConfirmed(t, d), callerTone)
			hears(t, c, partnerTone)
			must(t, c.Hangup(within(t, 10*time.Second)))
			must(t, d.WaitState(within(t, 10*time.Second), phone.Ended))
		})
	}
}
