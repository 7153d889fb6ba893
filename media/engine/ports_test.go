package engine

import (
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
	"liandong/media/socket"
)

func TestPorts(t *testing.T) {
	for _, c := range []struct {
		min, max    uint16
		first, want int
	}{
		{20000, 20003, 20000, 2},
		{20001, 20005, 20002, 2},
		{20001, 20004, 20002, 1},
		{20000, 20000, 20000, 0},
		{65534, 65535, 65534, 1},
	} {
		n := Network{PortMin: c.min, PortMax: c.max}
		p, now, seen := newPorts(n, time.Second), time.Unix(1000, 0), map[uint16]bool{}
		for range c.want {
			port, err := p.take(now)
			if err != nil || port%2 != 0 || int(port) < c.first || port+1 > c.max || seen[port] {
				t.Errorf("%d-%d: took %d, %v", c.min, c.max, port, err)
			}
			seen[port] = true
		}
		if _, err := p.take(now); !errors.Is(err, ErrNoPorts) {
			t.Errorf("%d-%d: %v after %d pairs, want ErrNoPorts", c.min, c.max, err, c.want)
		}
	}
}

func TestPortQuarantine(t *testing.T) {
	p, now := newPorts(Network{PortMin: 20000, PortMax: 20003}, 2*time.Second), time.Unix(1000, 0)
	one, _ := p.take(now)
	two, _ := p.take(now)
	p.give(one, now)
	p.give(two, now.Add(time.Second))
	if got, want := p.stats(now.Add(time.Second)), (PortStats{Total: 2, Quarantined: 2}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if _, err := p.take(now.Add(1999 * time.Millisecond)); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a resting pair was given out: %v", err)
	}
	if got, err := p.take(now.Add(2 * time.Second)); err != nil || got != one {
		t.Errorf("took %d, %v, want %d that rested longest", got, err, one)
	}
	if got, want := p.stats(now.Add(3*time.Second)), (PortStats{Total: 2, Used: 1, Free: 1}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestPortsReturn: whatever way legs end, their ports come back.
func TestPortsReturn(t *testing.T) {
	cfg := labConfig(nil)
	cfg.PortQuarantine = 0
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 20000, PortMax: 20007}}
	r := newRig(t, cfg)
	for range 10 {
		for leg := range LegID(4) {
			at, err := r.session.Open(leg, "lab")
			if err != nil {
				t.Fatal(err)
			}
			rtp, rtcp := r.wire.socketAt(at.Port()), r.wire.socketAt(at.Port()+1)
			if at.Port()%2 != 0 || rtp == 0 || rtcp == 0 {
				t.Fatalf("advertised %v: RTP bound %v, RTCP bound %v", at, rtp != 0, rtcp != 0)
			}
		}
		if _, err := r.session.Open(9, "lab"); !errors.Is(err, ErrNoPorts) {
			t.Fatalf("fifth of four pairs: %v, want ErrNoPorts", err)
		}
		if _, err := r.session.Open(1, "lab"); !errors.Is(err, ErrLeg) {
			t.Fatalf("open twice: %v, want ErrLeg", err)
		}
		if refused := r.engine.Stats().Refused; refused == 0 {
			t.Fatal("a refused party is not counted")
		}
		if _, err := r.session.Open(9, "moon"); !errors.Is(err, ErrNetwork) {
			t.Fatalf("unknown network: %v, want ErrNetwork", err)
		}
		r.session.Do(Close{Leg: 2})
		r.session.Close()
		r.step()
		if got, want := r.engine.Stats().Ports["lab"], (PortStats{Total: 4, Free: 4}); got != want {
			t.Fatalf("after Close %+v, want %+v", got, want)
		}
		if s := r.engine.Stats(); len(r.wire.open) != 0 || s.Legs != 0 || s.Sessions != 0 ||
			len(slices.Concat(r.shard.groups[:]...)) != 0 ||
			slices.ContainsFunc(r.shard.sockets, func(p port) bool { return p.leg != nil }) {
			t.Fatalf("left behind: %d sockets open, %+v", len(r.wire.open), s)
		}
		if _, err := r.session.Open(1, "lab"); !errors.Is(err, ErrClosed) {
			t.Fatalf("open after Close: %v, want ErrClosed", err)
		}
		r.session = r.engine.NewSession("next", func(Event) {})
	}
}

