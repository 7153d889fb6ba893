package engine

import "sync"

// order is a command on its way to the shard that owns its room.
type order struct {
	room *room
	what any // a Command, a func() or one of the orders below
}

type (
	openLeg struct { // the leg's ports are bound: Session.Open
		id    LegID
		pair  pair
		state *LegState // where another process has left it; nil: it is new
	}
	endRoom    struct{} // Session.Close
	stopShard  struct{} // Engine.Stop
	leaveShard struct{} // Engine.Leave
)

// mailbox takes orders from anyone to one shard and keeps their order. It never
// refuses for want of room: its callers are calls, each with few orders under way.
// Guarded by mu, which is held for an append or a swap only.
type mailbox struct {
	mu     sync.Mutex
	orders []order
	spare  []order
	closed bool
	held   bool // orders wait: Engine.Hold
}

// post is false when nobody will read it any more; now: it is to be read at once.
func (m *mailbox) post(o order) (ok, now bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, false
	}
	m.orders = append(m.orders, o)
	return true, !m.held
}

// hold keeps orders waiting, or no longer.
func (m *mailbox) hold(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held = yes
}

// take gives all orders; they are good until the next take.
func (m *mailbox) take() []order {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held {
		return nil
	}
	taken := m.orders
	clear(m.spare[:cap(m.spare)])
	m.orders, m.spare = m.spare[:0], taken
	return taken
}

// close refuses further orders and gives those that came before.
func (m *mailbox) close() []order {
	m.mu.Lock()
	m.closed, m.held = true, false
	m.mu.Unlock()
	return m.take()
}
