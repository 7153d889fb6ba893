// Package claims keeps several switches from ringing one desk at once, has those who wait for one line at different
// switches offered a seat in the order in which they came, and tells each switch how the desks stand at the others.
// All that stands in Redis: seats are a switch's, and its calls keep their places, for as long as it renews its lease.
// Redis is not waited for: who hears nothing from it in time goes on by what it knows.
package claims

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// Lease is how long seats stay a switch's that has ended, and places in a line those of its calls.
	Lease = 2250 * time.Millisecond
	// Patience is how long a claim waits for Redis' word.
	Patience = 300 * time.Millisecond
	// Keep is how long a seat is kept for a call that has come earlier and waits at another switch, which lives and
	// does not take it. Pass is for how long then it is not kept for the calls of that switch again.
	Keep = time.Second
	Pass = 30 * time.Second

	wrong = 2 * time.Second // so much later than it came, a call has not the place that it should
)

// Waiter is a call that waits for a seat of a line, or wants one at once. Immutable.
type Waiter struct {
	Call, Line string
	Since      time.Time // when it came: its place
	Last       bool      // it does not wait: all that do go first
	Tried      []string  // seats that are not for it
}

// machine is one switch's part, without a clock and a connection.
type machine struct {
	mine  map[string]bool   // seats that its calls have; true: Redis says so, too
	open  map[string]bool   // those of them that Redis is yet to say something about
	want  map[string]Waiter // of those not in Redis yet: by whose call, while that waits for an answer
	freed map[string]bool   // seats that they had, which Redis is yet to be told
	other map[string]string // seats of other switches → switch
	kept  map[string]bool   // seats that are kept for calls of other switches
	till  time.Time         // so long other and others hold; it is Redis' word, and they may have ended since
	again time.Time         // so long kept does
	asks  []*ask

	waits  map[string]*place // calls that wait here
	queue  map[string]bool   // those that Redis is yet to be told
	left   map[string]bool   // calls that waited, which Redis is yet to be told
	others map[string]int    // by line, how many wait at other switches

	said words
}

// place is a call that waits.
type place struct {
	Waiter
	told bool // Redis knows, or is being told
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
	return &machine{mine: map[string]bool{}, open: map[string]bool{}, queue: map[string]bool{},
		want: map[string]Waiter{}, freed: map[string]bool{},
		other: map[string]string{}, kept: map[string]bool{}, waits: map[string]*place{}, left: map[string]bool{},
		others: map[string]int{}, said: newWords()}
}

// taken: a call has the seat. by is a call that wants it in its turn; zero: its turn does not matter.
func (m *machine) taken(seat string, by Waiter) {
	if _, has := m.mine[seat]; has {
		return
	}
	m.open[seat] = true
	if m.mine[seat] = false; by.Call != "" {
		m.want[seat] = by // and it is given back first: another call's turn may have come
	} else {
		delete(m.freed, seat)
	}
}

// given: no call has it any more.
func (m *machine) given(seat string) {
	if _, has := m.mine[seat]; has {
		delete(m.mine, seat)
		delete(m.open, seat)
		delete(m.want, seat)
		m.freed[seat] = true
	}
}

// queued: a call waits.
func (m *machine) queued(w Waiter) {
	had := m.waits[w.Call]
	m.waits[w.Call] = &place{Waiter: w, told: had != nil && had.told || m.left[w.Call]}
	m.queue[w.Call] = true
	delete(m.left, w.Call)
}

// unqueued: it waits no more.
func (m *machine) unqueued(call string) {
	if p := m.waits[call]; p != nil {
		delete(m.waits, call)
		delete(m.queue, call)
		if p.told {
			m.left[call] = true
		}
	}
}

// bars says that a seat is not to be had as far as is known: another switch has it, or it is kept.
func (m *machine) bars(seat string) bool {
	_, held := m.other[seat]
	return held || m.kept[seat]
}

// ask waits for Redis' word about seats that were taken, no longer than until then.
func (m *machine) ask(until time.Time, seats []string, done func(denied []string)) {
	m.asks = append(m.asks, &ask{seats, until, done})
}

// request is what Redis is told, in JSON, see claims.lua. Times are ms.
type request struct {
	Node    string   `json:"node"`
	Process string   `json:"process"`
	Number  uint64   `json:"number"`
	Channel string   `json:"channel"`
	Lease   int64    `json:"lease"`
	Keep    int64    `json:"keep"`
	Pass    int64    `json:"pass"`
	Same    int64    `json:"same"`
	All     bool     `json:"all,omitempty"` // all seats and places are to be answered
	Take    []take   `json:"take,omitempty"`
	Free    []string `json:"free,omitempty"`
	Wait    []waiter `json:"wait,omitempty"`
	Leave   []string `json:"leave,omitempty"`
	Words   []said   `json:"words,omitempty"`
	Seen    int64    `json:"seen"`           // the last change of words that is known
	Epoch   string   `json:"epoch"`          // which hash of words Seen is a number of; "": none is known yet
	Read    bool     `json:"read,omitempty"` // changes after Seen are to be answered
	Page    int      `json:"page"`           // most of them in one answer
	Again   int64    `json:"again"`          // the last change that has been read again
	Part    int      `json:"part"`           // so many after Again are to be answered as well
	asked   time.Time
	steady  time.Time
	told    []*word
	more    bool // there is more to be told
}

