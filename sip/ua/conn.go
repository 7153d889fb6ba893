package ua

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"liandong/sip/leg"
)

// maxQueue bounds what waits for one TCP peer, in messages.
const maxQueue = 256

// conn is one TCP or TLS connection, ours or the peer's. A reader and a writer
// goroutine serve it; either ends both.
type conn struct {
	u      *UA
	key    connKey
	trunk  string // whom we dial, or whose source address it is; "" a phone
	target string // of the trunk that we dial
	since  time.Time
	probe  bool // made only to see whether the peer has TCP
	proven atomic.Bool
	rest   []byte        // what has come of the first message, of a connection that goes on; then the reader's
	unread []arrival     // what the process before has read and not taken; then the reader's
	noted  uint64        // messages that the journal has been given; guarded by mu, the reader alone writes it
	wake   chan struct{} // room for one: the queue is not empty, or closed
	ended  context.Context
	end    context.CancelFunc

	mu     sync.Mutex
	nc     net.Conn   // guarded by mu; nil while dialling, settled before read and write run
	queue  []outgoing // guarded by mu
	last   bool       // guarded by mu; no more messages after the queue
	closed bool       // guarded by mu
	kept   string     // guarded by mu; what the keeper knows it as; "": it ends with this process
}

func (u *UA) newConn(key connKey, nc net.Conn) *conn {
	c := &conn{u: u, key: key, nc: nc, since: time.Now(), wake: make(chan struct{}, 1)}
	c.ended, c.end = context.WithCancel(u.ctx)
	return c
}

// transport is what the connection is called in a Flow.
func (k connKey) transport() string {
	if k.secure {
		return "tls"
	}
	return "tcp"
}

// flow is the way that the connection is, without our end.
func (k connKey) flow() leg.Flow {
	return leg.Flow{Network: k.network, Transport: k.transport(), Remote: k.remote}
}

// accept takes connections of one network.
func (u *UA) accept(d door, l *net.TCPListener) {
	for {
		nc, err := l.AcceptTCP()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || u.leaving.Load() || !u.pause(10*time.Millisecond) {
				return
			}
			u.log.say(slog.LevelError, "TCP accept", "network", d.network, "error", err)
			continue
		}
		u.accepted(d, nc)
	}
}

func (u *UA) accepted(d door, nc net.Conn) {
	key := connKey{d.network, unmap(nc.RemoteAddr().(*net.TCPAddr).AddrPort()), d.secure}
	if !u.admits(d.network, key.remote) {
		_ = nc.Close()
		return
	}
	trunk := u.origins.Load().trunk(key.flow())
	if d.secure {
		if trunk == "" && !u.limiter.take(u.cfg.Now(), key.remote.Addr(), handshakeCost) {
			u.counts.limited.Add(1)
			_ = nc.Close()
			return
		}
		nc = tls.Server(nc, u.keys.server(d.network, trunk))
	}
	c := u.newConn(key, nc)
	c.trunk = trunk
	if trunk != "" {
		c.prove()
	}
	gone, ok := u.conns.put(c, u.cfg.MaxConnections)
	if gone != nil {
		gone.close(net.ErrClosed) // also when the peer began again from the same port
	}
	if !ok || !u.spawn(c.write) || !u.hear(c.read) {
		u.log.say(slog.LevelWarn, "TCP connection refused: too many", "network", d.network, "source", key.remote)
		c.close(net.ErrClosed)
	}
}

