package leg

import (
	"time"

	"liandong/sip/dialog"
)

// phase is how far the leg has come.
type phase uint8

const (
	idle       phase = iota // outbound, not yet invited
	calling                 // outbound, our INVITE has no final response
	proceeding              // inbound, the INVITE has no final response
	talking                 // answered
	over                    // nothing more to tell, only copies to resend and farewells to say
)

// State is all that a leg knows, as a plain value: what package snapshot writes of it
// makes a leg again that goes on where this one stood. It shares its parts with the
// leg, and is good until the leg's next input. The field names are the format: one
// that is renamed is lost on the way to another version of the program.
type State struct {
	Name   string `cbor:",omitzero"` // the Call-ID
	Phase  phase  `cbor:",omitzero"`
	Caller bool   `cbor:",omitzero"` // we sent the first INVITE, and own the Call-ID

	// Where the party is and what we know of each other.
	Dialog dialog.Dialog `cbor:",omitzero"` // inbound from the start, outbound from the answer on
	Flow   Flow          `cbor:",omitzero"`
	Target string        `cbor:",omitzero"` // host:port, while Flow.Remote is not known
	Others []Hop         `cbor:",omitzero"` // other ways to the party, as of Local
	Proven Hop           `cbor:",omitzero"` // the party has answered by it, and not by a better one
	Focus  string        `cbor:",omitzero"` // the conference that our Contact names; "": none

	// Transactions under way. Acts that wait for one know it by its number or key, never by a pointer.
	Clients []*client `cbor:",omitzero"`
	Begun   clientID  `cbor:",omitzero"` // the last one given
	Servers []*server `cbor:",omitzero"`

	// Acts.
	Invite      inviting     `cbor:",omitzero"`
	Accept      accepting    `cbor:",omitzero"`
	Provisional reliable     `cbor:"Early,omitzero"`
	Unacked     []acceptance `cbor:",omitzero"`
	Media       negotiation  `cbor:",omitzero"`
	Probe       probing      `cbor:",omitzero"`
	Modify      modifying    `cbor:",omitzero"`
	Timer       sessionTimer `cbor:",omitzero"`
	Refer       referring    `cbor:",omitzero"`
	Farewell    farewell     `cbor:",omitzero"`
}

// Restore is the leg that a state was taken from. cfg and local are those of now; what
// has been agreed with the party stays as it was.
func Restore(cfg Config, local Local, s State) *Leg {
	l := &Leg{cfg: cfg, State: s}
	l.self = newSelf(&l.cfg, local)
	l.self.setFocus(l.Focus)
	return l
}

// waits is how long an answer is waited for anew after a while in which nobody could hear it: a question that is not
// answered goes out once more at once.
const waits = 2 * time.Second

// Wait gives the party of a leg that has been restored the time to answer what it may have answered when nobody was
// there: whoever asked does not give up at once because his time has passed meanwhile.
func (l *Leg) Wait(now time.Time) {
	limits := []*time.Time{&l.Probe.Until, &l.Invite.Patience, &l.Refer.Patience, &l.Timer.Expire}
	for i := range l.Unacked {
		limits = append(limits, &l.Unacked[i].End)
	}
	for _, c := range l.Clients {
		limits = append(limits, &c.Invite.End, &c.Other.End)
	}
	for _, t := range limits {
		if least := now.Add(waits); !t.IsZero() && t.Before(least) {
			*t = least
		}
	}
}
