package socket

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// inboxSize is packets between two drains: 20 ms of 2000 legs.
const inboxSize = 2048

// udp is the portable Transport: a reader goroutine per socket, sending at once.
type udp struct {
	in    chan *datagram // filled by the readers, emptied by Drain; when full the packet is dropped and counted
	spare chan *datagram
	wake  chan struct{}
	lost  atomic.Uint64

	mu      sync.RWMutex // guards what follows; held for no I/O but the bind
	socks   map[ID]*net.UDPConn
	last    ID
	stopped bool
	readers sync.WaitGroup

	// owned by the shard's thread
	timer        *time.Timer
	first        *datagram // taken off in by Poll, not yet drained
	sent, failed int
}

type datagram struct {
	socket ID
	from   netip.AddrPort
	n      int
	data   [DatagramSize]byte
}

func portable(n int) (all []Transport) {
	for range n {
		all = append(all, newUDP())
	}
	return all
}

// newUDP returns the transport that works wherever package net does.
func newUDP() *udp {
	t := &udp{
		in:    make(chan *datagram, inboxSize),
		spare: make(chan *datagram, inboxSize),
		wake:  make(chan struct{}, 1),
		socks: map[ID]*net.UDPConn{},
		timer: time.NewTimer(time.Hour),
	}
	return t
}

func (t *udp) Name() string { return "portable" }

// Watch and Collect have nothing to do: every socket has a reader, and Drain sees all.
func (t *udp) Watch(ID, Care)           {}
func (t *udp) Collect(ID, func(Packet)) {}

func (t *udp) Open(local netip.AddrPort) (ID, error) {
	network := "udp4"
	if local.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(local))
	if err != nil {
		return 0, fmt.Errorf("socket: open %v: %w", local, err)
	}
	socket, ok := t.adopt(conn)
	if !ok {
		_ = conn.Close()
		return 0, ErrClosed
	}
	return socket, nil
}

// adopt starts the socket's reader, which Close or Stop ends.
func (t *udp) adopt(conn *net.UDPConn) (ID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return 0, false
	}
	t.last++
	socket := t.last
	t.socks[socket] = conn
	t.readers.Go(func() { t.read(socket, conn) })
	return socket, true
}

// read moves packets to the shard until its socket is closed.
func (t *udp) read(s ID, conn *net.UDPConn) {
	d := t.blank()
	for {
		n, from, err := conn.ReadFromUDPAddrPort(d.data[:])
		if err != nil && t.closed(s) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier send, on systems that report it here
		}
		d.socket, d.n = s, n
		d.from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		select {
		case t.in <- d:
			d = t.blank()
		default:
			t.lost.Add(1)
		}
	}
}

func (t *udp) closed(s ID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.socks[s] == nil
}

func (t *udp) blank() *datagram {
	select {
	case d := <-t.spare:
		return d
	default:
		return new(datagram)
	}
}

func (t *udp) Close(s ID) {
	t.mu.Lock()
	conn := t.socks[s]
	delete(t.socks, s)
	t.mu.Unlock()
	if conn != nil {
		_ = conn.Close() // only fails when closed twice
	}
}

func (t *udp) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *udp) Poll(wait time.Duration) {
	if t.first != nil {
		return
	}
	t.timer.Reset(max(wait, 0))
	select {
	case t.first = <-t.in:
	case <-t.wake:
	case <-t.timer.C:
	}
}

// Drain takes no more than was there at the start: a flood must not hold up the tick.
func (t *udp) Drain(receive func(Packet)) {
	if t.first != nil {
		t.hand(t.first, receive)
		t.first = nil
	}
	for range len(t.in) {
		t.hand(<-t.in, receive)
	}
}

func (t *udp) hand(d *datagram, receive func(Packet)) {
	receive(Packet{Socket: d.socket, From: d.from, Data: d.data[:d.n]})
	select {
	case t.spare <- d:
	default:
	}
}

func (t *udp) Queue(s ID, to netip.AddrPort, data []byte) {
	t.mu.RLock()
	conn := t.socks[s]
	t.mu.RUnlock()
	if conn == nil {
		t.failed++
		return
	}
	if _, err := conn.WriteToUDPAddrPort(data, to); err != nil {
		t.failed++
		return
	}
	t.sent++
}

func (t *udp) Flush() (sent, failed int) {
	sent, failed = t.sent, t.failed
	t.sent, t.failed = 0, 0
	return sent, failed
}

func (t *udp) Lost() uint64 { return t.lost.Load() }

func (t *udp) Stop() {
	t.mu.Lock()
	socks := t.socks
	t.socks, t.stopped = map[ID]*net.UDPConn{}, true
	t.mu.Unlock()
	for _, conn := range socks {
		_ = conn.Close()
	}
	t.timer.Stop()
	t.readers.Wait()
}
