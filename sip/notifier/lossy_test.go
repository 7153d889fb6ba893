package notifier

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// TestLossy lets states change at random over a network that drops, doubles,
// delays and reorders: whoever is still subscribed in the end knows the state as
// it is, and never took an older one for a newer.
func TestLossy(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() || rebirth {
		seeds = 20
	}
	for seed := range seeds {
		lossy(t, seed)
	}
}

type parcel struct {
	at   time.Time
	text string
	up   bool // towards the server
	user string
}

func lossy(t *testing.T, seed uint64) {
	r := newRig(t, nil)
	rng := rand.New(rand.NewPCG(seed, 4235))
	start := r.now
	watchers := map[string]*watcher{}
	var air []parcel
	fly := func(user, text string, up bool) {
		for range 1 + rng.IntN(5)/4 {
			if rng.IntN(10) < 2 && r.now.Sub(start) < time.Minute {
				continue
			}
			delay := time.Duration(rng.IntN(30)) * time.Millisecond
			if rng.IntN(10) == 0 {
				delay = time.Duration(rng.IntN(2000)) * time.Millisecond
			}
			air = append(air, parcel{r.now.Add(delay), text, up, user})
		}
	}
	for _, user := range []string{"1101", "1102"} {
		w := r.watcher(user, "110")
		watchers[w.callID] = w
		text := w.text()
		for i := range 4 { // the phone repeats itself, answered or not
			at := r.now.Add(time.Duration(i) * 500 * time.Millisecond)
			air = append(air, parcel{at, text, true, user})
		}
	}
	for r.now.Sub(start) < 2*time.Minute {
		if r.now.Sub(start) < time.Minute && rng.IntN(3) == 0 {
			r.set("110", rng.IntN(1000))
		}
		r.pass(time.Duration(rng.IntN(100)) * time.Millisecond)
		for _, p := range r.sent {
			fly("", p.Msg.String(), false)
		}
		r.sent = nil
		slices.SortStableFunc(air, func(a, b parcel) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
		for len(air) > 0 && !air[0].at.After(r.now) {
			p := air[0]
			air = air[1:]
			m, err := gosip.ParseMessage([]byte(p.text))
			if err != nil {
				t.Fatal(err)
			}
			packet := leg.Packet{Msg: m, Flow: leg.Flow{Network: "lab", Transport: "udp",
				Remote: addrPort("10.0.0.2:5060")}}
			req, isRequest := m.(*gosip.Request)
			switch {
			case p.up && isRequest && r.server.subs[packet.CallID()] == nil:
				r.note(r.server.Subscribe(r.now, p.user, packet))
			case p.up:
				r.note(r.server.Receive(r.now, packet))
			case isRequest:
				watchers[packet.CallID()].reads(req)
				fly("", finished(leg.Reply(packet, 200, "", "")).String(), true)
			}
		}
	}
	for _, w := range watchers {
		if r.server.subs[w.callID] != nil && w.state != r.board.states["110"] {
			t.Fatalf("seed %d: %s believes %d, it is %d", seed, w.user, w.state, r.board.states["110"])
		}
	}
	if len(r.server.subs) != 2 {
		t.Fatalf("seed %d: %d subscriptions, the network is not as bad as that", seed, len(r.server.subs))
	}
}

// reads is a phone that goes by the version alone (RFC 4235 §4.3).
func (w *watcher) reads(req *gosip.Request) {
	var v, s int
	if n, _ := fmt.Sscanf(string(req.Body()), "%d %d", &v, &s); n == 2 && v > w.version {
		w.version, w.state = v, s
	}
}
