package mirror

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"liandong/routing/journal"
)

// Sender is the connection to the partner's receiver. It is made again as often as it breaks.
type Sender struct {
	cfg    Config
	tls    *tls.Config
	answer func(word []byte) // what the partner says back; not to block
	words  chan []byte       // the oldest gives way when the partner does not read
	wake   chan struct{}     // capacity 1: something has changed
	turn   chan struct{}     // capacity 1: the sources are others
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	sources []Named   // guarded by mu
	stats   Stats     // guarded by mu
	number  uint64    // guarded by mu: of the newest cut
	fresh   time.Time // guarded by mu: of the oldest change that no cut has; zero: none
	sent    []sent    // guarded by mu: cuts that are not confirmed
}

// sent is a cut that is on its way, with the time of its oldest change.
type sent struct {
	number uint64
	since  time.Time
}

// fewWords wait for a partner who does not read. They are of use for a moment only.
const fewWords = 32

// unconfirmed cuts may be on their way; then the next one grows instead.
const unconfirmed = 4

// NewSender makes a sender that says nothing yet. answer takes what the partner says back to words.
func NewSender(cfg Config, answer func(word []byte)) (*Sender, error) {
	t, err := secured(cfg.Secret)
	if err != nil {
		return nil, err
	}
	return &Sender{
		cfg: cfg, tls: t, answer: answer, words: make(chan []byte, fewWords), wake: make(chan struct{}, 1),
		turn: make(chan struct{}, 1),
	}, nil
}

// Start begins to call the partner.
func (m *Sender) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.done.Go(func() { m.run(ctx) })
}

// Stop ends the connection and waits for it.
func (m *Sender) Stop() {
	if m.cancel != nil {
		m.cancel()
	}
	m.done.Wait()
}

// Say sends a word, if there is a connection: one that comes late is worth nothing.
func (m *Sender) Say(word []byte) {
	for {
		select {
		case m.words <- word:
			return
		default:
		}
		select {
		case <-m.words:
		default:
		}
	}
}

// Wake says that a source has changed.
func (m *Sender) Wake() {
	m.mu.Lock()
	if m.fresh.IsZero() {
		m.fresh = time.Now()
	}
	m.mu.Unlock()
	nudge(m.wake)
}

// nudge leaves a note that somebody reads later; one note is enough.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Stream replicates these sources from now on. Cuts are taken from the first to the last and sent from the last to the
// first, so that an entry which moves from an earlier source to a later one is always in one of them.
func (m *Sender) Stream(sources ...Named) {
	m.mu.Lock()
	m.sources, m.fresh, m.sent = sources, time.Time{}, nil
	if len(sources) > 0 {
		m.fresh = time.Now()
	}
	m.mu.Unlock()
	nudge(m.turn)
}

// Caught waits until the partner has all that there is.
func (m *Sender) Caught(ctx context.Context) error {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if s := m.Stats(); s.Connected && !s.Behind {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stats counts now.
func (m *Sender) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	since := m.fresh
	if len(m.sent) > 0 {
		since = m.sent[0].since
	}
	if !since.IsZero() {
		s.Lag, s.Behind = time.Since(since), true
	}
	return s
}

func (m *Sender) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := m.connection(ctx)
		if ctx.Err() != nil {
			return
		}
		m.broke(err)
		if time.Since(began) > longPause {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// Pauses before the partner is called again.
const (
	firstPause = 20 * time.Millisecond
	longPause  = time.Second
)

func (m *Sender) broke(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	had, last := m.stats.Connected, m.stats.Last
	m.stats.Connected, m.stats.Last = false, err.Error()
	if had {
		m.stats.Breaks++
	}
	m.forgotten()
	switch {
	case had:
		m.cfg.Log.Warn("the connection to the partner has ended", "partner", m.cfg.Partner, "err", err)
	case last != err.Error():
		m.cfg.Log.Warn("the partner cannot be reached", "partner", m.cfg.Partner, "err", err)
	}
}

// forgotten: what is on its way may not have come, and the partner that comes next begins anew. Caller holds mu.
func (m *Sender) forgotten() {
	if len(m.sent) > 0 {
		m.fresh = m.sent[0].since
	}
	if m.fresh.IsZero() && len(m.sources) > 0 {
		m.fresh = time.Now()
	}
	m.sent = nil
}

// connection is one, from the call to its end.
func (m *Sender) connection(ctx context.Context) error {
	d := net.Dialer{Timeout: m.cfg.Patience, LocalAddr: &net.TCPAddr{IP: m.cfg.Listen.Addr().AsSlice()}}
	raw, err := d.DialContext(ctx, "tcp", m.cfg.Partner.String())
	if err != nil {
		return err
	}
	prompt(raw, m.cfg.Patience)
	c := tls.Client(raw, m.tls)
	defer raw.Close() // not c: its farewell would wait for a partner who is gone
	if err := shake(c, m.cfg.Patience); err != nil {
		return refusal(err)
	}
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	r := bufio.NewReader(c)
	if err := m.greet(c, r); err != nil {
		return refusal(err)
	}
	s := &session{m: m, conn: c, w: bufio.NewWriterSize(c, 1<<16), acks: make(chan struct{}, 1),
		broken: make(chan error, 1)}
	m.connected()
	m.done.Go(func() { s.read(r) })
	err = s.write(ctx)
	_ = raw.Close()
	return err
}

// refusal names what a peer with another secret says in TLS.
func refusal(err error) error {
	// bad or unknown certificate
	if alert, ok := errors.AsType[tls.AlertError](err); ok && (alert == 42 || alert == 46) {
		return fmt.Errorf("%w: %w", ErrSecret, err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return fmt.Errorf("%w: %w", ErrSecret, err)
	}
	return err
}

func (m *Sender) greet(c *tls.Conn, r *bufio.Reader) error {
	_ = c.SetDeadline(time.Now().Add(m.cfg.Patience))
	defer func() { _ = c.SetDeadline(time.Time{}) }()
	if err := sayHello(c, m.cfg.Node); err != nil {
		return err
	}
	return hearHello(r, m.cfg.Node)
}

func sayHello(c net.Conn, node string) error {
	b, err := json.Marshal(hello{streamFormat, node})
	if err != nil {
		return err
	}
	return writeFrame(c, frameHello, b)
}

func hearHello(r *bufio.Reader, node string) error {
	k, b, err := readFrame(r)
	if err != nil {
		return err
	}
	var h hello
	if err := json.Unmarshal(b, &h); k != frameHello || err != nil {
		return fmt.Errorf("%w: no hello", ErrMessage)
	}
	return h.check(node)
}

func (m *Sender) connected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Connected, m.stats.Last = true, ""
	m.cfg.Log.Info("connected to the partner", "partner", m.cfg.Partner)
	for {
		select {
		case <-m.words: // of another time
		default:
			return
		}
	}
}

// session is one connection. Written by one goroutine and read by another.
type session struct {
	m      *Sender
	conn   *tls.Conn
	w      *bufio.Writer
	acks   chan struct{} // capacity 1: there are new ones
	broken chan error    // capacity 1
}

// read takes confirmations and answers.
func (s *session) read(r *bufio.Reader) {
	for {
		k, b, err := readFrame(r)
		switch {
		case err != nil:
			s.broken <- err
			return
		case k == frameAck && len(b) == 8:
			s.m.confirmed(binary.LittleEndian.Uint64(b))
			nudge(s.acks)
		case k == frameWord:
			s.m.answer(b)
		}
	}
}

func (m *Sender) confirmed(number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.sent) > 0 && m.sent[0].number <= number {
		m.sent = m.sent[1:]
	}
}

// maySend says that another cut may go.
func (m *Sender) maySend() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent) < unconfirmed && !m.fresh.IsZero()
}