// take is a seat that is wanted.
type take struct {
	Seat string  `json:"seat"`
	For  *waiter `json:"for,omitempty"` // nil: whoever waits

	Asked bool `json:"asked,omitempty"` // a call waits for the answer; else it has the seat
}

type waiter struct {
	Call  string   `json:"call"`
	Line  string   `json:"line"`
	Age   int64    `json:"age"`   // since it came
	Since int64    `json:"since"` // when that was, by the clock of its switch
	Last  bool     `json:"last,omitempty"`
	Tried []string `json:"tried,omitempty"`
}

// reply is what Redis answers.
type reply struct {
	Whose   []string  `json:"whose"` // seat, switch, seat, switch …: of those that were to be taken, or of all
	Later   []string  `json:"later"` // of those that were to be taken: kept for others
	Waiting []waiting `json:"waiting"`
	Said    []said    `json:"said"`
	Top     int64     `json:"top"` // the last change of words that is told of
	More    bool      `json:"more"`
	Again   int64     `json:"again"` // the last one of those read again; 0: there are no more
	Epoch   string    `json:"epoch"`
	Lost    bool      `json:"lost"` // Redis has lost what it knew, and is being told again
}

type waiting struct {
	Call string `json:"call"`
	Node string `json:"node"`
	Line string `json:"line"`
	Age  int64  `json:"age"` // of a call of the switch that asks: since it came, by Redis' clock
}

func (w Waiter) at(now time.Time) *waiter {
	return &waiter{w.Call, w.Line, max(0, now.Sub(w.Since).Milliseconds()), w.Since.UnixMilli(), w.Last, w.Tried}
}

// change is what Redis is to be told; false: nothing. all: also seats that it has said to be ours, in case it has
// lost them. steady is the time by which calls came, and words were said.
func (m *machine) change(now, steady time.Time, all bool) (r request, some bool) {
	r = request{All: all, asked: now, steady: steady, Free: slices.Sorted(maps.Keys(m.freed)),
		Keep: Keep.Milliseconds(), Pass: Pass.Milliseconds(), Same: same.Milliseconds(), Lease: Lease.Milliseconds()}
	m.takes(&r)
	r.Leave = r.most(slices.Sorted(maps.Keys(m.left)))
	for _, call := range r.most(slices.SortedFunc(maps.Keys(m.queue), m.earlier)) {
		p := m.waits[call]
		p.told = true
		delete(m.queue, call)
		r.Wait = append(r.Wait, *p.at(steady))
	}
	m.said.change(&r, steady)
	return r, r.Read || len(r.Take)+len(r.Free)+len(r.Wait)+len(r.Leave)+len(r.Words) > 0
}

