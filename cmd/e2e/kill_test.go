package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// killRounds is how often the workers of all switches are killed, and which switches there are. In a usual test run it
// is one call by TCP and SRTP that is recorded, with a kill at each of its steps;
// KILL_ROUNDS=200 has six switches and two minutes of a machine for itself.
func killRounds(t testing.TB) (n int, switches []string) {
	text := os.Getenv("KILL_ROUNDS")
	if text == "" {
		if testing.Short() {
			t.Skip("half a minute of kills")
		}
		return 1, []string{"tcp srtp recorded"}
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n, []string{"udp", "tcp", "srtp", "udp recorded", "tcp recorded", "srtp recorded"}
}

// killGap keeps kills apart, so that the keeper lets no worker rest: it does after five deaths in 10 s.
const killGap = 3200 * time.Millisecond

// fated is a switch whose worker is killed again and again under its calls.
type fated struct {
	*serving
	t      *testing.T
	srtp   bool // of the caller
	phones []*phone.Phone
	last   time.Time // the last kill
	kills  []time.Time
	talks  int // whole calls
	rand   *rand.Rand
	done   *atomic.Int64 // kills, of all switches
	gaps   *gaps
}

// gaps are the silences that a kill has caused, of all calls.
type gaps struct {
	mu  sync.Mutex
	all []time.Duration
}

func (g *gaps) add(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, d)
}

func (g *gaps) share(p float64) time.Duration {
	slices.Sort(g.all)
	return g.all[min(int(float64(len(g.all))*p), len(g.all)-1)]
}

// The worker is killed at any time and right after each step of a call, and no party notices more than a blink of
// sound: nothing is said on the wire that would not have been said, the sources of sound are the same, keys work, and
// each entry of the matter is there once.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds, switches := killRounds(t)
	var done atomic.Int64
	g := &gaps{}
	t.Run("switches", func(t *testing.T) {
		for i, how := range switches {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				f := startFated(t, how, uint64(i))
				f.done, f.gaps = &done, g
				for done.Load() < int64(rounds) {
					f.wholeCall()
				}
			})
		}
	})
	if len(g.all) > 0 {
		t.Logf("%d kills; silence of %d streams: p50 %v, p99 %v, longest %v", done.Load(), len(g.all), g.share(0.5),
			g.share(0.99), g.share(1))
	}
}

func startFated(t *testing.T, how string, seed uint64) *fated {
	set := []string{"timers.settle=0s"}
	if strings.Contains(how, "recorded") {
		set = append(set, "hotlines.110.recording.mode=always", "hotlines.110.recording.announce=none",
			"hotlines.12345.recording.mode=always", "hotlines.12345.recording.announce=none")
	}
	if strings.Contains(how, "srtp") {
		set = append(set, "networks.lab.srtp=preferred")
	}
	f := &fated{serving: startServing(t, miniredis.RunT(t).Addr(), set...), t: t, srtp: strings.Contains(how, "srtp"),
		rand: rand.New(rand.NewPCG(seed, 1))}
	for _, user := range []string{"1101", "2101"} {
		cfg := phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: f.server,
			Speech: phone.Tone(tones[user], time.Second), RTCP: true}
		if strings.Contains(how, "tcp") {
			cfg.Transport = "tcp"
		}
		p := newPhone(t, cfg)
		must(t, p.Register(within(t, 10*time.Second)))
		f.phones = append(f.phones, p)
	}
	return f
}

var tones = map[string]float64{"1101": deskTone, "2101": partnerTone}

// kill ends the worker right after the step before, or a moment later.
func (f *fated) kill() {
	f.t.Helper()
	f.done.Add(1)
	time.Sleep(time.Duration(f.rand.IntN(20)) * time.Millisecond)
	f.last = time.Now()
	f.kills = append(f.kills, f.last)
	f.serving.kill(f.t)
}

// rest waits until the next kill may come; the step that it is to follow is done then.
func (f *fated) rest() { time.Sleep(time.Until(f.last.Add(killGap))) }