// TestPortsAreKeptOpen: a leg has the ports of one that has ended, still open; but those to which somebody still sends
// are closed, those that nobody wants too, and all when the engine ends.
func TestPortsAreKeptOpen(t *testing.T) {
	cfg := labConfig(nil)
	cfg.PortQuarantine = 0
	r := newRig(t, cfg)
	call := func() (at netip.AddrPort) {
		at, err := r.session.Open(1, "lab")
		if err != nil {
			t.Fatal(err)
		}
		r.session.Do(Close{Leg: 1})
		r.step()
		return at
	}
	pool := r.engine.ports["lab"]
	first, opened := call(), r.wire.last
	for range 20 {
		pool.age(keptRest)
		if at := call(); at != first || r.wire.last != opened {
			t.Fatalf("%v after %v, %d sockets opened", at, first, r.wire.last-opened)
		}
	}
	strange := func() {
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(first.Port() + 1), Data: make([]byte, 20)})
		r.step()
	}
	strange() // the last packets of the call
	pool.age(keptRest)
	if call() != first {
		t.Error("what comes right after the end has closed the ports")
	}
	r.run(keptQuiet)
	strange()
	pool.age(keptRest)
	if at := call(); at == first {
		t.Error("ports to which somebody still sends were given out")
	}
	r.run(time.Second)
	if r.wire.socketAt(first.Port()) != 0 || len(r.wire.open) != 2 {
		t.Errorf("%v is still open, of %d", first, len(r.wire.open))
	}
	if got, want := r.engine.Stats().Ports["lab"], (PortStats{Total: 5000, Free: 5000}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if n := len(pool.overdue(r.wire, time.Now().Add(-keepFor), math.MaxInt)); n != 0 {
		t.Errorf("%d pairs are closed at once", n)
	}
	r.shard.closeKept(time.Now(), math.MaxInt)
	if len(r.wire.open) != 0 {
		t.Errorf("%d sockets are left", len(r.wire.open))
	}
}

// age lets ports have rested for so long.
func (p *ports) age(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.kept {
		for _, k := range all {
			k.freed = k.freed.Add(-d)
		}
	}
	for i, r := range p.queue {
		if !r.freed.IsZero() {
			p.queue[i].freed = r.freed.Add(-d)
		}
	}
}

// TestKeptPortsHaveBeenQuiet: who sends reports alone, seconds apart, as on hold, is seen before another has the ports.
func TestKeptPortsHaveBeenQuiet(t *testing.T) {
	r := newRig(t, labConfig(nil))
	pool := r.engine.ports["lab"]
	pass := func(d time.Duration) {
		r.run(d)
		pool.age(d)
	}
	open := func(leg LegID) uint16 {
		at, err := r.session.Open(leg, "lab")
		if err != nil {
			t.Fatal(err)
		}
		r.step()
		return at.Port()
	}
	old := open(1)
	r.session.Do(Close{Leg: 1})
	report := func() {
		rr, _ := (&rtcp.ReceiverReport{SSRC: 1}).Marshal()
		from := addr("127.0.0.8:5001")
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(old + 1), From: from, Data: rr})
		r.step()
	}
	pass(900 * time.Millisecond)
	report() // as the last words of a call may come
	for n, after := range []time.Duration{1200, 3000, 2000} {
		pass(after * time.Millisecond)
		if port := open(LegID(n + 2)); port == old {
			t.Fatalf("the ports are given out %v after a report", after*time.Millisecond)
		}
	}
	report() // 6.2 s after the other
	pass(10 * time.Second)
	if port := open(9); port == old || r.wire.socketAt(old) != 0 {
		t.Errorf("port %d to which reports come is open for another, who has %d", old, port)
	}
}

