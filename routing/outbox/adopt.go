package outbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// adoptGroup is how many entries are on their way from one file to another at a time.
const adoptGroup = 500

// Adopt brings what waits in a file that no outbox has open, one of a former config, to the outboxes of today: to names
// the one for a stream; they must have been started. When all is on their disks the file is removed, or put aside when
// not all of it could be read. After an error it stays, and the next attempt begins anew: Redis knows by its id what it
// has seen.
func Adopt(path string, to func(stream string) *Outbox, log *slog.Logger) error {
	a := &adoption{to: to}
	damage := walk(path, a)
	a.land()
	if a.err != nil {
		return fmt.Errorf("outbox: take over %s: %w", path, a.err)
	}
	log = log.With("file", path, "entries", a.moved)
	if damage == nil && a.unreadable == 0 {
		log.Info("outbox: entries of a former file taken over")
		return errors.Join(os.Remove(path), removeBalance(path))
	}
	if !isDamage(damage) && damage != nil {
		return fmt.Errorf("outbox: take over %s: %w", path, damage)
	}
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	log.Error("outbox: a former file is damaged, what can be read is taken over", "put_aside", aside,
		"entries_unreadable", a.unreadable, "err", damage)
	return os.Rename(path, aside)
}

// adoption is one run of Adopt. err is guarded by mu while a group is on its way.
type adoption struct {
	to                func(string) *Outbox
	under             sync.WaitGroup
	group             int
	moved, unreadable int
	mu                sync.Mutex
	err               error
}

func (a *adoption) balanced(uint64, balance) {}

func (a *adoption) halfway() {}

// keeps: what another Redis has confirmed is no news for that of today.
func (a *adoption) keeps(uint64, []byte) error { return nil }

// waits takes one entry of the file.
func (a *adoption) waits(_ uint64, value []byte) error {
	r, err := decode(value)
	if err != nil {
		a.unreadable++
		return nil
	}
	a.under.Add(1)
	a.to(r.stream).push(&item{name: r, body: append([]byte(nil), value...), done: a.done})
	a.moved++
	if a.group++; a.group < adoptGroup {
		return nil
	}
	a.land()
	return a.err
}

// land waits until the group is on disk.
func (a *adoption) land() {
	a.under.Wait()
	a.group = 0
}

func (a *adoption) done(err error) {
	a.mu.Lock()
	a.err = errors.Join(a.err, err)
	a.mu.Unlock()
	a.under.Done()
}
