package claims

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// wire is a switch's way to Redis, in steps of time: its machine, and the exchanges under way.
type wire struct {
	heard int // of the changes
	name  string
	m     *machine
	busy  *way
	sent  []*way    // that Redis is yet to see, also when nobody waits for them
	seen  *way      // the latest that it has
	next  time.Time // beat
}

// way is an exchange that is under way: at Redis at a time, back at another; zero: never.
type way struct {
	at, back time.Time
	r        request
	a        reply
	done     bool
}

// exchange is what the switch's goroutine and Redis do, a step of it. lost: there was no answer in time.
func (n *wire) exchange(now time.Time, rng *rand.Rand, st *store, faults bool) (answers []answer, lost bool) {
	answers, _, lost = n.exchanges(now, rng, st, faults, false)
	return answers, lost
}

// exchanges says also which seats have changed. away: Redis hears nothing.
func (n *wire) exchanges(now time.Time, rng *rand.Rand, st *store, faults, away bool) (answers []answer,
	changed []string, lost bool) {
	n.sent = slices.DeleteFunc(n.sent, func(r *way) bool {
		if now.Before(r.at) {
			return false
		}
		if !away && (n.seen == nil || !n.seen.r.asked.After(r.r.asked)) {
			n.seen = r
			was := len(st.held) + len(st.waits)*1000
			if r.a, r.done = st.run(now, n.name, r.r), true; was != len(st.held)+len(st.waits)*1000 {
				st.changed++
			}
		}
		return true
	})
	if r := n.busy; r != nil {
		switch {
		case !r.back.IsZero() && !now.Before(r.back) && r.done && now.Sub(r.r.asked) <= old:
			n.busy = nil
			answers, changed = n.m.told(n.name, r.r, r.a)
			n.m.said.took(now, r.r, r.a)
		case now.Sub(r.r.asked) > Lease/4:
			n.busy, lost = nil, true
			n.m.failed(r.r)
		}
		return answers, changed, lost
	}
	all := !now.Before(n.next) || n.heard != st.changed && !away
	r, some := n.m.change(now, now, all)
	if !some {
		return nil, nil, false
	}
	if all {
		n.next, n.heard = now.Add(beat), st.changed
	}
	y := &way{r: r, at: now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)}
	y.back = y.at.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
	if faults && rng.IntN(30) == 0 { // late, or lost after it is done
		y.at = y.at.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
		if y.back = y.at; rng.IntN(2) == 0 {
			y.back = time.Time{}
		}
	}
	n.busy = y
	n.sent = append(n.sent, y)
	return nil, nil, false
}

// store is Redis with the script claims.lua, but for words.
type store struct {
	held  map[string]string
	lease map[string]time.Time
	waits map[string]queued

	last    map[string]time.Time          // when a switch was here, also before all was lost
	flushed int                           // how often all was lost
	begun   time.Time                     // when somebody has come since; zero: nobody yet
	lost    time.Time                     // when that was found; zero: not
	changed int                           // how often
	kept    map[string]map[string]keeping // by seat and switch
}

type queued struct {
	node string
	waiter
	came time.Time
}

type keeping struct {
	till   time.Time
	passed bool
}

func newStore() *store {
	return &store{begun: epoch.Add(-time.Hour), last: map[string]time.Time{}, held: map[string]string{},
		lease: map[string]time.Time{}, waits: map[string]queued{}, kept: map[string]map[string]keeping{}}
}

// flush loses all.
func (st *store) flush() {
	clear(st.held)
	clear(st.lease)
	clear(st.waits)
	clear(st.kept)
	st.flushed, st.lost = st.flushed+1, time.Time{}
	st.begun = time.Time{}
}

