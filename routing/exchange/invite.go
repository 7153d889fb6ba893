package exchange

import (
	"cmp"
	"encoding/hex"
	"net"
	"slices"
	"strings"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// maxHistory bounds how often a call may have been diverted by our own lines before it is taken for a loop.
const maxHistory = 10

// calledNumber is what was dialled, with the context of a local number wherever it stands: in the user part (RFC 3261
// §19.1.6), or as a parameter of a tel (RFC 3966 §5.1.5) or, as seen in the field, a sip URI.
func calledNumber(u header.URI) string {
	if u.Scheme == "urn" {
		return "urn:" + u.Opaque
	}
	if context, ok := u.Params.Get("phone-context"); ok && !strings.Contains(u.User, ";") {
		return u.User + ";phone-context=" + context
	}
	return u.User
}

// invited routes the caller's INVITE to a hotline.
func (c *Core) invited(p *party, i leg.Invited) {
	if i.Enters { // what is gone cannot be taken over: it is no call of a citizen
		c.enters(p, i)
		return
	}
	if p.ID != call.CallerLeg {
		c.dialedSecond(p, i)
		return
	}
	if c.state.Phase != "" {
		return
	}
	p.Can = i.Wideband
	dialed := calledNumber(i.RequestURI)
	line, ok := c.dir.LineByNumber(dialed)
	if t := c.dir.Trunks[c.origin.Trunk]; c.origin.Test || t != nil && t.Contact != "" && dialed == t.Contact {
		// RFC 3261 §16.5: the trunk calls the Contact that we have registered; the
		// number that was dialled is in To
		dialed = calledNumber(i.To.URI)
		line, ok = c.dir.LineByNumber(dialed)
	}
	dialed, _, _ = strings.Cut(dialed, ";")
	c.hops = i.MaxForwards - 1 // RFC 7332: a loop through back-to-back agents ends too
	c.before = c.way(i)
	state, reason, ofSeat := verb.OfSeat(c.dir.Services[dialed])
	switch {
	case c.hops <= 0:
		c.looped(p, 483, i)
	case ofSeat && c.origin.User != "":
		c.setsAgent(p, dialed, AgentState(state), reason)
	case !ok && c.origin.User != "" && monitors(c.dir, dialed):
		c.superviseNothing(p, dialed)
	case !ok && c.origin.User != "" && c.isPickup(dialed):
		own, _ := c.dir.At(c.origin.User)
		c.dismiss(p.ID, c.notHere(480, "", own)) // nothing rings
	case !ok && c.origin.User != "" && c.dir.Services[dialed] != "":
		c.dismiss(p.ID, c.notHere(404, c.origin.User, nil)) // of a call of its own
	case !ok:
		c.dismiss(p.ID, leg.Reject{Code: 404})
	case c.before.Rounds > maxHistory:
		c.looped(p, 482, i)
	default:
		c.fact(call.Arrived{Ref: c.state.Ref, Peer: c.peerOf(i), Caller: c.callerOf(i), Dialed: strings.Clone(dialed),
			Hotline: line.ID, Record: c.newID(), Test: c.origin.Test})
	}
}

// callerOf reads who calls: a phone by the user it has proved, a trunk's call
// by what the trunk says, as far as it is trusted.
func (c *Core) callerOf(i leg.Invited) number.Number {
	if c.origin.User != "" {
		return number.Number{E164: c.origin.User, Raw: c.origin.User, Status: number.OK, Source: "from"}
	}
	t, ok := c.dir.Trunks[c.origin.Trunk]
	n := c.dir.Plan.Read(i.Identity, ok && t.Trusted)
	n.E164, n.Raw = strings.Clone(n.E164), strings.Clone(n.Raw) // they outlive the message, which they were pieces of
	return n
}

// peerOf reads what another switch calls the call and its matter (RFC 7433), as ids writes it: from a trunk that is
// trusted, and only what has the form of ours.
func (c *Core) peerOf(i leg.Invited) (p call.PeerCall) {
	if t, ok := c.dir.Trunks[c.origin.Trunk]; !ok || !t.Trusted {
		return call.PeerCall{}
	}
	list, err := header.ParseUserToUser(i.UserToUser)
	if err != nil || len(list) == 0 {
		return call.PeerCall{}
	}
	data, err := list[0].Bytes()
	if err != nil {
		return call.PeerCall{}
	}
	for word := range strings.SplitSeq(string(data), ",") {
		switch name, value, _ := strings.Cut(word, "="); {
		case name == "call" && ticket.IsCallRef(value):
			p.Ref = value
		case name == "stub" && ticket.IsID(value):
			p.Stub = value
		}
	}
	return p
}

// anonymous is the caller a desk sees when there is no number to show
// (RFC 3323 §4.1.1.3).
var anonymous = header.URI{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}

// toDesk is the INVITE for a phone. From and P-Asserted-Identity both carry the
// citizen's own number: phones differ in which of them they show.
func (c *Core) toDesk(e call.RingSeat, at Place) leg.Invite {
	host := c.host(at.Flow)
	caller := c.callerFor(e.Hotline, at.Flow.Network, host)
	fields := []header.Field{asserted(header.NameAddr{URI: caller})}
	fields = append(fields, c.diverted(e.For, "deflection", at.Flow.Network, host, true, true)...)
	fields = append(fields, c.ids(e.For.Stub, host)...)
	fields = append(fields, referredBy(e.For.By, host)...)
	for _, v := range c.before.Alert {
		fields = append(fields, header.Field{Name: "Alert-Info", Value: v})
	}
	return leg.Invite{
		From:   header.NameAddr{URI: caller},
		To:     header.NameAddr{URI: header.URI{Scheme: "sip", User: e.Seat, Host: host}},
		Fields: fields,
	}
}

// toTrunk is the INVITE for a number behind a trunk, by that trunk's policy.
func (c *Core) toTrunk(e call.RingTrunk, t *desk.Trunk) leg.Invite {
	host := c.host(leg.Flow{Network: t.Network, Transport: t.Transport})
	caller := anonymous
	if id := c.caller().FromTo(t, c.dir.Hotlines[e.Hotline]); id != "" || t.From == desk.Own {
		caller = header.URI{Scheme: "sip", User: id, Host: host}
	}
	fields := c.assertedTo(t, host)
	if e.Shown != "" { // the switch itself calls, for a line
		caller = header.URI{Scheme: "sip", User: e.Shown, Host: host}
		if fields = nil; t.PAI && t.Trusted {
			fields = []header.Field{asserted(header.NameAddr{URI: caller})}
		}
		if t.From == desk.Own {
			caller.User = t.OwnNumber
		}
	}
	why, reason := e.For, "deflection"
	if line, ok := c.overflowed(e); ok {
		why, reason = call.Cause{From: line, To: e.Number}, "unavailable"
	}
	fields = append(fields, c.diverted(why, reason, t.Network, host, t.Diversion, t.HistoryInfo)...)
	fields = append(fields, c.ids(e.For.Stub, host)...)
	fields = append(fields, referredBy(e.For.By, host)...)
	return leg.Invite{
		From:        header.NameAddr{URI: caller},
		To:          header.NameAddr{URI: header.URI{Scheme: "sip", User: e.Number, Host: hostOf(t.Target)}},
		Fields:      fields,
		Credentials: credentials(t),
	}
}

// diverted names the line that hands over, as Diversion (RFC 5806) and
// History-Info (RFC 7044): the call was for it first. What a trusted trunk has said of the time before goes on within
// its network; another one is told how often it was.
func (c *Core) diverted(why call.Cause, reason, network, host string, diversion, history bool) (fields []header.Field) {
	inside := network == c.origin.Network
	counter := 1
	if !inside || len(c.before.Diversions) == 0 {
		counter += c.before.Diverted
	}
	first := header.URI{Scheme: "sip", User: why.From, Host: host}
	if diversion && why.From != "" {
		d := header.Diversion{Who: header.NameAddr{URI: first}, Reason: reason, Counter: counter}
		fields = append(fields, header.Field{Name: "Diversion", Value: d.String()})
	}
	if diversion && inside {
		for _, d := range c.before.Diversions {
			fields = append(fields, header.Field{Name: "Diversion", Value: d.String()})
		}
	}
	var entries []header.HistoryEntry
	if inside {
		entries = c.before.History
	}
	if why.From != "" {
		to, at := first, header.NextIndex(entries)
		to.User = why.To
		entries = append(slices.Clip(entries),
			header.HistoryEntry{Who: header.NameAddr{URI: first}, Index: at,
				Reasons: []header.Reason{{Protocol: "SIP", Cause: 302}}},
			header.HistoryEntry{Who: header.NameAddr{URI: to}, Index: at + ".1", How: "mp", From: at})
	}
	for _, e := range entries {
		if history {
			fields = append(fields, header.Field{Name: "History-Info", Value: e.String()})
		}
	}
	return fields
}

// ids carry the call's and the matter's names: in User-to-User (RFC 7433) for
// the partner's systems, in Call-Info as NG911 does for whoever looks there.
func (c *Core) ids(stub, host string) []header.Field {
	ref := cmp.Or(c.state.Peer.Ref, c.state.Ref)
	data := "call=" + ref
	infos := []header.CallInfo{{URI: "urn:liandong:call:" + ref, Purpose: "emergency-CallId"}}
	if stub != "" {
		data += ",stub=" + stub
		infos = append(infos, header.CallInfo{URI: "urn:liandong:stub:" + stub, Purpose: "emergency-IncidentId"})
	}
	uui := header.UserToUser{Data: hex.EncodeToString([]byte(data)), Encoding: "hex"}
	fields := []header.Field{{Name: "User-to-User", Value: uui.String()}}
	for _, i := range infos {
		fields = append(fields, header.Field{Name: "Call-Info", Value: i.String()})
	}
	return fields
}

// host is our own name in a network, for addresses that we write.
func (c *Core) host(f leg.Flow) string {
	l, _ := c.world.Local(f.Network, f.Transport)
	return hostOf(l.ViaHost)
}

// hostOf is host:port without the port, an IPv6 address without brackets.
func hostOf(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return strings.Trim(s, "[]")
}

func credentials(t *desk.Trunk) *auth.Credentials {
	if t.Username == "" {
		return nil
	}
	return &auth.Credentials{Username: t.Username, Password: t.Password.Reveal()}
}