// connTo gives the connection to a peer, dialling in the background.
func (u *UA) connTo(key connKey, o outgoing, patience time.Duration) (*conn, error) {
	if _, ok := u.listen[door{key.network, key.secure}]; !ok {
		return nil, ErrNoTransport
	}
	if c := u.conns.get(key); c != nil {
		return c, nil
	}
	trunk := u.callee(o)
	if key.secure && trunk == "" {
		// RFC 5626 §4.2: a phone is reached by the connection that it has made;
		// it has no certificate to be known by at the end of one of ours.
		return nil, fmt.Errorf("%w: its TLS connection is gone", ErrUnreachable)
	}
	c := u.newConn(key, nil)
	c.trunk, c.target = trunk, o.packet.Target
	c.probe = patience == u.cfg.ProbeTimeout
	c.proven.Store(true)
	c, fresh, err := u.conns.getOrPut(c, u.cfg.MaxConnections)
	if err != nil || !fresh {
		return c, err
	}
	if !u.spawn(func() { c.dial(patience) }) {
		return nil, ErrStopped
	}
	return c, nil
}

func (c *conn) dial(patience time.Duration) {
	d := net.Dialer{Timeout: patience}
	if l, ok := c.u.Addr(c.key.network, c.key.transport()); ok && !l.Addr().IsUnspecified() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.Addr(), 0)) // leave by this network's door
	}
	began := time.Now()
	nc, err := d.DialContext(c.ended, "tcp", c.key.remote.String())
	if err != nil {
		if c.probe {
			c.u.reach.refuse(c.u.cfg.Now(), c.key)
		}
		c.close(err)
		return
	}
	nc = c.secured(nc)
	c.mu.Lock()
	c.nc = nc
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		if err := c.handshake(patience - time.Since(began)); err != nil {
			c.close(err)
			return
		}
	}
	c.keep()
	if closed || !c.u.hear(c.read) {
		_ = nc.Close()
		c.close(net.ErrClosed)
		return
	}
	c.write()
}

// prove: the peer has shown who it is. It is told by the reader.
func (c *conn) prove() {
	if !c.proven.Swap(true) {
		c.u.conns.proved(c)
		c.keep()
	}
}

// push queues a message; it never blocks.
func (c *conn) push(o outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.last:
		return ErrUnreachable
	case len(c.queue) >= maxQueue:
		return ErrBacklog
	}
	c.queue = append(c.queue, o)
	c.rouse()
	return nil
}

// finish closes after what is queued.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = true
	c.rouse()
}

func (c *conn) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) finished() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *conn) write() {
	for {
		select {
		case <-c.ended.Done():
			c.close(net.ErrClosed)
			return
		case <-c.wake:
		}
		for o, ok := c.pop(); ok; o, ok = c.pop() {
			if err := c.writeOne(o); err != nil {
				c.u.undelivered(o, fmt.Errorf("%w: %w", ErrUnreachable, err))
				c.close(err)
				return
			}
		}
		if c.finished() {
			c.close(net.ErrClosed)
			return
		}
	}
}

func (c *conn) pop() (outgoing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.queue) == 0 {
		return outgoing{}, false
	}
	o := c.queue[0]
	c.queue = c.queue[1:]
	return o, true
}

// writeOne: a peer that does not read loses its connection, since after a half
// message nothing else can be said on it.
func (c *conn) writeOne(o outgoing) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.u.cfg.WriteTimeout)) // nc is set before write runs
	if o.packet.Msg != nil {
		c.u.traceSent(o, c.key.transport(), unmap(c.nc.LocalAddr().(*net.TCPAddr).AddrPort()), nil)
	}
	if _, err := c.nc.Write(o.data); err != nil {
		return err
	}
	c.u.counts.sent.Add(1)
	return nil
}

func (c *conn) read() {
	err := c.readAll()
	if c.u.leaving.Load() { // it stays open for another process
		return
	}
	if errors.Is(err, errUnframed) || errors.Is(err, errTooLong) {
		c.finish() // the sender is to hear why
		return
	}
	c.close(err)
}

