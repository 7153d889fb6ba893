package exchange

import (
	"log/slog"
	"regexp"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/sip/leg"
)

// before is what the caller's INVITE tells of the way that the call has come.
type before struct {
	diverted int      // how often it was diverted before it came here
	alert    []string // Alert-Info for the desk
}

// way reads it. Only a trusted trunk is believed, but for the count: whoever
// says that a call goes round is listened to.
func (c *Core) way(i leg.Invited) (b before) {
	for _, d := range i.Diversions {
		b.diverted += max(d.Counter, 1) // RFC 5806 §4: without a counter it stands for one
	}
	b.diverted = max(b.diverted, len(i.History)-1) // RFC 7044: the first entry is no diversion
	if t, ok := c.dir.Trunks[c.origin.Trunk]; !ok || !t.Trusted {
		return b
	}
	for _, v := range i.AlertInfo {
		if alertURN.MatchString(v) {
			b.alert = append(b.alert, v)
		}
	}
	return b
}

// alertURN is RFC 7462 §6, without a domain. What names a host stays in its network.
var alertURN = regexp.MustCompile(`^<urn:alert:[a-z0-9:-]{1,80}>$`)

// looped refuses a call that goes round, and says so to the admin of the trunk
// that sends it round.
func (c *Core) looped(p *party, code int, i leg.Invited) {
	c.world.Log.Warn("a call goes round and is refused", slog.Int("code", code), "trunk", c.origin.Trunk,
		"max_forwards", i.MaxForwards, "diversions", c.before.diverted, "most", maxHistory)
	c.dismiss(p.id, leg.Reject{Code: code})
}

// overflowed names the line that a call has overflowed from, as diverted does for
// a hand-over: RFC 5806 §4, "unavailable".
func (c *Core) overflowed(e call.RingTrunk) (line string, ok bool) {
	l := c.dir.Hotlines[e.Hotline]
	return e.Hotline, e.For.From == "" && l != nil && l.Trunk != e.Trunk
}

// visible says whether a trunk may be told the caller's number. One that he has
// asked to withhold goes to trusted trunks only, whatever the line may see
// (RFC 3323 §4.1, RFC 3325 §7).
func (c *Core) visible(t *desk.Trunk, line *desk.Hotline) bool {
	return c.shown(line) && (t.Trusted || !c.withheld())
}
