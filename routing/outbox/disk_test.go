package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.etcd.io/bbolt"

	"liandong/routing/link"
)

// faulty is a disk that can be told to fail, or to hang.
type faulty struct {
	store
	fails atomic.Bool
	gate  atomic.Pointer[chan struct{}] // commits wait for it
	tries atomic.Int32
}

func (f *faulty) commit(items []*item, moves []move) error {
	f.tries.Add(1)
	if g := f.gate.Load(); g != nil {
		<-*g
	}
	if f.fails.Load() {
		return errors.New("no space left on device")
	}
	return f.store.commit(items, moves)
}

func openFaulty(t *testing.T, cfg Config) (*Outbox, *faulty, *journal) {
	t.Helper()
	j, log := newJournal(t)
	d, err := openDisk(cfg.Path, cfg.MaxBytes, log)
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.New(cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{store: d}
	o := assemble(cfg, log, f, l)
	o.Start()
	t.Cleanup(o.Stop)
	return o, f, j
}

// The disk fails and Redis is away: entries are held in memory, told of, and brought to disk when that is back.
func TestDiskFails(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	mini.Close()
	o, f, j := openFaulty(t, cfg)
	l, m := newLedger(), newMatter("110")
	l.put(o, m.next())
	eventually(t, "on disk", l.reached(1))
	f.fails.Store(true)
	for range 50 {
		l.put(o, m.next())
	}
	eventually(t, "tried more than once", func() bool { return o.Stats().DiskErrors > 2 })
	if s := o.Stats(); s.DiskUp || s.InMemory != 50 || s.Waiting != 51 || !strings.Contains(s.DiskError, "no space") {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(j.String(), "entry held in memory"); n == 0 || n > 50 ||
		!strings.Contains(j.String(), m.stub) {
		t.Errorf("%d entries are told of", n)
	}
	if safe, _ := l.count(); safe != 1 {
		t.Errorf("%d entries are called safe, want 1", safe)
	}
	f.fails.Store(false)
	eventually(t, "on disk", l.reached(51))
	if err := mini.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 51, stream110)
	eventually(t, "told", j.has("disk is back"))
}

// The disk fails and Redis is there: entries go straight from memory, after what is on disk, and count as safe.
func TestDiskFailsRedisTakes(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, f, _ := openFaulty(t, cfg)
	l, m := newLedger(), newMatter("110")
	mini.SetError("LOADING")
	for range 700 {
		l.put(o, m.next())
	}
	eventually(t, "on disk", l.reached(700))
	f.fails.Store(true)
	for range 700 {
		l.put(o, m.next())
	}
	mini.SetError("")
	eventually(t, "safe", l.reached(1400))
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 1400, stream110)
	f.fails.Store(false)
	for range 10 {
		l.put(o, m.next())
	}
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 1410, stream110)
	eventually(t, "the disk is empty", func() bool { return o.Stats().OnDisk == 0 })
}

// Disk and Redis come and go under load.
func TestDiskComesAndGoes(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, f, _ := openFaulty(t, cfg)
	l, ms, dice := newLedger(), []*matter{newMatter("110"), newMatter("12345"), newMatter("110")},
		rand.New(rand.NewPCG(3, 4))
	const rounds, burst = 60, 30
	for range rounds {
		f.fails.Store(dice.IntN(2) == 0)
		mini.SetError([]string{"", "", "READONLY"}[dice.IntN(3)])
		before := f.tries.Load()
		for range burst {
			for _, m := range ms {
				l.put(o, m.next())
			}
		}
		eventually(t, "the writer has had its turn", func() bool {
			return f.tries.Load() > before ||
				o.Stats().InMemory == 0
		})
	}
	f.fails.Store(false)
	mini.SetError("")
	eventually(t, "safe", l.reached(rounds*burst*len(ms)))
	eventually(t, "shipped", shipped(o))
	list := append(read(t, cfg, stream110), read(t, cfg, stream12345)...)
	check(t, list)
	if len(list) != rounds*burst*len(ms) {
		t.Errorf("%d entries", len(list))
	}
	eventually(t, "the disk is empty", func() bool { s := o.Stats(); return s.OnDisk == 0 && s.Bytes == 0 })
}

