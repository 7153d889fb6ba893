// Package claims keeps several switches from ringing one desk at once: which seats the calls of each have stands in
// Redis, where one of two that want the same gets it, and is a switch's for as long as that renews its lease. Redis is
// not waited for: who hears nothing from it in time goes on by what it knows.
package claims

import (
	"maps"
	"slices"
	"time"
)

// Lease is how long seats stay a switch's that has ended. Patience is how long a claim waits for Redis' word.
const (
	Lease    = 2250 * time.Millisecond
	Patience = 300 * time.Millisecond
)

// machine is one switch's part, without a clock and a connection.
type machine struct {
	mine  map[string]bool   // seats that its calls have; true: Redis says so, too
	freed map[string]bool   // seats that they had, which Redis is yet to be told
	other map[string]string // seats of other switches → switch
	till  time.Time         // so long other holds; it is Redis' word, and they may have ended since
	asks  []*ask
}

// ask is a call that waits for Redis' word about seats.
type ask struct {
	seats []string
	until time.Time
	done  func(denied []string)
}

// answer is what an ask comes to.
type answer struct {
	done   func(denied []string)
	denied []string
}

func newMachine() *machine {
	return &machine{mine: map[string]bool{}, freed: map[string]bool{}, other: map[string]string{}}
}

// taken: a call has the seat.
func (m *machine) taken(seat string) {
	delete(m.freed, seat)
	if _, has := m.mine[seat]; !has {
		m.mine[seat] = false
	}
}

// given: no call has it any more.
func (m *machine) given(seat string) {
	if _, has := m.mine[seat]; has {
		delete(m.mine, seat)
		m.freed[seat] = true
	}
}

// ask waits for Redis' word about seats that were taken, no longer than until then.
func (m *machine) ask(until time.Time, seats []string, done func(denied []string)) {
	m.asks = append(m.asks, &ask{seats, until, done})
}

// change is what Redis is to be told: seats taken, first those that somebody waits for, and seats given back. all: also
// of those that it has said to be ours, in case it has lost them.
func (m *machine) change(all bool) (take, free []string) {
	for _, seat := range slices.Sorted(maps.Keys(m.mine)) {
		if all || !m.mine[seat] {
			take = append(take, seat)
		}
	}
	return take, slices.Sorted(maps.Keys(m.freed))
}

// told is Redis' word: of the seats that were asked for, whose they are, and with all of it the seats of all switches.
// heard is when it was asked. What it answers is to be called.
func (m *machine) told(me string, heard time.Time, take []string, whose map[string]string, free []string, whole bool) (
	answers []answer, changed []string) {
	was := maps.Clone(m.other)
	if whole {
		m.other, m.till = map[string]string{}, heard.Add(Lease)
	}
	for _, seat := range free {
		delete(m.freed, seat)
	}
	for seat, node := range whose {
		_, has := m.mine[seat]
		if delete(m.other, seat); node != me {
			m.other[seat] = node
		} else if !has {
			m.freed[seat] = true // it was a call's of the process before, or is none's any more
		}
	}
	for _, seat := range take {
		if _, has := m.mine[seat]; has {
			m.mine[seat] = whose[seat] == me
		}
	}
	m.asks = slices.DeleteFunc(m.asks, func(a *ask) bool {
		for _, seat := range a.seats {
			if _, has := m.mine[seat]; has && !slices.Contains(take, seat) && !m.mine[seat] {
				return false // it was taken since, and is still to be asked for
			}
		}
		answers = append(answers, answer{a.done, m.denied(a)})
		return true
	})
	return answers, differing(was, m.other)
}

// denied are the seats of an ask that another switch has.
func (m *machine) denied(a *ask) (list []string) {
	for _, seat := range a.seats {
		if _, ok := m.other[seat]; ok {
			list = append(list, seat)
		}
	}
	return list
}

// differing are the seats that are another's now, or are not any more.
func differing(was, is map[string]string) (list []string) {
	for seat := range was {
		if _, ok := is[seat]; !ok {
			list = append(list, seat)
		}
	}
	for seat := range is {
		if _, ok := was[seat]; !ok {
			list = append(list, seat)
		}
	}
	return list
}

// late answers who has waited long enough, by what is known, and forgets what other switches had when that has not been
// said for a lease.
func (m *machine) late(now time.Time) (answers []answer, changed []string) {
	if len(m.other) > 0 && !now.Before(m.till) {
		changed = slices.Sorted(maps.Keys(m.other))
		m.other = map[string]string{}
	}
	m.asks = slices.DeleteFunc(m.asks, func(a *ask) bool {
		if now.Before(a.until) {
			return false
		}
		answers = append(answers, answer{a.done, m.denied(a)})
		return true
	})
	return answers, changed
}
