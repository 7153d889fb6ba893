package leg

import (
	"net/netip"
	"time"

	"liandong/sip/header"
	"liandong/sip/sdp"
)

// Event is a fact about the party.
type Event interface{ event() }

// Invited says that the party of an inbound leg calls. It comes from
// NewInbound, or from Receive when the leg had to refuse the first INVITE by
// itself and the party mended it (a longer session interval, for instance).
type Invited struct {
	RequestURI  header.URI
	From, To    header.NameAddr
	Identity    header.Identity
	Diversions  []header.Diversion
	History     []header.HistoryEntry
	UserToUser  string   // the header's value as received
	AlertInfo   []string // values as received (RFC 7462)
	MaxForwards int
	Wideband    bool // with a codec of wideband that is ours as well
	// meant for a dialog that there is, not for a new call: Replaces or Join follows, if it can be read
	Enters   bool
	Replaces *header.Replaces // whose place the call takes (RFC 3891)
	Join     *header.Replaces // with whom it makes a conference (RFC 3911)
}

// Progressed is a provisional response to our INVITE other than 100.
type Progressed struct {
	Code  int
	Media *sdp.Session // early media, nil without SDP
}

// Answered says that the party of an outbound leg took the call.
type Answered struct {
	Media sdp.Session
}

// MediaChanged is a completed offer and answer: of an inbound leg once
// negotiated, of any leg after a re-INVITE or UPDATE of either side. It comes
// only when the outcome differs from the last one told, except that a Modify
// is always followed by it or by ModifyRefused.
type MediaChanged struct {
	Media sdp.Session
	Addr  netip.AddrPort // where the party has been told that we receive
}

// ModifyRefused says that the party did not agree to our Modify: the session
// goes on as it was.
type ModifyRefused struct {
	Code int
}

// InfoReceived is an INFO of the party, already answered.
type InfoReceived struct {
	Keys         string // the digits, if it was a DTMF body
	RecordHeader string // value of a Record header: on, off
}

// Alive says that a party that was asked by Probe is there: whatever has come of it. It
// comes once for each Probe, also after Unanswered.
type Alive struct{}

// Unanswered says that a Probe has not been answered in time. The leg goes on: it is
// for its owner to end it, or to ask again.
type Unanswered struct{}

// Referred says that the party asks by REFER for a call to somebody else. The
// first Report answers it, and has to come before the leg's next input.
type Referred struct {
	ID uint32 // for Report
	To header.ReferTo
	By header.NameAddr // Referred-By, zero when absent
}

// Failed ends an outbound leg that was never answered: refused, 408 without
// any answer, 503 when it could not be sent.
type Failed struct {
	Code       int
	Phrase     string
	Reasons    []header.Reason
	RetryAfter time.Duration
	Silent     bool // nothing has come from there: the code is our own
}

// Ended ends a leg by the other side or by a failure. After our own End or
// Reject there is no event.
type Ended struct {
	Cause   Cause
	Reasons []header.Reason
}

// Cause is why a leg has ended.
type Cause uint8

const (
	Bye             Cause = iota + 1 // the party hung up
	Cancel                           // the caller gave up before the answer
	Timeout                          // no ACK or PRACK came, or the INVITE's own Expires ran out
	Expired                          // the session timer ran out
	Lost                             // 481 or 408 on a request of ours: the party no longer knows the dialog
	TransportFailed                  // the connection to the party is gone
	NoMedia                          // offer and answer could not be agreed
)

func (c Cause) String() string {
	switch c {
	case Bye:
		return "bye"
	case Cancel:
		return "cancel"
	case Timeout:
		return "timeout"
	case Expired:
		return "expired"
	case Lost:
		return "lost"
	case TransportFailed:
		return "transport failed"
	case NoMedia:
		return "no media"
	}
	return "unknown"
}

func (Invited) event()       {}
func (Progressed) event()    {}
func (Answered) event()      {}
func (MediaChanged) event()  {}
func (ModifyRefused) event() {}
func (InfoReceived) event()  {}
func (Alive) event()         {}
func (Unanswered) event()    {}
func (Referred) event()      {}
func (Failed) event()        {}
func (Ended) event()         {}
