// Package feed is what happens in the switch, for whoever looks on: call events, states of seats, registrations and
// entries of tickets, the last of them in a ring from which each reader reads at its own pace.
//
// Nobody who tells something ever waits for a reader: one that is slower than the ring is long learns that it has
// missed something. Callers' numbers are masked before anything is kept.
package feed

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"liandong/cmd/internal/object"
	"liandong/routing/news"
	"liandong/routing/number"
	"liandong/routing/ticket"
)

// Events that have to do with the feed itself, or with no call.
const (
	Hello        = "hello"        // the first that a reader gets: resumed is 1 when it has missed nothing
	Gone         = "gone"         // a call that has to do with none of the reader's lines any more
	Seat         = "seat"         // a seat is in another state
	Registered   = "registered"   // the first phone of a user has registered
	Unregistered = "unregistered" // the last one is gone
	Stub         = "stub"         // an entry of a ticket; detail says which
)

// Event is one thing that has happened. Its data is good until the feed is told of another one.
type Event struct {
	Seq  uint64 // counts up by one
	Name string
	Data []byte // a JSON object of strings
	// it tells of a supervisor, whom a desk is not to know of
	Discreet bool
	lines    []string // whose affair it is
	left     []string // whose it was until now
	ref      string   // of the call
	own      string   // its id here, where another switch has given it its ref
	frame    []byte   // the whole of it as a stream has it; Data is a part
}

// Sight is an event as somebody of some lines may see it; false: not at all. nil: of all lines.
func (e *Event) Sight(lines []string) (name string, data []byte, ok bool) {
	switch {
	case lines == nil || shares(e.lines, lines):
		return e.Name, e.Data, true
	case shares(e.left, lines):
		data = object.Of(news.Fields{{Name: "call_ref", Value: e.ref}, {Name: "event", Value: Gone}})
		return Gone, data, true
	}
	return "", nil, false
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// Chair is the state of a seat.
type Chair struct {
	User    string    `json:"user"`
	Name    string    `json:"name,omitempty"`
	Hotline string    `json:"hotline"`
	State   string    `json:"state"` // free, ringing, talking, busy, after_call, not_ready, unregistered
	Call    string    `json:"call,omitempty"`
	Switch  string    `json:"switch,omitempty"` // of busy: the one by which it rings or talks
	Since   time.Time `json:"since"`

	Phones int    `json:"phones"`           // that are registered
	Agent  string `json:"agent_state"`      // ready, after_call, not_ready, whatever the phone does
	Reason string `json:"reason,omitempty"` // of not_ready
}

// Feed holds the last events. Safe for use by several goroutines.
type Feed struct {
	epoch string // of this process: ids of others mean nothing here

	mu     sync.Mutex
	ring   []Event            // guarded by mu; at Seq modulo its length
	next   uint64             // guarded by mu; the Seq to come
	wake   chan struct{}      // guarded by mu; closed soon after the next event
	waker  *time.Timer        // guarded by mu; closes wake
	woke   time.Time          // guarded by mu; when it did last
	waking bool               // guarded by mu; it will
	calls  map[string]concern // guarded by mu; call_ref → whose affair it was last
	chairs map[string]Chair   // guarded by mu; as told last
	closed bool               // guarded by mu

	dirty   map[string]bool // guarded by mu; users whose seat is to be looked at
	touched chan struct{}   // holds a token while something is dirty
	stop    chan struct{}
	wg      sync.WaitGroup
}

// When readers are woken. What is told at one moment goes to them in one, and what comes soon after it in the next.
const (
	gather = 10 * time.Millisecond // after the first event
	pace   = 80 * time.Millisecond // between two wakings
)

// mostCalls bounds what is kept of calls whose end is never told.
const mostCalls = 100_000

// New is a feed that keeps so many events.
func New(room int, began time.Time) *Feed {
	f := &Feed{
		epoch: strconv.FormatInt(began.UnixNano(), 36), ring: make([]Event, room), next: 1, wake: make(chan struct{}),
		calls: map[string]concern{}, chairs: map[string]Chair{}, dirty: map[string]bool{},
		touched: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	f.waker = time.AfterFunc(gather, f.wakeReaders)
	f.waker.Stop()
	return f
}

// hidden are fields of call events that say who calls, without a mask, and what a call that another switch has begun is
// called here.
var hidden = []string{"caller_e164", "caller_raw", "ref"}

// Call takes an event of a call, with its lines in the field lines, and in ref its id here, where that is not its
// call_ref.
func (f *Feed) Call(it news.Item) {
	shown := object.Shown{Without: hidden, Also: news.Fields{{Name: "caller", Value: it.Caller}}}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := Event{Name: it.Event, ref: it.Get("call_ref"), own: it.Get("ref"),
		Discreet: strings.HasPrefix(it.Event, "supervisor") || it.Get("party") == "supervisor"}
	before, text := f.calls[e.ref], cmp.Or(it.Get("lines"), it.Get("hotline"))
	e.lines = before.when(text)
	switch it.Event {
	case "state":
		e.left = before.lines
		if len(f.calls) < mostCalls || e.left != nil {
			f.calls[e.ref] = concern{text, e.lines}
		}
	case "ended":
		e.lines = append(slices.Clip(e.lines), before.lines...)
		delete(f.calls, e.ref)
	}
	f.put(e, it.Fields, shown)
}

// concern is whose affair a call is: lines, and how they were told.
type concern struct {
	text  string
	lines []string
}

// when are the lines of a text, which is most often what it was before.
func (c concern) when(text string) []string {
	if c.text == text {
		return c.lines
	}
	return split(text)
}

// Concern notes whose affair a call is that was there before the feed.
func (f *Feed) Concern(ref string, lines []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[ref] = concern{strings.Join(lines, ","), lines}
}

// Entry takes an entry of a ticket. What citizens have said in it is not told.
func (f *Feed) Entry(t ticket.Entry) {
	fields := news.Of(
		news.Field{Name: "event", Value: Stub}, news.Field{Name: "detail", Value: string(t.Event)},
		news.Field{Name: "at", Value: t.At.Format(time.RFC3339Nano)}, news.Field{Name: "call_ref", Value: t.CallRef},
		news.Field{Name: "stub_id", Value: t.StubID}, news.Field{Name: "from", Value: t.From},
		news.Field{Name: "to", Value: t.To}, news.Field{Name: "mode", Value: string(t.Mode)},
		news.Field{Name: "result", Value: string(t.Result)}, news.Field{Name: "category", Value: t.CategoryCode},
		news.Field{Name: "urgency", Value: string(t.Urgency)}, news.Field{Name: "from_agent", Value: t.FromAgent},
		news.Field{Name: "to_agent", Value: t.ToAgent}, news.Field{Name: "owner", Value: t.DecidedOwner},
		news.Field{Name: "basis", Value: string(t.DecisionBasis)},
		news.Field{Name: "caller", Value: number.Mask(t.CallerE164)},
	)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(Event{Name: Stub, lines: []string{t.From, t.To}, ref: t.CallRef}, fields, object.Shown{Filled: true})
}

// put adds an event with what is shown of some fields. It is written over the oldest, whose room it takes. Caller holds
// mu.
func (f *Feed) put(e Event, fields news.Fields, shown object.Shown) {
	if f.closed {
		return
	}
	e.Seq = f.next
	place := &f.ring[e.Seq%uint64(len(f.ring))]
	b := append(slices.Grow(place.frame[:0], usualFrame), "id: "...)
	b = append(f.appendID(b, e.Seq), "\nevent: "...)
	b = append(append(b, e.Name...), "\ndata: "...)
	began := len(b)
	shown.Room = len(frameEnd)
	b = shown.Append(b, fields)
	e.frame, e.Data = append(b, frameEnd...), b[began:len(b):len(b)]
	*place = e
	f.next++
	if !f.waking {
		f.waking = true
		f.waker.Reset(max(gather, pace-time.Since(f.woke)))
	}
}

// wakeReaders has all readers who wait take what has come.
func (f *Feed) wakeReaders() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.waking, f.woke = false, time.Now()
		close(f.wake)
		f.wake = make(chan struct{})
	}
}

