package engine

import (
	"net/netip"
	"time"

	"liandong/media/dtmf"
	"liandong/media/report"
	"liandong/media/srtp"
)

// LegState is what goes on of a leg when another process takes its call over. Its zero values stand for what is not
// known: ID, Network and Port are enough for a leg that has no Stream yet.
type LegState struct {
	ID      LegID
	Network string
	Port    uint16 // of RTP; RTCP is on the next one
	Stream  Stream // the last; without a Codec there was none

	At        time.Duration // by the machine's clock since it was started
	SSRC      uint32        // 0: nothing stands behind it
	Seq       uint16        // of the next packet
	Timestamp uint32        // of the next frame, At
	Clock     uint32        // in kHz
	Span      uint32        // ticks of a packet
	CNAME     string

	Remote netip.AddrPort // where the party's sound comes from; zero: none has come
	Silent bool           // said, and Alive is still to come
	Lost   bool           // MediaLost was said, and MediaBack is still to come
	Key    dtmf.Press     // the newest of the party
	Down   bool           // and its DigitReleased is still to come
	Play   Position

	Seal    srtp.Progress   // with what is reserved ahead
	Earlier []srtp.Progress // of our keys before
	Open    srtp.Progress
}

// Position is a place in a playlist.
type Position struct {
	ID          uint32
	Clip, Frame int
}

// Checkpoint: so stands a leg. It comes when a leg changes in what another process would need, and each few seconds.
type Checkpoint struct {
	State LegState
}

func (Checkpoint) event() {}

const (
	// reservedPackets may be sent after a checkpoint under the key that it names: RFC 3711 §9.1, no index is used
	// twice. The next checkpoint comes when half of them are left: at 50 packets a second that is longer than the
	// interval.
	reservedPackets = 600
	reservedReports = 64

	// catchUpPackets are sent ahead of what real time explains: a source may have been ahead of it.
	catchUpPackets = 16
	// staleFor so long from the first packet on sound is from before: it is older than any jitter buffer.
	staleFor = 10 * time.Millisecond
	// longestGap bounds what a stream goes on by; beyond it the machine was started anew, or no party is there.
	longestGap = time.Hour
	// shortestSpan of a packet, where it is not known better.
	shortestSpan = 10 * time.Millisecond
)

// checkpoints is a leg's part of it. Owned by the leg.
type checkpoints struct {
	changed  bool
	due      time.Time
	begun    bool   // our SRTP has sealed something
	reserved uint64 // index up to which it may go
	restored bool   // the leg goes on here, and nothing has come yet
	fresh    time.Time
}

// checkpoint reports how the leg stands, when that is due.
func (l *leg) checkpoint(now time.Time) {
	c, every := &l.checkpoints, l.shard.cfg.Checkpoint
	if every == 0 || l.shard.marked || !c.changed && !l.latch.moved && now.Before(c.due) && !l.usesUp() {
		return
	}
	c.changed, l.latch.moved, c.due = false, false, now.Add(every)
	l.room.emit(Checkpoint{State: l.state(now)})
}

// usesUp says that our SRTP has begun to seal, or has used up half of what was reserved for it.
func (l *leg) usesUp() bool {
	if !l.protection.on {
		return false
	}
	at := l.protection.sender.Progress(l.out.ssrc)
	return at.Begun && (!l.checkpoints.begun || at.Index+reservedPackets/2 > l.checkpoints.reserved)
}

// exhausted says that the next packet would be sealed by an index that is another process's: Mark.
func (l *leg) exhausted() bool {
	return l.protection.sender.Progress(l.out.ssrc).Index >= l.checkpoints.reserved
}

