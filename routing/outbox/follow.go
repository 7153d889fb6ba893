package outbox

import (
	"encoding/hex"
	"sync"

	cuts "liandong/routing/journal"
)

// Follower tells what waits for Redis, so that another machine can ship it when this one cannot: see [mirror.Source].
// It holds numbers and no entries. Guarded by mu.
type Follower struct {
	o    *Outbox
	wake func()

	mu    sync.Mutex
	whole bool
	sent  uint64   // entries up to this number have been taken
	left  []uint64 // and these wait no more
}

// Bounds of a follower.
const (
	maxLeft  = 1 << 17 // numbers; with more it begins anew
	cutBytes = 4 << 20 // of entries, in one cut
)

// Follow begins with a whole cut. wake is called when something changes, by the writer, who waits for it: it only
// leaves a note. An outbox has one follower; a later one takes the place of the one before.
func (o *Outbox) Follow(wake func()) *Follower {
	f := &Follower{o: o, wake: wake, whole: true}
	o.follower.Store(f)
	return f
}

// followed tells the follower of a commit.
func (o *Outbox) followed(moves []move) {
	f := o.follower.Load()
	if f == nil {
		return
	}
	f.mu.Lock()
	for _, m := range moves {
		if m.kind != fromKept && !f.whole {
			f.left = append(f.left, m.seq)
		}
	}
	if len(f.left) > maxLeft {
		f.whole, f.left = true, nil
	}
	f.mu.Unlock()
	f.wake()
}

// Again has the next cut be a whole one.
func (f *Follower) Again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole, f.left = true, nil
}

// Take takes the next cut: entries by their numbers. A whole one may be the first part of what waits, with the rest in
// the cuts after it.
func (f *Follower) Take() (c cuts.Cut, err error) {
	f.mu.Lock()
	c.Whole = f.whole
	if f.whole {
		f.sent = 0
	}
	left := f.left
	f.whole, f.left = false, nil
	from := f.sent + 1
	f.mu.Unlock()
	for _, seq := range left {
		c.Entries = append(c.Entries, cuts.Entry{Kind: cuts.Ticket, Key: number(seq), Gone: true})
	}
	sent, size := f.sent, 0
	err = f.o.disk.scan(from, func(seq uint64, body []byte) bool {
		if size >= cutBytes {
			f.wake()
			return false
		}
		size += len(body)
		sent = seq
		e := cuts.Entry{Kind: cuts.Ticket, Key: number(seq), Value: append([]byte(nil), body...)}
		c.Entries = append(c.Entries, e)
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.whole, f.left = true, nil
		return c, err
	}
	f.sent = sent
	return c, nil
}

func number(seq uint64) string { return hex.EncodeToString(key(seq)) }

// Bring takes an entry that waited in the outbox of another machine: to names the outbox for its stream. done is called
// as that of [Outbox.Put]. One that Redis has already is not shipped twice: it knows the id.
func Bring(body []byte, to func(stream string) *Outbox, done func(error)) {
	r, err := decode(body)
	if err != nil {
		done(err)
		return
	}
	to(r.stream).push(&item{name: r, body: append([]byte(nil), body...), done: done})
}
