package engine

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

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
	first, opened := call(), r.wire.last
	for range 20 {
		if at := call(); at != first || r.wire.last != opened {
			t.Fatalf("%v after %v, %d sockets opened", at, first, r.wire.last-opened)
		}
	}
	strange := func() {
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(first.Port() + 1), Data: make([]byte, 20)})
		r.step()
	}
	strange() // the last packets of the call
	if call() != first {
		t.Error("what comes right after the end has closed the ports")
	}
	r.run(keptQuiet)
	strange()
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
	pool := r.engine.ports["lab"]
	if n := len(pool.overdue(r.wire, time.Now().Add(-keepFor))); n != 0 {
		t.Errorf("%d pairs are closed at once", n)
	}
	r.shard.closeKept(time.Now())
	if len(r.wire.open) != 0 {
		t.Errorf("%d sockets are left", len(r.wire.open))
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
	if k := p.reuse(nil, now.Add(1999*time.Millisecond)); k != nil {
		t.Errorf("%d was given out while it rested", k.port)
	}
	if k := p.reuse(nil, now.Add(2*time.Second)); k == nil || k.port != port {
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
				})
			}
			if len(seen) > 4 {
				t.Errorf("%d pairs of ports for calls of three at the most", len(seen))
			}
		})
	}
}
