package engine

import "net/netip"

// latch finds the address a leg's party really sends from, which behind a NAT is
// not the one it signalled (symmetric RTP, RFC 4961), and then holds on to it: a later
// stranger cannot take the stream. Until then nothing is heard, so that no stranger is
// heard either. Owned by the leg.
type latch struct {
	remote    netip.AddrPort // where to send: as signalled, or as locked
	locked    bool
	need      int            // packets in a row that lock it
	signalled netip.AddrPort // zero while none was named
	try       netip.AddrPort // the source of the last packets that were refused, and its stream
	ssrc      uint32
	streak    int
}

// signal tells the latch what signalling says. The same address again changes nothing.
func (l *latch) signal(remote, before netip.AddrPort) {
	if remote == before && l.remote.IsValid() {
		return
	}
	*l = latch{need: l.need, signalled: remote, remote: remote}
}

// accept says whether a packet is this leg's. A source that has been faster than the
// signalled one gives way to it: it is a stranger, the party of the port's last call, or
// the host that the party has just moved away from. The same host at another port comes
// next, and then the first that keeps at it.
func (l *latch) accept(from netip.AddrPort, ssrc uint32) bool {
	switch {
	case l.locked && from == l.remote:
		return true
	case from == l.signalled:
		l.remote, l.locked = from, true
		return true
	case l.locked && (l.home(l.remote) || !l.home(from)):
		return false
	}
	if from != l.try || ssrc != l.ssrc {
		l.try, l.ssrc, l.streak = from, ssrc, 0
	}
	l.streak++
	if l.streak < l.need {
		return false
	}
	l.remote, l.locked = from, true
	return true
}

// home says whether a source is on the host that was signalled.
func (l *latch) home(source netip.AddrPort) bool { return source.Addr() == l.signalled.Addr() }
