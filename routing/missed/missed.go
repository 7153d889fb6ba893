// Package missed is the list of citizens whom nobody has served: who gave up waiting, who was turned away, whose desk
// was lost and no other came. A desk calls them back from it, one desk each; who calls again and is answered is off it.
//
// A [Book] takes the entries of missed calls on their way to the ticket streams, and makes one of all calls of a
// citizen within an hour. What it knows is written down before anybody is told, so that it outlives the process.
package missed

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"liandong/media/aging"
	"liandong/routing/number"
	"liandong/routing/ticket"
)

// State is what has become of a missed call.
type State string

// The states.
const (
	Open       State = "open"        // nobody has talked with the citizen since
	Calling    State = "calling"     // a desk calls back just now
	CalledBack State = "called_back" // a desk has called, and the citizen answered
	Reached    State = "reached"     // the citizen has called again, and was answered
)

// Together is for how long calls of a citizen are one.
const Together = time.Hour

// kept is for how long the list shows what is settled, and what is not.
const (
	keptSettled = 24 * time.Hour
	keptOpen    = 7 * 24 * time.Hour
)

// most bounds the list: of more the oldest go.
const most = 10_000

// Call is a citizen who was missed, once or more often within an hour. A plain value.
type Call struct {
	ID          string // of its stub
	Hotline     string
	Citizen     number.Number
	Dialed      string
	State       State
	Count       int
	First, Last time.Time
	Seen        time.Time     // the last time, by the book's clock
	Waited      time.Duration // the longest
	Reason      string        // of the last time: of ticket.Entry's result, or its reason

	By     string // the desk that calls back, has called back, or has answered
	Ref    string // of its call
	At     time.Time
	Result string // of the last time it was called back
	Tries  int    // how often

	Answer *Answer `cbor:",omitempty"` // while a desk calls back: the citizen has called again. Immutable

	Taken []Taken // entries that have been taken in
}

// Answer is that of a desk to a citizen who has called again.
type Answer struct {
	By, Ref string
	At      time.Time
}

// Taken is an entry that has been taken in, and the count that it was told with.
type Taken struct {
	EventID string
	Count   int
}

var (
	// ErrUnknown says that there is no such missed call.
	ErrUnknown = errors.New("missed: there is no such call")
	// ErrCalling says that another desk calls the citizen.
	ErrCalling = errors.New("missed: the citizen is being called")
	// ErrSettled says that the citizen has been talked with.
	ErrSettled = errors.New("missed: the citizen has been reached")
)

// Book is the list. Safe for use by several goroutines. Guarded by mu; under the lock keep is called.
type Book struct {
	keep  func(id string, c *Call) // writes it down; nil: it is off the list. Must not block
	clock func() time.Time         // that nobody sets; it goes on through restarts
	began time.Time                // by it

	mu    sync.Mutex
	aging aging.Clock       // with the days found then: a machine that was off may have begun with a wrong year
	calls map[string]*Call  // by id
	of    map[whose][]*Call // of each citizen at a line, the oldest first
	entry map[string]*Call  // by the ids of the entries that were taken in
}

// whose tells citizens apart. Those without a number are one.
type whose struct {
	hotline, e164 string
	status        number.Status
}

func (c *Call) whose() whose { return whose{c.Hotline, c.Citizen.E164, c.Citizen.Status} }

// mostTaken bounds what is known of a call's entries: only one that was on its way when the process ended comes twice.
const mostTaken = 32

// NewBook is a list with what the process before has written down. What is old on it is told by a clock that nobody
// sets.
func NewBook(keep func(id string, c *Call), before []Call, clock func() time.Time) *Book {
	b := &Book{keep: keep, clock: clock, began: clock(), calls: map[string]*Call{}, of: map[whose][]*Call{},
		entry: map[string]*Call{}}
	slices.SortFunc(before, func(x, y Call) int { return x.First.Compare(y.First) })
	for _, c := range before {
		if c.Seen.IsZero() { // an older version did not say it
			c.Seen = c.Last
		}
		b.add(&c)
		b.aging.Found = append(b.aging.Found, c.Seen.Truncate(24*time.Hour))
	}
	slices.SortFunc(b.aging.Found, time.Time.Compare)
	b.aging.Found = slices.Compact(b.aging.Found)
	return b
}

