package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Session is a call's sound. Its methods may be called from any goroutine, and from
// the sink.
type Session struct {
	engine *Engine
	shard  *shard
	ref    string
	sink   func(Event)
	room   *room // the shard's

	closed atomic.Bool
	mu     sync.Mutex // guards legs, and the order of Open, Do and Close
	legs   map[LegID]bool
}

// Open binds RTP on an even port and RTCP on the odd one above it, and gives the
// address to advertise. The error is ErrNoPorts when the network has no ports left.
// Until its Stream comes the leg neither sends nor hears.
func (s *Session) Open(id LegID, network string) (netip.AddrPort, error) {
	if err := s.reserve(id); err != nil {
		return netip.AddrPort{}, err
	}
	p, err := s.engine.bind(network, s.shard.net)
	if err == nil {
		err = s.hand(openLeg{id: id, pair: p})
	}
	if err != nil {
		s.forget(id)
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(s.engine.cfg.Networks[network].advertised(), p.port), nil
}

// restore takes over a leg with its ports.
func (s *Session) restore(l LegState) error {
	if err := s.reserve(l.ID); err != nil {
		return err
	}
	p, err := s.engine.rebind(l, s.shard.net)
	if err == nil {
		err = s.hand(openLeg{id: l.ID, pair: p, state: &l})
	}
	return err
}

// reserve takes the leg's name, so that the ports can be bound without the lock.
func (s *Session) reserve(id LegID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return ErrClosed
	}
	if s.legs[id] {
		return ErrLeg
	}
	s.legs[id] = true
	return nil
}

// hand gives bound ports to the shard, or back when the session ended meanwhile.
func (s *Session) hand(o openLeg) error {
	s.mu.Lock()
	posted := !s.closed.Load() && s.shard.post(order{s.room, o})
	s.mu.Unlock()
	if posted {
		return nil
	}
	s.engine.putBack(o.pair, s.shard.net)
	return ErrClosed
}

func (s *Session) forget(id LegID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.legs, id)
}

// Do posts a command. Commands are carried out in the order of their posting;
// after Close they mean nothing.
func (s *Session) Do(c Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	if c, ok := c.(Close); ok {
		delete(s.legs, c.Leg)
	}
	s.shard.post(order{s.room, c})
}

// Close ends all legs and frees their ports. It does not wait for it.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Swap(true) {
		return
	}
	s.shard.sessions.Add(-1)
	s.shard.post(order{s.room, endRoom{}})
}
