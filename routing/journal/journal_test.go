package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// memory is a file as the switch's keeper holds one.
func memory(t testing.TB, flags int) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("journal", flags)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "journal")
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func opened(t testing.TB, f *os.File) *Journal {
	t.Helper()
	j, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// values are those of a kind by their keys.
func values(j *Journal, k Kind) map[string]string {
	all := map[string]string{}
	for _, e := range j.All(k) {
		all[e.Key] = string(e.Value)
	}
	return all
}

// What one process has written the next one reads, and what that writes the one after it, also when the values have
// been copied from region to region many times.
func TestNextProcessReadsWhatWasWritten(t *testing.T) {
	f := memory(t, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for process := range 8 {
		j := opened(t, f)
		if got := values(j, Call); !maps.Equal(got, want) {
			t.Fatalf("process %d finds %d values of %d", process, len(got), len(want))
		}
		if s := j.Stats(); s.Damaged != 0 || s.Live != len(want) {
			t.Fatalf("%+v", s)
		}
		for range 3000 {
			key := fmt.Sprint(rng.IntN(300))
			if rng.IntN(4) == 0 {
				j.Delete(Call, key)
				delete(want, key)
				continue
			}
			want[key] = string(bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(6000)))
			j.Put(Call, key, []byte(want[key]))
		}
		if s := j.Stats(); s.Failures != 0 || s.Copies == 0 || s.Writes != 3000 || s.Size > 16<<20 {
			t.Errorf("%+v", s)
		}
	}
}

// Kinds do not mix, and values come in the order in which they were written last.
func TestOrderAndKinds(t *testing.T) {
	f := memory(t, 0)
	j := opened(t, f)
	j.Write(Entry{Kind: Call, Key: "b", Value: []byte("1")}, Entry{Kind: Letter, Key: "b", Value: []byte("2")})
	j.Put(Call, "a", []byte("3"))
	j.Put(Call, "c", nil)
	j.Put(Call, "b", []byte("4"))
	for range 2 {
		var got []string
		for _, e := range j.All(Call) {
			got = append(got, e.Key+string(e.Value))
		}
		if want := []string{"a3", "c", "b4"}; !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
		if v := values(j, Letter); v["b"] != "2" || len(v) != 1 {
			t.Errorf("letters are %q", v)
		}
		j = opened(t, f)
	}
}

// Who has lost the journal to another process writes nothing into it any more.
func TestFormerOwnerIsRefused(t *testing.T) {
	f := memory(t, 0)
	old := opened(t, f)
	old.Put(Call, "a", []byte("old"))
	next := opened(t, f)
	next.Put(Call, "a", []byte("new"))
	old.Put(Call, "a", []byte("late"))
	if err := old.Stats().Failing; !errors.Is(err, ErrTaken) {
		t.Errorf("the former owner: %v", err)
	}
	if got := values(opened(t, f), Call); got["a"] != "new" {
		t.Errorf("%q", got)
	}
}

// A journal that is full says so and keeps what it has; with room again it goes on.
func TestFull(t *testing.T) {
	f := memory(t, unix.MFD_ALLOW_SEALING)
	j := opened(t, f)
	j.Put(Call, "first", []byte("1"))
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		j.Put(Call, fmt.Sprint(i), make([]byte, 100<<10))
	}
	s := j.Stats()
	if s.Failures == 0 || s.Failing == nil {
		t.Fatalf("2 MB are in a file of %d: %+v", s.Size, s)
	}
	for i := range 20 {
		j.Delete(Call, fmt.Sprint(i))
	}
	t.Logf("full: %v", s.Failing)
	if got := values(opened(t, f), Call); got["first"] != "1" {
		t.Errorf("what was written first is gone: %d values", len(got))
	}
}

// A file that is cut under the switch, or a disk that cannot be read, costs the journal and not the calls.
func TestFileIsCutUnderUs(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := opened(t, f)
	j.Put(Call, "a", []byte("1"))
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	j.Put(Call, "a", []byte("2"))
	if s := j.Stats(); s.Failing == nil {
		t.Errorf("%+v", s)
	}
	if got := j.All(Call); len(got) > 1 {
		t.Errorf("%d values", len(got))
	}
	if got := opened(t, f); len(got.All(Call)) != 0 {
		t.Error("values of nowhere")
	}
}

// written is the file of a journal with a history, and all values that each key has had.
func written(t testing.TB, n int) (file []byte, had map[string]map[string]bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := opened(t, f)
	had = map[string]map[string]bool{}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		key, value := fmt.Sprint(rng.IntN(20)), fmt.Sprint(i, "/", string(make([]byte, rng.IntN(2000))))
		if had[key] == nil {
			had[key] = map[string]bool{}
		}
		had[key][value] = true
		j.Put(Call, key, []byte(value))
	}
	_ = j.Close()
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return file, had
}

