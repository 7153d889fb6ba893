package desk

import (
	"net/netip"
	"slices"

	"liandong/sip/sdp"
)

// Trunk is a neighbour that is recognised by its address: the operator's SBC, the hotline's PBX, another switch.
type Trunk struct {
	Name      string
	Network   string
	Target    string // host:port that calls are sent to; "" receives only
	Transport string // "udp", "tcp" or "tls"
	Match     []netip.Prefix
	SRTP      sdp.Protection

	Trusted     bool // its P-Asserted-Identity and Remote-Party-ID are believed, and it is told ours (RFC 3325 §5)
	From        FromPolicy
	OwnNumber   string // the number in From under Own
	PAI         bool   // write the original caller into P-Asserted-Identity
	Diversion   bool   // write Diversion (RFC 5806)
	HistoryInfo bool   // write History-Info (RFC 7044)

	MaxCalls int // from it at once; 0: any number

	Contact  string // user part of our Contact where we have registered; "" nowhere
	Username string // digest credentials for challenges of the trunk; "" none
	Password Secret
}

// FromPolicy says whose number stands in From of a call to a trunk. P-Asserted-Identity keeps the original either way.
type FromPolicy uint8

const (
	Original FromPolicy = iota // the caller's own
	Own                        // Trunk.OwnNumber, for operators that refuse numbers that are not theirs
)

var fromNames = []string{Original: "original", Own: "own"}

// FromNames are the words of the config, in the order of the constants.
func FromNames() []string { return slices.Clone(fromNames) }

// FromByName reads one of FromNames.
func FromByName(s string) (FromPolicy, bool) { return byName[FromPolicy](fromNames, s) }

func (p FromPolicy) String() string { return nameOf(fromNames, p) }