// Memory is bounded: further entries are refused, counted, and logged with their stub. A hanging disk is no different.
func TestMemoryIsBounded(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	cfg.MaxMemory = 64 << 10
	o, f, j := openFaulty(t, cfg)
	gate := make(chan struct{})
	f.gate.Store(&gate)
	l, m := newLedger(), newMatter("110")
	for range 1000 {
		l.put(o, m.next())
	}
	_, failed := l.count()
	if failed < 900 || failed == 1000 || !errors.Is(l.errs[0], ErrFull) {
		t.Errorf("%d of 1000 refused", failed)
	}
	if s := o.Stats(); s.Dropped != uint64(failed) || s.MemoryBytes > cfg.MaxMemory {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(j.String(), "entry lost"); n != failed ||
		!strings.Contains(j.String(), "entry.stub="+m.stub) {
		t.Errorf("%d losses are told of, want %d", n, failed)
	}
	f.gate.Store(nil)
	close(gate)
	eventually(t, "the others are safe", l.reached(1000-failed))
}

// Many entries, one commit.
func TestGroupCommit(t *testing.T) {
	o, f, _ := openFaulty(t, config(t, "redis://127.0.0.1:1"))
	gate := make(chan struct{})
	f.gate.Store(&gate)
	l, m := newLedger(), newMatter("110")
	l.put(o, m.next())
	eventually(t, "the disk is busy", func() bool { return f.tries.Load() == 1 })
	for range 1000 {
		l.put(o, m.next())
	}
	f.gate.Store(nil)
	close(gate)
	eventually(t, "on disk", l.reached(1001))
	if n := o.Stats().Commits; n != 2 {
		t.Errorf("%d commits, want 2", n)
	}
}

// The file is bounded too: what does not fit is held in memory until Redis has taken enough.
func TestDiskIsBounded(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	cfg.MaxBytes = 1 << 20
	mini.SetError("LOADING")
	o, j := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	for range 4000 {
		l.put(o, m.next())
	}
	eventually(t, "full", j.has("no room"))
	if s := o.Stats(); s.Bytes > cfg.MaxBytes || s.InMemory == 0 || s.Dropped != 0 || s.DiskUp {
		t.Errorf("%+v", s)
	}
	mini.SetError("")
	eventually(t, "safe", l.reached(4000))
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 4000, stream110)
	eventually(t, "disk is back", func() bool { return o.Stats().DiskUp })
}

// fill leaves a file with n entries in it.
func fill(t *testing.T, cfg Config, n int) *matter {
	t.Helper()
	o, _ := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	for range n {
		l.put(o, m.next())
	}
	eventually(t, "on disk", l.reached(n))
	o.Stop()
	return m
}

