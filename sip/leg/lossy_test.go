package leg

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/sdp"
)

var oneSeed = flag.Uint64("seed", 0, "run one call of TestTwoLegsAgree again, and show it")

// weather is what the network does to datagrams.
type weather struct {
	lose, double float64
	delay        time.Duration // each datagram takes up to this long: they overtake each other
}

type flight struct {
	at   time.Time
	n    int // order of sending, for equal times
	to   *party
	from *party
	msg  gosip.Message
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].n < f[j].n
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// party is one end of the virtual network, with the little that ua does: it
// makes the leg on an INVITE and answers 481 once the leg is gone.
type party struct {
	name   string
	addr   netip.AddrPort
	peer   *party
	leg    *Leg
	local  Local
	cfg    Config
	gone   bool
	events []Event
	script []act
	took   bool      // answered the call
	quit   bool      // ended it by itself
	over   time.Time // nothing is told any more since then
}

type act struct {
	at  time.Time
	cmd Command
}

type world struct {
	t       testing.TB
	now     time.Time
	rand    *rand.Rand
	weather weather
	tcp     bool
	air     flights
	sent    int
	a, b    *party
	checked int // moments at which both ends could be compared
	log     []string
}

func (w *world) transport() string {
	if w.tcp {
		return "tcp"
	}
	return "udp"
}

func (w *world) notef(format string, args ...any) {
	w.log = append(w.log, w.now.Sub(epoch).String()+" "+fmt.Sprintf(format, args...))
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.log, "\n"))
}

// take sends what a leg wants sent and notes its events.
func (w *world) take(p *party, out Out) {
	for _, packet := range out.Packets {
		if packet.Flow.Remote != p.peer.addr {
			w.fatalf("%s sends to %v: %s", p.name, packet.Flow.Remote, short(packet.Msg))
		}
		w.send(p, packet.Msg)
	}
	for _, e := range out.Events {
		w.notef("%s: %T%+v", p.name, e, e)
		p.events = append(p.events, e)
	}
	p.took = p.took || p.leg.Phase == talking
	if p.leg.Phase != over {
		p.over = time.Time{}
	} else if p.over.IsZero() {
		p.over = w.now
	}
	reborn(w.t, p.leg, p.local)
	if p.leg.Done() {
		p.gone = true
		if w.now.Sub(p.over) > 5*p.leg.life() {
			w.fatalf("%s: over since %v and done only now", p.name, p.over.Sub(epoch))
		}
	}
}

func (w *world) send(p *party, m gosip.Message) {
	w.notef("%s> %s", p.name, short(m))
	msg := wire(w.t, m)
	copies := 1
	if !w.tcp {
		if w.rand.Float64() < w.weather.lose {
			copies = 0
		} else if w.rand.Float64() < w.weather.double {
			copies = 2
		}
	}
	for range copies {
		delay := 5 * time.Millisecond
		if !w.tcp {
			delay += time.Duration(w.rand.Int64N(int64(w.weather.delay) + 1))
		}
		w.sent++
		heap.Push(&w.air, flight{at: w.now.Add(delay), n: w.sent, to: p.peer, from: p, msg: msg})
	}
}

func (w *world) deliver(f flight) {
	p := f.to
	packet := Packet{Msg: f.msg, Flow: Flow{Network: "lab", Transport: w.transport(), Local: p.addr,
		Remote: f.from.addr}}
	req, isRequest := f.msg.(*gosip.Request)
	switch {
	case p.leg != nil && !p.gone:
		w.take(p, p.leg.Receive(w.now, packet))
	case isRequest && req.Method == gosip.INVITE && p.leg == nil:
		leg, out := NewInbound(p.cfg, w.now, packet, p.local)
		p.leg = leg
		for i := range p.script {
			p.script[i].at = p.script[i].at.Add(w.now.Sub(epoch))
		}
		w.take(p, out)
	case isRequest && req.Method != gosip.ACK:
		w.send(p, withoutBody(Reply(packet, 481, "", "stray")))
	}
}

// step goes to the next thing that happens, and says false when nothing will.
func (w *world) step() bool {
	var next deadline
	if len(w.air) > 0 {
		next.at(w.air[0].at)
	}
	for _, p := range []*party{w.a, w.b} {
		if p.leg == nil {
			continue
		}
		if !p.gone {
			next.any(p.leg.Deadline())
		}
		if len(p.script) > 0 {
			next.at(p.script[0].at)
		}
	}
	at := time.Time(next)
	if at.IsZero() {
		return false
	}
	w.now = later(w.now, at)
	for len(w.air) > 0 && !w.air[0].at.After(w.now) {
		w.deliver(heap.Pop(&w.air).(flight))
	}
	for _, p := range []*party{w.a, w.b} {
		w.turn(p)
	}
	return true
}

