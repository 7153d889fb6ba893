package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// phased is a call on a pair of machines that has come into some phase, and how it goes on from there.
type phased struct {
	calls  []*phone.Call // whose parties must not notice
	sound  []*phone.Call // those of them that hear something all the time
	opened bool          // a matter was opened in it
	rest   func()        // the other machine goes on with it, to its end
}

// The machine that carries the calls loses its power in each phase of a call, in turns with the other one, which then
// comes back. No party is told anything or rung twice, sound and recording and keys go on, and each entry is in Redis
// once. PAIR_PHASES=all has all of them, else two.
func TestPairInEachPhase(t *testing.T) {
	if testing.Short() {
		t.Skip("two machines, for half a minute")
	}
	t.Parallel()
	if !inWorld(t) {
		return
	}
	p := startPair(t, "hotlines.110.recording.mode=always", "hotlines.110.recording.announce=none")
	first, partner, caller := p.phone("1101", deskTone), p.phone("2101", partnerTone), p.citizen()
	start := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			var ladder strings.Builder
			must(t, phone.Ladder(&ladder, start, caller, first, partner))
			t.Log("calls\n" + ladder.String())
		}
	})
	talks := func() (c, d *phone.Call) {
		c = p.call(t, caller, "110")
		d = next(t, first)
		must(t, d.Answer())
		waitConfirmed(t, c)
		hears(t, c, deskTone)
		hears(t, d, callerTone)
		return c, d
	}
	joined := func(key string) (c, d, w *phone.Call) {
		c, d = talks()
		pushes(t, d, key)
		w = next(t, partner)
		must(t, w.Answer())
		waitConfirmed(t, w)
		return c, d, w
	}
	phases := []struct {
		name string
		here func() phased
	}{
		{"the partner rings", func() phased {
			c, d := talks()
			pushes(t, d, "*1")
			w := next(t, partner)
			must(t, w.WaitState(within(t, 10*time.Second), phone.Ringing))
			hearsNone(t, c, deskTone)
			return phased{[]*phone.Call{c, d, w}, []*phone.Call{c}, true, func() {
				must(t, w.Answer())
				ended(t, d)
				hears(t, c, partnerTone)
				hears(t, w, callerTone)
				hangUp(t, c)
				ended(t, w)
			}}
		}},
		{"consult", func() phased {
			c, d, w := joined("*2")
			hears(t, d, partnerTone)
			hears(t, w, deskTone)
			hearsNone(t, c, deskTone, partnerTone)
			return phased{[]*phone.Call{c, d, w}, []*phone.Call{c, d, w}, true, func() {
				hears(t, d, partnerTone)
				hears(t, w, deskTone)
				hearsNone(t, c, deskTone, partnerTone)
				pushes(t, d, "*3")
				hearsAll(t, c, deskTone, partnerTone)
				hangUp(t, d)
				hears(t, c, partnerTone)
				hangUp(t, c)
				ended(t, w)
			}}
		}},
		{"ringing", func() phased {
			c := p.call(t, caller, "110")
			d := next(t, first)
			must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
			return phased{[]*phone.Call{c, d}, nil, false, func() {
				must(t, d.Answer())
				waitConfirmed(t, c)
				hears(t, c, deskTone)
				hears(t, d, callerTone)
				hangUp(t, d)
				ended(t, c)
			}}
		}},
		{"talking", func() phased {
			c, d := talks()
			return phased{[]*phone.Call{c, d}, []*phone.Call{c, d}, true, func() {
				hears(t, c, deskTone)
				hears(t, d, callerTone)
				pushes(t, d, "*1")
				w := next(t, partner)
				must(t, w.Answer())
				ended(t, d)
				hears(t, c, partnerTone)
				hangUp(t, c)
				ended(t, w)
			}}
		}},
		{"held", func() phased {
			c, d := talks()
			must(t, d.Hold(within(t, 10*time.Second)))
			hearsNone(t, c, deskTone)
			return phased{[]*phone.Call{c, d}, []*phone.Call{c}, false, func() {
				hearsNone(t, c, deskTone)
				must(t, d.Resume(within(t, 10*time.Second)))
				hears(t, c, deskTone)
				hears(t, d, callerTone)
				hangUp(t, c)
				ended(t, d)
			}}
		}},
		{"three-way", func() phased {
			c, d, w := joined("*3")
			hearsAll(t, c, deskTone, partnerTone)
			return phased{[]*phone.Call{c, d, w}, []*phone.Call{c, d, w}, true, func() {
				hearsAll(t, c, deskTone, partnerTone)
				hearsAll(t, d, callerTone, partnerTone)
				hearsAll(t, w, callerTone, deskTone)
				hangUp(t, d)
				hears(t, c, partnerTone)
				hangUp(t, w)
				ended(t, c)
			}}
		}},
		{"in the queue", func() phased {
			c, d := talks()
			waits := p.call(t, caller, "110")
			hearsNone(t, waits, deskTone)
			return phased{[]*phone.Call{c, d, waits}, []*phone.Call{c, d, waits}, false, func() {
				hearsNone(t, waits, deskTone)
				hears(t, c, deskTone)
				hangUp(t, c)
				ended(t, d)
				d = next(t, first)
				must(t, d.Answer())
				waitConfirmed(t, waits)
				hears(t, waits, deskTone)
				hangUp(t, waits)
				ended(t, d)
			}}
		}},
	}
	if os.Getenv("PAIR_PHASES") != "all" {
		phases = phases[:2]
	}
	opened := 0
	for i, phase := range phases {
		one, two := p.ready()
		now := phase.here()
		if now.opened {
			opened++
		}
		one.copied() // what it does in its last milliseconds is lost
		recorded := one.recordings()
		off := time.Now()
		one.powerOff()
		moved := p.moved(two)
		for _, c := range now.sound {
			must(t, c.WaitHeard(within(t, 10*time.Second), 100*time.Millisecond, func(pcm []int16) bool {
				return phone.Loudness(pcm) > 50
			}))
		}
		p.silence(phase.name, 2*time.Second, off, moved, now.sound...)
		p.untouched(now.calls...)
		now.rest()
		for _, ref := range recorded {
			eventually(t, phase.name+": the other machine has the rest of the recording", func() bool {
				return strings.Contains(two.ask("GET", "/v1/recordings/"+ref+"/meta"), `"ended":"2`)
			})
		}
		for _, desk := range []*phone.Phone{first, partner} {
			select {
			case c := <-desk.Incoming():
				t.Errorf("%s: %s was rung once more: %s", phase.name, desk.Name(), shortly(c))
			default:
			}
		}
		if t.Failed() {
			t.Fatal("in the phase: ", phase.name)
		}
		if i < len(phases)-1 {
			one.powerOn()
		}
	}
	eachOnce(t, p.redis, opened)
}
