package mirror

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"liandong/routing/journal"
)

// Receiver is where the partner's sender is heard. The connection that was made last is the one that counts.
type Receiver struct {
	cfg      Config
	tls      *tls.Config
	hear     func(word []byte, answer func([]byte)) // not to block
	listener net.Listener
	done     sync.WaitGroup
	takes    sync.Mutex // one cut is taken in at a time

	mu     sync.Mutex
	sinks  map[string]Sink // guarded by mu; nil: nothing is taken
	copied map[string]bool // guarded by mu: sinks that have had a whole cut of this connection
	conns  map[net.Conn]bool
	now    net.Conn // guarded by mu: the one that counts
	stats  Stats    // guarded by mu
}

// fewConnections may be in the middle of a handshake at a time: others than the partner may reach the port.
const fewConnections = 8

// NewReceiver makes a receiver. hear takes the partner's words, with a way to answer that is good for a moment.
func NewReceiver(cfg Config, hear func(word []byte, answer func([]byte))) (*Receiver, error) {
	t, err := secured(cfg.Secret)
	if err != nil {
		return nil, err
	}
	return &Receiver{cfg: cfg, tls: t, hear: hear, conns: map[net.Conn]bool{}, copied: map[string]bool{}}, nil
}

// Start listens. The port may still be another process's that is just ending.
func (e *Receiver) Start(ctx context.Context) error {
	var err error
	for {
		if e.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", e.cfg.Listen.String()); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("mirror: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	e.done.Go(e.accept)
	return nil
}

// Addr is where it listens.
func (e *Receiver) Addr() netip.AddrPort { return e.listener.Addr().(*net.TCPAddr).AddrPort() }

// Stop ends all connections and waits for them.
func (e *Receiver) Stop() {
	if e.listener == nil {
		return
	}
	_ = e.listener.Close()
	e.mu.Lock()
	for c := range e.conns {
		_ = c.Close()
	}
	e.mu.Unlock()
	e.done.Wait()
}

// Take has what the partner streams go to these sinks, by their names; nil: it is refused. When Take returns nothing
// goes to the sinks before.
func (e *Receiver) Take(sinks map[string]Sink) {
	e.takes.Lock()
	defer e.takes.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sinks = sinks
	clear(e.copied)
	if e.now != nil { // it begins anew, with whole cuts
		_ = e.now.Close()
	}
}

// Stats counts now.
func (e *Receiver) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Copied = len(e.sinks) > 0 && len(e.copied) >= len(e.sinks)
	return s
}

func (e *Receiver) accept() {
	for {
		raw, err := e.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // no descriptors are left
			continue
		}
		e.mu.Lock()
		if len(e.conns) >= fewConnections {
			e.mu.Unlock()
			_ = raw.Close()
			continue
		}
		e.conns[raw] = true
		e.mu.Unlock()
		e.done.Go(func() { e.serve(raw) })
	}
}

// serve is one connection.
func (e *Receiver) serve(raw net.Conn) {
	err := e.attend(raw)
	_ = raw.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, raw)
	switch {
	case e.now == raw:
		e.now = nil
		e.stats.Breaks++
		e.stats.Last = err.Error()
		clear(e.copied)
		e.cfg.Log.Warn("the partner's connection has ended", "from", raw.RemoteAddr(), "err", err)
	case errors.Is(err, ErrSecret), errors.Is(err, ErrNode), errors.Is(err, ErrMessage):
		e.cfg.Log.Error("a connection to the partner's port is refused", "from", raw.RemoteAddr(), "err", err)
	}
}

func (e *Receiver) attend(raw net.Conn) error {
	prompt(raw, e.cfg.Patience)
	c := tls.Server(raw, e.tls)
	if err := shake(c, e.cfg.Patience); err != nil {
		return refusal(err)
	}
	r := bufio.NewReader(c)
	_ = c.SetDeadline(time.Now().Add(e.cfg.Patience))
	if err := cmp.Or(hearHello(r, e.cfg.Node), sayHello(c, e.cfg.Node)); err != nil {
		return err
	}
	_ = c.SetDeadline(time.Time{})
	e.counts(raw)
	l := &listening{e: e, raw: raw, conn: c}
	for {
		k, b, err := readFrame(r)
		if err != nil {
			return err
		}
		if err := l.take(k, b); err != nil {
			return err
		}
	}
}

// counts makes a connection the one that counts.
func (e *Receiver) counts(raw net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now != nil {
		_ = e.now.Close()
	}
	e.now = raw
	clear(e.copied)
}

// listening is the state of one connection. Owned by its goroutine but for writing.
type listening struct {
	e    *Receiver
	raw  net.Conn
	conn *tls.Conn
	cut  journal.Cut
	size int
	mu   sync.Mutex // keeps frames apart
}

func (l *listening) take(k frameKind, b []byte) error {
	switch k {
	case frameWord:
		l.e.hear(b, func(word []byte) { _ = l.send(frameWord, word) })
		return nil
	case framePiece:
		return l.piece(b)
	}
	return nil // of a later version
}

// send writes a frame. A partner who does not read is cut off.
func (l *listening) send(k frameKind, b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.SetWriteDeadline(time.Now().Add(l.e.cfg.Patience))
	return writeFrame(l.conn, k, b)
}

// piece gathers a cut, and takes it in when it is whole.
func (l *listening) piece(b []byte) error {
	p, err := decodePiece(b)
	if err != nil {
		return err
	}
	if l.size += len(b); l.size > largestCut {
		return fmt.Errorf("%w: a cut of more than %d bytes", ErrMessage, largestCut)
	}
	l.cut.Entries = append(l.cut.Entries, p.entries...)
	if !p.last {
		return nil
	}
	l.cut.Whole, l.cut.At = p.whole, p.at
	cut := l.cut
	l.cut, l.size = journal.Cut{}, 0
	if err := l.e.apply(l.raw, p.sink, cut); err != nil {
		return err
	}
	return l.send(frameAck, binary.LittleEndian.AppendUint64(nil, p.number))
}

var errNotTaken = errors.New("mirror: this side takes no copy now")

func (e *Receiver) apply(raw net.Conn, name string, c journal.Cut) error {
	e.takes.Lock()
	defer e.takes.Unlock()
	e.mu.Lock()
	sink, whole := e.sinks[name], e.copied[name] || c.Whole
	counts := e.now == raw
	e.mu.Unlock()
	switch {
	case sink == nil || !counts:
		return errNotTaken
	case !whole:
		return fmt.Errorf("%w: a part before the whole", ErrMessage)
	}
	if err := sink.Apply(c); err != nil {
		return fmt.Errorf("mirror: the copy of %s: %w", name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.now == raw {
		e.copied[name] = true
	}
	e.stats.Applied++
	return nil
}
