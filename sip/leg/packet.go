package leg

import (
	"net/netip"

	gosip "github.com/emiago/sipgo/sip"
)

// Flow is the way a message came or goes: a network of ours, a transport and
// both ends. It is comparable.
type Flow struct {
	Network   string         // name of the network in the configuration
	Transport string         // "udp", "tcp" or "tls"
	Local     netip.AddrPort // our end; zero: the network's own
	Remote    netip.AddrPort // zero on a request: ua resolves Packet.Target
	Symmetric bool           // the party is reached only the way it came: requests never follow its Contact or routes
}

// Packet is one message with its way. The message is immutable from the moment
// it is handed over, in both directions.
type Packet struct {
	Msg    gosip.Message
	Flow   Flow
	Target string // host:port to resolve when Flow.Remote is zero
}

// Out is what a leg wants done after one input, in order.
type Out struct {
	Packets []Packet
	Events  []Event
}

// CallID is the message's Call-ID, by which its owner finds the leg; "" when
// it has none.
func (p Packet) CallID() string {
	if id := p.Msg.CallID(); id != nil {
		return id.Value()
	}
	return ""
}

// Method is a request's method; "" for a response.
func (p Packet) Method() string {
	if req, ok := p.Msg.(*gosip.Request); ok {
		return string(req.Method)
	}
	return ""
}

// Contact is the URI at which a request says that its sender is; "" when it says
// nothing.
func (p Packet) Contact() string {
	if req, ok := p.Msg.(*gosip.Request); ok && req.Contact() != nil {
		return req.Contact().Address.String()
	}
	return ""
}
