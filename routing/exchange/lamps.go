package exchange

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"liandong/routing/desk"
	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/notifier"
)

// Lamps are the busy lamps of seats, lines and the verbs of desks. Each call shows all of its lamps whenever one has
// changed, so that none can stay on. Guarded by mu; nothing under the lock blocks.
type Lamps struct {
	changed func(lamp string) // called under no lock

	mu    sync.Mutex
	calls map[string][]*shining // by call reference, in the order in which they are shown
	on    map[string][]*shining // by lamp: by which calls it is on, what matters most first
}

// shining is how a lamp is on by a call.
type shining struct {
	LampState
	ref string
	lit bool // it is in Lamps.on: no other state of its call outshines it
}

// LampState is one lamp by one call. Immutable.
type LampState struct {
	Lamp   string // see seatLamp, lineLamp, verbLamp
	State  event.State
	Calls  bool // the seat has called, rather than was called
	CallID string
	Tags   [2]string // the seat's and ours, of the dialog that may be picked up or joined
	Who    string    // who is at the other end, "" withheld
	At     time.Time // when the call came
	Away   bool      // there is no call: the seat is not ready
}

func seatLamp(user string) string       { return "seat/" + user }
func lineLamp(line string) string       { return "line/" + line }
func verbLamp(verb, user string) string { return "verb/" + verb + "/" + user }

// NewLamps is a register in which no lamp is on. changed is told of each lamp
// that is not as it was; it must not block.
func NewLamps(changed func(lamp string)) *Lamps {
	return &Lamps{changed: changed, calls: map[string][]*shining{}, on: map[string][]*shining{}}
}

// Show sets all lamps of a call, none when it is over. The states are only read.
func (l *Lamps) Show(ref string, states []LampState) {
	for _, lamp := range l.show(ref, states) {
		l.changed(lamp)
	}
}

func (l *Lamps) show(ref string, states []LampState) (changed []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	touched := make([]string, 0, 8)
	was := make([]LampState, 0, 8)
	touch := func(lamp string) {
		if !slices.Contains(touched, lamp) {
			x, _ := l.best(lamp)
			touched, was = append(touched, lamp), append(was, x)
		}
	}
	before, now := l.calls[ref], make([]*shining, 0, len(states))
	for _, x := range before {
		touch(x.Lamp)
	}
	for _, state := range states {
		touch(state.Lamp)
		now = append(now, stays(before, now, state, ref))
	}
	for _, x := range before {
		if i := slices.Index(now, x); i < 0 || outshone(now, i) {
			l.douse(x)
		}
	}
	for i, x := range now {
		if !outshone(now, i) {
			l.light(x)
		}
	}
	if l.calls[ref] = now; len(now) == 0 {
		delete(l.calls, ref)
	}
	for i, lamp := range touched {
		if is, _ := l.best(lamp); is != was[i] {
			changed = append(changed, lamp)
		}
	}
	return changed
}

// stays is a state of a call as it is shown already, and not among those that are taken; or else a new one.
func stays(before, taken []*shining, state LampState, ref string) *shining {
	for _, x := range before {
		if x.LampState == state && !slices.Contains(taken, x) {
			return x
		}
	}
	return &shining{LampState: state, ref: ref}
}

// outshone says that another of a call's states for the same lamp matters more.
func outshone(states []*shining, i int) bool {
	for k := range states {
		if k != i && states[k].Lamp == states[i].Lamp {
			if a, b := states[k].rank(), states[i].rank(); a < b || a == b && k < i {
				return true
			}
		}
	}
	return false
}

// light and douse: caller holds mu. What is so already stays.
func (l *Lamps) light(x *shining) {
	if x.lit {
		return
	}
	x.lit = true
	at, _ := slices.BinarySearchFunc(l.on[x.Lamp], x, (*shining).before)
	l.on[x.Lamp] = slices.Insert(l.on[x.Lamp], at, x)
}

