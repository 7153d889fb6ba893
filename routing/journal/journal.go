// Package journal keeps what outlives the process: the calls that are on, and all that the next process needs to go
// on with them as if nothing had been.
//
// A Journal is a memory-mapped file with the last value of every key. A write is a copy in memory: there is no system
// call in it and nothing that it could wait for, and what a killed process has written is there for the next one.
// Values that belong together are written together or not at all. A journal that cannot be written says so in its
// [Stats]; calls go on.
//
// One process writes a journal. The one that has opened it last is the one: whoever had it before is refused.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Kind says what a value is. Kinds are part of the format: none changes its number.
type Kind uint8

// The kinds.
const (
	Call         Kind = iota + 1 // a call, by its reference
	Letter                       // from one call to another, until that one has taken it
	Seat                         // of a desk, what no call tells
	Registration                 // of a phone
	Nonce                        // of digest authentication
	Trunk                        // a registration of ours, or of a trunk's targets
	Subscription                 // to lamps and conferences
	Quarantine                   // a call that could not be restored, for whoever looks into it
	Ticket                       // an entry that the outbox has yet to bring to its disk, by its event id
	Key                          // one that was pressed, until its call has taken it, by call and time
	Missed                       // a call that nobody has taken, by its stub
	Account                      // what a call came to, until it is in the file of its day
	Session                      // of somebody who has signed in to the console
	Held                         // a seat that another switch had, as phones were told
)

// Entry is one value, or the end of one.
type Entry struct {
	Kind  Kind
	Key   string
	Value []byte
	Gone  bool // the key has no value any more
}

// Stats are figures for the metrics page. All but Live and Size only rise.
type Stats struct {
	Writes   uint64 // that succeeded
	Bytes    uint64 // of them
	Busy     time.Duration
	Storing  time.Duration // that what Timed was given took, Busy included
	Failures uint64        // writes that are not in the journal
	Failing  error         // why the last write failed; nil: it did not
	Copies   uint64        // how often all live values were copied to make room
	Damaged  uint64        // records that could not be read at the start
	Live     int           // values
	Size     int64         // of the file
}

// ErrTaken says that another process has the journal now.
var ErrTaken = errors.New("journal: another process writes it")

// ErrFull says that there is no room for a value.
var ErrFull = errors.New("journal: full")

var errKey = fmt.Errorf("journal: a key is longer than %d bytes", longestKey)

// Journal is safe for use by many goroutines. Guarded by mu.
type Journal struct {
	storing atomic.Int64 // nanoseconds

	mu    sync.Mutex
	file  *os.File
	mem   []byte // the whole mapping; only the first size bytes of it exist
	size  int64
	epoch uint64

	at    region
	tail  int64 // of the region, where the next record goes
	seq   uint64
	index map[name]place
	live  int64 // bytes that the records of all values take, each on its own
	stats Stats
	clock *Clock
	gap   time.Duration

	followers []*Follower
}

type name struct {
	kind Kind
	key  string
}

// place is where a value stands in the mapping.
type place struct {
	at, n int64
	seq   uint64
}

type value struct {
	name
	place
}

// Open takes over the journal in a file, or begins one. What cannot be read any more is counted in [Stats].Damaged.
func Open(f *os.File) (*Journal, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{file: f, size: info.Size(), index: map[name]place{}}
	if j.mem, err = mapped(f, reserved); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := faultless(j.begin); err != nil {
		_ = unmapped(j.mem)
		return nil, fmt.Errorf("journal: %w", err)
	}
	return j, nil
}

// begin reads what there is.
func (j *Journal) begin() error {
	if j.size < headSize {
		if err := j.grow(headSize); err != nil {
			return err
		}
	}
	h := head(j.mem)
	regions := j.regions(h)
	j.epoch = h.take()
	j.clock = h.clock()
	if last := h.stamped(); !last.IsZero() {
		j.gap = j.clock.Now().Sub(last)
	}
	for _, r := range regions {
		if j.read(r) {
			h.repair(r)
			return nil
		}
		j.stats.Damaged++
	}
	return j.move(0)
}

// regions are those that may be in use, the newest first: those that the head names, and where that cannot be read
// those that say so themselves.
func (j *Journal) regions(h head) []region {
	list, whole := h.regions()
	spoilt := !whole || !h.ours() && !blank(h[:headSize])
	if !h.ours() {
		h.init()
	}
	if spoilt || len(list) == 0 {
		marked, clock := j.marked()
		list = append(list, marked...)
		spoilt = spoilt || len(marked) > 0
		if !h.timed() && clock != nil {
			copy(h.offset(), clock)
		}
	}
	if spoilt {
		j.stats.Damaged++
	}
	slices.SortStableFunc(list, func(a, b region) int { return cmp.Compare(b.gen, a.gen) })
	return list
}

