package engine

import (
	"net/netip"
	"time"
)

// movedAfter is for how long a party in the open has to be silent at its old
// port before it may be at another.
const movedAfter = 2 * time.Second

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
// next, and then the first that keeps at it. A source that is moved is the party, wherever it is.
func (l *latch) accept(from netip.AddrPort, ssrc uint32, moved bool) bool {
	switch {
	case l.locked && from == l.remote:
		return true
	case from == l.signalled:
		l.remote, l.locked = from, true
		return true
	case l.locked && !moved && (l.home(l.remote) || !l.home(from)):
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

// moved says that a packet from elsewhere is the party's all the same, whose NAT has given it another
// port. A sealed one is, and no copy; in the open it goes on with the stream that the party sent from
// the same host, whose SSRC only those know who could hear it anyhow.
func (l *leg) moved(from netip.AddrPort, ssrc uint32, now time.Time) bool {
	return l.protection.on ||
		l.reception.received > 0 && ssrc == l.reception.ssrc && from.Addr() == l.latch.remote.Addr() && now.Sub(l.heardAt) >= movedAfter
}
