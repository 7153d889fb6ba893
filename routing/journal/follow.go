package journal

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// Cut is all that has changed in a journal since the cut before it, as it stands at one moment: whoever has taken one
// cut after the other has what the journal had then, with no write done by half.
type Cut struct {
	Whole   bool      // these are all values that there are; nothing that came before counts
	At      time.Time // by the journal's clock
	Entries []Entry   // in the order in which they were written last
}

// Follower notes which keys change. It holds keys and no values: however long nobody asks it, it is never larger than
// the journal's index, and no write waits for it. Its methods are for one goroutine. Guarded by the journal's mu.
type Follower struct {
	j     *Journal
	dirty map[name]bool
	whole bool
	wake  func()
}

// Follow begins with a whole cut. wake is called with each write, which waits for it: it only leaves a note.
func (j *Journal) Follow(wake func()) *Follower {
	f := &Follower{j: j, dirty: map[name]bool{}, whole: true, wake: wake}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.followers = append(j.followers, f)
	return f
}

// Stop ends it.
func (f *Follower) Stop() {
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	f.j.followers = slices.DeleteFunc(f.j.followers, func(one *Follower) bool { return one == f })
}

// Again has the next cut be a whole one.
func (f *Follower) Again() {
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	f.whole = true
	clear(f.dirty)
}

// note takes down what is written. Caller holds mu.
func (f *Follower) note(entries []Entry) {
	if !f.whole {
		for _, e := range entries {
			f.dirty[name{e.Kind, e.Key}] = true
		}
	}
	f.wake()
}

// Take takes the next cut. Without entries and not whole there is nothing new. A journal that cannot be read gives an
// error, and the next cut is whole.
func (f *Follower) Take() (c Cut, err error) {
	j := f.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mem == nil {
		return c, errClosed
	}
	c = Cut{Whole: f.whole, At: j.clock.Now()}
	err = faultless(func() error {
		for _, v := range f.changed() {
			c.Entries = append(c.Entries, Entry{Kind: v.kind, Key: v.key, Value: slices.Clone(j.mem[v.at : v.at+v.n]),
				Gone: v.seq == 0})
		}
		return nil
	})
	f.whole = err != nil
	clear(f.dirty)
	return c, err
}

var errClosed = errors.New("journal: closed")

// changed are the values to take; one that is gone has no sequence. Caller holds mu.
func (f *Follower) changed() []value {
	if f.whole {
		return f.j.living()
	}
	list := make([]value, 0, len(f.dirty))
	for id := range f.dirty {
		list = append(list, value{id, f.j.index[id]})
	}
	slices.SortFunc(list, func(a, b value) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.at, b.at)) })
	return list
}

// Apply takes the next cut of another journal, all of it or nothing, and goes by that journal's clock from then on.
func (j *Journal) Apply(c Cut) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := faultless(func() error {
		if j.mem == nil {
			return errClosed
		}
		if !c.At.IsZero() {
			j.clock = head(j.mem).goBy(c.At)
		}
		entries := c.Entries
		if c.Whole {
			entries = append(j.missing(entries), entries...)
		}
		if len(entries) == 0 {
			return nil
		}
		return j.write(entries)
	})
	j.stats.Failing = err
	if err != nil {
		j.stats.Failures++
	}
	return err
}

// missing ends what is not among the entries. Caller holds mu.
func (j *Journal) missing(entries []Entry) (gone []Entry) {
	has := make(map[name]bool, len(entries))
	for _, e := range entries {
		has[name{e.Kind, e.Key}] = true
	}
	for id := range j.index {
		if !has[id] {
			gone = append(gone, Entry{Kind: id.kind, Key: id.key, Gone: true})
		}
	}
	return gone
}