func (l *Lamps) douse(x *shining) {
	if !x.lit {
		return
	}
	x.lit = false
	on := l.on[x.Lamp]
	if len(on) == 1 {
		delete(l.on, x.Lamp)
		return
	}
	at, _ := slices.BinarySearchFunc(on, x, (*shining).before)
	l.on[x.Lamp] = slices.Delete(on, at, at+1)
}

// before orders what a lamp is on by: what rings and can be picked up, then what waits, then what goes on; of equals
// the oldest.
func (x *shining) before(y *shining) int {
	return cmp.Or(cmp.Compare(x.rank(), y.rank()), x.At.Compare(y.At), cmp.Compare(x.ref, y.ref))
}

// Best is how a lamp is to shine; false: not at all.
func (l *Lamps) Best(lamp string) (LampState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, ref := l.best(lamp)
	return x, ref != ""
}

// Rings is the call that has rung a line's desks for longest; "": none does.
func (l *Lamps) Rings(line string) (ref string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x, ref := l.best(lineLamp(line)); x.rank() == 0 {
		return ref
	}
	return ""
}

// best is the state of a lamp that matters most. Caller holds mu.
func (l *Lamps) best(lamp string) (best LampState, of string) {
	if on := l.on[lamp]; len(on) > 0 {
		return on[0].LampState, on[0].ref
	}
	return best, ""
}

func (x LampState) rank() int {
	switch {
	case x.Away:
		return 4
	case x.State == event.Early && x.CallID != "" && !x.Calls:
		return 0
	case x.State == event.Early && !x.Calls:
		return 1
	case x.State == event.Confirmed:
		return 2
	}
	return 3
}

// dialogs is the event package of lamps (RFC 4235).
type dialogs struct {
	lamps *Lamps
	dir   func() *desk.Directory // the newest
}

// lampEvent is its name.
const lampEvent = "dialog"

func (dialogs) Type() string { return event.DialogInfo }

// foreign marks the lamp of a line for phones of other lines: whether it is busy
// they may know, who calls there they may not.
const foreign = "foreign/"

// Find: the seats of one's own line, all lines, and the verbs of one's own calls.
func (d dialogs) Find(user string, to header.URI) (lamp string, code int) {
	own, ok := d.dir().At(user)
	if !ok {
		return "", 403
	}
	if verb, ok := d.dir().Services[to.User]; ok {
		return verbLamp(verb, user), 0
	}
	if line, ok := d.dir().LineByNumber(to.User); ok && line.ID == own.ID {
		return lineLamp(line.ID), 0
	} else if ok {
		return foreign + lineLamp(line.ID), 0
	}
	line, ok := d.dir().At(to.User)
	switch {
	case !ok:
		return "", 404
	case line.ID != own.ID:
		return "", 403
	}
	return seatLamp(to.User), 0
}

// lampNames are the names under which a lamp may be watched.
func lampNames(lamp string) []string {
	if strings.HasPrefix(lamp, lineLamp("")) {
		return []string{lamp, foreign + lamp}
	}
	return []string{lamp}
}

// Write is the lamp as it shines now.
func (d dialogs) Write(v notifier.View) []byte {
	lamp, masked := strings.CutPrefix(v.Resource, foreign)
	entity := header.URI{Scheme: "sip", User: v.To.User, Host: v.To.Host, Port: v.To.Port}
	doc := event.DialogState{Entity: entity.String(), Version: v.Version, ID: v.To.User, State: event.Terminated}
	x, ok := d.lamps.Best(lamp)
	if !ok {
		return doc.XML()
	}
	doc.State, doc.Calls, doc.Remote = x.State, x.Calls, anonymous.String()
	if masked {
		return doc.XML()
	}
	doc.CallID, doc.Tags = x.CallID, x.Tags
	if x.Who != "" {
		doc.Remote = header.URI{Scheme: "sip", User: x.Who, Host: v.To.Host}.String()
	}
	return doc.XML()
}