func (c *conn) readAll() error {
	if err := c.handshake(c.u.cfg.DialTimeout); err != nil {
		return err
	}
	flow := c.key.flow()
	flow.Local = unmap(c.nc.LocalAddr().(*net.TCPAddr).AddrPort())
	buf := make([]byte, 8192)
	f := framer{buf: c.rest}
	if fault := c.take(c.unread, flow); fault != nil {
		return fault
	}
	var half time.Time // since when there is the beginning of a message
	for kept := len(c.rest) > 0; ; {
		if !f.half() {
			half = time.Time{}
		} else if half.IsZero() {
			half = time.Now()
		}
		c.allow(half)
		if c.u.leaving.Load() { // the deadline that ended the last Read may just have been lifted
			return nil
		}
		n, noted, err := c.next(buf, f.buf)
		f.feed(buf[:n])
		whole := c.cut(&f)
		if kept || len(f.buf) > 0 {
			kept = c.keepRest(f.buf) && len(f.buf) > 0
		}
		noted()
		if fault := c.take(whole, flow); fault != nil {
			return fault
		}
		if err != nil {
			return err
		}
		if !kept && len(f.buf) > 0 { // it may be kept since the last message
			kept = c.keepRest(f.buf)
		}
	}
}

// allow gives a peer that has not shown who it is a limited stay, and anybody's half
// message: what comes behind one whose rest is lost would be taken for the rest.
func (c *conn) allow(half time.Time) {
	var until time.Time
	if !half.IsZero() {
		until = half.Add(c.u.cfg.IdleTimeout)
	}
	if !c.proven.Load() {
		until = c.since.Add(c.u.cfg.IdleTimeout)
	}
	_ = c.nc.SetReadDeadline(until)
}

// arrival is one thing that has come by a connection.
type arrival struct {
	data []byte // a message; nil: a keep-alive
	kept string // see leg.Packet.Kept

	waited  time.Duration // in the socket, before it was read
	counted bool          // its source has been asked whether it sends too many

	err error // data is the head alone, and the stream is lost behind it

	head string // of data, once somebody has looked at it; "": nobody has
}

// text is the head of a message.
func (h *arrival) text() string {
	if h.head == "" {
		head, _ := cutHead(h.data)
		h.head = string(head)
	}
	return h.head
}

// cut gives all that has come whole, and has noted it: a peer sends nothing twice over a connection, so that what is
// read is kept until it is taken.
func (c *conn) cut(f *framer) (all []arrival) {
	for {
		msg, ping, err := f.next()
		switch {
		case errors.Is(err, errMore):
			return all
		case err != nil:
			return append(all, arrival{data: msg, err: err})
		case ping:
			all = append(all, arrival{})
		default:
			all = append(all, arrival{data: msg, kept: c.note(msg)})
		}
	}
}

// take handles what has come, in order.
func (c *conn) take(all []arrival, flow leg.Flow) error {
	for _, h := range all {
		switch {
		case h.err != nil && (errors.Is(h.err, errUnframed) || h.data != nil):
			c.u.unframed(h.data, flow, c, h.err)
			return h.err
		case h.err != nil:
			return h.err
		case h.data == nil:
			_ = c.push(outgoing{packet: leg.Packet{Flow: flow}, data: []byte("\r\n"), to: flow.Remote})
		case !c.u.receive(h, flow, c):
			return errNotSIP // the boundary is lost
		}
	}
	return nil
}

// close ends the connection once; what waited is told or goes another way.
func (c *conn) close(cause error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	rest, nc, kept, noted := c.queue, c.nc, c.kept, c.noted
	c.queue = nil
	c.mu.Unlock()
	c.end()
	c.u.conns.remove(c)
	if nc != nil {
		c.release(nc, kept)
	}
	if c.u.leaving.Load() {
		return
	}
	if kept != "" {
		c.u.keep(keptRest+kept, nil)
		c.u.keep(keptGlimpse+kept, nil)
		c.u.dropNotes(kept, noted)
	}
	for _, o := range rest {
		c.u.undelivered(o, fmt.Errorf("%w: %w", ErrUnreachable, cause))
	}
	c.u.flowLost(c.key.flow())
}
