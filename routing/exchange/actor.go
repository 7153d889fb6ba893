package exchange

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

var (
	// ErrGone says that the call is over.
	ErrGone = errors.New("exchange: the call is over")
	// ErrBusy says that the call did not take the request in time.
	ErrBusy = errors.New("exchange: the call did not answer")
)

// input is anything that reaches a call. Exactly one field is set.
type input struct {
	packet *ua.Inbound
	sound  engine.Event
	seats  *call.SeatsFound
	press  *press
	dials  *dials
	letter *Letter
	ask    func(*Core)
	due    bool // a timer may have run out

	kept string // by which the journal knows a key that was pressed, sound
}

type press struct {
	user string
	verb verb.Verb
	done chan<- error
}

// dials is the INVITE of a desk's phone that is in the call already, or wants to be.
type dials struct {
	origin ua.Origin
	packet leg.Packet
}

// actor owns one call: its core, and the one timer that all of the call's
// machines share. Everything reaches it through its inbox.
type actor struct {
	core   *Core
	inbox  *inbox[input]
	ex     *Exchange
	ref    string
	trunk  string // it has come from; "": a phone has begun it
	user   string // whose phone has begun the call; "": a trunk has
	began  bool
	on     bool         // it counts among the calls that are on
	came   atomic.Int32 // phones' dialogs that have come into the call and are not done with
	pause  time.Time    // no timer acts before then
	counts bool         // among the calls that are not over; guarded by ex.mu
	users  []string     // whose phones it has to do with, as ex knows; written under ex.mu, by its own goroutine alone
	due    bool         // one has run out, and its turn has not come
}

// patience delays timers that ran out while no process was there: messages of that time are still in the sockets and
// go first. An answer there is not too late, nor is a copy a new request.
const patience = 200 * time.Millisecond

// pauseAfterPanic keeps a timer that panics whenever it acts from doing
// nothing else.
const pauseAfterPanic = time.Second

// Post takes a message from the transport (ua.Sink). It never blocks.
func (a *actor) Post(in ua.Inbound) bool {
	return a.inbox.put(input{packet: &in}, urgencyOf(in))
}

// maxCame bounds the dialogs by which phones come into a call: second lines, pick-ups,
// those refused among them until their ACK or its time is over. A phone that dials in a
// loop is not to slow down the call that a citizen has.
const maxCame = 32

// crowded says that no more dialogs may come into the call for now.
func (a *actor) crowded() bool { return a.came.Load() >= maxCame || a.inbox.full() }

// urgencyOf is how a message of the transport finds room. What it could not send comes once for each that we send.
func urgencyOf(in ua.Inbound) urgency {
	switch {
	case in.Err != nil:
		return own
	case ends(in.Packet):
		return ending
	}
	return usual
}

// ends reports whether a message may end a call or a transaction, so that it
// must find room: BYE, CANCEL, ACK and every response.
func ends(p leg.Packet) bool {
	switch p.Method() {
	case "BYE", "CANCEL", "ACK", "":
		return true
	}
	return false
}

// sound takes an event of the media engine. It never blocks. A leg's last figures may come
// when the call is over and its inbox closed; all that is to be told with them came along.
func (a *actor) sound(e engine.Event) {
	if closed, ok := e.(engine.LegClosed); ok {
		a.ex.legClosed(closed)
		return
	}
	in := input{sound: e}
	if key, ok := e.(engine.DigitReceived); ok {
		if a.ex.handOnKey(a.ref, key) {
			return
		}
		in.kept = a.ex.keepKey(a.ref, key)
	}
	if !a.inbox.put(in, usual) {
		a.ex.unkeepKey(in.kept)
	}
}

