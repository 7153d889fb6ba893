package ua

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

type connKey struct {
	network string
	remote  netip.AddrPort
	secure  bool // TLS
}

// connTable holds the TCP and TLS connections of all networks.
type connTable struct {
	mu       sync.Mutex
	all      map[connKey]*conn // guarded by mu
	unproven unproven          // guarded by mu; of all, those that have not shown who they are
	closed   bool              // guarded by mu
}

func newConnTable() *connTable { return &connTable{all: map[connKey]*conn{}, unproven: newUnproven()} }

func (t *connTable) get(k connKey) *conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[k]
}

// put adds a connection that was accepted. Unknown peers get a quarter of the
// places, so that they cannot lock out the others; nor can some of them lock out
// the rest, among whom are phones about to register: gone is who makes room.
func (t *connTable) put(c *conn, limit int) (gone *conn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	gone = t.all[c.key]
	if t.closed || !c.proven.Load() && len(t.all) >= limit {
		return gone, false
	}
	if gone == nil && !c.proven.Load() && t.unproven.size >= max(1, limit/4) {
		gone = t.unproven.idlest()
	}
	if gone != nil {
		t.take(gone)
	}
	t.all[c.key] = c
	if !c.proven.Load() {
		t.unproven.add(c)
	}
	return gone, true
}

// take takes a connection out. Caller holds mu.
func (t *connTable) take(c *conn) {
	if t.all[c.key] == c {
		delete(t.all, c.key)
	}
	t.unproven.remove(c)
}

// proved says that a connection's peer has shown who it is.
func (t *connTable) proved(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unproven.remove(c)
}

// getOrPut adds a connection to be dialled unless there is one already.
func (t *connTable) getOrPut(c *conn, limit int) (found *conn, fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.all[c.key]; old != nil {
		return old, false, nil
	}
	if t.closed {
		return nil, false, ErrStopped
	}
	if len(t.all) >= limit {
		return nil, false, fmt.Errorf("%w: too many connections", ErrUnreachable)
	}
	t.all[c.key] = c
	return c, true, nil
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take(c)
}

func (t *connTable) closeAll() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for _, c := range t.list() {
		c.close(ErrStopped)
	}
}

func (t *connTable) list() []*conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.all))
}

// queued says that a peer has yet to be sent something.
func (t *connTable) queued() bool {
	return slices.ContainsFunc(t.list(), func(c *conn) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.queue) > 0
	})
}

func (t *connTable) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// unframed answers a message whose end cannot be found.
func (u *UA) unframed(data []byte, flow leg.Flow, c *conn, why error) {
	defer u.survive()
	u.counts.received.Add(1)
	m, err := read(data)
	req, ok := m.msg.(*gosip.Request)
	if err != nil || !ok {
		u.counts.garbage.Add(1)
		return
	}
	if errors.Is(why, errTooLong) {
		m.fault = fault{gosip.StatusMessageTooLarge, "Message Too Large"}
	} else if m.fault.code == 0 {
		m.fault = fault{gosip.StatusBadRequest, "Bad Request (no Content-Length)"}
	}
	u.request(&inbound{message: m, req: req, method: req.Method, flow: flow, conn: c}, data)
}

// flowLost tells of the phones that were reached by this connection.
func (u *UA) flowLost(flow leg.Flow) {
	if u.ctx.Err() != nil {
		return
	}
	for _, user := range u.registrar.flowEnded(flow, reachable) {
		u.tellBindings(u.cfg.Now(), user)
	}
}

// reachable: a phone whose Contact shows the address that it really came from
// has no NAT before it, and listens where the Contact says; before a phone with a
// Path stands a proxy, which listens where that says (RFC 3327 §5.3). One that came
// by TLS is reached by its own connection or not at all.
func reachable(b Binding) (netip.AddrPort, bool) {
	listens := b.Contact
	if len(b.Path) > 0 {
		listens = b.Path[0]
	}
	to := contactAddr(listens)
	return to, b.Flow.Transport != "tls" && to.Addr() == b.Flow.Remote.Addr() && to != b.Flow.Remote
}
