package leg

import (
	"net/netip"
	"time"

	"liandong/media/codec"
	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/sdp"
)

// Command is an order to a leg. A command that makes no sense any more (the
// party was faster) is ignored: the event that says so is on its way or has
// been given already.
type Command interface{ command() }

// Invite calls the party of an outbound leg. It is given once.
type Invite struct {
	RequestURI   string
	Flow         Flow
	Target       string          // host:port, used when Flow.Remote is zero
	Routes       []string        // URIs of the proxies that it is to pass, the first one first: RFC 3327 §5.3
	From, To     header.NameAddr // without tags
	Fields       []header.Field  // P-Asserted-Identity, Diversion, History-Info, User-to-User, Call-Info, Alert-Info …
	DelayedOffer bool            // no SDP in the INVITE: the party offers, our ACK answers
	Credentials  *auth.Credentials
	MaxForwards  int           // 0: 70
	Patience     time.Duration // how long a first response of any kind is waited for; 0: RFC 3261's timer B, 32 s
}

// Progress tells the caller of an inbound leg how its call is doing.
type Progress struct {
	Code   int            `cbor:",omitzero"` // 180, 181, 182 or 183
	Media  bool           `cbor:",omitzero"` // with our SDP: early media
	Fields []header.Field `cbor:",omitzero"`
}

// Answer accepts the call of an inbound leg.
type Answer struct {
	Fields []header.Field `cbor:",omitzero"`
	Codecs []codec.ID     `cbor:",omitzero"` // what to answer by, in this order; nil: in the offer's
}

// Reject refuses the call of an inbound leg. Once answered it is as End.
type Reject struct {
	Code   int
	Phrase string // empty: the usual one
	Fields []header.Field
}

// End ends the leg, whatever that takes: CANCEL, BYE or a final failure.
// Nothing is told by events from then on. A second End is ignored.
type End struct {
	Fields []header.Field // Reason …
	Grace  time.Duration  // of an answered leg: how long its own BYE is waited for
}

// Report says how the call that a REFER has asked for is doing. A first one of
// 300 and more refuses the REFER with that code, any other accepts it; each is
// told to the party, one of 200 and more is the last.
type Report struct {
	ID     uint32
	Code   int
	Phrase string // of a first one that refuses; empty: the usual one
}

// Modify offers the session anew in a direction as seen from us. It waits for
// its turn by itself, also through glare; a later Modify replaces one that
// still waits. MediaChanged or ModifyRefused follows.
type Modify struct {
	Direction sdp.Direction
	Addr      netip.AddrPort // where we receive from now on; zero: as before
	Identity  []header.Field // as of [ConnectedIdentity]; nil: nothing new
	Codecs    []codec.ID     // in our order of preference from now on, whatever the party makes of it; nil: as before
}

// Renew offers the session again as it is, unless another offer does so before: for a while nobody was there to hear
// the party. It waits for its turn as Modify, and the same follows, or [Ended] where the party knows of no call.
type Renew struct {
	After time.Duration // not before then
}

// ConnectedIdentity tells the party whom it talks with now: by UPDATE where the party
// takes it, else by a re-INVITE that changes nothing else. RFC 4916 would change
// From, which half of the phones do not read; P-Asserted-Identity is what they do.
// It waits for its turn; a later one replaces one that still waits. Nothing follows,
// whatever the party makes of it.
type ConnectedIdentity struct {
	Identity []header.Field
}

// Probe asks a party that has answered whether it is still there, and changes nothing
// of the session. [Alive] follows, or [Unanswered], or [Ended] where it knows of no call.
// Until one of them has, another Probe begins anew.
type Probe struct {
	Patience time.Duration // how long an answer is waited for; 0: 3 s
}

// Move says that the party is reached by another way now: its phone has
// registered anew, from another port or over another connection. It means
// nothing to a party that is reached at its Contact.
type Move struct {
	Flow Flow
}

func (Invite) command()   {}
func (Progress) command() {}
func (Answer) command()   {}
func (Reject) command()   {}
func (End) command()      {}
func (Report) command()   {}

// Conference makes our side of the leg a conference with this name: our Contact has
// it, and says "isfocus" (RFC 4579 §5.1), in all that is sent from now on.
type Conference struct {
	Name string // a user part
}

func (Conference) command()        {}
func (Modify) command()            {}
func (Renew) command()             {}
func (ConnectedIdentity) command() {}
func (Move) command()              {}
func (Probe) command()             {}
