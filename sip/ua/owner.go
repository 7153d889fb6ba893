package ua

import (
	"net/netip"
	"slices"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/capture"
	"liandong/sip/header"
)

// owner is whom the messages of a Call-ID belong to. After a refusal the same Call-ID may begin another call, while the
// first one still waits for its ACK: then it has several owners, the latest first.
type owner struct {
	sink     Sink
	opening  opening // of the INVITE that has opened it; zero: ours, or not known
	finished bool    // that INVITE was refused, or its call has ended
	hosts    []host  // where its messages came from and went, and where its party says to be
}

// host is one machine of the far side.
type host struct {
	network string
	addr    netip.Addr
}

// maxHosts bounds those of one call: a trunk's targets, and the Contacts behind them.
const maxHosts = 16

// opening tells one INVITE from another of the same Call-ID: RFC 3261 §17.2.3, its CANCEL and the ACK of its refusal
// are as the INVITE in all of this. The number of CSeq tells those apart whose branch is of RFC 2543. It is comparable;
// the zero value is none.
type opening struct {
	branch, host string
	port         int
	cseq         uint32
}

func openingOf(via *gosip.ViaHeader, cseq *gosip.CSeqHeader) opening {
	if via == nil || cseq == nil {
		return opening{}
	}
	branch, _ := via.Params.Get("branch")
	return opening{branch, via.Host, via.Port, cseq.SeqNo}
}

// Bind directs all that comes with this Call-ID to s. A leg that calls out is
// bound before its first Send.
func (u *UA) Bind(callID string, s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.owners[callID]
	if i := slices.IndexFunc(list, func(o *owner) bool { return o.sink == s }); i >= 0 {
		return
	}
	if len(list) > 0 { // the call goes on elsewhere
		list[0].sink = s
		return
	}
	u.owners[callID] = []*owner{{sink: s}}
}

// Unbind lets s have no more of a Call-ID; what still comes with it gets 481, unless
// it is another's by now.
func (u *UA) Unbind(callID string, s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.disown(callID, func(o *owner) bool { return o.sink == s })
}

// disown takes owners of a Call-ID away. Caller holds mu.
func (u *UA) disown(callID string, which func(*owner) bool) {
	list := slices.DeleteFunc(u.owners[callID], which)
	if len(list) == 0 {
		delete(u.owners, callID)
		return
	}
	u.owners[callID] = list
}

// Sink is where what comes with a Call-ID goes.
func (u *UA) Sink(callID string) (Sink, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := u.owners[callID]
	if len(list) == 0 {
		return nil, false
	}
	return list[0].sink, true
}

// sinkOf is where a request goes; false: it begins something new, or belongs to nobody. RFC 3261 §8.2.2.2: an INVITE
// that is no copy is refused while the one before it is under way. Afterwards it is a new call: a proxy that hunts
// serially keeps Call-ID and From tag.
func (u *UA) sinkOf(in *inbound) (s Sink, bound bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := u.owners[in.callID()]
	if len(list) == 0 {
		return nil, false
	}
	if by := openingOf(in.top, in.req.CSeq()); by != (opening{}) {
		for _, o := range list {
			if o.opening == by {
				return o.sink, true
			}
		}
	}
	if in.method == gosip.INVITE && !in.inDialog() && list[0].finished {
		return nil, false
	}
	return list[0].sink, true
}

// hears says whether a request of a call may come from a host: one that its messages came from or went to, or that its
// party has named. What is known by its registration or as a trunk is heard on the network of the call.
func (u *UA) hears(in *inbound) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	from := host{in.flow.Network, in.flow.Remote.Addr()}
	known := false
	for _, o := range u.owners[in.callID()] {
		for _, h := range o.hosts {
			if h == from || h.network == from.network && (in.known || !h.addr.IsValid()) {
				return true
			}
			known = true
		}
	}
	return !known // of a call that goes on from before a restart nothing is known yet
}

