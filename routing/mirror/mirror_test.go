package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"liandong/routing/journal"
)

var quiet = slog.New(slog.DiscardHandler)

func config(secret string) Config {
	return Config{
		Node: "a", Listen: netip.MustParseAddrPort("127.0.0.1:0"), Secret: secret,
		Gather: time.Millisecond, Patience: 5 * time.Second, Log: quiet,
	}
}

func book(t testing.TB) *journal.Journal {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	j, err := journal.Open(f)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("journals are on Linux alone")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// road is a way between the two ends that can be torn and blocked.
type road struct {
	to       netip.AddrPort
	listener net.Listener
	tear     atomic.Int64 // bytes after which the next connections break; 0: none
	block    atomic.Bool  // nothing goes through
	mu       sync.Mutex
	conns    []net.Conn
	done     sync.WaitGroup
}

func newRoad(t *testing.T, to netip.AddrPort) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{to: to, listener: l}
	r.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.done.Go(func() { r.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.cut()
		r.block.Store(false)
		r.done.Wait()
	})
	return r
}

func (r *road) carry(near net.Conn) {
	far, err := net.Dial("tcp", r.to.String())
	if err != nil {
		_ = near.Close()
		return
	}
	r.mu.Lock()
	r.conns = append(r.conns, near, far)
	r.mu.Unlock()
	limit := r.tear.Load()
	r.done.Go(func() { r.pass(far, near, 0); _ = near.Close() })
	r.pass(near, far, limit)
	_, _ = near.Close(), far.Close()
}

