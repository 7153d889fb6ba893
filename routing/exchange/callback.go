package exchange

import (
	"errors"
	"sync/atomic"
	"time"

	"liandong/routing/call"
	"liandong/routing/number"
	"liandong/routing/verb"
	"liandong/sip/ua"
)

var (
	// ErrNoCallback says that a line does not call citizens back, or not this one.
	ErrNoCallback = errors.New("exchange: the line does not call this citizen back")
	// ErrSeatBusy says that a desk is in a call.
	ErrSeatBusy = errors.New("exchange: the desk is in a call")
	// ErrSeatAway says that the phone of a desk is not registered.
	ErrSeatAway = errors.New("exchange: the phone of the desk is not registered")
)

// Callback is what a desk asks for: that a citizen whose call was missed is called back.
type Callback struct {
	Seat, Hotline string
	Citizen       number.Number
	Stub          string // of the missed call
}

// CallBack begins the call: the desk rings first.
func (x *Exchange) CallBack(o Callback) (ref string, err error) {
	dir := x.directory()
	line, ok := dir.Hotlines[o.Hotline]
	if !ok {
		return "", ErrNoCallback
	}
	dials, ok := line.Callback.Dials(o.Citizen)
	t := dir.Trunks[line.Callback.Trunk]
	if !ok || t == nil {
		return "", ErrNoCallback
	}
	if len(x.places(o.Seat)) == 0 {
		return "", ErrSeatAway
	}
	asked := call.CallbackAsked{Ref: x.cfg.NewRef(), Caller: o.Citizen, Hotline: o.Hotline, Callback: call.Callback{
		Stub: o.Stub, Seat: o.Seat, Trunk: t.Name, Number: dials, Shown: line.Callback.Number}}
	if x.seats.HeldElsewhere(o.Seat) || !x.seats.Take(asked.Ref, o.Seat) {
		return "", ErrSeatBusy
	}
	p := promise{began: make(chan bool, 1)}
	if !x.begins(asked, ua.Origin{Network: t.Network, Trunk: t.Name}, &p) {
		x.seats.Release(asked.Ref, o.Seat, x.now())
		return "", ErrBusy
	}
	select {
	case ok = <-p.began:
	case <-time.After(pressWait):
		ok = x.giveUpCallback(asked, &p)
	case <-x.stop:
		ok = x.giveUpCallback(asked, &p)
	}
	if !ok {
		return "", ErrBusy
	}
	return asked.Ref, nil
}

// promise is what a desk waits for that calls back: it is told that the call has begun, or the call never begins. Safe
// for use by several goroutines.
type promise struct {
	decided atomic.Bool // by the call, or by who has waited for too long, whoever is first
	began   chan bool
}

// giveUpCallback withdraws a callback that nobody has come to; true: somebody just has, and it has begun.
func (x *Exchange) giveUpCallback(asked call.CallbackAsked, p *promise) (began bool) {
	if !p.decided.CompareAndSwap(false, true) {
		return <-p.began
	}
	x.seats.Release(asked.Ref, asked.Seat, x.now())
	return false
}

// begins starts the actor of a call that the switch makes.
func (x *Exchange) begins(asked call.CallbackAsked, o ua.Origin, p *promise) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	dir := x.directory()
	if x.draining || !x.underLimit(dir, asked.Hotline == dir.Emergency) {
		return false
	}
	a := &actor{inbox: x.inbox(), ex: x, ref: asked.Ref, trunk: o.Trunk}
	world := x.world(a, x.cfg.Sessions(a.ref, a.sound))
	a.core = NewCore(world, dir, o, a.ref)
	a.inbox.put(input{ask: func(c *Core) {
		a.began = true
		if !p.decided.CompareAndSwap(false, true) {
			return
		}
		defer func() { p.began <- !c.state.Over() && c.state.Phase != "" }() // after a panic as well
		c.CallBack(x.now(), asked)
	}}, own)
	x.enter(a)
	x.total.Add(1)
	x.wg.Go(a.run)
	return true
}

// CallBack begins the call with its desk.
func (c *Core) CallBack(now time.Time, e call.CallbackAsked) {
	c.now, c.hops = now, 70
	defer func() {
		if c.state.Phase == "" { // it could not be taken, or there was a panic
			c.world.Seats.Release(e.Ref, e.Seat, now)
		}
	}()
	e.Record = c.newID()
	c.fact(e)
	c.settle()
}

// keysOf are those of a party behind a trunk: a citizen who is called has none.
func (c *Core) keysOf(e call.RingTrunk) verb.Collector {
	if e.Hotline == "" {
		return verb.Collector{}
	}
	return c.collector()
}