// Clock is the time of what is in the journal.
func (j *Journal) Clock() *Clock {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.clock
}

// Gap is for how long nobody had it before it was opened, as far as can be told: from the last write or Beat on.
func (j *Journal) Gap() time.Duration { return j.gap }

// Beat notes that whoever has the journal is there, though nothing is written.
func (j *Journal) Beat() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem != nil && head(j.mem).mine(j.epoch) {
		_ = faultless(func() error { head(j.mem).stamp(j.clock); return nil })
	}
}

// Put writes a value.
func (j *Journal) Put(k Kind, key string, value []byte) {
	j.Write(Entry{Kind: k, Key: key, Value: value})
}

// Delete ends one.
func (j *Journal) Delete(k Kind, key string) { j.Write(Entry{Kind: k, Key: key, Gone: true}) }

// Write writes values that the next process finds all, or none of them.
func (j *Journal) Write(entries ...Entry) {
	began := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	err := faultless(func() error { return j.write(entries) })
	j.stats.Failing = err
	if err != nil {
		j.stats.Failures++
	}
	j.stats.Busy += time.Since(began)
}

func (j *Journal) write(entries []Entry) error {
	switch {
	case j.mem == nil:
		return os.ErrClosed
	case !head(j.mem).mine(j.epoch):
		return ErrTaken
	}
	if slices.ContainsFunc(entries, func(e Entry) bool { return len(e.Key) > longestKey }) {
		return errKey
	}
	n := recordSize(entries)
	if j.tail+n > j.at.size {
		if err := j.move(n); err != nil {
			return err
		}
	}
	j.append(entries, n)
	j.stats.Writes++
	j.stats.Bytes += uint64(n)
	head(j.mem).stamp(j.clock)
	for _, f := range j.followers {
		f.note(entries)
	}
	return nil
}

// append writes a record, for which there is room.
func (j *Journal) append(entries []Entry, n int64) {
	j.seq++
	at := j.at.off + j.tail
	to := j.mem[at : at+n]
	body := to[recordHead:recordHead]
	for _, e := range entries {
		body = e.AppendTo(body)
		j.note(e, at+recordHead+int64(len(body))-int64(len(e.Value)))
	}
	sealRecord(to, len(body), j.seq)
	j.tail += n
}

// note keeps the index: the value of e ends up at a place of the mapping.
func (j *Journal) note(e Entry, at int64) {
	id := name{e.Kind, e.Key}
	if old, ok := j.index[id]; ok {
		j.live -= recordSize([]Entry{{Key: e.Key}}) + aligned(old.n)
		delete(j.index, id)
	}
	if !e.Gone {
		n := int64(len(e.Value))
		j.index[id] = place{at, n, j.seq}
		j.live += recordSize([]Entry{{Key: e.Key}}) + aligned(n)
	}
}

// All are the values of a kind, in the order in which they were last written.
func (j *Journal) All(k Kind) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem == nil {
		return nil
	}
	var list []Entry
	_ = faultless(func() error {
		for _, v := range j.living() {
			if v.kind == k {
				list = append(list, Entry{Kind: k, Key: v.key, Value: slices.Clone(j.mem[v.at : v.at+v.n])})
			}
		}
		return nil
	})
	return list
}

// living are the values in the order in which they were last written. Caller holds mu.
func (j *Journal) living() []value {
	all := make([]value, 0, len(j.index))
	for id, p := range j.index {
		all = append(all, value{id, p})
	}
	slices.SortFunc(all, func(a, b value) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.at, b.at)) })
	return all
}

// Stats counts now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Live, s.Size = len(j.index), j.size
	s.Storing = time.Duration(j.storing.Load())
	return s
}

// Timed makes and writes values by store, and counts for how long.
func (j *Journal) Timed(store func()) {
	began := time.Now()
	store()
	j.storing.Add(int64(time.Since(began)))
}

// Release is Close, and lets go of the file and its lock, too.
func (j *Journal) Release() error { return errors.Join(j.Close(), j.file.Close()) }

// Close lets go of the mapping. What was written stays in the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	mem := j.mem
	j.mem = nil
	if mem == nil {
		return nil
	}
	return unmapped(mem)
}

// faultless turns a fault of the mapping into an error: the file has been cut short, or its disk cannot be read.
func faultless(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface{ Addr() uintptr })
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("the file is not what it was: fault at %#x", fault.Addr())
		}
	}()
	return f()
}

var table = crc32.MakeTable(crc32.Castagnoli)