func (r *road) pass(from, to net.Conn, limit int64) {
	var buf [4096]byte
	for total := int64(0); limit == 0 || total < limit; {
		n, err := from.Read(buf[:])
		for r.block.Load() {
			time.Sleep(time.Millisecond)
		}
		if limit > 0 {
			n = int(min(int64(n), limit-total))
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
		total += int64(n)
	}
}

func (r *road) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// pair is a sender and a receiver with a road between them.
type pair struct {
	sender   *Sender
	receiver *Receiver
	road     *road
	heard    chan string // words that the receiver has heard
	back     chan string // answers
}

func newPair(t *testing.T, sender, receiver Config) *pair {
	t.Helper()
	p := &pair{heard: make(chan string, 1000), back: make(chan string, 1000)}
	var err error
	p.receiver, err = NewReceiver(receiver, func(word []byte, answer func([]byte)) {
		p.heard <- string(word)
		answer(append([]byte("re: "), word...))
	})
	if err == nil {
		err = p.receiver.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	p.road = newRoad(t, p.receiver.Addr())
	sender.Partner = p.road.listener.Addr().(*net.TCPAddr).AddrPort()
	if p.sender, err = NewSender(sender, func(word []byte) { p.back <- string(word) }); err != nil {
		t.Fatal(err)
	}
	p.sender.Start()
	t.Cleanup(func() {
		p.sender.Stop()
		p.receiver.Stop()
	})
	return p
}

func (p *pair) caught(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.sender.Caught(ctx); err != nil {
		t.Fatalf("the partner has not got all: %v, %+v, %+v", err, p.sender.Stats(), p.receiver.Stats())
	}
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func equal(t *testing.T, got, want *journal.Journal) {
	t.Helper()
	for _, k := range []journal.Kind{journal.Call, journal.Ticket} {
		a, b := got.All(k), want.All(k)
		if !slices.EqualFunc(a, b, func(a, b journal.Entry) bool {
			return a.Key == b.Key &&
				bytes.Equal(a.Value, b.Value)
		}) {
			t.Errorf("kind %d: the copy has %d values, the journal %d, or others", k, len(a), len(b))
		}
	}
}

const secret = "a secret that both sides have"

// What is written on one side is on the other soon after, and words go both ways beside it.
func TestStream(t *testing.T) {
	t.Parallel()
	from, to := book(t), book(t)
	to.Put(journal.Call, "stale", []byte("of another time"))
	p := newPair(t, config(secret), config(secret))
	p.receiver.Take(map[string]Sink{"journal": to})
	f := from.Follow(p.sender.Wake)
	p.sender.Stream(Named{"journal", f})
	for i := range 500 {
		from.Put(journal.Call, fmt.Sprint(i%40), bytes.Repeat([]byte{byte(i)}, 3000))
		if i%3 == 0 {
			from.Delete(journal.Call, fmt.Sprint((i+7)%40))
		}
		if i%50 == 0 {
			p.caught(t)
			p.sender.Say([]byte(fmt.Sprint("word ", i)))
			if got := <-p.heard; got != fmt.Sprint("word ", i) {
				t.Fatalf("heard %q", got)
			}
			if got := <-p.back; got != fmt.Sprint("re: word ", i) {
				t.Fatalf("answered %q", got)
			}
		}
	}
	p.caught(t)
	equal(t, to, from)
	s, e := p.sender.Stats(), p.receiver.Stats()
	// Whole cuts are two where the connection stands a moment before it is told what to stream.
	if s.Behind || s.Lag != 0 || s.Wholes < 1 || s.Wholes > 2 || s.Breaks != 0 || !e.Copied || e.Applied != s.Cuts {
		t.Errorf("%+v, %+v", s, e)
	}
}

// However often and wherever the connection breaks, the copy comes to be what the journal is, and is never something
// that the journal has not been: two values that are written together are together in the copy.
func TestTornConnections(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	from, to := book(t), book(t)
	cfg := config(secret)
	p := newPair(t, cfg, cfg)
	p.road.tear.Store(20_000)
	p.receiver.Take(map[string]Sink{"journal": &twins{t: t, j: to}})
	p.sender.Stream(Named{"journal", from.Follow(p.sender.Wake)})
	for i := range 120 {
		key, value := fmt.Sprint(rng.IntN(30)), bytes.Repeat([]byte{byte(i)}, rng.IntN(4000))
		from.Write(journal.Entry{Kind: journal.Call, Key: key, Value: value},
			journal.Entry{Kind: journal.Ticket, Key: key, Value: value})
		if i%20 == 0 {
			p.road.tear.Store(8000 + rng.Int64N(100_000))
			until(t, "it is connected", func() bool { return p.sender.Stats().Connected })
			breaks := p.sender.Stats().Breaks
			p.road.cut()
			until(t, "it breaks", func() bool { return p.sender.Stats().Breaks > breaks })
		}
		if i%5 == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	}
	p.road.tear.Store(0)
	p.road.cut()
	p.caught(t)
	equal(t, to, from)
	if s := p.sender.Stats(); s.Breaks < 3 || s.Wholes < 3 {
		t.Errorf("hardly anything has broken: %+v", s)
	}
}

// twins looks at each state that the copy has.
type twins struct {
	t *testing.T
	j *journal.Journal
}

func (w *twins) Apply(c journal.Cut) error {
	err := w.j.Apply(c)
	calls, tickets := w.j.All(journal.Call), w.j.All(journal.Ticket)
	if !slices.EqualFunc(calls, tickets, func(a, b journal.Entry) bool {
		return a.Key == b.Key &&
			bytes.Equal(a.Value, b.Value)
	}) {
		w.t.Error("the copy has half of a write")
	}
	return err
}

// A partner that takes nothing for a while holds nobody up; the lag tells, and what it gets then is what stands, once.
func TestSlowPartner(t *testing.T) {
	t.Parallel()
	from, to := book(t), book(t)
	cfg := config(secret)
	cfg.Patience = time.Minute
	p := newPair(t, cfg, cfg)
	p.receiver.Take(map[string]Sink{"journal": to})
	p.sender.Stream(Named{"journal", from.Follow(p.sender.Wake)})
	from.Put(journal.Call, "0", nil)
	p.caught(t)
	p.road.block.Store(true)
	for i := range 20_000 {
		from.Put(journal.Call, fmt.Sprint(i%20), bytes.Repeat([]byte{byte(i)}, 2000))
	}
	until(t, "the lag shows", func() bool { return p.sender.Stats().Lag > 20*time.Millisecond })
	sent := p.sender.Stats()
	p.road.block.Store(false)
	p.caught(t)
	equal(t, to, from)
	if s := p.sender.Stats(); s.Bytes-sent.Bytes > 4<<20 || s.Cuts > sent.Cuts+20 {
		t.Errorf("of 40 MB written meanwhile the partner was sent %d bytes in %d cuts", s.Bytes-sent.Bytes,
			s.Cuts-sent.Cuts)
	}
}

// Whoever has another secret, or none, gets nothing and says nothing; whoever belongs to another switch neither. The
// logs say so, and do not say the secret.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"secret": func(c *Config) { c.Secret = "another secret, as long as it" },
		"node":   func(c *Config) { c.Node = "b" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			sender, receiver := config(secret), config(secret)
			sender.Log, receiver.Log = slog.New(slog.NewTextHandler(&log, nil)),
				slog.New(slog.NewTextHandler(&log, nil))
			change(&sender)
			to := book(t)
			p := newPair(t, sender, receiver)
			p.receiver.Take(map[string]Sink{"journal": to})
			from := book(t)
			from.Put(journal.Call, "one", []byte("value"))
			p.sender.Stream(Named{"journal", from.Follow(p.sender.Wake)})
			p.sender.Say([]byte("word"))
			want := map[string]error{"secret": ErrSecret, "node": ErrNode}[name]
			until(t, "both refuse", func() bool { return strings.Count(log.String(), want.Error()) >= 2 })
			if len(p.heard) > 0 || len(to.All(journal.Call)) > 0 || p.receiver.Stats().Applied > 0 ||
				!p.sender.Stats().Behind {
				t.Error("a stranger was listened to")
			}
			if strings.Contains(log.String(), sender.Secret) || strings.Contains(log.String(), receiver.Secret) {
				t.Error("the log says the secret")
			}
		})
	}
}

