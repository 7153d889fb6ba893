package ua

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/codec"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// What a leg says to the INVITEs of RFC 4475 and 5118 that reach one: ringing is
// a call that somebody is asked about, all else the code of its refusal.
const ringing = 100

var tortureInvites = map[string]int{
	"esc01":            ringing, // §3.1.1.4: escaped characters, in the user part too
	"longreq":          ringing, // §3.1.1.7: every value is long
	"baddate":          ringing, // §3.1.2.12: the date's time zone is not for us to judge, and nobody asks for it
	"invut":            415,     // §3.3.5: a body of a type that nobody knows: "MUST" be refused with 415
	"sdp01":            ringing, // §3.3.10: Accept with a type we do not send is no obstacle to an answer in SDP
	"inv2543":          ringing, // §3.4.1: a caller without tag, Max-Forwards and branch
	"mult-ip-in-sdp":   ringing, // RFC 5118 §4.8: two addresses, of which one is IPv4
	"ipv4-mapped-ipv6": 488,     // RFC 5118 §4.10: the addresses are understood, G.726 and video are not spoken here
}

func TestTortureReachesLegs(t *testing.T) {
	seen := map[string]bool{}
	for folder, want := range map[string]map[string]int{"rfc4475": torture4475, "rfc5118": torture5118} {
		for name, text := range torture(t, folder) {
			if want[name] != call {
				continue
			}
			seen[name] = true
			t.Run(name, func(t *testing.T) {
				m, err := read([]byte(text))
				if err != nil || m.fault.code != 0 {
					t.Fatal(err, m.fault)
				}
				if got := inviteOutcome(m.msg); got != tortureInvites[name] {
					t.Errorf("outcome %d, want %d", got, tortureInvites[name])
				}
			})
		}
	}
	for name := range tortureInvites {
		if !seen[name] {
			t.Errorf("%s reaches no leg", name)
		}
	}
}

// inviteOutcome lets a leg answer an INVITE, and answers and ends the call when it becomes one.
func inviteOutcome(msg gosip.Message) int {
	cfg := leg.Default()
	cfg.Rand = rand.New(rand.NewPCG(1, 1)).Uint64
	now := time.Unix(0, 0)
	addr := netip.MustParseAddrPort("127.0.0.1:20000")
	local := leg.Local{Contact: "sip:127.0.0.1:5060", ViaHost: "127.0.0.1:5060", Transport: "udp",
		Media: sdp.Local{Addr: addr, Codecs: []codec.ID{codec.PCMA, codec.PCMU}, DTMF: 101,
			Ptime: 20 * time.Millisecond}}
	flow := leg.Flow{Network: "lab", Transport: "udp", Remote: netip.MustParseAddrPort("127.0.0.10:5060")}
	l, out := leg.NewInbound(cfg, now, leg.Packet{Msg: msg, Flow: flow}, local)
	last := 0
	for _, p := range out.Packets {
		if res, ok := p.Msg.(*gosip.Response); ok {
			last = res.StatusCode
		}
	}
	if last == ringing {
		l.Do(now, leg.Answer{})
		l.Do(now, leg.End{})
	}
	for at, ok := l.Deadline(); ok && !l.Done(); at, ok = l.Deadline() {
		l.Tick(at)
	}
	if !l.Done() {
		return -1
	}
	return last
}
