package desk

import (
	"slices"
	"strings"
	"time"

	"liandong/routing/number"
)

// Hotline is one line of the linkage: 110, 12345, 119 … Its calls go to its own seats, or out through a trunk when
// the line lives on somebody else's PBX (Trunk is set then, and Seats is empty).
type Hotline struct {
	ID      string   // stands in stream names and ticket fields: "110"
	Name    string   // for people: "公安报警"
	Numbers []string // called numbers that reach it
	Network string   // the side of the boundary on which it stands

	Seats []string // users in the order of the config
	// users whose phones may look after its calls; they need have no seat
	Supervisors []string
	Ring        Ring          // how seats are offered a call
	RingEach    time.Duration // InOrder, LongestIdle: how long one seat rings before the next is tried; 0: NoAnswer
	// how long the line as a whole may ring before a hand-over or conference counts as unanswered
	NoAnswer time.Duration

	AfterCall  time.Duration // after a call, before a seat is rung again; 0: at once
	Unanswered int           // so often in a row a seat may ring in vain, before it counts as not ready; 0: for ever
	LastResort bool          // a seat that is not ready rings when no ready one is free, rather than nobody

	Trunk       string // reached through this trunk instead of seats
	TrunkNumber string // the number dialled there

	Partner          string // id of the hotline that handover, consult and conference go to; "" none
	Transfer         Transfer
	Callback         Callback
	Queue            Queue
	Prompts          Prompts
	Recording        RecordingPolicy
	RevealRestricted bool // desks see a number withheld by Privacy: id (an emergency desk may, others by policy)
}

// Transfer says which numbers outside a desk of the line may hand a caller to, by its phone. Zero: none.
type Transfer struct {
	Trunk   string
	Numbers []number.Range
}

// Permits says whether a normalised number is one of them.
func (t Transfer) Permits(e164 string) bool {
	return slices.ContainsFunc(t.Numbers, func(r number.Range) bool { return r.Holds(e164) })
}

// Callback is by which trunk citizens are called back whose calls were missed, and with which number of the line. Zero:
// they are not.
type Callback struct{ Trunk, Number string }

// Dials is the number by which a citizen is called back; false: there is none. What is no number of this country is
// none: whoever sends a call with a number that costs money is not to be called there.
func (c Callback) Dials(n number.Number) (dials string, ok bool) {
	if c.Trunk == "" || n.Status != number.OK || !strings.HasPrefix(n.E164, "+86") {
		return "", false
	}
	return number.National(n.E164), true
}

// Queue is where a first call waits when no seat is free or none has answered. MaxCalls 0 is no queue: straight to the
// overflow.
type Queue struct {
	MaxWait  time.Duration
	MaxCalls int
	// the call is answered and hears music; false: music in early media (183), free of charge to the caller
	Answer   bool
	Overflow Overflow
}

// Overflow is where a call goes that the queue did not take or keep. All empty: 486 and busy tone.
type Overflow struct {
	Hotline       string
	Trunk, Number string
}

// None says that there is nowhere to go: the caller gets 486.
func (o Overflow) None() bool { return o.Hotline == "" && o.Trunk == "" }

// Prompts name clips of the prompt library. Callers of this hotline hear them; an empty name plays nothing.
type Prompts struct {
	Handover   string // to the caller when this desk hands over: do not hang up, you are being transferred
	Failed     string // to caller and desk when they are back together since the partner did not answer
	TakerGone  string // to the caller whose desk hung up before the partner answered: stay on the line
	Conference string // to all three when the conference stands
	Left       string // to those who remain when one of three has left
	Wait       string // to the caller on entering the queue, before the music
	Sorry      string // to the caller whom nobody could take, before the busy tone
	Music      string // loops: queue, hold, consult
	Ringback   string // loops: the partner rings
	Busy       string // loops: nobody is left to talk to
	Confirm    string // short, to the desk: the key was understood
	Refuse     string // short, to the desk: not possible now
	Already    string // short, to the desk: it is so already
}

// Names lists the clips in use, once per role, so that a loader can check them against its library.
func (p Prompts) Names() []string {
	return []string{p.Handover, p.Failed, p.TakerGone, p.Conference, p.Left, p.Wait, p.Sorry, p.Music, p.Ringback,
		p.Busy, p.Confirm, p.Refuse, p.Already}
}

// RecordingPolicy says whether calls that a desk of this hotline is in are recorded.
type RecordingPolicy struct {
	Mode     RecordMode
	Announce string // clip that all parties hear when it begins; "" none
}

// RecordMode says who decides that a call is recorded.
type RecordMode uint8

const (
	RecordOff    RecordMode = iota // nobody
	RecordAlways                   // every call, and no key stops it
	RecordByKey                    // the desk
)

var recordNames = []string{RecordOff: "off", RecordAlways: "always", RecordByKey: "key"}

// RecordNames are the words of the config, in the order of the constants.
func RecordNames() []string { return slices.Clone(recordNames) }

// RecordByName reads one of RecordNames.
func RecordByName(s string) (RecordMode, bool) { return byName[RecordMode](recordNames, s) }

func (m RecordMode) String() string { return nameOf(recordNames, m) }

// Ring says in which order the free seats of a hotline are offered a call.
type Ring uint8

const (
	All         Ring = iota // every free seat at once; the first answer wins
	InOrder                 // one after the other, in the order of the config
	LongestIdle             // one after the other, whoever has been free longest first
)

var ringNames = []string{All: "all", InOrder: "in_order", LongestIdle: "longest_idle"}

// RingNames are the words of the config, in the order of the constants.
func RingNames() []string { return slices.Clone(ringNames) }

// RingByName reads one of RingNames.
func RingByName(s string) (Ring, bool) { return byName[Ring](ringNames, s) }

func (r Ring) String() string { return nameOf(ringNames, r) }

// byName finds a constant by its word in the config; names stand at the index of their constant.
func byName[T ~uint8](names []string, s string) (T, bool) {
	i := slices.Index(names, s)
	return T(max(i, 0)), i >= 0
}

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}
