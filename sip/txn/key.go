package txn

import (
	"fmt"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// Key tells server transactions apart (RFC 3261 §17.2.3). It is comparable.
type Key struct {
	Branch string              `cbor:",omitzero"`
	Host   string              `cbor:",omitzero"`
	Port   int                 `cbor:",omitzero"`
	Method gosip.RequestMethod `cbor:",omitzero"` // an ACK counts as the INVITE that it may belong to
}

const cookie = "z9hG4bK"

// KeyOf is the key of a request; false when headers are missing for it.
func KeyOf(req *gosip.Request) (Key, bool) {
	via := req.Via()
	if via == nil || req.CSeq() == nil || req.From() == nil || req.CallID() == nil {
		return Key{}, false
	}
	k := Key{Host: via.Host, Port: via.Port, Method: req.Method}
	if k.Method == gosip.ACK {
		k.Method = gosip.INVITE
	}
	k.Branch, _ = via.Params.Get("branch")
	if len(k.Branch) <= len(cookie) || !strings.EqualFold(k.Branch[:len(cookie)], cookie) {
		k.Branch = oldBranch(req)
	}
	return k, true
}

// oldBranch stands in for the branch of a RFC 2543 client: From tag, Call-ID
// and CSeq number are the same in an INVITE, its CANCEL and its ACK.
func oldBranch(req *gosip.Request) string {
	tag, _ := req.From().Params.Get("tag")
	return fmt.Sprintf("%s %s %d", tag, req.CallID().Value(), req.CSeq().SeqNo)
}

// Invite is the key of the INVITE that a CANCEL with this key is for (RFC 3261 §9.2).
func (k Key) Invite() Key {
	k.Method = gosip.INVITE
	return k
}