// wholeCall is a call with all that can happen in it, and a kill after each step.
func (f *fated) wholeCall() {
	t, first, partner := f.t, f.phones[0], f.phones[1]
	caller := newPhone(t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: f.server,
		Speech: phone.Tone(callerTone, time.Second), RTCP: true, SRTP: f.srtp,
		First: uint16(65300 + f.rand.IntN(200))}) // the numbers wrap in the talk: RFC 3711 §3.3.1
	defer caller.Close()

	f.talks++
	f.rest()
	c := f.call(t, caller, "110")
	d := next(t, first)
	f.kill() // it rings
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
	f.rest()
	must(t, d.Answer())
	f.kill() // it is just answered
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	f.later() // somewhere in the talk
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	f.rest()
	pushes(t, d, "*")
	f.kill() // in the middle of a key code
	pushes(t, d, "3")
	p := next(t, partner)
	f.rest()
	f.kill() // the partner rings
	must(t, p.Answer())
	waitConfirmed(t, p)
	hearsAll(t, c, deskTone, partnerTone)
	hearsAll(t, d, callerTone, partnerTone)
	hearsAll(t, p, callerTone, deskTone)
	f.later() // three talk
	hearsAll(t, c, deskTone, partnerTone)
	hearsAll(t, p, callerTone, deskTone)
	f.rest()
	held := time.Now()
	must(t, d.Hold(within(t, 10*time.Second)))
	f.kill()
	hears(t, c, partnerTone)
	must(t, d.Resume(within(t, 10*time.Second)))
	hearsAll(t, d, callerTone, partnerTone)
	resumed := time.Now()
	f.rest()
	must(t, d.Cancel()) // one of three hangs up, without waiting for the answer
	f.kill()
	must(t, d.WaitState(within(t, 10*time.Second), phone.Ended))
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	f.rest()
	must(t, c.Cancel())
	f.kill()
	must(t, p.WaitState(within(t, 15*time.Second), phone.Ended))
	must(t, c.WaitState(within(t, 15*time.Second), phone.Ended))
	f.check(c, d, p)
	f.silences(c, func(phone.Pause) bool { return true })
	f.silences(p, func(phone.Pause) bool { return true })
	// it hears nothing on hold
	f.silences(d, func(p phone.Pause) bool { return p.End.Before(held) || p.End.Add(-p.For).After(resumed) })
	f.entries()
}

// entries fails when the matter has an entry twice, or not at all.
func (f *fated) entries() {
	f.t.Helper()
	of := map[string]map[string]int{} // event → times, by stub
	look := func() bool {
		of = map[string]map[string]int{}
		for _, e := range wholeStream(f.t, f.redis, "liandong:tickets:12345") {
			if of[e["stub_id"]] == nil {
				of[e["stub_id"]] = map[string]int{}
			}
			of[e["stub_id"]][e["event"]]++
		}
		for _, events := range of {
			if events["opened"] == 0 || events["answered"] == 0 || events["decided"] == 0 {
				return false
			}
		}
		return len(of) == f.talks
	}
	for end := time.Now().Add(20 * time.Second); !look(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("after %d calls the entries of each matter are %v", f.talks, of)
		}
	}
	for stub, events := range of {
		for event, n := range events {
			if n != 1 {
				f.t.Errorf("%s: %d times %s", stub, n, event)
			}
		}
	}
}

// later kills at a random time.
func (f *fated) later() {
	f.t.Helper()
	f.rest()
	time.Sleep(time.Duration(f.rand.IntN(500)) * time.Millisecond)
	f.kill()
}

// check looks at what the parties of a call have seen of all the kills.
func (f *fated) check(calls ...*phone.Call) {
	t := f.t
	for _, c := range calls {
		s := c.Continuity()
		if len(s.SSRCs) != 1 || len(s.Sources) != 1 || s.Unopened > 0 {
			t.Errorf("another stream: SSRCs %v, sources %v, %d packets not sealed by the key", s.SSRCs, s.Sources,
				s.Unopened)
		}
		seen := map[string]int{}
		for _, m := range c.Messages() {
			if m.Out || m.Again || m.Message.Method == "" {
				continue
			}
			seen[m.Message.Method]++
		}
		for method, most := range map[string]int{"INVITE": 1, "BYE": 1, "CANCEL": 0} {
			if seen[method] > most {
				t.Errorf("%d %s came:\n%s", seen[method], method, shortly(c))
			}
		}
	}
	for _, p := range f.phones {
		select {
		case c := <-p.Incoming():
			t.Errorf("%s was rung once more: %s", p.Name(), shortly(c))
		default:
		}
	}
}

// silences notes those that kills have caused.
func (f *fated) silences(c *phone.Call, counts func(phone.Pause) bool) {
	for _, p := range c.Continuity().Pauses {
		begun := p.End.Add(-p.For - 50*time.Millisecond)
		if counts(p) && slices.ContainsFunc(f.kills, func(k time.Time) bool {
			return k.After(begun) &&
				k.Before(p.End)
		}) {
			f.gaps.add(p.For)
		}
	}
}

// shortly is what a call's phone has seen, a line each.
func shortly(c *phone.Call) string {
	var b strings.Builder
	for _, m := range c.Messages() {
		arrow := "<-"
		if m.Out {
			arrow = "->"
		}
		if m.Again {
			arrow += "*"
		}
		n, _ := m.Message.CSeq()
		fmt.Fprintf(&b, "%s %s %s (%d)\n", m.At.Format("05.000"), arrow, m.Message.Short(), n)
	}
	return b.String()
}

// hearsAll waits until a call's phone hears two voices.
func hearsAll(t testing.TB, c *phone.Call, one, other float64) {
	t.Helper()
	err := c.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
		return phone.Share(pcm, one) > 0.2 && phone.Share(pcm, other) > 0.2
	})
	if err != nil {
		t.Fatalf("%v and %v Hz: %v", one, other, err)
	}
}
