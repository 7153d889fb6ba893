package ua

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// holdInterval: NATs forget a UDP binding after 30 s at the earliest that is
// seen in the field; RFC 4787 §4.3 wants two minutes.
const holdInterval = 25 // seconds

// holdID begins the Call-IDs of requests whose answers nobody waits for.
const holdID = "hold-"

// holdOpen keeps the way open to phones behind a NAT that have registered by
// UDP, each in a second of its own. It asks by OPTIONS: the answer goes through
// the NAT from the inside, which is what every NAT counts (RFC 4787 §4.3).
func (u *UA) holdOpen(now time.Time) {
	for _, b := range u.registrar.behindNAT() {
		if slotOf(b.Flow.Remote) == uint64(now.Unix())%holdInterval {
			u.hold(b)
		}
	}
}

var slots = maphash.MakeSeed()

// slotOf spreads the phones over the interval.
func slotOf(a netip.AddrPort) uint64 { return maphash.Comparable(slots, a) % holdInterval }

func (u *UA) hold(b Binding) {
	local, ok := u.Local(b.Flow.Network, b.Flow.Transport)
	if !ok || strings.ContainsAny(b.Contact, "\r\n<> ") {
		return
	}
	id := fmt.Sprintf("%s%x", holdID, u.serial.Add(1))
	host := strings.TrimPrefix(local.Contact, "sip:")
	text := "OPTIONS " + b.Contact + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + local.ViaHost + ";branch=z9hG4bK" + id + ";rport\r\nMax-Forwards: 70\r\n" +
		"From: <sip:" + host + ">;tag=" + id + "\r\nTo: <" + b.Contact + ">\r\nCall-ID: " + id +
		"\r\nCSeq: 1 OPTIONS\r\n" +
		"Contact: <" + local.Contact + ">\r\nContent-Length: 0\r\n\r\n"
	u.sendUDP(outgoing{packet: leg.Packet{Flow: b.Flow}, data: []byte(text), to: b.Flow.Remote})
}

// behindNAT lists the bindings by UDP whose Contact is not where they come from.
func (r *registrar) behindNAT() (all []Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.users {
		for _, rec := range list {
			if rec.behind && !rec.lost {
				all = append(all, rec.Binding)
			}
		}
	}
	return all
}

// contactAddr is where a Contact says that the phone is; zero where it says it by a name.
func contactAddr(contact string) netip.AddrPort {
	var uri gosip.Uri
	if gosip.ParseUri(contact, &uri) != nil {
		return netip.AddrPort{}
	}
	ip, ok := hostIP(uri.Host)
	if !ok {
		return netip.AddrPort{}
	}
	port := uint16(defaultPort)
	if uri.Port > 0 {
		port = uint16(uri.Port)
	}
	return netip.AddrPortFrom(ip, port)
}