// usualFrame is the size of most events in a stream.
const usualFrame = 512

// frameEnd ends an event in a stream.
const frameEnd = "\n\n"

// frame appends an event as a stream has it (WHATWG HTML §9.2). JSON has no line ends.
func (f *Feed) frame(b []byte, seq uint64, name string, data []byte) []byte {
	b = append(f.appendID(append(b, "id: "...), seq), "\nevent: "...)
	b = append(append(append(b, name...), "\ndata: "...), data...)
	return append(b, frameEnd...)
}

// Touch says that the seat of a user may be in another state. It never waits.
func (f *Feed) Touch(user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty[user] = true
	select {
	case f.touched <- struct{}{}:
	default:
	}
}

// Watch looks at seats from now on: all of them once, and then whichever is touched. look is asked under no lock;
// false: there is no such seat. told is given who has registered and who is gone.
func (f *Feed) Watch(users []string, look func(user string) (Chair, bool), told func(event string, c Chair)) {
	chairs, began := make([]Chair, 0, len(users)), time.Now()
	for _, user := range users {
		if c, ok := look(user); ok {
			c.Since = began
			chairs = append(chairs, c)
		}
	}
	f.mu.Lock()
	for _, c := range chairs {
		f.chairs[c.User] = c
	}
	f.mu.Unlock()
	f.wg.Go(func() {
		for {
			select {
			case <-f.touched:
				for _, user := range f.takeDirty() {
					f.see(user, look, told)
				}
			case <-f.stop:
				return
			}
		}
	})
}

func (f *Feed) takeDirty() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	users := slices.Sorted(maps.Keys(f.dirty))
	clear(f.dirty)
	return users
}

func (f *Feed) see(user string, look func(string) (Chair, bool), told func(string, Chair)) {
	c, ok := look(user)
	if !ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.chairs, user)
		return
	}
	was, changed := f.sit(c)
	switch {
	case !changed:
	case was.Phones == 0 && c.Phones > 0:
		told(Registered, c)
	case was.Phones > 0 && c.Phones == 0:
		told(Unregistered, c)
	}
}

