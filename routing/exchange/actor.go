package exchange

import (
	"errors"
	"fmt"
	"runtime/debug"
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
	ask    func(*Core)
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
	core  *Core
	inbox *inbox[input]
	ex    *Exchange
	ref   string
	user  string // whose phone has begun the call; "": a trunk has
	began bool
	came  atomic.Int32 // phones' dialogs that have come into the call and are not done with
	pause time.Time    // after a panic: no timer acts before then
}

// pauseAfterPanic keeps a timer that panics whenever it acts from doing
// nothing else.
const pauseAfterPanic = time.Second

// Post takes a message from the transport (ua.Sink). It never blocks.
func (a *actor) Post(in ua.Inbound) bool {
	return a.inbox.put(input{packet: &in}, in.Err != nil || ends(in.Packet))
}

// Ask puts work for this call into its inbox ([Peer]).
func (a *actor) Ask(f func(now time.Time, c *Core)) bool {
	return a.inbox.put(input{ask: func(c *Core) { f(time.Now(), c) }}, true)
}

// maxCame bounds the dialogs by which phones come into a call: second lines, pick-ups,
// those refused among them until their ACK or its time is over. A phone that dials in a
// loop is not to slow down the call that a citizen has.
const maxCame = 32

// crowded says that no more dialogs may come into the call for now.
func (a *actor) crowded() bool { return a.came.Load() >= maxCame || a.inbox.full() }

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
	a.inbox.put(input{sound: e}, false)
}

// run is the actor's goroutine. It ends when the call is over and its legs
// have nothing left to resend.
func (a *actor) run() {
	defer a.ex.gone(a)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for !a.core.Done() || !a.began {
		a.arm(timer)
		select {
		case <-a.inbox.ready:
			for _, in := range a.inbox.take() {
				a.guard(func() { a.take(in) })
			}
		case <-timer.C:
			a.guard(func() { a.core.Tick(time.Now()) })
		case <-a.ex.stop:
			return
		}
		a.came.Store(int32(a.core.dialogs()))
	}
}

func (a *actor) arm(timer *time.Timer) {
	wait := time.Hour
	if at, ok := a.core.Deadline(); ok {
		wait = max(time.Until(at), time.Until(a.pause), 0)
	}
	timer.Reset(wait)
}

func (a *actor) take(in input) {
	now := time.Now()
	switch {
	case in.packet != nil && in.packet.Err != nil:
		a.core.Unsent(now, in.packet.Packet)
	case in.packet != nil && !a.began:
		a.began = true
		a.core.Start(now, in.packet.Packet)
	case in.packet != nil:
		a.core.Receive(now, in.packet.Packet)
	case in.sound != nil:
		a.core.Heard(now, in.sound)
	case in.seats != nil:
		a.core.SeatFree(now, *in.seats)
	case in.press != nil:
		in.press.done <- a.core.Press(now, in.press.user, in.press.verb)
	case in.dials != nil:
		a.core.Dialled(now, in.dials.origin.User, in.dials.packet)
	case in.ask != nil:
		in.ask(a.core)
	}
}

// guard keeps a bug in one call from ending any call, this one included: the
// state before the event still stands, the sound goes on, and the next message
// is taken as if the bad one had been lost.
func (a *actor) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			a.pause = time.Now().Add(pauseAfterPanic)
			a.ex.panics.Add(1)
			a.ex.log.Error("bug: an event of a call was dropped", "call", a.ref, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	f()
}
