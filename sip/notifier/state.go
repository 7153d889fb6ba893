package notifier

import (
	"cmp"
	"slices"
	"time"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
	"liandong/sip/txn"
)

// State is all that a Server knows of a subscription, as a plain value: what package
// snapshot writes of it makes a subscription again that goes on where this one stood.
// The field names are the format: one that is renamed is lost on the way to another
// version of the program.
type State struct {
	Begun   uint64        `cbor:",omitzero"` // the order of a user's subscriptions
	User    string        `cbor:",omitzero"`
	What    resource      `cbor:",omitzero"`
	Event   string        `cbor:",omitzero"` // as NOTIFYs name it: with the id, if the phone has given one
	To      header.URI    `cbor:",omitzero"`
	Version uint32        `cbor:",omitzero"` // told last
	Local   leg.Local     `cbor:",omitzero"`
	Dialog  dialog.Dialog `cbor:",omitzero"`
	Flow    leg.Flow      `cbor:",omitzero"`
	Until   time.Time     `cbor:",omitzero"`

	Key   txn.Key           `cbor:",omitzero"` // of the last SUBSCRIBE
	Reply snapshot.Response `cbor:",omitzero"` // to it, for its copies

	Owed   bool      `cbor:",omitzero"` // the state is to be told
	Last   string    `cbor:",omitzero"` // why the next NOTIFY is the last; "": it is not
	Spent  time.Time `cbor:",omitzero"` // NOTIFYs are paid for up to here (see may)
	Retry  time.Time `cbor:",omitzero"` // none before
	Tries  int       `cbor:",omitzero"` // refused for the moment, in a row
	Notice *notice   `cbor:",omitzero"` // the NOTIFY under way
	Over   bool      `cbor:",omitzero"` // nobody is to be told any more
}

// CallID names the subscription.
func (s *State) CallID() string { return s.Dialog.CallID }

// resource is what can be watched, by the name of its event package.
type resource struct {
	Event string `cbor:",omitzero"`
	Name  string `cbor:",omitzero"`
}

// notice is a NOTIFY that waits for its answer.
type notice struct {
	Txn    txn.Client `cbor:",omitzero"`
	Branch string     `cbor:",omitzero"`
	Flow   leg.Flow   `cbor:",omitzero"`
	Last   bool       `cbor:",omitzero"`
}

// Restore is a Server with the subscriptions that there were, and versions above all that
// they have been told; Config.Floor is to be above those of subscriptions that are gone. Those of an event package
// that is no longer there are left out: their phones hear 481 and come again.
func Restore(cfg Config, states []State) *Server {
	s := New(cfg)
	slices.SortFunc(states, func(a, b State) int { return cmp.Compare(a.Begun, b.Begun) })
	for _, state := range states {
		if pack := cfg.Packages[state.What.Event]; pack != nil {
			s.restore(&subscription{State: state, pack: pack})
		}
	}
	return s
}

func (s *Server) restore(sub *subscription) {
	s.begun, s.top = max(s.begun, sub.Begun), max(s.top, sub.Version)
	s.subs[sub.CallID()] = sub
	s.held[sub.User]++
	key := version{sub.What, sub.User}
	s.versions[key] = max(s.versions[key], sub.Version)
	if sub.forgotten = sub.Over || sub.Last != ""; !sub.forgotten {
		s.list(sub)
		if s.sweep.IsZero() || sub.Until.Before(s.sweep) {
			s.sweep = sub.Until
		}
	}
	if sub.Over || sub.Owed || sub.Notice != nil {
		s.activate(sub)
	}
}

// list enters a subscription into the books of those that go on.
func (s *Server) list(sub *subscription) {
	s.stats.On++
	s.users[sub.User] = append(s.users[sub.User], sub)
	s.watched[sub.What] = append(s.watched[sub.What], sub)
}

// touch notes that a subscription is no longer as its owner has it written.
func (s *Server) touch(sub *subscription) {
	if !sub.touched {
		sub.touched = true
		s.touched = append(s.touched, sub)
	}
}

// takeTouched gives the states that have changed, but for those that are gone.
func (s *Server) takeTouched() (states []State) {
	for _, sub := range s.touched {
		if sub.touched = false; s.subs[sub.CallID()] == sub {
			states = append(states, sub.State)
		}
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	return states
}