// write says words as they come, and what changes when enough of it is gathered.
func (s *session) write(ctx context.Context) error {
	m := s.m
	sources := s.begin()
	gather := time.NewTimer(0)
	defer gather.Stop()
	ripe, due := true, false // it is time to send; the timer runs
	for {
		if ripe && len(sources) > 0 && m.maySend() {
			ripe = false
			if err := s.cuts(sources); err != nil {
				return err
			}
			gather.Reset(m.cfg.Gather)
			due = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-s.broken:
			return err
		case word := <-m.words:
			if err := s.say(word); err != nil {
				return err
			}
		case <-m.turn:
			sources, ripe = s.begin(), true
		case <-gather.C:
			ripe, due = true, false
		case <-s.acks:
		case <-m.wake:
			if !due && !ripe {
				gather.Reset(m.cfg.Gather)
				due = true
			}
		}
	}
}

// begin has the sources begin anew.
func (s *session) begin() []Named {
	select {
	case <-s.m.turn:
	default:
	}
	s.m.mu.Lock()
	sources := s.m.sources
	s.m.mu.Unlock()
	for _, one := range sources {
		one.Again()
	}
	return sources
}

func (s *session) say(word []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.m.cfg.Patience))
	return cmp.Or(writeFrame(s.w, frameWord, word), s.w.Flush())
}

// cuts sends what has changed in all sources.
func (s *session) cuts(sources []Named) error {
	m := s.m
	m.mu.Lock()
	last := m.number + uint64(len(sources))
	m.sent = append(m.sent, sent{last, m.fresh})
	m.fresh = time.Time{} // what changes from here on may be in this cut already, and is counted once more
	m.mu.Unlock()
	var all []journal.Cut
	for _, one := range sources {
		c, err := one.Take()
		if err != nil {
			return fmt.Errorf("mirror: %s: %w", one.Name, err)
		}
		all = append(all, c)
	}
	for i, c := range slices.Backward(all) {
		if err := s.cut(sources[i].Name, c); err != nil {
			return err
		}
	}
	return s.w.Flush()
}

// cut sends one, with words in between.
func (s *session) cut(name string, c journal.Cut) (err error) {
	m := s.m
	m.mu.Lock()
	m.number++
	number := m.number
	m.stats.Cuts++
	if c.Whole {
		m.stats.Wholes++
	}
	m.mu.Unlock()
	size := 0
	for _, p := range pieces(number, name, c) {
		b := p.encode()
		size += len(b)
		_ = s.conn.SetWriteDeadline(time.Now().Add(m.cfg.Patience))
		if err := writeFrame(s.w, framePiece, b); err != nil {
			return err
		}
		select {
		case word := <-m.words:
			err = s.say(word)
		default:
		}
		if err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.stats.Bytes += uint64(size)
	m.mu.Unlock()
	return nil
}
