package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// image is what the disk holds after a commit, and what was acknowledged by then.
type image struct {
	file, beside []byte
	waiting      map[string]bool // ids of the entries that wait
	given        uint64          // entries ever
}

// run makes commits with entries that come, are confirmed and go, and takes an image of each.
func run(t *testing.T, path string, dice *rand.Rand) (images []image) {
	t.Helper()
	d, err := openDisk(path, 1<<30, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	waiting, seqs, m := map[string]bool{}, map[string]uint64{}, newMatter("110")
	for range 2 + dice.IntN(8) {
		var items []*item
		var moves []move
		for id := range waiting {
			if dice.IntN(4) == 0 {
				moves = append(moves, move{seq: seqs[id], kind: []kind{toKept, fromWait}[dice.IntN(2)], told: "1-1"})
				delete(waiting, id)
			}
		}
		given := d.last()
		for range dice.IntN(60) {
			e := m.next()
			given++
			items = append(items, &item{body: encode(recordOf(e))})
			waiting[e.EventID], seqs[e.EventID] = true, given
		}
		if err := d.commit(items, moves); err != nil {
			t.Fatal(err)
		}
		images = append(images, snapshot(t, path, waiting, given))
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	return images
}

func snapshot(t *testing.T, path string, waiting map[string]bool, given uint64) image {
	t.Helper()
	file, err := os.ReadFile(path)
	beside, err2 := os.ReadFile(balancePath(path))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	copied := map[string]bool{}
	for id := range waiting {
		copied[id] = true
	}
	return image{file, beside, copied, given}
}

const (
	sector = 512
	metas  = 2 * 4096
)

// mixed is an older file with some of the sectors of a newer one, as after a power cut in the middle of a write.
func mixed(older, newer []byte, dice *rand.Rand, from, to int) []byte {
	out := slices.Clone(older)
	if len(newer) > len(out) {
		out = append(out, make([]byte, len(newer)-len(out))...)
	}
	for at := from; at < min(to, len(newer)); at += sector {
		if dice.IntN(2) == 0 {
			copy(out[at:], newer[at:min(at+sector, len(newer))])
		}
	}
	return out
}

// The machine dies in the middle of a write, the disk lies about what it has synced, forgets, cuts, flips and zeroes.
// What was acknowledged is there, or is said to be missing; nothing untrue is there; and the outbox works.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	seeds := uint64(100)
	if testing.Short() {
		seeds = 60
	}
	faults := []struct {
		name  string
		clean bool // no fault of the disk: nothing may be missing
		make  func(before, at image, dice *rand.Rand) (file, beside []byte)
	}{
		{"torn in the middle of a commit", true, func(before, at image, dice *rand.Rand) ([]byte, []byte) {
			return mixed(before.file, at.file, dice, metas, len(at.file)), before.beside
		}},
		{"killed before the file beside was written", true,
			func(before, at image, _ *rand.Rand) ([]byte, []byte) { return at.file, before.beside }},
		{"lost sync", false, func(before, at image, _ *rand.Rand) ([]byte, []byte) { return before.file, at.beside }},
		{"written out of order", false, func(before, at image, dice *rand.Rand) ([]byte, []byte) {
			file := mixed(before.file, at.file, dice, metas, len(at.file))
			copy(file, at.file[:metas])
			return file, at.beside
		}},
		{"short", false, func(_, at image, dice *rand.Rand) ([]byte, []byte) {
			return at.file[:dice.IntN(len(at.file))], at.beside
		}},
		{"flipped", false, func(_, at image, dice *rand.Rand) ([]byte, []byte) {
			file := slices.Clone(at.file)
			for range 1 + dice.IntN(8) {
				file[dice.IntN(len(file))] ^= 1 << dice.IntN(8)
			}
			return file, at.beside
		}},
		{"zeroed", false, func(_, at image, dice *rand.Rand) ([]byte, []byte) {
			file := slices.Clone(at.file)
			from := dice.IntN(len(file))
			clear(file[from:min(len(file), from+4096*(1+dice.IntN(4)))])
			return file, at.beside
		}},
		{"led astray", false, func(_, at image, dice *rand.Rand) ([]byte, []byte) {
			file := slices.Clone(at.file)
			for refs := references(file); len(refs) > 0 && dice.IntN(3) > 0; {
				page := dice.IntN(len(file) / os.Getpagesize())
				binary.NativeEndian.PutUint64(file[refs[dice.IntN(len(refs))]:], uint64(page))
			}
			return file, at.beside
		}},
	}
	for seed := range seeds {
		dice := rand.New(rand.NewPCG(seed, 11))
		path := filepath.Join(t.TempDir(), "o.db")
		images := run(t, path, dice)
		n := 1 + dice.IntN(len(images)-1)
		fault := faults[seed%uint64(len(faults))]
		file, beside := fault.make(images[n-1], images[n], dice)
		write(t, path, file)
		write(t, balancePath(path), beside)
		sworn := images[n].waiting
		if fault.name == "torn in the middle of a commit" {
			sworn = images[n-1].waiting
		}
		if err := survives(path, sworn, fault.clean); err != nil {
			t.Errorf("seed %d, %s: %v", seed, fault.name, err)
		}
	}
}

// references is where in a file branch pages refer to others.
func references(file []byte) (at []int) {
	for page := 2 * os.Getpagesize(); page < len(file); page += os.Getpagesize() {
		if binary.NativeEndian.Uint16(file[page+8:]) == branchPage {
			for i := range int(binary.NativeEndian.Uint16(file[page+10:])) {
				at = append(at, page+pageHeader+i*element+8)
			}
		}
	}
	return at
}

// A page that refers to itself, or back to one above it, ends neither in a walk for ever nor in a disk that is full of
// copies: each page is read once.
func TestPagesInACircle(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	fill(t, cfg, 400)
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	circles := 0
	for _, at := range references(whole) { // some of them are on pages that are free
		file := slices.Clone(whole)
		binary.NativeEndian.PutUint64(file[at:], uint64(at/os.Getpagesize())) // itself
		path := filepath.Join(t.TempDir(), "o.db")
		write(t, path, file)
		d, err := openDisk(path, 1<<30, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if s, n := d.size(), d.entries.Load(); s.putAside != "" {
			circles++
			if n == 0 || n+s.lost.entries < 400 {
				t.Errorf("%d entries of 400, %d told as lost", n, s.lost.entries)
			}
		}
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}
	if circles < 8 {
		t.Errorf("%d circles: too few to tell", circles)
	}
}

// survives opens what is left and compares it with what was acknowledged and not yet confirmed.
func survives(path string, sworn map[string]bool, clean bool) error {
	d, err := openDisk(path, 1<<30, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	there, others := 0, int64(0)
	look := func(waits bool) func(uint64, []byte) bool {
		return func(_ uint64, body []byte) bool {
			if !waits {
				body, err = bodyOf(body)
			}
			r, fault := decode(body)
			err = errors.Join(err, fault)
			switch {
			case fault == nil && sworn[r.id]:
				there++
			case waits:
				others++
			}
			return true
		}
	}
	err = errors.Join(err, d.scan(0, look(true)), d.scanKept(0, look(false)))
	s := d.size()
	gone := int64(len(sworn) - there)
	switch {
	case err != nil:
	case clean && (gone != 0 || s.lost.entries != 0 || s.putAside != ""):
		err = fmt.Errorf("%d gone, %d told, put aside %q", gone, s.lost.entries, s.putAside)
	case gone > s.lost.entries+others:
		err = fmt.Errorf("%d gone of %d, %d told, %d others there", gone, len(sworn), s.lost.entries, others)
	}
	err = errors.Join(err, d.commit([]*item{{body: encode(recordOf(newMatter("110").next()))}}, nil), d.close())
	d, again := openDisk(path, 1<<30, slog.New(slog.DiscardHandler))
	if again != nil {
		return errors.Join(err, again)
	}
	if s := d.size(); s.lost.entries != 0 || s.putAside != "" {
		err = errors.Join(err, fmt.Errorf("opened once more: %+v", s))
	}
	return errors.Join(err, d.close())
}
