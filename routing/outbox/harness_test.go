package outbox

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/ticket"
)

// patience is how long a test waits for what must happen; it says nothing about how fast it does.
const patience = 30 * time.Second

// journal is a log that a test can read, and that must not hold a caller's number.
type journal struct {
	t  testing.TB
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

var caller = regexp.MustCompile(`138\d{8}`)

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if caller.Match(p) {
		j.t.Errorf("a caller's number is in the log: %s", p)
	}
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) has(text string) func() bool {
	return func() bool { return bytes.Contains([]byte(j.String()), []byte(text)) }
}

func newJournal(t testing.TB) (*journal, *slog.Logger) {
	j := &journal{t: t}
	return j, slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// config is for quick tests: nothing is kept or waited for longer than need be.
func config(t testing.TB, url string) Config {
	cfg := Default()
	cfg.Path = filepath.Join(t.TempDir(), "outbox.db")
	cfg.URL = desk.NewSecret(url)
	cfg.Timeout, cfg.Backoff, cfg.Keep = 5*time.Second, 50*time.Millisecond, 0
	return cfg
}

// open starts an outbox that the test's end stops.
func open(t testing.TB, cfg Config) (*Outbox, *journal) {
	t.Helper()
	j, log := newJournal(t)
	o, err := Open(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	o.Start()
	t.Cleanup(o.Stop)
	return o, j
}

// matter puts entries of one stub, numbered in their title.
type matter struct {
	stub string
	to   string
	n    int
}

func newMatter(to string) *matter { return &matter{stub: ids.New(time.Now()), to: to} }

// next makes the matter's next entry, full to a usual degree.
func (m *matter) next() ticket.Entry {
	m.n++
	now := time.Now()
	return ticket.Entry{
		EventID: ids.New(now), StubID: m.stub, Event: ticket.Opened, At: now, From: "110", To: m.to,
		Mode:    ticket.Direct,
		CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", CallerE164: "+8613812345678",
		CallerRaw:    "sip:13812345678@10.0.0.1",
		CallerStatus: "ok", CallerSource: "pai", Dialed: "110", FromAgent: "1101", CallAt: now, KeyAt: now,
		Title: strconv.Itoa(m.n),
	}
}

// ledger counts what done has said.
type ledger struct {
	mu   sync.Mutex
	safe map[string]bool // guarded by mu
	errs []error         // guarded by mu
}

func newLedger() *ledger { return &ledger{safe: map[string]bool{}} }

func (l *ledger) put(o *Outbox, e ticket.Entry) {
	o.Put(e, func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.errs = append(l.errs, err)
			return
		}
		l.safe[e.EventID] = true
	})
}

func (l *ledger) count() (safe, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.safe), len(l.errs)
}

func (l *ledger) reached(n int) func() bool {
	return func() bool { safe, _ := l.count(); return safe >= n }
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func shipped(o *Outbox) func() bool { return func() bool { return o.Stats().Waiting == 0 } }

// read gives everything in the streams.
func read(t testing.TB, cfg Config, streams ...string) []Message {
	t.Helper()
	cfg.Timeout = patience
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []Message
	for _, s := range streams {
		for after := ""; ; {
			list, err := r.Range(context.Background(), s, after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if all = append(all, list...); len(list) < 1000 {
				break
			}
			after = list[len(list)-1].ID
		}
	}
	return all
}

// check says what is wrong with the streams: entries twice, out of order within a stub, or with a gap.
func check(t testing.TB, list []Message) {
	t.Helper()
	seen, last := map[string]bool{}, map[string]int{}
	for _, m := range list {
		if m.Err != nil {
			t.Errorf("%s: %v", m.ID, m.Err)
			continue
		}
		if seen[m.Entry.EventID] {
			t.Errorf("%v is in the stream twice", m.Entry)
		}
		seen[m.Entry.EventID] = true
		n, _ := strconv.Atoi(m.Entry.Title)
		if n != last[m.Entry.StubID]+1 {
			t.Errorf("stub %s: entry %d comes after %d", m.Entry.StubID, n, last[m.Entry.StubID])
		}
		last[m.Entry.StubID] = n
	}
}

// exactly checks the streams and that they hold n entries.
func exactly(t testing.TB, cfg Config, n int, streams ...string) {
	t.Helper()
	list := read(t, cfg, streams...)
	check(t, list)
	if len(list) != n {
		t.Errorf("%d entries in the stream, want %d", len(list), n)
	}
}

const (
	stream110   = "liandong:tickets:110"
	stream12345 = "liandong:tickets:12345"
)

// TestMain lets the test binary be started again as a process to be killed, see child_test.go.
func TestMain(m *testing.M) {
	if act := os.Getenv("OUTBOX_CHILD"); act != "" {
		if err := child(act); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("6"); err != nil { // they wait, for Redis and for the disk
			panic(err)
		}
	}
	os.Exit(m.Run())
}
