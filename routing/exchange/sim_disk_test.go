package exchange

import (
	"bytes"
	"os"
	"sync/atomic"
	"testing"

	"liandong/routing/journal"
)

// disk is the file of a real journal, on a disk that has faults when a process dies.
type disk struct {
	path   string
	file   *os.File
	j      *journal.Journal
	synced []byte // as the disk has it for sure
	faults int
	stale  int // calls that were read from before, or not at all
}

const (
	diskPage = 4096
	diskHead = diskPage // what says where the records are
)

func (s *simulation) openDisk() {
	d := s.death.disk
	var err error
	if d.file, err = os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		d.j, err = journal.Open(d.file)
	}
	if err != nil {
		s.fail("the journal cannot be opened: %v", err)
	}
}

func (d *disk) close() {
	if d.j != nil {
		_, _ = d.j.Close(), d.file.Close()
		d.j = nil
	}
}

// write is a write of the journal, after which the disk may have all that there is.
func (s *simulation) writeDisk(entries []journal.Entry) {
	d := s.death.disk
	if d.j == nil {
		s.openDisk()
	}
	d.j.Write(entries...)
	if s.chance(0.02) {
		d.synced, _ = os.ReadFile(d.path)
	}
}

// damage is one fault of the disk.
func (s *simulation) damage() {
	d := s.death.disk
	if d == nil || d.j == nil {
		return
	}
	d.close()
	b, err := os.ReadFile(d.path)
	if err != nil {
		s.fail("%v", err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	if end <= diskHead+1 {
		return
	}
	single := false
	switch s.rng.IntN(8) {
	case 0: // none
		d.faults--
	case 1: // the last write is torn
		clear(b[max(diskHead, end-1-s.rng.IntN(diskPage)):end])
	case 2: // the file is short
		b = b[:diskHead+s.rng.IntN(end-diskHead)]
	case 3: // one bit is another
		single = true
		b[s.rng.IntN(end)] ^= 1 << s.rng.IntN(8)
	case 6: // what says where the records are cannot be read
		single = true
		for i := range b[:diskHead] {
			b[i] = byte(s.rng.Uint32())
		}
	case 7: // or is not there
		single = true
		clear(b[:diskHead])
	case 4: // many are
		for range 1 + s.rng.IntN(20) {
			b[s.rng.IntN(end)] ^= 1 << s.rng.IntN(8)
		}
	case 5: // some pages were never written, though the disk has said so
		for at := 0; at < len(b); at += diskPage {
			if s.chance(0.3) && at+diskPage <= min(len(b), len(d.synced)) {
				copy(b[at:at+diskPage], d.synced[at:])
			}
		}
	}
	d.faults++
	if err := os.WriteFile(d.path, b, 0o600); err != nil {
		s.fail("%v", err)
	}
	s.reread(single)
}

// reread is what the next process finds. A bit that is another costs one write.
func (s *simulation) reread(single bool) {
	d := s.death.disk
	s.openDisk()
	found := map[journalKey][]byte{}
	for _, k := range []journal.Kind{journal.Call, journal.Letter, journal.Key, journal.Registration} {
		for _, e := range d.j.All(k) {
			found[journalKey{k, e.Key}] = e.Value
		}
	}
	lost := 0
	for k, b := range s.death.journal {
		if k.kind == journal.Call && !bytes.Equal(found[k], b) {
			lost++
		}
	}
	d.stale += lost
	if single && lost > 1 {
		s.fail("one bit has cost %d calls", lost)
	}
	s.death.journal = found
}

// TestCrashesOnADamagedDisk: the process dies, and the journal's file is torn, short, has other bits, or lacks writes
// that were reported as done, or the page that says where all is. What cannot be read costs the calls that it is of,
// which go on from before or are not known any more; all others are as they were, every call ends, and nothing leaks.
func TestCrashesOnADamagedDisk(t *testing.T) {
	dir := t.TempDir()
	var died, faults, stale atomic.Uint64
	n := runSeeds(t, *seeds/200, func(seed uint64, trace bool) *simulation { return damagedDisk(dir, seed, trace) },
		func(s *simulation) {
			died.Add(uint64(s.death.died))
			faults.Add(uint64(s.death.disk.faults))
			stale.Add(uint64(s.death.disk.stale))
		})
	if faults.Load() < n/2 || stale.Load() == 0 {
		t.Errorf("in %d seeds the process died %d times, with %d faults of the disk and %d calls that they touched: too "+
			"few to tell", n, died.Load(), faults.Load(), stale.Load())
	}
	t.Logf("%d crashes, %d faults of the disk, %d calls not as they were", died.Load(), faults.Load(), stale.Load())
}

func damagedDisk(dir string, seed uint64, trace bool) *simulation {
	s := newSimulation(seed, trace)
	s.death.deaths, s.death.in, s.death.near, s.death.full = 1+s.rng.IntN(3), 1+s.rng.IntN(250), 2000, true
	f, err := os.CreateTemp(dir, "journal")
	if err != nil {
		s.fail("%v", err)
		return s
	}
	_ = f.Close()
	s.death.disk = &disk{path: f.Name()}
	s.play()
	s.death.disk.close()
	_ = os.Remove(f.Name())
	return s
}
