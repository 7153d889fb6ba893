// Package desk is the directory the switch routes by: which numbers reach which hotline, who sits at its desks,
// which line is its partner, what its callers hear, and over which trunk the rest of the world is reached.
//
// A Directory is an immutable snapshot. A reload builds a new one; a call keeps the one it began with.
// Names refer to each other by id, and whoever builds a Directory (package configs) has checked that they exist;
// lookups still say when they do not, so that a hand-made Directory in a test cannot panic the switch.
package desk

import (
	"time"

	"liandong/media/codec"
	"liandong/routing/category"
	"liandong/routing/number"
)

// Directory is everything that routing knows about the world. Immutable; safe for any number of readers.
type Directory struct {
	Hotlines   map[string]*Hotline // by id
	Seats      map[string]*Seat    // by the user its phone registers as
	Trunks     map[string]*Trunk   // by name
	Keys       map[string]string   // key code → verb: "*1" → "handover"; N stands for one digit: "*8NN" → "category"
	Services   map[string]string   // number that a phone transfers to → verb: "conference" → "conference"
	OneLine    bool                // a verb dialled on a phone's second line goes on in the first one
	Categories category.List       // what the desks agreed on
	Plan       number.Plan         // how digits become a number here
	Realm      string              // what phones call us, beside our addresses
	Emergency  string              // the hotline that an urgent stub goes to
	Timers     Timers
	Codecs     []codec.ID // what every leg is offered, in this order; empty: G.711
}

// Timers are the waits of a call that belong to no single hotline. Zero means the wait is off.
type Timers struct {
	KeyGap    time.Duration // longest pause between two digits of one key code; after it they are passed on
	Settle    time.Duration // a partner that hangs up within this time of answering has not taken the call over
	TrunkRing time.Duration // no answer from a trunk (overflow, partner behind a trunk without its own timer)
	MaxCall   time.Duration // the longest call; a safeguard against legs that nobody ends
}

// Dialed finds the hotline a called number belongs to. Both sides are compared as written first (short codes), then
// by the number plan, so that +8631112345, 031112345 and a bare local number name the same line.
func (d *Directory) Dialed(called string) (*Hotline, bool) {
	if h, ok := d.match(func(own string) bool { return own == called }); ok {
		return h, true
	}
	want, ok := d.Plan.Normalise(called)
	if !ok {
		return nil, false
	}
	return d.match(func(own string) bool {
		e164, ok := d.Plan.Normalise(own)
		return ok && e164 == want
	})
}

func (d *Directory) match(is func(own string) bool) (*Hotline, bool) {
	for _, h := range d.Hotlines {
		for _, own := range h.Numbers {
			if is(own) {
				return h, true
			}
		}
	}
	return nil, false
}

// At finds the hotline at which a phone user sits. A user without a seat (or an unknown one) has none.
func (d *Directory) At(user string) (*Hotline, bool) {
	s, ok := d.Seats[user]
	if !ok {
		return nil, false
	}
	h, ok := d.Hotlines[s.Hotline]
	return h, ok
}

// Partner finds the line to which a hotline hands calls over.
func (d *Directory) Partner(of string) (*Hotline, bool) {
	h, ok := d.Hotlines[of]
	if !ok {
		return nil, false
	}
	p, ok := d.Hotlines[h.Partner]
	return p, ok
}
