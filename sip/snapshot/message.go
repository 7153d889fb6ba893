package snapshot

import (
	"fmt"

	gosip "github.com/emiago/sipgo/sip"
)

// Message is a SIP message in a state: written as on the wire, and once only,
// however often the state is. It is immutable; the zero value is none.
type Message[M gosip.Message] struct {
	Msg  M
	text *text
}

// Request and Response are the two kinds.
type (
	Request  = Message[*gosip.Request]
	Response = Message[*gosip.Response]
)

// text is a message as on the wire, once it was asked for.
type text struct{ wire []byte }

// Keep is a message that is not changed any more.
func Keep[M gosip.Message](m M) Message[M] { return Message[M]{Msg: m, text: &text{}} }

// IsZero says that there is none.
func (m Message[M]) IsZero() bool { return m.text == nil }

// MarshalBinary is the message as on the wire.
func (m Message[M]) MarshalBinary() ([]byte, error) {
	if m.text == nil {
		return nil, nil
	}
	if m.text.wire == nil {
		m.text.wire = []byte(m.Msg.String())
	}
	return m.text.wire, nil
}

// UnmarshalBinary reads it.
func (m *Message[M]) UnmarshalBinary(wire []byte) error {
	*m = Message[M]{}
	if len(wire) == 0 {
		return nil
	}
	read, err := gosip.ParseMessage(wire)
	if err != nil {
		return fmt.Errorf("snapshot: message: %w", err)
	}
	msg, ok := read.(M)
	if !ok {
		return fmt.Errorf("snapshot: message is a %T", read)
	}
	*m = Message[M]{Msg: msg, text: &text{wire: append([]byte(nil), wire...)}}
	return nil
}