// takes adds the seats to a request: those that somebody waits for come first, those that Redis has granted last.
func (m *machine) takes(r *request) {
	asked := map[string]bool{}
	for _, a := range m.asks {
		for _, seat := range a.seats {
			asked[seat] = m.open[seat]
		}
	}
	rank := func(seat string) int {
		switch {
		case asked[seat]:
			return 0
		case m.open[seat]:
			return 1
		}
		return 2
	}
	list := slices.Collect(maps.Keys(m.open))
	if r.All {
		list = slices.Collect(maps.Keys(m.mine))
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	more := len(list) > most && m.open[list[most]]
	for _, seat := range list[:min(most, len(list))] {
		t := take{Seat: seat, Asked: asked[seat]}
		if by, ok := m.want[seat]; ok {
			t.For, t.Asked = by.at(r.steady), true
		}
		r.Take = append(r.Take, t)
	}
	r.more = r.more || more
}

// most is how much of one kind there is in a request: none keeps Redis from the others for long.
const most = 200

func (r *request) most(list []string) []string {
	if len(list) > most {
		r.more, list = true, list[:most]
	}
	return list
}

// earlier orders calls that wait here.
func (m *machine) earlier(a, b string) int {
	return cmp.Or(m.waits[a].Since.Compare(m.waits[b].Since), cmp.Compare(a, b))
}

// failed: it is not known whether Redis has been told. Of calls that wait no more it says when it is read.
func (m *machine) failed(r request) {
	for _, w := range r.Wait {
		if p := m.waits[w.Call]; p != nil {
			p.told, m.queue[w.Call] = false, true
		} else {
			delete(m.left, w.Call)
		}
	}
}

// told is Redis' answer. The answers are to be called; changed are seats that other switches have now, or have no more,
// and those that are not kept for them any more.
func (m *machine) told(me string, r request, a reply) (answers []answer, changed []string) {
	was := m.barred()
	if r.All {
		if m.till = r.asked.Add(Lease); !a.Lost { // else what others had they have until they can have said so
			clear(m.other)
		}
		clear(m.kept)
		m.places(me, r.steady, a.Waiting)
	}
	for _, seat := range r.Free {
		delete(m.freed, seat)
	}
	for _, call := range r.Leave {
		delete(m.left, call)
	}
	whose := map[string]string{}
	for i := 0; i+1 < len(a.Whose); i += 2 {
		whose[a.Whose[i]] = a.Whose[i+1]
	}
	for seat, node := range whose {
		_, has := m.mine[seat]
		delete(m.kept, seat)
		if delete(m.other, seat); node != me {
			m.other[seat] = node
		} else if !has {
			m.freed[seat] = true // it was a call's of the process before, or is none's any more
		}
	}
	asked, later := map[string]bool{}, map[string]bool{}
	for _, seat := range a.Later {
		later[seat] = true
	}
	for _, t := range r.Take {
		if by, ok := m.want[t.Seat]; ok && (t.For == nil || t.For.Call != by.Call) {
			continue // another call wants it meanwhile
		}
		if later[t.Seat] {
			m.kept[t.Seat], m.again = true, r.asked.Add(Keep+Patience)
		} else if whose[t.Seat] == "" {
			continue // Redis cannot say yet
		}
		asked[t.Seat] = true
		if _, has := m.mine[t.Seat]; has {
			if m.mine[t.Seat] = whose[t.Seat] == me; !later[t.Seat] {
				delete(m.open, t.Seat)
			}
		}
	}
	if r.All {
		for seat, is := range m.mine {
			if m.mine[seat] = is && whose[seat] == me; whose[seat] == "" && !later[seat] {
				m.open[seat] = true // Redis has lost it, or another switch has no more
			}
		}
	}
	answers = m.answers(func(a *ask) bool {
		return !slices.ContainsFunc(a.seats, func(seat string) bool { // taken since, and still to be asked for
			is, has := m.mine[seat]
			return has && !asked[seat] && !is
		})
	})
	return answers, differing(was, m.barred())
}

// places compares the calls that wait with those that Redis knows of: it may have lost some, or know of some that the
// process before had.
func (m *machine) places(me string, now time.Time, all []waiting) {
	clear(m.others)
	there := map[string]bool{}
	for _, w := range all {
		switch {
		case w.Node != me:
			m.others[w.Line]++
		case m.waits[w.Call] == nil:
			m.left[w.Call] = true
		default: // as far as Redis' clock has not been set back since
			there[w.Call] = now.Sub(m.waits[w.Call].Since)-ms(w.Age) <= wrong
		}
	}
	for call := range m.waits {
		if !there[call] {
			m.queue[call] = true
		}
	}
}

// answers ends the asks of which that is so.
func (m *machine) answers(ends func(*ask) bool) (answers []answer) {
	m.asks = slices.DeleteFunc(m.asks, func(a *ask) bool {
		if !ends(a) {
			return false
		}
		var denied []string
		for _, seat := range a.seats {
			if m.bars(seat) {
				denied = append(denied, seat) // which is given back
			} else {
				delete(m.want, seat)
			}
		}
		answers = append(answers, answer{a.done, denied})
		return true
	})
	return answers
}

// barred are the seats that are not to be had: the switch that has one, "" it is kept.
func (m *machine) barred() map[string]string {
	all := maps.Clone(m.other)
	for seat := range m.kept {
		if _, held := all[seat]; !held {
			all[seat] = ""
		}
	}
	return all
}

// differing are the seats of which something else is known.
func differing(was, is map[string]string) (list []string) {
	for seat, node := range was {
		if now, ok := is[seat]; !ok || now != node {
			list = append(list, seat)
		}
	}
	for seat := range is {
		if _, ok := was[seat]; !ok {
			list = append(list, seat)
		}
	}
	slices.Sort(list)
	return list
}

// late answers who has waited long enough, by what is known, and forgets what other switches had when that has not been
// said for a lease.
func (m *machine) late(now time.Time) (answers []answer, changed []string) {
	gone, free := !now.Before(m.till), !now.Before(m.again)
	if gone && len(m.other)+len(m.others) > 0 || free && len(m.kept) > 0 {
		had := m.barred()
		if gone {
			clear(m.other)
			clear(m.others)
		}
		if free {
			clear(m.kept)
		}
		changed = differing(had, m.barred())
	}
	return m.answers(func(a *ask) bool { return !now.Before(a.until) }), changed
}