// compact leaves no pages with what stood there before: whoever damages an entry damages what will be read.
func compact(t *testing.T, path string) {
	t.Helper()
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	to, err := bbolt.Open(path+".c", 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(bbolt.Compact(to, from, 0), to.Close(), from.Close(), os.Rename(path+".c", path))
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged file is put aside, which is told; what can be read goes on.
func TestDamagedFile(t *testing.T) {
	const n = 500
	for name, c := range map[string]struct {
		damage func(b []byte) []byte
		least  int // entries that must survive
	}{
		"garbage":    {func(b []byte) []byte { return bytes.Repeat([]byte("garbage"), 10000) }, 0},
		"zeros":      {func(b []byte) []byte { return make([]byte, len(b)) }, 0},
		"short":      {func(b []byte) []byte { return b[:100] }, 0},
		"one page":   {func(b []byte) []byte { return b[:4096] }, 0},
		"few pages":  {func(b []byte) []byte { return b[:6*4096] }, 0}, // reading past the end is a fault
		"half":       {func(b []byte) []byte { return b[:len(b)/2] }, 0},
		"metas gone": {func(b []byte) []byte { clear(b[:2*4096]); return b }, 0},
		"one entry": {func(b []byte) []byte { // the last one in the file, where its newest pages are
			b[bytes.LastIndex(b, []byte("title"))] ^= 0x20
			return b
		}, n - 1},
		"many": {func(b []byte) []byte { return spoil(b, `call_ref`, 100) }, 1},
		"page zeroed": {func(b []byte) []byte {
			p := bytes.Index(b, []byte("call_ref")) / 4096
			clear(b[p*4096 : (p+1)*4096])
			return b
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			mini := miniredis.RunT(t)
			cfg := config(t, "redis://127.0.0.1:1")
			m := fill(t, cfg, n)
			compact(t, cfg.Path)
			b, err := os.ReadFile(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(cfg.Path, c.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg.URL = config(t, "redis://"+mini.Addr()).URL
			o, j := open(t, cfg)
			s := o.Stats()
			if _, err := os.Stat(s.PutAside); err != nil || !strings.Contains(j.String(), s.PutAside) {
				t.Errorf("put aside: %v; log: %s", err, j.String())
			}
			if s.OnDisk < int64(c.least) || s.OnDisk >= n {
				t.Errorf("%d entries taken over, want %d to %d", s.OnDisk, c.least, n-1)
			}
			l := newLedger()
			l.put(o, m.next())
			eventually(t, "it works", l.reached(1))
			eventually(t, "shipped", shipped(o))
			order(t, read(t, cfg, stream110))
		})
	}
}

// order checks what gaps do not change: nothing twice, nothing overtakes.
func order(t *testing.T, list []Message) {
	t.Helper()
	if !slices.IsSortedFunc(list, func(a, b Message) int { return strings.Compare(a.Entry.EventID, b.Entry.EventID) }) {
		t.Error("out of order")
	}
}

// spoil changes a letter in the first n places where a word stands.
func spoil(b []byte, word string, n int) []byte {
	at := 0
	for range n {
		i := bytes.Index(b[at:], []byte(word))
		if i < 0 {
			break
		}
		b[at+i] ^= 0x20
		at += i + 1
	}
	return b
}

// Whatever bytes change, Open does not panic, nothing untrue is shipped, and the outbox works.
func TestDamagedAnywhere(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	fill(t, cfg, 200)
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(60) {
		dice := rand.New(rand.NewPCG(seed, 1))
		b := slices.Clone(whole)
		for range 1 + dice.IntN(20) {
			b[dice.IntN(len(b))] ^= byte(1 + dice.IntN(255))
		}
		if dice.IntN(3) == 0 {
			b = b[:dice.IntN(len(b))]
		}
		cfg.Path = filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(cfg.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, log := newJournal(t)
		d, err := openDisk(cfg.Path, cfg.MaxBytes, log)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := d.commit([]*item{{body: encode(recordOf(newMatter("110").next()))}}, nil); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		last := uint64(0)
		if err := d.scan(0, func(seq uint64, v []byte) bool { last = seq; return sound(v) }); err != nil ||
			last != d.last() {
			t.Errorf("seed %d: the walk ends at %d of %d: %v", seed, last, d.last(), err)
		}
		if err := d.close(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// Reading mapped memory that has no file behind it is a fault, which must not end the process.
func TestFaultIsAnError(t *testing.T) {
	b, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(b)
	if err := guarded(func() error { return errors.New(string(b[:1])) }); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}

// What is not damage is not treated as such: the file stays where it is.
func TestOpenRefuses(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	_, log := newJournal(t)
	open(t, cfg)
	if _, err := Open(cfg, log); !errors.Is(err, ErrBusy) {
		t.Errorf("in use: %v", err)
	}
	folder := cfg
	folder.Path = t.TempDir()
	if _, err := Open(folder, log); err == nil {
		t.Error("a folder was opened")
	}
	cfg.Path = filepath.Join(cfg.Path, "below", "a.file")
	if _, err := Open(cfg, log); err == nil {
		t.Error("a file below a file was opened")
	}
}

func TestOpenMakesFolder(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	cfg.Path = filepath.Join(filepath.Dir(cfg.Path), "a", "b", "c.db")
	open(t, cfg)
	info, err := os.Stat(cfg.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

func TestPutAsideNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	names := map[string]bool{}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "0")
	for i := range 20 {
		write(path+".new", fmt.Sprint(i+1))
		aside, err := swap(path, path+".new")
		if err != nil {
			t.Fatal(err)
		}
		old, _ := os.ReadFile(aside)
		now, _ := os.ReadFile(path)
		if names[aside] || string(old) != fmt.Sprint(i) || string(now) != fmt.Sprint(i+1) {
			t.Errorf("%s holds %s, %s holds %s", aside, old, path, now)
		}
		names[aside] = true
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(encode(recordOf(newMatter("110").next())))
	f.Add(encode(record{"a", "b", "c", []string{"d", ""}}))
	f.Add([]byte{1, 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, resum(b)} {
			r, err := decode(b)
			if err != nil {
				continue
			}
			back, err := decode(encode(r))
			if err != nil || back.stream != r.stream || back.stub != r.stub || back.id != r.id ||
				!slices.Equal(back.fields, r.fields) {
				t.Fatalf("%v: got %v, want %v", err, back, r)
			}
		}
	})
}

// resum gives bytes a right checksum, so that what comes after it is tried too.
func resum(b []byte) []byte {
	if len(b) <= header {
		return b
	}
	b = slices.Clone(b)
	b[0] = layout
	seal(b)
	return b
}

// Entries that a failing disk holds back are not shown before all that is on disk has been looked at: they are newer.
func TestBypass(t *testing.T) {
	q := newQueue(1<<20, 5)
	it := &item{body: []byte("x")}
	if err := q.push(it); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		failing, landed bool
		pos             uint64
		want            int
	}{
		{true, false, 5, 0}, {true, false, 6, 1}, {false, false, 6, 0}, {true, true, 6, 0},
	} {
		q.fail(c.failing)
		it.landed = c.landed
		if got := len(q.bypass(c.pos)); got != c.want {
			t.Errorf("%+v: %d entries", c, got)
		}
	}
}
