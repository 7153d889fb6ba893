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
	calls map[string][]LampState          // by call reference
	on    map[string]map[string]LampState // lamp → the calls by which it is on, and how
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
	return &Lamps{changed: changed, calls: map[string][]LampState{}, on: map[string]map[string]LampState{}}
}

// Show sets all lamps of a call; nil when it is over.
func (l *Lamps) Show(ref string, states []LampState) {
	for _, lamp := range l.show(ref, states) {
		l.changed(lamp)
	}
}

func (l *Lamps) show(ref string, states []LampState) (changed []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := map[string]LampState{}
	for _, x := range slices.Concat(l.calls[ref], states) {
		before[x.Lamp], _ = l.best(x.Lamp)
	}
	for _, x := range l.calls[ref] {
		if delete(l.on[x.Lamp], ref); len(l.on[x.Lamp]) == 0 {
			delete(l.on, x.Lamp)
		}
	}
	delete(l.calls, ref)
	for _, x := range states {
		if l.on[x.Lamp] == nil {
			l.on[x.Lamp] = map[string]LampState{}
		}
		if other, twice := l.on[x.Lamp][ref]; !twice || x.rank() < other.rank() {
			l.on[x.Lamp][ref] = x
		}
		l.calls[ref] = states
	}
	for lamp, was := range before {
		if is, _ := l.best(lamp); is != was {
			changed = append(changed, lamp)
		}
	}
	return changed
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

// best is the state of a lamp that matters most: what rings and can be picked up,
// then what waits, then what goes on; of equals the oldest. Caller holds mu.
func (l *Lamps) best(lamp string) (best LampState, of string) {
	for ref, x := range l.on[lamp] {
		if of == "" || cmp.Or(cmp.Compare(x.rank(), best.rank()), x.At.Compare(best.At), cmp.Compare(ref, of)) < 0 {
			best, of = x, ref
		}
	}
	return best, of
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
	if line, ok := d.dir().Dialed(to.User); ok && line.ID == own.ID {
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
