package ua

import (
	"net/netip"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

const defaultPort = 5060

// stampVia writes into the top Via where the request really came from.
// RFC 3261 §18.2.1: "received" when the sent-by is not the source address.
// RFC 3581 §4: rport gets the source port, and then "received" always stands.
func stampVia(via *gosip.ViaHeader, source netip.AddrPort) {
	_, rport := via.Params.Get("rport")
	if rport {
		via.Params.Add("rport", strconv.Itoa(int(source.Port())))
	}
	if ip, ok := hostIP(via.Host); rport || !ok || ip != source.Addr() {
		via.Params.Add("received", source.Addr().String())
	}
}

// answerTo is where the answer to a UDP request goes: RFC 3581 §4 with rport,
// RFC 3261 §18.2.2 without. A sender behind a NAT that does not know rport (its
// sent-by is not its source) can be reached at its source port only.
func answerTo(via *gosip.ViaHeader, source netip.AddrPort) netip.AddrPort {
	if via == nil {
		return source
	}
	ip, numeric := hostIP(via.Host)
	if !source.IsValid() {
		return viaAddr(via, ip, numeric)
	}
	if via.Params.Has("rport") || !numeric || ip != source.Addr() {
		return source
	}
	return netip.AddrPortFrom(source.Addr(), viaPort(via))
}

// viaAddr reads the answer's way from the Via alone.
func viaAddr(via *gosip.ViaHeader, ip netip.Addr, ok bool) netip.AddrPort {
	if received, has := via.Params.Get("received"); has {
		ip, ok = hostIP(received)
	}
	if !ok {
		return netip.AddrPort{}
	}
	port := viaPort(via)
	if text, _ := via.Params.Get("rport"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			port = uint16(n)
		}
	}
	return netip.AddrPortFrom(ip, port)
}

func viaPort(via *gosip.ViaHeader) uint16 {
	if via.Port > 0 {
		return uint16(via.Port)
	}
	return defaultPort
}

// hostIP reads a numeric host with or without brackets.
func hostIP(host string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ip.Unmap(), err == nil
}