// sit notes the state of a seat, and tells of it if it is another one.
func (f *Feed) sit(c Chair) (was Chair, changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was = f.chairs[c.User]
	c.Since = was.Since
	if c == was {
		return was, false
	}
	if c.State != was.State || c.Call != was.Call || c.Switch != was.Switch ||
		c.Agent != was.Agent || c.Reason != was.Reason {
		c.Since = time.Now()
		f.put(Event{Name: Seat, lines: []string{c.Hotline}}, news.Fields{
			{Name: "agent_state", Value: c.Agent}, {Name: "at", Value: c.Since.Format(time.RFC3339Nano)},
			{Name: "call", Value: c.Call}, {Name: "event", Value: Seat}, {Name: "hotline", Value: c.Hotline},
			{Name: "name", Value: c.Name}, {Name: "reason", Value: c.Reason}, {Name: "state", Value: c.State},
			{Name: "switch", Value: c.Switch}, {Name: "user", Value: c.User}, {Name: "was", Value: was.State},
		}, object.Shown{})
	}
	f.chairs[c.User] = c
	return was, true
}

// Chairs lists the seats of some lines, nil: of all, by user.
func (f *Feed) Chairs(lines []string) (all []Chair) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, user := range slices.Sorted(maps.Keys(f.chairs)) {
		if c := f.chairs[user]; lines == nil || slices.Contains(lines, c.Hotline) {
			all = append(all, c)
		}
	}
	return all
}

// Of lists what is still known of a call, by its call_ref or its id here, as somebody of some lines may see it: JSON
// objects, the oldest first. all: of supervisors, too.
func (f *Feed) Of(ref string, lines []string, all bool) (story []json.RawMessage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || ref == "" {
		return nil
	}
	refs := []string{ref}
	for seq := f.oldest(); seq < f.next; seq++ {
		if e := f.ring[seq%uint64(len(f.ring))]; e.own == ref && !slices.Contains(refs, e.ref) {
			refs = append(refs, e.ref)
		}
	}
	for seq := f.oldest(); seq < f.next; seq++ {
		e := f.ring[seq%uint64(len(f.ring))]
		if _, data, ok := e.Sight(lines); ok && slices.Contains(refs, e.ref) && (all || !e.Discreet) {
			story = append(story, bytes.Clone(data)) // whose room is used again
		}
	}
	return story
}

// Close ends all readers, and the watch.
func (f *Feed) Close() {
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.waker.Stop()
	if !closed {
		close(f.wake)
		f.wake = nil
		f.ring = make([]Event, 1)
	}
	f.mu.Unlock()
	if !closed {
		close(f.stop)
		f.wg.Wait()
	}
}

// Reader reads from a place in the feed what somebody may see. Owned by one goroutine.
type Reader struct {
	feed *Feed
	next uint64
	Audience
}

// Audience is who reads.
type Audience struct {
	Lines   []string // whose affairs; nil: of all
	Attends bool     // and of supervisors, too
}

// Reader begins after the event of an id; false: what came after it is not known any more, and it begins with what is
// to come.
func (f *Feed) Reader(last string, who Audience) (r *Reader, resumed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r = &Reader{f, f.next, who}
	epoch, n, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseUint(n, 10, 64)
	if err != nil || epoch != f.epoch || seq >= f.next || seq+1 < f.oldest() {
		return r, false
	}
	r.next = seq + 1
	return r, true
}

// oldest is the first Seq that is still there. Caller holds mu.
func (f *Feed) oldest() uint64 { return f.next - min(f.next-1, uint64(len(f.ring))) }

// Next appends what has come to a text, as server-sent events (WHATWG HTML §9.2), and gives what is closed when there
// will be more; nil is the end. lost: the reader was too slow, something is missing, and it goes on with what is to
// come.
func (r *Reader) Next(text []byte) (out []byte, lost bool, more <-chan struct{}) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return text, false, nil
	}
	if r.next < f.oldest() {
		r.next, lost = f.next, true
	}
	for ; r.next < f.next; r.next++ {
		e := &f.ring[r.next%uint64(len(f.ring))]
		name, data, ok := e.Sight(r.Lines)
		switch {
		case !ok, e.Discreet && !r.Attends:
		case name == e.Name:
			text = append(text, e.frame...)
		default:
			text = f.frame(text, e.Seq, name, data)
		}
	}
	return text, lost, f.wake
}

// Hello is the event that tells a reader whether it goes on where it was.
func (r *Reader) Hello(resumed bool) []byte {
	data := `{"event":"hello","resumed":"0"}`
	if resumed {
		data = `{"event":"hello","resumed":"1"}`
	}
	return r.feed.frame(nil, r.next-1, Hello, []byte(data))
}

func (f *Feed) appendID(b []byte, seq uint64) []byte {
	return strconv.AppendUint(append(append(b, f.epoch...), '-'), seq, 10)
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