func (st *store) run(now time.Time, me string, r request) (a reply) {
	st.lease[me], st.last[me] = now.Add(Lease), now
	if a.Epoch = fmt.Sprint(st.flushed); st.lost.IsZero() && r.Epoch != "" && r.Epoch != a.Epoch {
		st.lost = now
	}
	if st.begun.IsZero() {
		st.begun = now
	}
	a.Lost = now.Before(st.lost.Add(Lease)) || now.Before(st.begun.Add(Lease/2))
	for _, call := range r.Leave {
		if st.waits[call].node == me {
			delete(st.waits, call)
		}
	}
	for _, w := range r.Wait {
		at := st.came(now, me, w)
		for _, o := range st.waits {
			if o.node == me && o.Line == w.Line && o.Since > w.Since && !o.came.After(at) {
				at = o.came.Add(-time.Microsecond)
			}
		}
		for _, o := range st.waits {
			if o.node == me && o.Line == w.Line && o.Since < w.Since && !o.came.Before(at) {
				at = o.came.Add(time.Microsecond)
			}
		}
		st.waits[w.Call] = queued{me, w, at}
	}
	for _, seat := range r.Free {
		if st.held[seat] == me {
			delete(st.held, seat)
		}
	}
	for _, t := range r.Take {
		by, ok := st.held[t.Seat]
		if ok && by != me && !now.Before(st.lease[by]) {
			ok = false
		}
		switch {
		case ok:
		case t.Asked && a.Lost:
			continue
		case t.For != nil && st.first(now, me, t.Seat, *t.For):
			a.Later = append(a.Later, t.Seat)
			continue
		default:
			st.held[t.Seat], by = me, me
			maps.DeleteFunc(st.kept[t.Seat], func(node string, k keeping) bool { return !k.passed || node == me })
		}
		a.Whose = append(a.Whose, t.Seat, by)
	}
	if r.All {
		a.Whose = nil
		for _, seat := range slices.Sorted(maps.Keys(st.held)) {
			if by := st.held[seat]; by == me || now.Before(st.lease[by]) {
				a.Whose = append(a.Whose, seat, by)
			}
		}
		for _, w := range st.waiting(now, me) {
			a.Waiting = append(a.Waiting, waiting{w.Call, w.node, w.Line, now.Sub(w.came).Milliseconds()})
		}
	}
	return a
}

func (st *store) came(now time.Time, me string, w waiter) time.Time {
	if had, ok := st.waits[w.Call]; ok && had.node == me {
		return had.came
	}
	return now.Add(-ms(w.Age))
}

// waiting are the calls that wait at switches that live.
func (st *store) waiting(now time.Time, me string) (all []queued) {
	for _, call := range slices.Sorted(maps.Keys(st.waits)) {
		if w := st.waits[call]; w.node == me || now.Before(st.lease[w.node]) {
			all = append(all, w)
		} else {
			delete(st.waits, call)
		}
	}
	return all
}

func (st *store) first(now time.Time, me, seat string, want waiter) bool {
	came, before, later := st.came(now, me, want), map[string]time.Time{}, false
	for _, w := range st.waiting(now, me) {
		if w.node != me && w.Line == want.Line && !slices.Contains(w.Tried, seat) &&
			(want.Last || cmp.Or(w.came.Compare(came), cmp.Compare(w.Call, want.Call)) < 0) {
			if at, ok := before[w.node]; !ok || w.came.Before(at) {
				before[w.node] = w.came
			}
		}
	}
	list := st.kept[seat]
	if list == nil {
		list = map[string]keeping{}
		st.kept[seat] = list
	}
	for node, oldest := range before {

		switch k := list[node]; {
		case k.passed && now.Before(k.till):
		case !k.passed && now.Before(k.till):
			later = true
		case !k.passed && !oldest.After(k.till.Add(-Keep)) && now.Before(k.till.Add(Keep)):
			list[node] = keeping{till: now.Add(Pass), passed: true}
		default:
			list[node], later = keeping{till: now.Add(Keep)}, true
		}
	}
	if later {
		delete(list, me)
	}
	return later
}