func fileOf(t testing.TB, b []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "journal"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

// Whatever has happened to the bytes, each value that is read was written once under its key; one flipped bit costs one
// record, and the journal goes on.
func TestFlippedBytes(t *testing.T) {
	file, had := written(t, 600)
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 60 {
		b := bytes.Clone(file)
		flips := 1 + round%5*20
		for range flips {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		f := fileOf(t, b)
		j := opened(t, f)
		got := values(j, Call)
		for key, value := range got {
			if !had[key][value] {
				t.Fatalf("key %s: %.20q was never written", key, value)
			}
		}
		if flips == 1 && len(got) < 19 {
			t.Errorf("one bit has cost %d of 20 values", 20-len(got))
		}
		j.Put(Call, "more", []byte("1"))
		_ = j.Close()
		if next := opened(t, f); values(next, Call)["more"] != "1" {
			t.Fatal("what was written after the damage is lost")
		} else {
			_ = next.Close()
		}
	}
}

// A file that ends anywhere has what was written before.
func TestShortFile(t *testing.T) {
	file, had := written(t, 60)
	for cut := 0; cut < len(file); cut += 1 + len(file)/150 {
		j := opened(t, fileOf(t, file[:cut]))
		for key, value := range values(j, Call) {
			if !had[key][value] {
				t.Fatalf("cut at %d: %.20q was never written", cut, value)
			}
		}
		j.Put(Call, "more", []byte("1"))
		if err := j.Stats().Failing; err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		_ = j.Close()
	}
}

// FuzzRecord reads records of any bytes.
func FuzzRecord(f *testing.F) {
	f.Add(make([]byte, 64), uint16(0), byte(1))
	f.Fuzz(func(t *testing.T, value []byte, at uint16, flip byte) {
		entries := []Entry{{Kind: Call, Key: "k", Value: value},
			{Kind: Letter, Key: string(value[:min(len(value), 9)]), Gone: true}}
		b := make([]byte, recordSize(entries))
		body := b[recordHead:recordHead]
		for _, e := range entries {
			body = e.AppendTo(body)
		}
		sealRecord(b, len(body), 7)
		n, seq, whole := openRecord(b)
		if n != int64(len(b)) || seq != 7 || !whole {
			t.Fatalf("%d of %d bytes, %d, %v", n, len(b), seq, whole)
		}
		e, more, ok := ReadEntry(body)
		if !ok || e.Key != "k" || !bytes.Equal(e.Value, value) {
			t.Fatalf("%+v", e)
		}
		if e, _, ok := ReadEntry(body[more:]); !ok || !e.Gone || e.Kind != Letter {
			t.Fatalf("%+v", e)
		}
		if flip != 0 {
			i := int(at) % (recordHead + len(body))
			b[i] ^= flip
			if n, _, whole := openRecord(b); n != 0 && whole {
				t.Fatalf("byte %d is another one, and nobody sees it", i)
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{256, 4096, 16384} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := opened(b, memory(b, 0))
			value := make([]byte, size)
			b.ReportAllocs()
			for i := range b.N {
				j.Put(Call, keys[i%len(keys)], value)
			}
			s := j.Stats()
			b.ReportMetric(float64(s.Bytes)/float64(s.Writes), "B/record")
			b.ReportMetric(float64(s.Size)/(1<<20), "MB-file")
		})
	}
}

var keys = func() (all []string) {
	for i := range 1000 {
		all = append(all, fmt.Sprintf("00000000-0000-4000-8000-%012d", i))
	}
	return all
}()

// The page that says where the records are is lost, in whole or in part: the region that was in use is found by what
// it says of itself, and so is the clock. Nothing that has ended comes back.
func TestHeadIsLost(t *testing.T) {
	f := fileOf(t, nil)
	j := opened(t, f)
	j.clock = head(j.mem).goBy(time.Now().Add(time.Hour))
	value := make([]byte, 4096)
	for i := 0; j.Stats().Copies < 5; i++ {
		j.Put(Call, keys[i%40], value)
		if i%7 == 0 {
			j.Delete(Call, keys[i%40])
		}
	}
	j.Put(Call, "last", value)
	want := values(j, Call)
	_ = j.Close()
	file, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for what, spoil := range map[string]func(h []byte){
		"page not there": func(h []byte) { clear(h) },
		"page of anything": func(h []byte) {
			for i := range h {
				h[i] = byte(rng.Uint32())
			}
		},
		"magic":                func(h []byte) { h[3] ^= 1 },
		"the one in use":       func(h []byte) { h[atRegions+regionSlot*int(j.at.gen%2)] ^= 1 },
		"the one before":       func(h []byte) { h[atRegions+regionSlot*int(1-j.at.gen%2)] ^= 1 },
		"both and the clock":   func(h []byte) { clear(h[atRegions:]) },
		"in the middle of use": func(h []byte) { clear(h[atRegions+regionSlot*int(j.at.gen%2)+32:][:8]) },
	} {
		b := bytes.Clone(file)
		spoil(b[:headSize])
		for again := range 2 { // the head is whole again
			next := opened(t, fileOf(t, b))
			if got := values(next, Call); !maps.Equal(got, want) {
				t.Errorf("%s: %d values, not %d", what, len(got), len(want))
			}
			if ahead := time.Until(next.Clock().Now()); ahead < 50*time.Minute || ahead > 70*time.Minute {
				t.Errorf("%s: the clock is ahead by %v", what, ahead)
			}
			if n := next.Stats().Damaged; (n > 0) != (again == 0) {
				t.Errorf("%s: opened %d times, %d damaged", what, again+1, n)
			}
			b = bytes.Clone(next.mem[:next.size])
			_ = next.Close()
		}
	}
}
