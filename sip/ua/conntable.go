package ua

import (
	"cmp"
	"fmt"
	"net/netip"
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
	mu     sync.Mutex
	all    map[connKey]*conn // guarded by mu
	closed bool              // guarded by mu
}

func newConnTable() *connTable { return &connTable{all: map[connKey]*conn{}} }

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
	if gone == nil && !c.proven.Load() && t.unproven() >= max(1, limit/4) {
		if gone = t.idlest(); gone != nil { // nil: they have shown who they are meanwhile
			delete(t.all, gone.key)
		}
	}
	t.all[c.key] = c
	return gone, true
}

func (t *connTable) unproven() (n int) {
	for _, c := range t.all {
		if !c.proven.Load() {
			n++
		}
	}
	return n
}

// idlest is the oldest of the unknown peers on the host that has most of them.
func (t *connTable) idlest() (idlest *conn) {
	of := map[netip.Addr]int{}
	for _, c := range t.all {
		if !c.proven.Load() {
			of[c.key.remote.Addr()]++
		}
	}
	for _, c := range t.all {
		if c.proven.Load() {
			continue
		}
		if idlest == nil || cmp.Or(cmp.Compare(of[c.key.remote.Addr()], of[idlest.key.remote.Addr()]), idlest.since.Compare(c.since)) > 0 {
			idlest = c
		}
	}
	return idlest
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
	if t.all[c.key] == c {
		delete(t.all, c.key)
	}
}

func (t *connTable) closeAll() {
	t.mu.Lock()
	t.closed = true
	all := make([]*conn, 0, len(t.all))
	for _, c := range t.all {
		all = append(all, c)
	}
	t.mu.Unlock()
	for _, c := range all {
		c.close(ErrStopped)
	}
}

func (t *connTable) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// unframed answers a message whose end cannot be found.
func (u *UA) unframed(data []byte, flow leg.Flow, c *conn) {
	defer u.survive()
	u.counts.received.Add(1)
	m, err := read(data)
	req, ok := m.msg.(*gosip.Request)
	if err != nil || !ok {
		u.counts.garbage.Add(1)
		return
	}
	if m.fault.code == 0 {
		m.fault = fault{gosip.StatusBadRequest, "Bad Request (no Content-Length)"}
	}
	u.request(&inbound{message: m, req: req, method: req.Method, flow: flow, conn: c})
}

// flowLost takes the phones off the list that were reached by this connection.
func (u *UA) flowLost(flow leg.Flow) {
	if u.ctx.Err() != nil {
		return
	}
	for _, user := range u.registrar.lost(flow, reachable) {
		u.tellBindings(u.cfg.Now(), user)
	}
}

// reachable: a phone whose Contact shows the address that it really came from
// has no NAT before it, and listens where the Contact says. One that came by TLS
// is reached by its own connection or not at all.
func reachable(b Binding) (netip.AddrPort, bool) {
	to := contactAddr(b.Contact)
	return to, b.Flow.Transport != "tls" && to.Addr() == b.Flow.Remote.Addr() && to != b.Flow.Remote
}