// Bytes of somebody else do no harm: the port says nothing to them and goes on.
func TestGarbage(t *testing.T) {
	t.Parallel()
	from, to := book(t), book(t)
	p := newPair(t, config(secret), config(secret))
	for range 3 * fewConnections {
		c, err := net.Dial("tcp", p.receiver.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 100))
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
	p.receiver.Take(map[string]Sink{"journal": to})
	from.Put(journal.Call, "one", []byte("value"))
	p.sender.Stream(Named{"journal", from.Follow(p.sender.Wake)})
	p.caught(t)
	equal(t, to, from)
}

// A side that takes no copy, since it carries the calls itself, is not overwritten.
func TestOwnerTakesNoCopy(t *testing.T) {
	t.Parallel()
	from, own := book(t), book(t)
	own.Put(journal.Call, "own", []byte("value"))
	p := newPair(t, config(secret), config(secret))
	p.receiver.Take(map[string]Sink{"journal": own})
	p.receiver.Take(nil)
	from.Put(journal.Call, "one", []byte("value"))
	p.sender.Stream(Named{"journal", from.Follow(p.sender.Wake)})
	until(t, "it is refused", func() bool { return p.sender.Stats().Breaks > 1 })
	if all := own.All(journal.Call); len(all) != 1 || all[0].Key != "own" {
		t.Errorf("it has %v", all)
	}
}

func TestPieces(t *testing.T) {
	c := journal.Cut{Whole: true, At: time.Unix(5, 6)}
	for i := range 300 {
		c.Entries = append(c.Entries, journal.Entry{Kind: journal.Call, Key: fmt.Sprint(i), Value: make([]byte, i*13),
			Gone: i%5 == 0})
	}
	var got journal.Cut
	list := pieces(7, "journal", c)
	for i, p := range list {
		q, err := decodePiece(p.encode())
		if err != nil || q.number != 7 || q.sink != "journal" || q.last != (i == len(list)-1) || !q.whole {
			t.Fatalf("%+v: %v", q, err)
		}
		got.Whole, got.At = q.whole, q.at
		got.Entries = append(got.Entries, q.entries...)
	}
	if len(list) < 3 || fmt.Sprint(got) != fmt.Sprint(c) {
		t.Errorf("%d pieces do not give the cut", len(list))
	}
}

func FuzzPiece(f *testing.F) {
	f.Add(pieces(1, "journal", journal.Cut{Entries: []journal.Entry{{Kind: 1, Key: "k",
		Value: []byte("v")}}})[0].encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePiece(b)
		if err != nil {
			return
		}
		q, err := decodePiece(p.encode())
		if err != nil || fmt.Sprint(p) != fmt.Sprint(q) {
			t.Errorf("%+v is %+v: %v", p, q, err)
		}
	})
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// BenchmarkStream says what a written kilobyte costs both sides.
// What changes before there is anything to stream is no cut: the first one goes at once, and is confirmed.
func TestChangesBeforeTheStream(t *testing.T) {
	t.Parallel()
	p := newPair(t, config(secret), config(secret))
	p.receiver.Take(map[string]Sink{"journal": book(t)})
	from := book(t).Follow(p.sender.Wake)
	for i := range 100 {
		p.sender.Stream()
		p.sender.Wake()
		time.Sleep(time.Duration(i) * 20 * time.Microsecond)
		p.sender.Stream(Named{"journal", from})
		p.caught(t)
	}
}

func BenchmarkStream(b *testing.B) {
	from, to := book(b), book(b)
	e, _ := NewReceiver(config(secret), func([]byte, func([]byte)) {})
	if err := e.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer e.Stop()
	e.Take(map[string]Sink{"journal": to})
	cfg := config(secret)
	cfg.Partner, cfg.Gather = e.Addr(), DefaultGather
	m, _ := NewSender(cfg, func([]byte) {})
	m.Start()
	defer m.Stop()
	m.Stream(Named{"journal", from.Follow(m.Wake)})
	_ = m.Caught(b.Context())
	value := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	began := m.Stats().Bytes
	for i := 0; b.Loop(); i++ {
		from.Put(journal.Call, fmt.Sprint(i%100), value)
		if i%100 == 99 {
			_ = m.Caught(b.Context())
		}
	}
	b.ReportMetric(float64(m.Stats().Bytes-began)/float64(b.N), "B/write")
}
