package leg

import (
	"net/netip"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// Flow is the way a message came or goes: a network of ours, a transport and
// both ends. It is comparable.
type Flow struct {
	Network   string         `cbor:",omitzero"` // name of the network in the configuration
	Transport string         `cbor:",omitzero"` // "udp", "tcp" or "tls"
	Local     netip.AddrPort `cbor:",omitzero"` // our end; zero: the network's own
	Remote    netip.AddrPort `cbor:",omitzero"` // zero on a request: ua resolves Packet.Target
	// the party is reached only the way it came: requests never follow its Contact or routes
	Symmetric bool `cbor:",omitzero"`
}

// Packet is one message with its way. The message is immutable from the moment
// it is handed over, in both directions.
type Packet struct {
	Msg    gosip.Message
	Flow   Flow
	Target string // host:port to resolve when Flow.Remote is zero
	Kept   string // by which the journal knows it until its call has taken it; "": it does not
}

// written is what package snapshot writes of a Packet.
type written struct {
	Msg    snapshot.Message[gosip.Message] `cbor:",omitzero"`
	Flow   Flow                            `cbor:",omitzero"`
	Target string                          `cbor:",omitzero"`
}

// MarshalCBOR lets a packet be a part of a state: one that has not been sent yet.
func (p Packet) MarshalCBOR() ([]byte, error) {
	w := written{Flow: p.Flow, Target: p.Target}
	if p.Msg != nil {
		w.Msg = snapshot.Keep(p.Msg)
	}
	return snapshot.Encode(w)
}

// UnmarshalCBOR reads it.
func (p *Packet) UnmarshalCBOR(b []byte) error {
	var w written
	err := snapshot.Decode(b, &w)
	*p = Packet{Msg: w.Msg.Msg, Flow: w.Flow, Target: w.Target}
	return err
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