func (l *leg) state(now time.Time) LegState {
	s := LegState{
		ID: l.id, Network: l.pair.network, Port: l.pair.port, Stream: l.stream, At: l.shard.uptime(now),
		SSRC: l.out.ssrc, Seq: l.out.seq, Timestamp: l.out.next(now), Clock: uint32(l.out.clock), Span: l.out.span,
		CNAME: l.reports.cname, Silent: l.silence.said, Lost: l.lost, Key: l.keys.Newest(), Down: l.keyDown,
	}
	if l.latch.locked {
		s.Remote = l.latch.remote
	}
	if l.player.plays() {
		s.Play = Position{l.player.id, l.player.clip, l.player.at}
	}
	l.protection.progress(&s, l.out, &l.reception)
	l.checkpoints.begun, l.checkpoints.reserved = s.Seal.Begun, s.Seal.Index
	return s
}

// next is the timestamp of a frame that would be sent now, ahead of all that were.
func (o *outgoing) next(now time.Time) uint32 {
	if o.span == 0 {
		return o.base
	}
	if shown := o.show(now); int32(shown-(o.last+o.span)) > 0 {
		return shown
	}
	return o.last + o.span
}

// progress notes how far the keys have come.
func (p *protection) progress(s *LegState, o outgoing, reception *report.Reception) {
	if p.sender != nil {
		s.Seal = p.sender.Progress(o.ssrc)
		s.Seal.Index += reservedPackets
		s.Seal.RTCP += reservedReports
	}
	for _, earlier := range p.earlier {
		s.Earlier = append(s.Earlier, earlier.Progress(o.ssrc))
	}
	if p.receiver != nil {
		s.Open = p.receiver.Progress(reception.SSRC(), uint16(reception.Highest()))
	}
}

// restore has a leg go on where another process has left it.
func (l *leg) restore(s LegState, now time.Time) {
	gap := min(max(l.shard.uptime(now)-s.At, 0), longestGap)
	l.checkpoints = checkpoints{changed: true, restored: true}
	if s.SSRC != 0 {
		l.out = resumed(s, gap, now)
		l.reports.cname = s.CNAME
	}
	l.protection.resume(s)
	if s.Seal.Begun {
		l.out.seq = uint16(s.Seal.Index + 1)
	}
	l.keys.Know(s.Key)
	l.played = s.Play
	l.played.Frame += int(gap / frameTime)
	if s.Stream.Codec.Known() {
		l.configure(s.Stream, now)
	}
	if s.Remote.IsValid() {
		l.latch.remote, l.latch.locked, l.latch.at = s.Remote, true, now
	}
	l.silence.said, l.lost, l.keyDown, l.mutedTill = s.Silent, s.Lost, s.Down, now
}

// resumed is a stream that goes on behind all that may have been sent. Its clock has run on meanwhile.
func resumed(s LegState, gap time.Duration, now time.Time) outgoing {
	o := outgoing{ssrc: s.SSRC, clock: report.Clock(max(s.Clock, 1)), epoch: now}
	o.base = s.Timestamp + o.clock.Ticks(gap) + o.clock.Frame()
	span := max(o.clock.Duration(s.Span), shortestSpan)
	o.seq = s.Seq + uint16(min(gap, reservedPackets*shortestSpan)/span) + catchUpPackets
	return o
}

// resume takes up the keys. One that cannot be is told of when the Stream comes.
func (p *protection) resume(s LegState) {
	if !s.Seal.Key.IsZero() {
		p.sender, _ = srtp.ResumeSender(s.Seal)
	}
	for _, earlier := range s.Earlier {
		if sender, err := srtp.ResumeSender(earlier); err == nil {
			p.earlier = append(p.earlier, sender)
		}
	}
	if !s.Open.Key.IsZero() {
		p.receiver, _ = srtp.ResumeReceiver(s.Open)
	}
}

// stale says that sound has waited in the socket while nobody read it.
func (l *leg) stale(now time.Time) bool {
	c := &l.checkpoints
	if l.shard.seamless {
		return false
	}
	if c.restored {
		c.restored, c.fresh = false, now.Add(staleFor)
	}
	return now.Before(c.fresh)
}
