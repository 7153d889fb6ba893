package snapshot

import (
	"bytes"
	"fmt"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// Message is a SIP message in a state: written as on the wire, and once only,
// however often the state is. It is immutable; the zero value is none.
type Message[M gosip.Message] struct {
	text *Text // the first field: a plan knows no more of a message
	Msg  M
}

// Request and Response are the two kinds.
type (
	Request  = Message[*gosip.Request]
	Response = Message[*gosip.Response]
)

// Text is a message as on the wire, once it has been asked for. For one goroutine at a time.
type Text struct {
	msg  gosip.Message
	wire []byte
}

// Keep is a message that is not changed any more.
func Keep[M gosip.Message](m M) Message[M] { return Message[M]{Msg: m, text: &Text{msg: m}} }

// IsZero says that there is none.
func (m Message[M]) IsZero() bool { return m.text == nil }

// Text is the message as on the wire; nil: there is none.
func (m Message[M]) Text() *Text { return m.text }

// Bytes is the message as on the wire. It is not to be changed.
func (t *Text) Bytes() []byte {
	if t == nil {
		return nil
	}
	if t.wire == nil {
		t.wire = header.Bytes(t.msg)
	}
	return t.wire
}

// UnmarshalBinary reads it.
func (m *Message[M]) UnmarshalBinary(wire []byte) error {
	*m = Message[M]{}
	if len(wire) == 0 {
		return nil
	}
	wire = bytes.Clone(wire) // the message may hold on to it
	read, err := gosip.ParseMessage(wire)
	if err != nil {
		return fmt.Errorf("snapshot: message: %w", err)
	}
	msg, ok := read.(M)
	if !ok {
		return fmt.Errorf("snapshot: message is a %T", read)
	}
	*m = Message[M]{Msg: msg, text: &Text{read, wire}}
	return nil
}
