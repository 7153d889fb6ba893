package engine

import (
	"net/netip"
	"slices"
	"time"
)

// movedAfter is for how long a party has to be silent at its old port before it may be at another.
const movedAfter = 2 * time.Second

// strangeSound is so many packets of strangers that somebody has to be told: a second of them.
const strangeSound = 50

// latch finds the address a leg's party really sends from, which behind a NAT is
// not the one it signalled (symmetric RTP, RFC 4961), and then holds on to it. Only sources
// that somebody vouches for are taken, also while the party has sent nothing yet: a stranger
// neither hears the call nor speaks into it. Owned by the leg.
type latch struct {
	remote    netip.AddrPort // where to send: as signalled, or as locked
	locked    bool
	need      int            // packets in a row that lock it
	permits   []netip.Prefix // whence sources are taken that SIP does not name: networks.X.rtp.latch
	signalled netip.AddrPort // zero while none was named
	signaller netip.Addr     // whence the leg's own signalling comes
	try       netip.AddrPort // the source of the last packets that were refused, and its stream
	ssrc      uint32
	streak    int
	at        time.Time // of the last packet that was taken; zero: none was
	moved     bool      // remote is another since the last checkpoint
	refused   int       // packets of strangers, while none of the party had come
}

// vouched is how well a source is vouched for.
type vouched uint8

const (
	byNobody vouched = iota // never taken, unless SRTP proves it
	byConfig                // the network's config takes all of its peers
	byHost                  // SIP: another port of the host in SDP, or of the one that signals
	bySDP                   // SIP: it is the address in SDP
)

// signal tells the latch what signalling says. The same address again changes nothing.
func (l *latch) signal(remote, before netip.AddrPort) {
	if remote == before && l.remote.IsValid() {
		return
	}
	*l = latch{
		need: l.need, permits: l.permits, signalled: remote, signaller: l.signaller, remote: remote, at: l.at,
	}
}

func (l *latch) vouch(source netip.AddrPort) vouched {
	host := source.Addr()
	switch {
	case source == l.signalled:
		return bySDP
	case host == l.signalled.Addr() || host == l.signaller:
		return byHost
	case slices.ContainsFunc(l.permits, func(p netip.Prefix) bool { return p.Contains(host) }):
		return byConfig
	}
	return byNobody
}

// claim is what speaks for a packet besides its source.
type claim struct {
	sealed bool // SRTP: it is the party's, wherever it comes from
	same   bool // it goes on with the party's stream, from the same host
	quiet  bool // where the party was nothing comes any more
}

// accept says whether a packet is this leg's. A source that is locked gives way to one that is better
// vouched for: it may be the party of the port's last call, or the host that the party has just moved away
// from. To its equal it gives way when it has fallen quiet, as with a NAT that gave the party another port.
// Any but the signalled one has to keep at it.
func (l *latch) accept(from netip.AddrPort, ssrc uint32, c claim) bool {
	if l.locked && from == l.remote {
		return true
	}
	v := l.vouch(from)
	switch {
	case v == bySDP:
		l.remote, l.locked, l.moved = from, true, true
		return true
	case c.sealed:
	case v == byNobody || l.locked && !l.yields(v, c):
		return false
	}
	if from != l.try || ssrc != l.ssrc {
		l.try, l.ssrc, l.streak = from, ssrc, 0
	}
	l.streak++
	if l.streak < l.need {
		return false
	}
	l.remote, l.locked, l.moved = from, true, true
	return true
}

// yields says that the locked source gives way to one that is vouched for like that.
func (l *latch) yields(v vouched, c claim) bool {
	is := l.vouch(l.remote)
	return v > is || c.quiet && (c.same || v == is && v >= byHost)
}

// claim looks at what a packet is besides its source. In the open it goes on with the stream that the party
// sent from the same host, whose SSRC only those know who could hear it anyhow.
func (l *leg) claim(from netip.AddrPort, ssrc uint32, now time.Time) claim {
	return claim{
		sealed: l.protection.on,
		same:   l.reception.Received() > 0 && ssrc == l.reception.SSRC() && from.Addr() == l.latch.remote.Addr(),
		quiet:  now.Sub(l.latch.at) >= movedAfter,
	}
}

// stranger counts a packet that is not the party's. When nothing else comes the admin has to know: a neighbour may
// send its sound from an address that its SDP does not name.
func (l *leg) stranger(from netip.AddrPort) {
	l.shard.count.strangers.Add(1)
	if l.latch.locked {
		return
	}
	l.latch.refused++
	if l.latch.refused == strangeSound {
		l.shard.log.Warn("sound is not taken: it comes from an address that signalling does not name",
			"session", l.room.session.ref, "leg", l.id, "from", from.Addr(), "named", l.latch.signalled.Addr(),
			"remedy", "networks."+l.pair.network+".rtp.latch: allow")
	}
}