// TestPortsComeBackToTheirThread: kept ports that no leg has got, as the call ended meanwhile, are not closed by the
// caller, but by the thread that watches them, also when few are free.
func TestPortsComeBackToTheirThread(t *testing.T) {
	cfg := labConfig(nil)
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 20000, PortMax: 20399}}
	r := newRig(t, cfg)
	pool := r.engine.ports["lab"]
	r.phone(1, codec.PCMA)
	r.phones = nil
	r.session.Do(Close{Leg: 1})
	r.step()
	pool.age(keptRest)
	p, err := r.engine.bind("lab", r.wire)
	if err != nil || p.kept == nil {
		t.Fatalf("%+v, %v, want a pair that is open", p, err)
	}
	for range 160 {
		if _, err := pool.take(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	r.engine.putBack(p, r.wire)
	if len(r.wire.open) != 2 {
		t.Fatalf("the caller has closed sockets of the shard's: %d are open", len(r.wire.open))
	}
	r.run(time.Second)
	if len(r.wire.open) != 0 {
		t.Errorf("%d sockets are open while few ports are free", len(r.wire.open))
	}
	if got, want := r.engine.Stats().Ports["lab"], (PortStats{Total: 200, Used: 160, Free: 40}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestPortsComeBackAside: by every path callers who hang up before they have a leg do not disturb the sound of others
// (with -race: nor touch what is the thread's).
func TestPortsComeBackAside(t *testing.T) {
	for name, sockets := range paths {
		t.Run(name, func(t *testing.T) {
			cfg := loopbackConfig(t, 200)
			cfg.Shards = 1
			e, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Stop)
			s, pool := e.NewSession("one", func(Event) {}), e.ports["lab"]
			a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMU)
			s.Do(Listen{Leg: 1, From: []LegID{2}})
			s.Do(Listen{Leg: 2, From: []LegID{1}})
			for leg := range LegID(20) {
				if _, err := s.Open(leg+3, "lab"); err != nil {
					t.Fatal(err)
				}
				s.Do(Close{Leg: leg + 3})
			}
			eventually(t, "their ports are kept", func() bool { return e.Stats().Ports["lab"].Used == 2 })
			pool.age(keptRest)
			var all []pair
			for range 20 {
				p, err := e.bind("lab", e.shards[0].net)
				if err != nil || p.kept == nil {
					t.Fatalf("%+v, %v, want a pair that is open", p, err)
				}
				all = append(all, p)
			}
			for range 120 {
				if _, err := pool.take(time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "they hear each other", func() bool { return a.hears(b) && b.hears(a) })
			for i, p := range all {
				s.Do(Listen{Leg: 2, From: []LegID{1}[:i%2]}) // so that a socket is watched otherwise meanwhile
				e.putBack(p, e.shards[0].net)
			}
			was := a.count()
			eventually(t, "they go on hearing each other", func() bool { return a.count() > was+50 && a.hears(b) })
		})
	}
}

// TestPortsStayInOrder: kept ports that are closed have rested since their call ended, and so come before those of a
// call that ended a moment ago.
func TestPortsStayInOrder(t *testing.T) {
	p, now := newPorts(Network{PortMin: 20000, PortMax: 20399}, 2*time.Second), time.Unix(1000, 0)
	old, _ := p.take(now)
	if !p.keep(&keptPair{pair: pair{port: old}}, nil, now.Add(-20*time.Second)) {
		t.Fatal("not kept")
	}
	var last uint16
	for len(p.queue) > 0 {
		last, _ = p.take(now)
	}
	p.give(last, now)
	for _, k := range p.overdue(nil, now.Add(-keepFor), math.MaxInt) {
		p.give(k.port, k.freed)
	}
	if got, err := p.take(now); err != nil || got != old {
		t.Errorf("took %d, %v, want %d that has rested", got, err, old)
	}
	if _, err := p.take(now); !errors.Is(err, ErrNoPorts) {
		t.Errorf("%v, want ErrNoPorts", err)
	}
}

// TestLastPortsAreKeptOnes: where no others are free a leg has ports that are open and have rested as any have to, and
// those that another shard keeps open are closed for it at once.
func TestLastPortsAreKeptOnes(t *testing.T) {
	cfg := labConfig(nil)
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 20000, PortMax: 20399}}
	r := newRig(t, cfg)
	pool, other := r.engine.ports["lab"], newFakeWire()
	for leg := range LegID(2) {
		r.phone(leg, codec.PCMA)
		r.session.Do(Close{Leg: leg})
	}
	r.phones = nil
	r.run(time.Second) // what is over has just been looked for
	now := time.Now()
	var used []uint16
	for len(pool.queue) > 0 {
		port, err := pool.take(now)
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, port)
	}
	if _, err := r.engine.bind("lab", r.wire); !errors.Is(err, ErrNoPorts) {
		t.Errorf("%v while all rest, want ErrNoPorts", err)
	}
	pool.age(2 * time.Second)
	if p, err := r.engine.bind("lab", r.wire); err != nil || p.kept == nil {
		t.Errorf("%+v, %v, want a pair that is open", p, err)
	}
	for _, port := range used[:100] { // they rest: that many are not few
		pool.give(port, time.Now())
	}
	if _, err := r.engine.bind("lab", other); !errors.Is(err, ErrNoPorts) {
		t.Errorf("%v, want ErrNoPorts", err)
	}
	r.shard.step(r.now) // woken
	if p, err := r.engine.bind("lab", other); err != nil || p.kept != nil {
		t.Errorf("%+v, %v, want the pair that the other shard has closed", p, err)
	}
}

