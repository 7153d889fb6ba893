package exchange

import (
	"log/slog"
	"regexp"

	"liandong/routing/call"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// before is what the caller's INVITE tells of the way that the call has come.
type before struct {
	Diverted int      // how often it was diverted before it came here
	Rounds   int      // how often of these by a line of ours
	Alert    []string // Alert-Info for the desk

	Diversions []header.Diversion // as a trusted trunk has said it
	History    []header.HistoryEntry
}

// way reads it. Only a trusted trunk is believed, but for the count: whoever
// says that a call goes round is listened to. Diversions by others make no loop, however many there are: the caller
// needs help, and Max-Forwards ends a loop that does not come by here.
func (c *Core) way(i leg.Invited) (b before) {
	for _, d := range i.Diversions {
		times := max(d.Counter, 1) // RFC 5806 §4: without a counter it stands for one
		b.Diverted += times
		if _, ours := c.dir.LineByNumber(calledNumber(d.Who.URI)); ours {
			b.Rounds += times
		}
	}
	b.Diverted = max(b.Diverted, len(i.History)-1) // RFC 7044: the first entry is no diversion
	rounds := 0
	for _, e := range i.History {
		if _, ours := c.dir.LineByNumber(calledNumber(e.Who.URI)); ours && len(e.Reasons) > 0 {
			rounds++
		}
	}
	b.Rounds = max(b.Rounds, rounds)
	if t, ok := c.dir.Trunks[c.origin.Trunk]; !ok || !t.Trusted {
		return b
	}
	b.Diversions, b.History = i.Diversions[:min(len(i.Diversions), maxHistory)],
		i.History[:min(len(i.History), maxHistory)]
	for _, v := range i.AlertInfo {
		if alertURN.MatchString(v) {
			b.Alert = append(b.Alert, v)
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
		"max_forwards", i.MaxForwards, "diversions", c.before.Rounds, "most", maxHistory)
	c.dismiss(p.ID, leg.Reject{Code: code})
}

// overflowed names the line that a call has overflowed from, as diverted does for
// a hand-over: RFC 5806 §4, "unavailable".
func (c *Core) overflowed(e call.RingTrunk) (line string, ok bool) {
	l := c.dir.Hotlines[e.Hotline]
	return e.Hotline, e.For.From == "" && l != nil && l.Trunk != e.Trunk
}
