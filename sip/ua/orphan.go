package ua

import (
	"fmt"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// An orphan is a phone, or a trunk, that answers an INVITE of a call that is not here: what called it died in the
// milliseconds before the copy of the call was on the other machine. It is acknowledged and let go (RFC 3261
// §13.2.2.4), else it would sit in silence and repeat its 200 for 32 s.
const (
	// orphanFor is how long after the start there are such: nothing rings for longer (RFC 3261 §16.6, timer C). Later
	// an answer that is nobody's is of a call that another machine has.
	orphanFor    = 3 * time.Minute
	mostOrphans  = 64 // at a time
	unseen       = 16 // requests that may have followed the INVITE: a PRACK, an UPDATE
	orphanReason = `SIP;cause=481;text="Call Does Not Exist"`
)

// orphanAgain is when a BYE goes again by UDP. Whether it has come is not known: nothing is kept of its transaction.
var orphanAgain = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}

// orphans are those that are being let go. Guarded by mu.
type orphans struct {
	mu   sync.Mutex
	byes map[string]bool // by Call-ID and tag
}

// begin says that an orphan is a new one for which there is room; known: it is being let go already.
func (o *orphans) begin(id string) (fresh, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byes[id] || len(o.byes) >= mostOrphans {
		return false, o.byes[id]
	}
	o.byes[id] = true
	return true, false
}

func (o *orphans) end(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.byes, id)
}

// orphaned lets a party go that has answered what nobody here has asked.
func (u *UA) orphaned(res *gosip.Response, flow leg.Flow) {
	if !u.isOrphan(res, flow) {
		return
	}
	d := dialog.Invited(res)
	id := d.CallID + " " + d.RemoteTag
	fresh, repeats := u.orphans.begin(id)
	if !fresh && !repeats {
		return
	}
	u.dispatchOf(&d, gosip.ACK, d.LocalSeq, flow)
	if !fresh {
		return
	}
	bye, ok := u.dispatchOf(&d, gosip.BYE, d.LocalSeq+unseen, flow)
	if !ok {
		u.orphans.end(id)
		return
	}
	u.spawn(func() {
		defer u.orphans.end(id)
		for _, wait := range orphanAgain {
			if !u.pause(wait) {
				return
			}
			if flow.Transport == "udp" {
				u.dispatch(bye)
			}
		}
	})
}

// isOrphan: the answer is of somebody who is known, to an INVITE that this switch may have sent (RFC 3261 §18.1.2).
func (u *UA) isOrphan(res *gosip.Response, flow leg.Flow) bool {
	seq, to, via := res.CSeq(), res.To(), res.Via()
	known := u.origins.Load().trunk(flow) != "" || u.registrar.knows(flow)
	if !known || !res.IsSuccess() || seq == nil || seq.MethodName != gosip.INVITE || to == nil || via == nil ||
		dialog.Tag(to.Params) == "" || res.From() == nil || u.now().Sub(u.began) > orphanFor {
		return false
	}
	local, _ := u.Local(flow.Network, flow.Transport)
	host, port, err := readHostPort(local.ViaHost)
	return err == nil && strings.Trim(via.Host, "[]") == strings.Trim(host, "[]") && viaPort(via) == uint16(port)
}

// dispatchOf sends a request in an orphan's dialog, back the way that its answer came.
func (u *UA) dispatchOf(d *dialog.Dialog, method gosip.RequestMethod, seq uint32, flow leg.Flow) (o outgoing, ok bool) {
	local, _ := u.Local(flow.Network, flow.Transport)
	host, port, _ := readHostPort(local.ViaHost)
	req, err := d.Request(method, seq, &gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(flow.Transport), Host: host, Port: port,
		Params: gosip.HeaderParams{{K: "branch", V: fmt.Sprintf("z9hG4bKorphan%x", u.serial.Add(1))}, {K: "rport"}},
	})
	if err != nil {
		return o, false
	}
	if method == gosip.BYE {
		req.AppendHeader(gosip.NewHeader("Reason", orphanReason))
	}
	header.SetBody(req, nil)
	o = outgoing{packet: leg.Packet{Msg: req, Flow: flow}, callID: d.CallID, data: header.Bytes(req),
		to: unmap(flow.Remote)}
	u.dispatch(o)
	return o, true
}
