// Package desk is the directory the switch routes by: which numbers reach which hotline, who sits at its desks,
// which line is its partner, what its callers hear, and over which trunk the rest of the world is reached.
//
// A Directory is an immutable snapshot. A reload builds a new one; a call keeps the one it began with.
// Names refer to each other by id, and whoever builds a Directory (package configs) has checked that they exist;
// lookups still say when they do not, so that a hand-made Directory in a test cannot panic the switch.
package desk

import (
	"maps"
	"slices"
	"strings"
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
	MaxCalls   int                 // at once, a tenth of them for the emergency line alone; 0: any number
	Timers     Timers
	Codecs     []codec.ID            // what every leg is offered, in this order; empty: G.711
	NetCodecs  map[string][]codec.ID // by network: in place of Codecs
}

// Offered are the codecs for a leg of a phone or a trunk, in order: what is said of the phone, of its network, or of
// all. user is "" for whoever is no phone. wide: somebody in the call talks wideband, so that it is worth asking for it
// first.
func (d *Directory) Offered(user, network string, wide bool) []codec.ID {
	list := d.Codecs
	if own := d.NetCodecs[network]; len(own) > 0 {
		list = own
	}
	if seat := d.Seats[user]; seat != nil && len(seat.Codecs) > 0 {
		list = seat.Codecs
	}
	if len(list) == 0 {
		list = []codec.ID{codec.PCMA, codec.PCMU}
	}
	if !wide {
		return list
	}
	byWidth := slices.Clone(list)
	slices.SortStableFunc(byWidth, func(a, b codec.ID) int { return b.Rate() - a.Rate() })
	return byWidth
}

// Timers are the waits of a call that belong to no single hotline. Zero means the wait is off.
type Timers struct {
	KeyGap    time.Duration // longest pause between two digits of one key code; after it they are passed on
	Settle    time.Duration // a partner that hangs up within this time of answering has not taken the call over
	TrunkRing time.Duration // no answer from a trunk (overflow, partner behind a trunk without its own timer)
	MaxCall   time.Duration // the longest call; a safeguard against legs that nobody ends
}

// LineByNumber finds the hotline a called number belongs to. Both sides are compared as written first (short codes),
// then by the number plan, so that +8631112345, 031112345 and a bare local number name the same line. A short code with
// the area code before it is the line's own, whatever the area: whoever sent the call here meant this line. An
// emergency service by its name (RFC 5031) is the line's that has it among its numbers, or else the police's.
func (d *Directory) LineByNumber(called string) (*Hotline, bool) {
	if h, ok := d.match(func(own string) bool { return strings.EqualFold(own, called) }); ok {
		return h, true
	}
	if service, ok := strings.CutPrefix(strings.ToLower(called), SOS); ok {
		return d.service(service)
	}
	want, ok := d.Plan.Normalise(called)
	if !ok {
		return nil, false
	}
	if h, ok := d.numbered(want); ok {
		return h, true
	}
	_, code, ok := number.ShortCode(want)
	if !ok {
		return nil, false
	}
	return d.numbered(code)
}

func (d *Directory) numbered(e164 string) (*Hotline, bool) {
	return d.match(func(own string) bool {
		its, ok := d.Plan.Normalise(own)
		return ok && its == e164
	})
}

// SOS begins the names of emergency services: RFC 5031 §4.2.
const SOS = "urn:service:sos"

// service finds the line of a service; of one that no line has it is that of the one above it, and at last the line
// that urgent stubs go to.
func (d *Directory) service(name string) (*Hotline, bool) {
	for name != "" {
		name = name[:max(strings.LastIndexByte(name, '.'), 0)]
		if h, ok := d.match(func(own string) bool { return strings.EqualFold(own, SOS+name) }); ok {
			return h, true
		}
	}
	if h, ok := d.Hotlines[d.Emergency]; ok {
		return h, true
	}
	return d.numbered("110")
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

// Supervises lists the lines whose calls a user's phone may look after, in the order of their ids.
func (d *Directory) Supervises(user string) (lines []string) {
	for _, id := range slices.Sorted(maps.Keys(d.Hotlines)) {
		if slices.Contains(d.Hotlines[id].Supervisors, user) {
			lines = append(lines, id)
		}
	}
	return lines
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
