package event

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// Allowed are the event packages that there are, as Allow-Events has them.
const Allowed = "conference, dialog, refer"

// DialogInfo is the Content-Type of a [DialogState] (RFC 4235 §5.1).
const DialogInfo = "application/dialog-info+xml"

// DialogState is what a lamp shows (RFC 4235 §4.1): the whole state of an entity,
// which has one dialog at most. Phones have one lamp for it, and not all of them
// keep account of several.
type DialogState struct {
	Entity  string // URI of who is watched
	Version uint32
	ID      string // of the dialog for its watchers: the same for ever, so that none is left lit
	State   State
	CallID  string // with the tags, what Replaces and Join name; "" nothing they could
	Tags    [2]string
	Calls   bool   // the entity has called; otherwise it was called
	Remote  string // URI of who is at the other end; "" unknown
}

// State is how far a dialog has come (RFC 4235 §3.7.1).
type State string

// The states that lamps tell apart.
const (
	Early      State = "early"
	Confirmed  State = "confirmed"
	Terminated State = "terminated"
)

// XML writes the document. It is never without a dialog: some phones take an
// empty one for no news, and leave the lamp on.
func (d DialogState) XML() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?>` + "\n")
	b.WriteString(`<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="` +
		strconv.FormatUint(uint64(d.Version), 10) + `" state="full"`)
	attribute(&b, "entity", d.Entity)
	b.WriteString(">\n<dialog")
	attribute(&b, "id", d.ID)
	if d.State != Terminated {
		d.identify(&b)
	}
	b.WriteString(">\n<state>" + string(d.State) + "</state>\n")
	if d.State != Terminated {
		party(&b, "local", d.Entity)
		if d.Remote != "" {
			party(&b, "remote", d.Remote)
		}
	}
	b.WriteString("</dialog>\n</dialog-info>\n")
	return []byte(b.String())
}

// identify names the dialog as the entity does: the local tag is the entity's.
func (d DialogState) identify(b *strings.Builder) {
	if d.CallID != "" {
		attribute(b, "call-id", d.CallID)
		attribute(b, "local-tag", d.Tags[0])
		attribute(b, "remote-tag", d.Tags[1])
	}
	direction := "recipient"
	if d.Calls {
		direction = "initiator"
	}
	attribute(b, "direction", direction)
}

func party(b *strings.Builder, name, uri string) {
	b.WriteString("<" + name + ">\n<identity>")
	escape(b, uri)
	b.WriteString("</identity>\n<target")
	attribute(b, "uri", uri)
	b.WriteString("/>\n</" + name + ">\n")
}

func attribute(b *strings.Builder, name, value string) {
	b.WriteString(" " + name + `="`)
	escape(b, value)
	b.WriteByte('"')
}

func escape(b *strings.Builder, s string) {
	_ = xml.EscapeText(b, []byte(s)) // a Builder takes everything
}
