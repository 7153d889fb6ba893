package leg

import (
	"net/netip"
	"sync"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
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
	Target string         // host:port to resolve when Flow.Remote is zero
	Kept   string         // by which the journal knows it until its call has taken it; "": it does not
	Text   *snapshot.Text // of Msg, where a state has it too; nil: it is printed when it is asked for
}

// Bytes is the message as on the wire. It is not to be changed.
func (p Packet) Bytes() []byte {
	if p.Text != nil {
		return p.Text.Bytes()
	}
	return header.Bytes(p.Msg)
}

// written is a Packet that is a part of a state: one that has not been sent yet.
type written struct {
	Msg    []byte `cbor:",omitzero"`
	Flow   Flow   `cbor:",omitzero"`
	Target string `cbor:",omitzero"`
}

// AppendCBOR writes it.
func (p Packet) AppendCBOR(b []byte) ([]byte, error) {
	w := writtens.Get().(*written)
	if *w = (written{Flow: p.Flow, Target: p.Target}); p.Msg != nil {
		w.Msg = p.Bytes()
	}
	b, err := snapshot.Append(b, w)
	*w = written{}
	writtens.Put(w)
	return b, err
}

var writtens = sync.Pool{New: func() any { return new(written) }}

// UnmarshalCBOR reads it.
func (p *Packet) UnmarshalCBOR(b []byte) error {
	var w struct {
		written
		Msg snapshot.Message[gosip.Message]
	}
	err := snapshot.Decode(b, &w)
	*p = Packet{Msg: w.Msg.Msg, Text: w.Msg.Text(), Flow: w.Flow, Target: w.Target}
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
		return header.URIText(&req.Contact().Address)
	}
	return ""
}
