// Package dialog is what two parties of a call remember about each other
// between requests: tags, sequence numbers, routes and where the other one is
// (RFC 3261 §12).
//
// A Dialog is a plain value: it can be copied and written (package snapshot), and one
// that has been read goes on where the written one stood.
package dialog

import (
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// Dialog is one side's view. Owned by the leg that it is part of.
type Dialog struct {
	CallID    string   `cbor:"call_id,omitzero"`
	LocalTag  string   `cbor:"local_tag,omitzero"`
	RemoteTag string   `cbor:"remote_tag,omitzero"`
	Local     string   `cbor:"local,omitzero"`      // our name-addr without tag
	Remote    string   `cbor:"remote,omitzero"`     // theirs
	LocalSeq  uint32   `cbor:"local_seq,omitzero"`  // the last CSeq we used
	RemoteSeq uint32   `cbor:"remote_seq,omitzero"` // the highest CSeq they used; 0: none yet
	Routes    []string `cbor:"routes,omitzero"`
	Target    string   `cbor:"target,omitzero"` // their Contact, the remote target
	Secure    bool     `cbor:"secure,omitzero"`
}

// Answering is the dialog of the side that got the INVITE (RFC 3261 §12.1.1).
func Answering(invite *gosip.Request, localTag string) Dialog {
	from, to := invite.From(), invite.To()
	d := Dialog{
		CallID:    invite.CallID().Value(),
		LocalTag:  localTag,
		RemoteTag: Tag(from.Params),
		Local:     nameAddr(to.DisplayName, &to.Address),
		Remote:    nameAddr(from.DisplayName, &from.Address),
		RemoteSeq: invite.CSeq().SeqNo,
		Routes:    routes(invite),
		Secure:    invite.Recipient.IsEncrypted(),
	}
	// A caller without Contact breaks the RFC, but is not lost for that: its
	// From is the next best guess.
	d.Target = header.URIText(&from.Address)
	d.Refresh(invite)
	return d
}

// Inviting is the half dialog of the side that sends an INVITE, which each
// answering phone completes for itself.
func Inviting(invite *gosip.Request) Dialog {
	from, to := invite.From(), invite.To()
	return Dialog{
		CallID:   invite.CallID().Value(),
		LocalTag: Tag(from.Params),
		Local:    nameAddr(from.DisplayName, &from.Address),
		Remote:   nameAddr(to.DisplayName, &to.Address),
		LocalSeq: invite.CSeq().SeqNo,
		Target:   header.URIText(&invite.Recipient),
		Secure:   invite.Recipient.IsEncrypted(),
	}
}

// Invited is the dialog that a 2xx has made, where nothing is known any more of the INVITE that it answers.
func Invited(res *gosip.Response) Dialog {
	from, to := res.From(), res.To()
	d := Dialog{
		CallID: res.CallID().Value(), LocalTag: Tag(from.Params),
		Local: nameAddr(from.DisplayName, &from.Address), Remote: nameAddr(to.DisplayName, &to.Address),
		LocalSeq: res.CSeq().SeqNo, Target: header.URIText(&to.Address),
	}
	return d.With(res)
}

// With completes a half dialog by a response with a To tag (RFC 3261 §12.1.2).
func (d Dialog) With(res *gosip.Response) Dialog {
	if to := res.To(); to != nil {
		d.RemoteTag = Tag(to.Params)
	}
	d.Settle(res)
	return d
}

// Settle takes route set and target from a response to the INVITE; those of
// the 2xx replace what a provisional response said (RFC 3261 §13.2.2.4).
func (d *Dialog) Settle(res *gosip.Response) {
	d.Routes = routes(res)
	// RFC 3261 §12.1.2: the caller's side takes the list in reverse order
	for i, j := 0, len(d.Routes)-1; i < j; i, j = i+1, j-1 {
		d.Routes[i], d.Routes[j] = d.Routes[j], d.Routes[i]
	}
	d.Refresh(res)
}

// Refresh takes the other side's Contact as the new remote target (RFC 3261
// §12.2: target refresh). A message without one changes nothing.
func (d *Dialog) Refresh(msg gosip.Message) {
	for h := range header.All(msg, "contact") {
		if c, ok := h.(*gosip.ContactHeader); ok && !c.Address.Wildcard && c.Address.Host != "" {
			d.Target = header.URIText(&c.Address)
			return
		}
	}
}

// Next is the CSeq of our next request.
func (d *Dialog) Next() uint32 {
	d.LocalSeq++
	return d.LocalSeq
}

// Matches says whether a request of the other side is of this dialog. A peer
// older than tags sends none, which is the empty tag (RFC 3261 §12.2.2).
func (d *Dialog) Matches(req *gosip.Request) bool {
	from, to := req.From(), req.To()
	return from != nil && to != nil && Tag(to.Params) == d.LocalTag && Tag(from.Params) == d.RemoteTag
}

// InOrder notes the CSeq of a request of the other side, and says false when
// it comes too late. RFC 3261 §12.2.2: "lower than the remote sequence number,
// the request is out of order and MUST be rejected with a 500".
func (d *Dialog) InOrder(seq uint32) bool {
	if seq < d.RemoteSeq {
		return false
	}
	d.RemoteSeq = seq
	return true
}

// Tag is the tag parameter of a From or To, in whatever case and with
// whatever space around it has been written.
func Tag(p gosip.HeaderParams) string {
	for _, kv := range p {
		if kv.K == "tag" {
			return strings.TrimSpace(kv.V)
		}
		if k := strings.TrimSpace(kv.K); len(k) == 3 && strings.EqualFold(k, "tag") {
			return strings.TrimSpace(kv.V)
		}
	}
	return ""
}

func nameAddr(display string, uri *gosip.Uri) string {
	var room [256]byte
	return string(header.AppendParty(room[:0], display, uri, nil))
}

func routes(m gosip.Message) []string {
	var list []string
	for h := range header.All(m, "record-route") {
		if rr, ok := h.(*gosip.RecordRouteHeader); ok {
			list = append(list, header.URIText(&rr.Address))
		}
	}
	return list
}
