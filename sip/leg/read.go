package leg

import (
	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
)

// readInvite gathers what an INVITE says about who calls, whom, and how the
// call has come here. A header that cannot be read is left out: the call goes on.
func (l *Leg) readInvite(req *gosip.Request) Invited {
	e := Invited{
		MaxForwards: 70,
		UserToUser:  value(req, "user-to-user"),
		AlertInfo:   values(req, "alert-info"),
		Wideband:    l.Accept.Session.Wideband,
		Enters:      len(values(req, "replaces"))+len(values(req, "join")) > 0,
		Replaces:    dialogIn(req, "replaces"),
		Join:        dialogIn(req, "join"),
	}
	if hops := req.MaxForwards(); hops != nil {
		e.MaxForwards = int(hops.Val())
	}
	e.RequestURI, _ = header.ParseURI(header.URIText(&req.Recipient))
	e.From, _ = header.ParseNameAddr(header.Value(req.From()))
	e.To, _ = header.ParseNameAddr(header.Value(req.To()))
	e.Identity, _ = header.ReadIdentity(req)
	for _, v := range values(req, "diversion") {
		if list, err := header.ParseDiversions(v); err == nil {
			e.Diversions = append(e.Diversions, list...)
		}
	}
	for _, v := range values(req, "history-info") {
		if list, err := header.ParseHistory(v); err == nil {
			e.History = append(e.History, list...)
		}
	}
	return e
}

// namesOneDialog says that an INVITE which is meant for a dialog says well which. RFC
// 3891 §3, RFC 3911 §4: more than one Replaces or Join, or both, "MUST" get 400.
func namesOneDialog(req *gosip.Request) bool {
	replaces, join := values(req, "replaces"), values(req, "join")
	switch {
	case len(replaces)+len(join) == 0:
		return true
	case len(replaces)+len(join) > 1:
		return false
	case len(replaces) == 1:
		return dialogIn(req, "replaces") != nil
	}
	return dialogIn(req, "join") != nil
}

// dialogIn is the dialog that a header names; nil: none, or not just one that can
// be read.
func dialogIn(m gosip.Message, name string) *header.Replaces {
	list := values(m, name)
	if len(list) != 1 {
		return nil
	}
	r, err := header.ParseReplaces(list[0])
	if err != nil {
		return nil
	}
	return &r
}

// Claimed is who an INVITE says calls, the Request-URI and To.
func Claimed(p Packet) (id header.Identity, called, to header.URI) {
	req, ok := p.Msg.(*gosip.Request)
	if !ok {
		return id, called, to
	}
	id, _ = header.ReadIdentity(req)
	called, _ = header.ParseURI(header.URIText(&req.Recipient))
	if h := req.To(); h != nil {
		if who, err := header.ParseNameAddr(header.Value(h)); err == nil {
			to = who.URI
		}
	}
	return id, called, to
}

// Entered is the Call-ID of the dialog that an INVITE is meant for, by Replaces
// (RFC 3891) or Join (RFC 3911); "" when it cannot be read. false: it begins a call
// of its own.
func Entered(p Packet) (callID string, ok bool) {
	for _, name := range [...]string{"replaces", "join"} {
		if r := dialogIn(p.Msg, name); r != nil {
			return r.CallID, true
		}
		ok = ok || len(values(p.Msg, name)) > 0
	}
	return "", ok
}

// RequestUser is what a request's sender has dialled: the user of its Request-URI.
func RequestUser(p Packet) string {
	req, ok := p.Msg.(*gosip.Request)
	if !ok {
		return ""
	}
	uri, _ := header.ParseURI(header.URIText(&req.Recipient))
	return uri.User
}

// reasonsOf reads the Reason headers of a message (RFC 3326).
func reasonsOf(m gosip.Message) []header.Reason {
	var all []header.Reason
	for _, v := range values(m, "reason") {
		if list, err := header.ParseReasons(v); err == nil {
			all = append(all, list...)
		}
	}
	return all
}

func values(m gosip.Message, name string) []string {
	var list []string
	for h := range header.All(m, name) {
		list = append(list, h.Value())
	}
	return list
}

func tagOf(to *gosip.ToHeader) string { return dialog.Tag(to.Params) }
