package engine

import "net/netip"

// latch finds the address a leg's party really sends from, which behind a NAT is
// not the one it signalled (symmetric RTP, RFC 4961), and then holds on to it: a later
// stranger cannot take the stream. Owned by the leg.
type latch struct {
	need   int            // packets in a row that lock it
	remote netip.AddrPort // where to send: as signalled, or as locked
	locked bool
	try    netip.AddrPort // the source of the last packets, and its stream
	ssrc   uint32
	streak int
}

// signal tells the latch what signalling says. The same address again changes nothing.
func (l *latch) signal(remote, before netip.AddrPort) {
	if remote == before && l.remote.IsValid() {
		return
	}
	*l = latch{need: l.need, remote: remote}
}

// accept says whether a packet may be this leg's.
func (l *latch) accept(from netip.AddrPort, ssrc uint32) bool {
	if l.locked {
		return from == l.remote
	}
	if from == l.remote {
		l.locked = true
		return true
	}
	if from != l.try || ssrc != l.ssrc {
		l.try, l.ssrc, l.streak = from, ssrc, 0
	}
	l.streak++
	if l.streak >= l.need {
		l.remote, l.locked = from, true
	}
	return true
}
