package ua

import (
	"fmt"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/leg"
)

const orphanReason = `SIP;cause=481;text="Call Does Not Exist"`

// orphaned lets a phone or trunk go that has answered an INVITE of a call that is not here: what called it died in the
// milliseconds before the copy of the call was on the other machine. It gets its ACK and a BYE (RFC 3261 §13.2.2.4),
// else it would sit in silence and repeat its 200 for 32 s. Each repeat is answered so, as nothing is kept of it.
func (u *UA) orphaned(res *gosip.Response, flow leg.Flow) {
	seq, to := res.CSeq(), res.To()
	known := u.origins.Load().trunk(flow) != "" || u.registrar.knows(flow)
	if !known || !res.IsSuccess() || seq == nil || seq.MethodName != gosip.INVITE || to == nil ||
		dialog.Tag(to.Params) == "" || res.From() == nil {
		return
	}
	local, _ := u.Local(flow.Network, flow.Transport)
	host, port, err := readHostPort(local.ViaHost)
	if err != nil {
		return
	}
	d := dialog.Invited(res)
	for i, method := range []gosip.RequestMethod{gosip.ACK, gosip.BYE} {
		via := &gosip.ViaHeader{
			ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(flow.Transport), Host: host,
			Port: port, Params: gosip.HeaderParams{{K: "branch", V: fmt.Sprintf("z9hG4bKorphan%x", u.serial.Add(1))},
				{K: "rport"}},
		}
		req, err := d.Request(method, seq.SeqNo+uint32(i), via)
		if err != nil {
			return
		}
		if method == gosip.BYE {
			req.AppendHeader(gosip.NewHeader("Reason", orphanReason))
		}
		req.SetBody(nil)
		u.dispatch(outgoing{packet: leg.Packet{Msg: req, Flow: flow}, callID: d.CallID, data: []byte(req.String()),
			to: unmap(flow.Remote)})
	}
}