// run is the actor's goroutine. It ends when the call is over and its legs
// have nothing left to resend.
func (a *actor) run() {
	defer a.ex.gone(a)
	defer a.count(false)
	defer a.inbox.leave()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for moves := a.ex.moves.Load(); !a.core.Done() || !a.began; {
		a.concern(moves)
		a.count(a.core.state.Phase != "" && !a.core.state.Over())
		a.arm(timer)
		select {
		case <-a.inbox.ready:
			if a.ex.still() { // another machine may have the calls: the turn goes back
				a.inbox.turn.Give()
				if !a.pauses() {
					return
				}
				a.inbox.turn.Ask()
				continue
			}
			moves = a.ex.moves.Load()
			for _, in := range a.inbox.take() {
				a.guard(func() { a.take(in) })
			}
			a.inbox.done()
		case <-timer.C:
			a.due = a.inbox.put(input{due: true}, own)
		case <-a.ex.stop:
			return
		}
		a.came.Store(int32(a.core.dialogs()))
	}
}

// concern tells whose phones the call has to do with, when they are others than before.
func (a *actor) concern(moves uint64) {
	var room [8]string
	users := room[:0]
	if a.user != "" {
		users = append(users, a.user)
	}
	for _, p := range a.core.parties {
		if user := a.core.userOf(p); user != "" && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	if !slices.Equal(users, a.users) {
		a.ex.concerns(a, users, moves)
	}
}

// still says that the calls may be another machine's.
func (x *Exchange) still() bool { return x.cfg.Still != nil && x.cfg.Still() }

// pauses waits until it is time to look again; false: the exchange has ended.
func (a *actor) pauses() bool {
	select {
	case <-a.ex.stop:
		return false
	case <-time.After(lookAgain):
		return true
	}
}

// lookAgain is how often a call that stands still looks whether it may go on.
const lookAgain = 5 * time.Millisecond

// count keeps the number of calls that are on: of one that is over only farewells are repeated.
func (a *actor) count(on bool) {
	switch {
	case on && !a.on:
		a.ex.on.Add(1)
	case a.on && !on:
		a.ex.on.Add(-1)
	}
	if a.on = on; a.began && a.core.state.Over() {
		a.ex.mu.Lock()
		defer a.ex.mu.Unlock()
		a.ex.over(a)
	}
}

func (a *actor) arm(timer *time.Timer) {
	wait := time.Hour
	if at, ok := a.core.Deadline(); ok && !a.due {
		now := a.ex.now()
		wait = max(at.Sub(now), a.pause.Sub(now), 0)
	}
	timer.Reset(wait)
}

func (a *actor) take(in input) {
	now := a.ex.now()
	switch {
	case in.packet != nil && in.packet.Err != nil:
		a.core.Unsent(now, in.packet.Packet)
	case in.packet != nil && !a.began:
		a.began = true
		a.core.Start(now, in.packet.Packet)
	case in.packet != nil:
		a.core.Receive(now, in.packet.Packet)
	case in.sound != nil:
		a.core.takesKey(in.kept)
		a.core.MediaEvent(now, in.sound)
	case in.seats != nil:
		a.core.SeatFree(now, *in.seats)
	case in.press != nil:
		in.press.done <- a.core.Press(now, in.press.user, in.press.verb)
	case in.dials != nil:
		a.core.InviteIn(now, in.dials.origin, in.dials.packet)
	case in.letter != nil:
		a.core.Take(now, *in.letter)
	case in.ask != nil:
		in.ask(a.core)
	case in.due:
		a.due = false
		a.core.Tick(now)
	}
}

// guard keeps a bug in one call from ending any call, this one included: the
// state before the event still stands, the sound goes on, and the next message
// is taken as if the bad one had been lost.
func (a *actor) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			a.bug(r)
		}
	}()
	f()
}

// bug counts a panic and tells of it.
func (a *actor) bug(r any) {
	a.pause = a.ex.now().Add(pauseAfterPanic)
	a.ex.panics.Add(1)
	a.ex.log.Error("bug: an event of a call was dropped", "call", a.ref, "panic", fmt.Sprint(r), "stack",
		string(debug.Stack()))
}
