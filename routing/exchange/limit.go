package exchange

import (
	"liandong/routing/desk"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// counted is what there is of calls, so that nobody has to look at each of them. Guarded by the exchange's mu.
type counted struct {
	on     int            // calls that are not over
	trunks map[string]int // of those: by the trunk that they have come from
	begun  map[string]int // by user: those that a phone has begun, with those refused until their ACK
}

// maxBegun bounds the calls that one phone has begun, with those refused until their
// ACK: one that dials in a loop is not to take the room of citizens.
const maxBegun = 32

// admits says whether one more call may begin. Caller holds mu.
func (x *Exchange) admits(d *desk.Directory, o ua.Origin, p leg.Packet) bool {
	if o.User != "" && x.counted.begun[o.User] >= maxBegun {
		return false
	}
	urgent := emergency(d, p)
	// an emergency call goes beyond its trunk's own limit
	if t := d.Trunks[o.Trunk]; !urgent && t != nil && t.MaxCalls > 0 && x.counted.trunks[o.Trunk] >= t.MaxCalls {
		return false
	}
	return x.underLimit(d, urgent)
}

// underLimit says whether there are fewer calls than may be: a tenth of these is kept for the emergency line. Caller
// holds mu.
func (x *Exchange) underLimit(d *desk.Directory, urgent bool) bool {
	most := d.MaxCalls
	if !urgent {
		most -= most / 10
	}
	return d.MaxCalls == 0 || x.counted.on < most
}

// emergency says that a call is for the emergency line.
func emergency(d *desk.Directory, p leg.Packet) bool {
	line, ok := d.LineByNumber(leg.RequestUser(p))
	return ok && line.ID == d.Emergency
}

// enter takes an actor into the books. Caller holds mu.
func (x *Exchange) enter(a *actor) {
	x.calls[a.ref] = a
	a.counts = true
	x.counted.on++
	x.counted.trunks[a.trunk]++
	if a.user != "" {
		x.counted.begun[a.user]++
	}
}

// over notes that of a call only farewells are repeated. Caller holds mu.
func (x *Exchange) over(a *actor) {
	if !a.counts {
		return
	}
	a.counts = false
	x.counted.on--
	x.counted.trunks[a.trunk]--
}

// remove takes an actor out of the books. Caller holds mu.
func (x *Exchange) remove(a *actor) {
	for _, user := range a.users {
		x.forgets(a, user)
	}
	if x.calls[a.ref] != a {
		return
	}
	x.over(a)
	delete(x.calls, a.ref)
	if x.counted.begun[a.user]--; x.counted.begun[a.user] <= 0 {
		delete(x.counted.begun, a.user)
	}
}