// add puts a call on the list. Caller holds mu.
func (b *Book) add(c *Call) {
	b.calls[c.ID] = c
	b.of[c.whose()] = append(b.of[c.whose()], c)
	for _, t := range c.Taken {
		b.entry[t.EventID] = c
	}
}

// take notes that a call's entry was taken in. Caller holds mu.
func (b *Book) take(c *Call, t Taken) {
	c.Taken = append(c.Taken, t)
	b.entry[t.EventID] = c
	if n := len(c.Taken) - mostTaken; n > 0 {
		for _, old := range c.Taken[:n] {
			delete(b.entry, old.EventID)
		}
		c.Taken = slices.Clone(c.Taken[n:])
	}
}

// Take takes in an entry on its way to the streams, and returns it as it is to be told: of calls of a citizen within an
// hour only the first is missed, those after it are of the same stub. The same entry again comes out as it did before.
func (b *Book) Take(e ticket.Entry) ticket.Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Event {
	case ticket.Missed:
		return b.missed(e)
	case ticket.CalledBack:
		b.calledBack(e)
	}
	return e
}

func (b *Book) missed(e ticket.Entry) ticket.Entry {
	if c, again := b.entry[e.EventID]; again {
		i := slices.IndexFunc(c.Taken, func(t Taken) bool { return t.EventID == e.EventID })
		return told(e, c, c.Taken[i].Count)
	}
	c := b.recent(e)
	if c == nil {
		c = &Call{ID: e.StubID, Hotline: e.To, Citizen: citizen(e), Dialed: e.Dialed, State: Open,
			First: e.At, Last: e.At, Seen: b.clock()}
		b.add(c)
		b.bound()
	}
	waited, _ := strconv.Atoi(e.Waited)
	c.Count, c.Last, c.Seen, c.Reason = c.Count+1, e.At, b.clock(), cmp.Or(e.Reason, e.Result)
	c.Waited = max(c.Waited, time.Duration(waited)*time.Second)
	b.take(c, Taken{e.EventID, c.Count})
	b.keep(c.ID, c)
	return told(e, c, c.Count)
}

// told is the entry of a call that was the citizen's so manieth.
func told(e ticket.Entry, c *Call, count int) ticket.Entry {
	if e.StubID = c.ID; count > 1 {
		e.Event = ticket.MissedAgain
	}
	e.MissedCount, e.MissedFirst, e.MissedLast = strconv.Itoa(count), c.First, e.At
	return e
}

// recent is the open call of the same citizen at the same line, begun within the hour.
func (b *Book) recent(e ticket.Entry) *Call {
	who := citizen(e)
	for _, c := range b.of[whose{e.To, who.E164, who.Status}] {
		if c.open() && e.At.Sub(c.First).Abs() < Together {
			return c
		}
	}
	return nil
}

// open says whether the citizen is still to be talked with.
func (c *Call) open() bool { return (c.State == Open || c.State == Calling) && c.Answer == nil }

// reached: the citizen has called again, and was answered.
func (c *Call) reached(a Answer) {
	c.State, c.By, c.Ref, c.At, c.Answer = Reached, a.By, a.Ref, a.At, nil
}

// uncalled: no desk calls back any more, and none has reached the citizen.
func (c *Call) uncalled() {
	if c.State, c.By = Open, ""; c.Answer != nil {
		c.reached(*c.Answer)
	}
}

func citizen(e ticket.Entry) (n number.Number) {
	n = number.Number{E164: e.CallerE164, Raw: e.CallerRaw, Source: e.CallerSource}
	_ = n.Status.UnmarshalText([]byte(e.CallerStatus)) // an unknown word is no number
	return n
}

// calledBack: what became of the call back.
func (b *Book) calledBack(e ticket.Entry) {
	c, ok := b.calls[e.StubID]
	if _, again := b.entry[e.EventID]; !ok || again {
		return
	}
	b.take(c, Taken{EventID: e.EventID})
	answered := e.Result == "answered"
	c.Result = e.Result
	c.Tries++
	switch {
	case answered:
		c.State, c.Answer = CalledBack, nil
	case c.State == Calling:
		c.uncalled()
	}
	if answered || c.State == Open {
		c.By, c.Ref, c.At = e.FromAgent, e.CallRef, e.At
	}
	b.keep(c.ID, c)
}