// TestPortsAreClosedInTurn: however many ports have been kept, a step closes few of them, so that no tick waits for it;
// also when the sound goes to another process.
func TestPortsAreClosedInTurn(t *testing.T) {
	const calls = 200
	for name, over := range map[string]func(r *rig){
		"nobody has wanted them": func(r *rig) { r.engine.ports["lab"].age(keepFor) },
		"few are free": func(r *rig) {
			for pool := r.engine.ports["lab"]; len(pool.queue) > pool.total/5; {
				_, _ = pool.take(time.Now())
			}
		},
		"the sound goes elsewhere": func(r *rig) {
			marked := make(chan struct{})
			go func() { r.engine.Mark(); close(marked) }()
			for {
				r.shard.step(r.now)
				select {
				case <-marked:
					return
				default:
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, labConfig(nil))
			var sinks sync.WaitGroup
			sinks.Go(r.shard.deliver)
			defer func() { close(r.shard.occurred); sinks.Wait() }()
			for leg := range LegID(calls) {
				if _, err := r.session.Open(leg, "lab"); err != nil {
					t.Fatal(err)
				}
			}
			for leg := range LegID(calls) {
				r.session.Do(Close{Leg: leg})
			}
			r.run(2 * keptQuiet)
			if len(r.wire.open) != 2*calls {
				t.Fatalf("%d sockets are open, want %d", len(r.wire.open), 2*calls)
			}
			r.wire.most = 0
			over(r)
			r.run(3 * time.Second)
			if len(r.wire.open) != 0 {
				t.Errorf("%d sockets are still open", len(r.wire.open))
			}
			if r.wire.most > 20 {
				t.Errorf("%d sockets are closed in one step", r.wire.most)
			}
		})
	}
}

// TestKeptPortsRest: a pair that is open rests as others do, which is not said of it twice; when few are free none is
// kept.
func TestKeptPortsRest(t *testing.T) {
	p, now := newPorts(Network{PortMin: 20000, PortMax: 20399}, 2*time.Second), time.Unix(1000, 0)
	port, _ := p.take(now)
	if !p.keep(&keptPair{pair: pair{port: port}}, nil, now) {
		t.Fatal("not kept")
	}
	if got, want := p.stats(now), (PortStats{Total: 200, Quarantined: 1, Free: 199}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	if k := p.reuse(nil, now.Add(7999*time.Millisecond), keptRest); k != nil {
		t.Errorf("%d was given out while it rested", k.port)
	}
	if k := p.reuse(nil, now.Add(8*time.Second), keptRest); k == nil || k.port != port {
		t.Errorf("%v was given out, want %d", k, port)
	}
	if got, want := p.stats(now), (PortStats{Total: 200, Used: 1, Free: 199}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
	var used []uint16
	for range 120 {
		port, _ := p.take(now)
		used = append(used, port)
	}
	if p.keep(&keptPair{pair: pair{port: used[0]}}, nil, now) {
		t.Error("kept while few are free")
	}
}

// TestKeptPortsCarrySound: by every path calls come after one another on the same ports, relayed and mixed in turn, and
// each is heard as the first was.
func TestKeptPortsCarrySound(t *testing.T) {
	for name, sockets := range paths {
		t.Run(name, func(t *testing.T) {
			cfg := loopbackConfig(t, 100)
			cfg.Shards = 1
			e, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Stop)
			seen := map[netip.AddrPort]int{}
			for n := range 6 {
				t.Run("", func(t *testing.T) { // the phones hang up at its end
					s := e.NewSession("one", func(Event) {})
					var all []*handset
					for leg := range LegID(2 + n%2) {
						all = append(all, pickUp(t, s, leg+1, codec.PCMA))
						s.Do(Listen{Leg: leg + 1, From: []LegID{1, 2, 3}})
					}
					for i, h := range all {
						seen[h.engine]++
						eventually(t, "all hear each other", func() bool { return h.hears(all[(i+1)%len(all)]) })
					}
					s.Close()
					eventually(t, "the call is over", func() bool { return e.Stats().Legs == 0 })
					e.ports["lab"].age(keptRest)
				})
			}
			if len(seen) > 4 {
				t.Errorf("%d pairs of ports for calls of three at the most", len(seen))
			}
		})
	}
}