// wentTo notes where a message of a call goes, and what it means for the Call-ID.
func (u *UA) wentTo(callID, network string, to netip.Addr, m gosip.Message) {
	at := host{network, to}
	res, _ := m.(*gosip.Response)
	u.mu.RLock()
	list := u.owners[callID]
	known := len(list) == 0 || slices.Contains(list[0].hosts, at) && (res == nil || res.IsProvisional())
	u.mu.RUnlock()
	if known {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if list = u.owners[callID]; len(list) == 0 {
		return
	}
	list[0].addHost(at)
	if res != nil {
		finish(list, res)
	}
}

// toldBy notes where the party of a call says that it is: without a Record-Route its ACK and BYE come from there and
// not from the proxy that has brought its INVITE (RFC 3261 §12.1). A name may be anywhere on the network.
func (o *owner) toldBy(network string, m gosip.Message) {
	for h := range header.All(m, "Contact") {
		if c, ok := h.(*gosip.ContactHeader); ok && !c.Address.Wildcard {
			addr, _ := hostIP(c.Address.Host)
			o.addHost(host{network, addr})
		}
	}
}

// told is the same for a message of a call that there is.
func (u *UA) told(callID, network string, m gosip.Message) {
	if header.First(m, "Contact") == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if list := u.owners[callID]; len(list) > 0 {
		list[0].toldBy(network, m)
	}
}

func (o *owner) addHost(h host) {
	if len(o.hosts) < maxHosts && !slices.Contains(o.hosts, h) {
		o.hosts = append(o.hosts, h)
	}
}

// ended notes that a party has answered our BYE.
func (u *UA) ended(callID string, res *gosip.Response) {
	if cseq := res.CSeq(); cseq == nil || cseq.MethodName != gosip.BYE || res.IsProvisional() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if list := u.owners[callID]; len(list) > 0 {
		finish(list, res)
	}
}

// finish notes which call a response ends: the refusal of the INVITE that opened it, or the answer to a BYE.
func finish(list []*owner, res *gosip.Response) {
	cseq := res.CSeq()
	switch {
	case cseq == nil:
	case cseq.MethodName == gosip.BYE && res.IsSuccess():
		list[0].finished = true
	case cseq.MethodName == gosip.INVITE && res.StatusCode >= 300:
		by := openingOf(res.Via(), cseq)
		for _, o := range list {
			o.finished = o.finished || o.opening == by
		}
	}
}

// reserved holds the place of a Sink that the handler is about to give. What
// another socket brings meanwhile is sent again by its peer.
type reserved struct {
	settled bool              // guarded by the UA's mu, as is sent
	sent    []capture.Message // by the call meanwhile, to be captured when it is known whose it is
}

func (*reserved) Post(Inbound) bool { return false }

// reserve takes a Call-ID for what a request begins; had: another request has been quicker.
func (u *UA) reserve(in *inbound) (place *reserved, had Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.owners[in.callID()]
	if len(list) > 0 && !list[0].finished {
		return nil, list[0].sink
	}
	place = &reserved{}
	o := &owner{sink: place, opening: openingOf(in.top, in.req.CSeq())}
	o.addHost(host{in.flow.Network, in.flow.Remote.Addr()})
	o.toldBy(in.flow.Network, in.msg)
	u.owners[in.callID()] = append([]*owner{o}, list...)
	return place, nil
}

// settle replaces the reservation, unless the handler has itself bound or
// unbound the Call-ID meanwhile.
func (u *UA) settle(callID string, place *reserved, s Sink) {
	u.mu.Lock()
	place.settled = true
	u.replace(callID, place, s)
	u.mu.Unlock()
	if ref, ok := refOf(s); ok {
		for _, m := range place.sent {
			m.Ref = ref
			u.cfg.Trace(m)
		}
	}
}

// holds keeps what is sent until it is known whose it is; false: it is known.
func (u *UA) holds(place *reserved, m capture.Message) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !place.settled {
		place.sent = append(place.sent, m)
	}
	return !place.settled
}

// replace: caller holds mu.
func (u *UA) replace(callID string, place *reserved, s Sink) {
	if s == nil {
		u.disown(callID, func(o *owner) bool { return o.sink == Sink(place) })
		return
	}
	for _, o := range u.owners[callID] {
		if o.sink == Sink(place) {
			o.sink = s
		}
	}
}