// Answered takes citizens off the list who have called again and were answered by a desk; whom another desk calls back
// just then when that has come to its end. It returns what is to be told.
func (b *Book) Answered(hotline, e164, agent, ref string, at time.Time) (list []ticket.Entry) {
	if e164 == "" {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Concat(b.of[whose{hotline, e164, number.OK}], b.of[whose{hotline, e164, number.Restricted}])
	for _, c := range all {
		if !c.open() {
			continue
		}
		if a := (Answer{agent, ref, at}); c.State == Calling {
			c.Answer = &a
		} else {
			c.reached(a)
		}
		b.keep(c.ID, c)
		e := c.Entry(ticket.Reached, at)
		e.ToAgent, e.CallRef = agent, ref
		e.EventID, e.Result, e.AnsweredAt = ticket.DerivedID(c.ID, "reached"), "answered", at
		list = append(list, e)
	}
	return list
}

// Entry is one that tells of a missed call.
func (c *Call) Entry(event ticket.Event, at time.Time) ticket.Entry {
	return ticket.Entry{
		StubID: c.ID, Event: event, At: at, From: c.Hotline, To: c.Hotline, Mode: ticket.TicketOnly, CallRef: c.Ref,
		CallerE164: c.Citizen.E164, CallerRaw: c.Citizen.Raw, CallerStatus: c.Citizen.Status.String(),
		CallerSource: c.Citizen.Source, Dialed: c.Dialed, CallAt: c.Last, ToAgent: c.By,
		MissedCount: strconv.Itoa(c.Count), MissedFirst: c.First, MissedLast: c.Last,
	}
}

// Begin gives a missed call to a desk that calls back: to one at a time.
func (b *Book) Begin(id, agent string, at time.Time) (Call, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.calls[id]
	switch {
	case !ok:
		return Call{}, ErrUnknown
	case c.State == Calling:
		return *c, ErrCalling
	case c.State != Open:
		return *c, ErrSettled
	}
	c.State, c.By, c.Ref, c.At = Calling, agent, "", at
	b.keep(id, c)
	return *c, nil
}

// Called notes the call by which a desk that has begun calls the citizen back; "": there is none.
func (b *Book) Called(id, agent, ref string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.calls[id]
	if !ok || c.State != Calling || c.By != agent || c.Ref != "" {
		return // it is over already, and another desk may have begun
	}
	if c.Ref = ref; ref == "" {
		c.uncalled()
	}
	b.keep(id, c)
}

// Resume opens those missed calls again whose callback did not outlive the process. on has the callbacks that did, by
// the id of the missed call: the process before may have ended before it noted their call.
func (b *Book) Resume(on map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, c := range b.calls {
		if c.State != Calling {
			continue
		}
		if c.Ref = on[id]; c.Ref == "" {
			c.uncalled()
		}
		b.keep(id, c)
	}
}

// Find is one of the list.
func (b *Book) Find(id string) (Call, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.calls[id]
	if !ok {
		return Call{}, false
	}
	return *c, true
}

// List is what there is now, the newest first.
func (b *Book) List() (list []Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep()
	for _, c := range b.calls {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(x, y Call) int { return cmp.Or(y.Last.Compare(x.Last), cmp.Compare(x.ID, y.ID)) })
	return list
}

// sweep takes off the list what is old. Caller holds mu.
func (b *Book) sweep() {
	now := b.clock()
	old := b.aging.At(now, now.Sub(b.began))
	for id, c := range b.calls {
		age := old.Sub(c.Seen)
		if c.State != Calling && (age > keptOpen || !c.open() && age > keptSettled) {
			b.drop(id)
		}
	}
}

// bound keeps the list from growing without an end. Caller holds mu.
func (b *Book) bound() {
	if len(b.calls) <= most {
		return
	}
	b.sweep()
	for len(b.calls) > most {
		oldest := ""
		for id, c := range b.calls {
			if o := b.calls[oldest]; o == nil || cmp.Or(c.Seen.Compare(o.Seen), c.Last.Compare(o.Last)) < 0 {
				oldest = id
			}
		}
		b.drop(oldest)
	}
}

func (b *Book) drop(id string) {
	c := b.calls[id]
	delete(b.calls, id)
	for _, t := range c.Taken {
		delete(b.entry, t.EventID)
	}
	if rest := slices.DeleteFunc(b.of[c.whose()], func(o *Call) bool { return o == c }); len(rest) > 0 {
		b.of[c.whose()] = rest
	} else {
		delete(b.of, c.whose())
	}
	b.keep(id, nil)
}
