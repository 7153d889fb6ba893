package engine

import (
	"errors"
	"slices"
	"testing"
	"time"
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
