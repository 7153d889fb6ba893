package exchange

import (
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/disclose"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// caller is who calls, as package disclose knows to whom he may be shown.
func (c *Core) caller() disclose.Caller {
	return disclose.Caller{Number: c.state.Caller, Network: c.origin.Network}
}

// callerFor is the caller as a line's desks in a network see him.
func (c *Core) callerFor(hotline, network, host string) header.URI {
	id := c.caller().ToLine(c.dir.Hotlines[hotline], network)
	if id == "" {
		return anonymous
	}
	return header.URI{Scheme: "sip", User: id, Host: host}
}

func asserted(who header.NameAddr) header.Field {
	return header.Field{Name: "P-Asserted-Identity", Value: who.String()}
}

// assertedTo is the caller as a trunk is told of him, with his wish for privacy.
func (c *Core) assertedTo(t *desk.Trunk, host string) (fields []header.Field) {
	id, private := c.caller().AssertedTo(t)
	if id == "" {
		return nil
	}
	fields = append(fields, asserted(header.NameAddr{URI: header.URI{Scheme: "sip", User: id, Host: host}}))
	if private {
		fields = append(fields, header.Field{Name: "Privacy", Value: "id"})
	}
	return fields
}

// identity tells a desk that was in another call whom it talks with in this one: by
// the rules of a first INVITE, with the ids of the call and of the matter.
func (c *Core) identity(p *party, hotline, stub string) []header.Field {
	host := c.host(leg.Flow{Network: p.Network, Transport: p.Transport})
	fields := []header.Field{asserted(header.NameAddr{URI: c.callerFor(hotline, p.Network, host)})}
	if p.Trunk != "" {
		t, ok := c.dir.Trunks[p.Trunk]
		if !ok {
			return nil
		}
		fields = c.assertedTo(t, host)
	}
	return append(fields, c.ids(stub, host)...)
}

// connectedLine tells the caller which line has the call now. A phone is told always; a
// trunk after an attended transfer, where it is trusted and its policy says so
// (RFC 3325 §5). On the way of a key press nothing is sent to the citizen's side in
// the middle of the call: there is no display to gain, and carriers that stumble.
func (c *Core) connectedLine(e call.ConnectedLine) {
	p, line := c.party(call.CallerLeg), c.dir.Hotlines[e.Hotline]
	if p == nil || p.Gone || line == nil || len(line.Numbers) == 0 {
		return
	}
	t, attended := c.dir.Trunks[p.Trunk], c.attended
	c.attended = false
	if p.Trunk != "" && (!attended || t == nil || !t.Trusted || !t.PAI) {
		return
	}
	host := c.host(leg.Flow{Network: p.Network, Transport: p.Transport})
	who := header.NameAddr{Display: line.Name, URI: header.URI{Scheme: "sip", User: line.Numbers[0], Host: host}}
	c.command(p, leg.ConnectedIdentity{Identity: []header.Field{asserted(who)}})
}
