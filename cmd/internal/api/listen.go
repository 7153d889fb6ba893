package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"liandong/configs"
	"liandong/routing/desk"
)

// How many connections there are at most: HTTP never takes the files that calls need.
const (
	maxConns     = 1024 // in all
	maxStrangers = 64   // of which nobody knows yet who they are
)

// phonesAnew is how often at most it is looked where phones are registered, for addresses that nobody has named.
const phonesAnew = 100 * time.Millisecond

// listener is one address on which HTTP is heard. It closes who cannot be anybody, and bounds the others.
type listener struct {
	net.Listener
	at   configs.Listener
	door *door
	cert *certificate // nil: without TLS
}

// door counts the connections of all listeners.
type door struct {
	expected func(netip.Addr) bool // who is let in by the address, at least to something
	tokens   func() bool           // who comes from anywhere may have a token

	mu        sync.Mutex
	all       int     // guarded by mu
	strangers []*conn // guarded by mu; the oldest first
	closed    uint64  // guarded by mu
}

// conn is a connection that is counted until it is closed.
type conn struct {
	net.Conn
	at   *listener
	from netip.Addr
	once sync.Once

	mu    sync.Mutex
	held  []byte // guarded by mu; what is to go in one
	holds bool   // guarded by mu
}

// hold keeps back what is written from now on, for let to send in one: a write costs more than all that makes what is
// in it.
func (c *conn) hold() {
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.holds = true
	}
}

func (c *conn) let() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.Conn.Write(c.held)
	c.held, c.holds = emptied(c.held), false
	return err
}

// mostRoom is how many bytes a reader keeps ready: one that has been away for long had more to read at once.
const mostRoom = 64 << 10

func emptied(b []byte) []byte {
	if cap(b) > mostRoom {
		return nil
	}
	return b[:0]
}

// Write sends what is written, or keeps it back.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holds {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Accept gives the next connection that may have something to ask.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, ok := l.door.take(l, nc); ok {
			if l.cert == nil {
				return c, nil
			}
			return tls.Server(c, l.cert.config()), nil
		}
		_ = nc.Close()
	}
}

func (d *door) take(l *listener, nc net.Conn) (*conn, bool) {
	c := &conn{Conn: nc, at: l}
	if a, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		c.from = a.Addr().Unmap().WithZone("")
	}
	known := d.expected(c.from)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !known && !l.at.Console && !d.tokens() || d.all >= maxConns {
		d.closed++
		return nil, false
	}
	d.all++
	if !known {
		d.strangers = append(d.strangers, c)
		if len(d.strangers) > maxStrangers {
			d.closed++
			_ = d.makeRoom().Conn.Close() // the server learns it by its next read and closes it for good
		}
	}
	return c, true
}

// makeRoom takes the oldest stranger of the address that has most. Caller holds mu.
func (d *door) makeRoom() *conn {
	count := map[netip.Addr]int{}
	for _, c := range d.strangers {
		count[c.from]++
	}
	most := 0
	for i, c := range d.strangers {
		if count[c.from] > count[d.strangers[most].from] {
			most = i
		}
	}
	out := d.strangers[most]
	d.strangers = append(d.strangers[:most:most], d.strangers[most+1:]...)
	return out
}

// known takes a connection off the list of strangers.
func (d *door) known(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, o := range d.strangers {
		if o == c {
			d.strangers = append(d.strangers[:i:i], d.strangers[i+1:]...)
			return
		}
	}
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.at.door.known(c)
		c.at.door.mu.Lock()
		defer c.at.door.mu.Unlock()
		c.at.door.all--
	})
	return c.Conn.Close()
}

type connKey struct{}

// withConn lets a request find its connection.
func withConn(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// promote: whose request was let in is no stranger any more.
func promote(r *http.Request) {
	if c := connOf(r); c != nil {
		c.at.door.known(c)
	}
}

// connOf is the connection that a request has come by; nil: none of ours.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// listenerOf is where a request has come in.
func listenerOf(r *http.Request) configs.Listener {
	if c := connOf(r); c != nil {
		return c.at.at
	}
	return configs.Listener{}
}

// expected says that an address alone, or with a token, lets in to something.
func (s *Server) expected(a netip.Addr) bool {
	for _, g := range s.conf().Grants {
		if within(g.From, a) {
			return true
		}
	}
	return s.registered.has(a, s.conf().Seats, s.phones)
}

func (s *Server) tokens() bool {
	for _, g := range s.conf().Grants {
		if !g.Token.IsZero() && len(g.From) == 0 {
			return true
		}
	}
	return false
}

// registered is where phones are registered. Guarded by mu.
type registered struct {
	mu   sync.Mutex
	at   time.Time
	from map[netip.Addr]bool
}

// has looks anew when it has not done so just now.
func (p *registered) has(a netip.Addr, seats map[string]*desk.Seat, phones func(user string) []netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.from == nil || now.Sub(p.at) > phonesAnew {
		p.from, p.at = map[netip.Addr]bool{}, now
		for user := range seats {
			for _, from := range phones(user) {
				p.from[from] = true
			}
		}
	}
	return p.from[a]
}

// listen begins to hear on one address.
func (s *Server) listen(at configs.Listener) (*listener, error) {
	l := &listener{at: at, door: &s.door}
	if at.CertFile != "" {
		l.cert = &certificate{certFile: at.CertFile, keyFile: at.KeyFile, log: s.log}
		if _, err := l.cert.get(nil); err != nil {
			return nil, err
		}
	}
	var err error
	l.Listener, err = s.bind(at.Address)
	return l, err
}