func (w *world) turn(p *party) {
	if p.leg == nil {
		return
	}
	if at, ok := p.leg.Deadline(); ok && !p.gone && !at.After(w.now) {
		w.take(p, p.leg.Tick(w.now))
		if at, ok := p.leg.Deadline(); ok && !at.After(w.now) {
			w.fatalf("%s: deadline %v is not after the tick", p.name, at.Sub(epoch))
		}
	}
	for len(p.script) > 0 && !p.script[0].at.After(w.now) {
		cmd := p.script[0].cmd
		p.script = p.script[1:]
		if !p.gone {
			w.notef("%s! %T%+v", p.name, cmd, cmd)
			before := p.leg.Phase
			w.take(p, p.leg.Do(w.now, cmd))
			p.quit = p.quit || before != over && p.leg.Phase == over
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func short(m gosip.Message) string {
	seq := ""
	if c := m.CSeq(); c != nil {
		seq = c.Value()
	}
	switch m := m.(type) {
	case *gosip.Request:
		return string(m.Method) + " [" + seq + "]"
	case *gosip.Response:
		return fmt.Sprintf("%d [%s]", m.StatusCode, seq)
	}
	return "?"
}

// newWorld draws a call from a seed: how the network is, who does what when.
func newWorld(t testing.TB, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{t: t, now: epoch, rand: r, tcp: r.IntN(8) == 0}
	w.weather = weather{
		lose:   []float64{0, 0.05, 0.2, 0.4}[r.IntN(4)],
		double: []float64{0, 0.1, 0.3}[r.IntN(3)],
		delay:  []time.Duration{0, 50 * time.Millisecond, time.Second, 3 * time.Second}[r.IntN(4)],
	}
	w.a = &party{name: "A", addr: addrA, local: localAt(addrA, mediaA, w.transport()), cfg: testConfig(seed * 2)}
	w.b = &party{name: "B", addr: addrB, local: localAt(addrB, mediaB, w.transport()), cfg: testConfig(seed*2 + 1)}
	w.a.peer, w.b.peer = w.b, w.a
	for _, p := range []*party{w.a, w.b} {
		p.cfg.SessionExpires = []time.Duration{0, 90 * time.Second, 2 * time.Minute}[r.IntN(3)]
		if r.IntN(4) == 0 && p.cfg.SessionExpires > 0 {
			p.cfg.MinSE, p.cfg.SessionExpires = 3*time.Minute, 3*time.Minute
		}
	}
	w.a.leg = NewOutbound(w.a.cfg, w.a.local)
	w.scriptCaller(r)
	w.scriptCallee(r)
	return w
}

func (w *world) scriptCaller(r *rand.Rand) {
	cmd := inviteTo(w.t, addrB, w.transport())
	cmd.DelayedOffer = r.IntN(4) == 0
	if r.IntN(3) == 0 {
		cmd.Fields = append(cmd.Fields, field("Require", "100rel"))
	}
	w.a.script = []act{{epoch, cmd}}
	w.talk(r, w.a)
	switch r.IntN(4) {
	case 0:
		w.a.script = append(w.a.script, act{epoch.Add(ms(r, 20_000)), End{}})
	case 1:
		w.a.script = append(w.a.script, act{epoch.Add(ms(r, 400_000)), End{}})
	}
	// Somebody hangs up in the end.
	w.a.script = append(w.a.script, act{epoch.Add(500 * time.Second), End{}})
	inOrder(w.a.script)
}

func (w *world) scriptCallee(r *rand.Rand) {
	at := epoch
	for range r.IntN(3) {
		at = at.Add(ms(r, 3000))
		w.b.script = append(w.b.script, act{at, Progress{Code: []int{180, 183, 182}[r.IntN(3)], Media: r.IntN(2) == 0}})
	}
	at = at.Add(ms(r, 8000))
	switch r.IntN(8) {
	case 0:
		w.b.script = append(w.b.script, act{at, Reject{Code: 486}})
	case 1: // nobody answers
	default:
		w.b.script = append(w.b.script, act{at, Answer{}})
		w.talk(r, w.b)
	}
	if r.IntN(3) == 0 {
		w.b.script = append(w.b.script, act{epoch.Add(ms(r, 300_000)), End{}})
	}
	w.b.script = append(w.b.script, act{epoch.Add(600 * time.Second), End{}})
	inOrder(w.b.script)
}

func (w *world) talk(r *rand.Rand, p *party) {
	for range r.IntN(4) {
		p.script = append(p.script, act{epoch.Add(ms(r, 60_000)), Modify{Direction: sdp.Direction(r.IntN(4))}})
	}
}

func inOrder(s []act) {
	for i := range s {
		for j := i; j > 0 && s[j].at.Before(s[j-1].at); j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func ms(r *rand.Rand, most int64) time.Duration {
	return time.Duration(r.Int64N(most)) * time.Millisecond
}

// TestTwoLegsAgree runs two legs against each other over a network that loses,
// doubles and reorders, and holds them to what must be true whatever it does.
func TestTwoLegsAgree(t *testing.T) {
	first, seeds := uint64(0), uint64(2000)
	switch {
	case testing.Short():
		seeds = 300
	case rebirth:
		seeds = 700
	}
	if *oneSeed != 0 {
		first, seeds = *oneSeed, *oneSeed+1
	}
	sum := map[string]int{}
	for seed := first; seed < seeds; seed++ {
		w := newWorld(t, seed)
		for w.step() {
			w.check(seed)
			if w.now.Sub(epoch) > time.Hour {
				w.fatalf("seed %d: still something to do after an hour", seed)
			}
		}
		w.verdict(seed, sum)
		if *oneSeed != 0 {
			t.Log(strings.Join(w.log, "\n"))
		}
		sum["checked"] += w.checked
	}
	t.Log(sum)
	if testing.Short() || *oneSeed != 0 {
		return
	}
	for _, k := range []string{"answered", "changed", "bye", "cancel", "failed", "expired", "lost", "timeout"} {
		if sum[k] == 0 {
			t.Errorf("no seed led to %q: the test does not try it", k)
		}
	}
}

// check holds at each moment: two legs that both talk and have nothing under
// way see the same session from their ends.
func (w *world) check(seed uint64) {
	a, b := w.a.leg, w.b.leg
	if a == nil || b == nil || !quiet(a) || !quiet(b) || len(w.air) > 0 {
		return
	}
	if a.Media.Session.Direction != mirror(b.Media.Session.Direction) {
		w.fatalf("seed %d: A has %d, B has %d", seed, a.Media.Session.Direction, b.Media.Session.Direction)
	}
	if want := common(a.Media.Local.Direction, mirror(b.Media.Local.Direction)); a.Media.Session.Direction != want {
		w.fatalf("seed %d: A wants %d, B wants %d, A has %d", seed, a.Media.Local.Direction, b.Media.Local.Direction,
			a.Media.Session.Direction)
	}
	w.checked++
	if a.Media.Session.Remote != mediaB || b.Media.Session.Remote != mediaA {
		w.fatalf("seed %d: remote of A %v, of B %v", seed, a.Media.Session.Remote, b.Media.Session.Remote)
	}
}

func quiet(l *Leg) bool {
	return l.Phase == talking && len(l.Unacked) == 0 && l.Modify.Client == 0 && !l.Modify.Wanted
}

func mirror(d sdp.Direction) sdp.Direction {
	switch d {
	case sdp.SendOnly:
		return sdp.RecvOnly
	case sdp.RecvOnly:
		return sdp.SendOnly
	}
	return d
}

// common is what two wishes leave, both as seen from one side.
func common(a, b sdp.Direction) sdp.Direction {
	send := func(d sdp.Direction) bool { return d == sdp.SendRecv || d == sdp.SendOnly }
	receive := func(d sdp.Direction) bool { return d == sdp.SendRecv || d == sdp.RecvOnly }
	switch s, r := send(a) && send(b), receive(a) && receive(b); {
	case s && r:
		return sdp.SendRecv
	case s:
		return sdp.SendOnly
	case r:
		return sdp.RecvOnly
	}
	return sdp.Inactive
}

// verdict holds in the end.
func (w *world) verdict(seed uint64, sum map[string]int) {
	for _, p := range []*party{w.a, w.b} {
		if p.leg == nil {
			continue // no INVITE ever came through
		}
		if !p.leg.Done() {
			w.fatalf("seed %d: %s is not done", seed, p.name)
		}
		w.single(seed, p)
		for _, e := range p.events {
			sum[kindOf(e)]++
		}
	}
	if has(w.a, "answered") && !w.b.took {
		w.fatalf("seed %d: A was answered by nobody", seed)
	}
	w.sameStory(seed)
}

// sameStory: on a network that loses nothing, what one end did is what the
// other end was told.
func (w *world) sameStory(seed uint64) {
	if w.weather.lose > 0 && !w.tcp {
		return
	}
	if w.b.took && !has(w.a, "answered") && !w.a.quit {
		w.fatalf("seed %d: B answered and A was not told", seed)
	}
	for _, k := range []string{"lost", "timeout", "expired"} {
		if has(w.a, k) || has(w.b, k) {
			w.fatalf("seed %d: %s on a network without loss", seed, k)
		}
	}
}

func (w *world) single(seed uint64, p *party) {
	for i, e := range p.events {
		switch kindOf(e) {
		case "failed", "bye", "cancel", "timeout", "expired", "lost", "no media":
			if i != len(p.events)-1 {
				w.fatalf("seed %d: %s told %T after its end", seed, p.name, p.events[i+1])
			}
		}
	}
}

func has(p *party, kind string) bool {
	for _, e := range p.events {
		if kindOf(e) == kind {
			return true
		}
	}
	return false
}

func kindOf(e Event) string {
	switch e := e.(type) {
	case Answered:
		return "answered"
	case MediaChanged:
		return "changed"
	case Failed:
		return "failed"
	case Ended:
		return e.Cause.String()
	case ModifyRefused:
		return "refused"
	case Progressed:
		return "progressed"
	case Alive:
		return "alive"
	case Unanswered:
		return "unanswered"
	}
	return "other"
}
