package engine

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/report"
	"liandong/media/socket/kernel"
)

// A relay that needs nothing of us is the kernel's, one direction at a time: package kernel. It has only what is
// regular; with the first packet that is not, and before anything else is done in the room, the direction is taken back
// and goes on here, at the number and the time at which it has come to be there.

const (
	steadyCourse  = 25            // packets in a row that are regular: half a second
	longestCourse = 32 * 25       // that are waited for, when the kernel soon had to give it back
	farCourse     = 1 << 20       // that are waited for, when packets go around the kernel's program: hours
	shortStay     = 100           // packets
	mostGiven     = 4             // directions in a tick: after a change of routes all of a shard are to be given anew
	leads         = 10            // looks at how far a carried stream is ahead, before its lead is judged
	inheritance   = time.Second   // is waited for until a party hears again what the process before had it hear
	carriedRest   = 4 * phaseTime // ticks wait for others when the kernel has all calls of a shard: none sends
	routesEvery   = 100 * time.Millisecond
	sweepAfter    = 10 * time.Second // more than a process takes to go on with all calls
	carriedClock  = 8                // kHz: G.711 and G.722, whose packets are all of one size
)

// course is how regular the packets are that a party is relayed. Owned by the leg.
type course struct {
	seq     uint16 // of the newest, as it came
	stamp   uint32
	span    uint32
	pt      uint8
	payload int // bytes
	row     int // packets in a row of which each was the next
	wanted  int // so many, before the kernel has the direction; 0: steadyCourse
}

// follow takes a packet that was relayed.
func (c *course) follow(p *rtp.Packet, span uint32) {
	regular := p.SequenceNumber == c.seq+1 && p.Timestamp == c.stamp+span && p.PayloadType == c.pt && span == c.span &&
		len(p.Payload) == c.payload && !p.Marker && !p.Padding && !p.Extension && len(p.CSRC) == 0
	if !regular {
		c.row = 0
	}
	c.row++
	c.seq, c.stamp, c.span, c.pt, c.payload = p.SequenceNumber, p.Timestamp, span, p.PayloadType, len(p.Payload)
}

// ended notes how the kernel has had it.
func (c *course) ended(p kernel.Progress) {
	c.row = 0
	switch {
	case p.Packets >= shortStay:
		c.wanted = 0
	case !p.Runs: // it has soon come upon what is not regular
		c.wanted = min(2*max(c.wanted, steadyCourse), longestCourse)
	}
}

// around notes that the packets do not come by the kernel's program, whose flow runs on without any.
func (c *course) around() { c.wanted = min(2*max(c.wanted, steadyCourse), farCourse) }

// steady says that the kernel may have it.
func (c *course) steady() bool { return c.row >= max(c.wanted, steadyCourse) }

// carried is what the kernel relays to a leg. Owned by the leg that hears it.
type carried struct {
	slot   kernel.Slot
	flow   kernel.Flow
	source *leg
	seen   kernel.Progress // is counted here
	looks  int
	top    int32 // the largest lead of these looks
}

// carry gives the kernel what needs nothing of us. What was sent before has left by then.
func (r *room) carry(now time.Time) {
	if r.shard.kernel == nil {
		return
	}
	for _, l := range r.legs {
		if r.shard.gives > 0 && l.carried == nil && l.course.steady() && l.plain(now) {
			r.shard.gives--
			l.shard.flush()
			l.give(now)
		}
	}
}

// plain says that what a leg hears is one party's packets as they come.
func (l *leg) plain(now time.Time) bool {
	if l.mode != relaying || l.left != nil || l.shard.marked {
		return false
	}
	s := l.sources[0]
	hears := l.ready && l.stream.Send && l.rewriter.live && l.rewriter.ssrc == s.reception.SSRC() && l.packer == nil &&
		!l.crossfade.due && !l.keyWaits() && !now.Before(l.dialTill)
	says := s.ready && s.stream.Receive && len(s.relays) == 1 && s.mixers == 0 && s.voice.playout == nil &&
		s.toneKeys == nil && !s.keyDown && !s.muted(now) && s.feeds == nil && !s.record.paused()
	open := !l.protection.on && !s.protection.on && l.room.sniffer == nil
	latched := l.latch.locked && s.latch.locked
	return hears && says && open && latched && s.inbound.codec == l.stream.Codec && l.out.clock == carriedClock
}

// paused says that who records keeps nothing now: no copies are made either.
func (c Record) paused() bool { return c.Tap != nil && c.Tap.Paused() }

// local is where the party's sound comes to.
func (l *leg) local() netip.AddrPort { return netip.AddrPortFrom(l.network().Address, l.pair.port) }

// give has the kernel relay to the leg from the next packet on.
func (l *leg) give(now time.Time) {
	s, c, o := l.sources[0], &l.course, &l.out
	since, transit, jitter := s.reception.Arrivals()
	lead, frame := o.lead(o.last, o.at), int32(o.clock.Frame())
	f := kernel.Flow{
		From: s.latch.remote, At: s.local(), By: l.local(), To: l.latch.remote, SSRC: s.reception.SSRC(),
		OutSSRC: o.ssrc, PT: c.pt, OutPT: l.stream.PT, Payload: c.payload, Seq: c.seq, Timestamp: c.stamp, Span: c.span,
		AddSeq: l.rewriter.seq, AddStamp: l.rewriter.ts, Clock: uint32(o.clock), Start: since, Transit: transit,
		Jitter: jitter, Earliest: transit + uint32(lead-leadLimit*frame), Latest: transit + uint32(lead+lagLimit*frame),
		Loud: loudOf(s.inbound.codec), Taped: s.record.Tap != nil,
	}
	if f.Seq != uint16(s.reception.Highest()) || f.Seq+f.AddSeq+1 != o.seq || f.Timestamp+f.AddStamp != o.last ||
		f.Span != o.span {
		c.row = 0 // something else has been sent since
		return
	}
	slot, err := l.shard.kernel.Put(f)
	if err != nil {
		l.shard.log.Debug("not relayed in the kernel", "session", l.room.session.ref, "leg", l.id, "err", err)
		c.row, c.wanted = 0, longestCourse
		return
	}
	l.begin(slot, f, s, kernel.Progress{Runs: true})
}

func (l *leg) begin(slot kernel.Slot, f kernel.Flow, source *leg, seen kernel.Progress) {
	l.carried = &carried{slot: slot, flow: f, source: source, seen: seen, top: -1 << 31}
	source.feeds = l
	l.shard.count.carried.Add(1)
}

// loudOf is by which of the kernel's tables a codec's loudness is measured: see kernelTables.
func loudOf(id codec.ID) kernel.Loud {
	switch id {
	case codec.PCMA:
		return kernel.ByFirst
	case codec.PCMU:
		return kernel.BySecond
	}
	return kernel.Unheard
}

func kernelTables() [2][256]uint32 { return [2][256]uint32{squares[codec.PCMA], squares[codec.PCMU]} }

// look counts what the kernel has relayed to the leg.
func (l *leg) look() kernel.Progress {
	p, ok := l.shard.kernel.Read(l.carried.slot)
	if !ok {
		return l.carried.seen
	}
	l.tally(p)
	return p
}

// tally counts as if all of it had been relayed here.
func (l *leg) tally(p kernel.Progress) {
	c, s, f := l.carried, l.carried.source, &l.carried.flow
	n := uint32(p.Packets - c.seen.Packets)
	if n == 0 {
		return
	}
	s.replay(c.slot, f, c.seen.Packets, p)
	s.reception.Run(report.Spell{Packets: n, Stamp: p.Timestamp, Transit: p.Transit, Jitter: p.Jitter})
	s.alive(p.At)
	s.sounds(p.At)
	s.loudness.squares += p.Squares - c.seen.Squares
	s.loudness.samples += p.Samples - c.seen.Samples
	l.out.reach(f, p)
	l.out.packets += n
	l.out.octets += n * uint32(f.Payload)
	l.rewriter.reach(p.Seq)
	l.crossfade.passed(l.stream.Codec, p.Last)
	l.shard.count.in.Add(uint64(n))
	l.shard.count.out.Add(uint64(n))
	c.seen = p
}

// replay gives who records what the party says the packets that the kernel has relayed since the first so many. Of
// those that nobody has looked at for too long the oldest are lost.
func (s *leg) replay(slot kernel.Slot, f *kernel.Flow, from uint64, p kernel.Progress) {
	for n := from; n < p.Packets; n++ {
		s.replayOne(slot, f, n, p)
	}
}

// replayOne gives the n-th, from 0.
func (s *leg) replayOne(slot kernel.Slot, f *kernel.Flow, n uint64, p kernel.Progress) {
	if s.record.Tap == nil || !f.Taped {
		return
	}
	payload := s.shard.coded[:f.Payload]
	at, ok := s.shard.kernel.Copy(slot, n, payload)
	if !ok {
		payload = nil
	}
	s.record.Tap.Put(s.record.Channel, s.inbound.codec, p.Timestamp-uint32(p.Packets-1-n)*f.Span, payload, at)
}

// reach notes the newest packet that the kernel has sent.
func (o *outgoing) reach(f *kernel.Flow, p kernel.Progress) {
	o.seq, o.last, o.span, o.at = p.Seq+f.AddSeq+1, p.Timestamp+f.AddStamp, f.Span, p.At
}

// reach keeps the first packet near the newest, as place does.
func (r *rewriter) reach(newest uint16) {
	if newest-r.first > 2*gapLimit {
		r.first = newest - gapLimit
	}
}

// takeBack ends what the kernel relays to the leg; its stream goes on here.
func (l *leg) takeBack() {
	c := l.carried
	if c == nil {
		return
	}
	p := l.shard.kernel.Stop(c.slot)
	l.tally(p)
	l.shard.kernel.Free(c.slot)
	l.carried, c.source.feeds = nil, nil
	l.shard.count.carried.Add(-1)
	l.course.ended(p)
	l.rewriter.restart()
}

// takeBack ends all that the kernel relays in the room, as it has to before anything else is done.
func (r *room) takeBack() {
	for _, l := range r.legs {
		l.takeBack()
	}
}

// look counts all that the kernel has relayed in the room.
func (r *room) look() {
	for _, l := range r.legs {
		if l.carried != nil {
			l.look()
		}
	}
}

// comesUp: a packet has come here though the kernel has the party's. Its own are odd, and all that follow come, too.
func (l *leg) comesUp(from netip.AddrPort) {
	switch {
	case l.feeds == nil && l.record.Tap != nil && (l.checkpoints.restored || l.room.owing):
		l.room.replay() // it has come later
	case l.feeds == nil:
	case from == l.latch.remote:
		to := l.feeds
		if p := to.look(); p.Runs && p.Packets == 0 {
			to.course.around()
		}
		to.takeBack()
	default:
		l.feeds.look()
	}
}

// askRoutes takes all back when this machine's routes have changed: it is given again by those that there are.
func (s *shard) askRoutes(now time.Time) {
	before := s.routes
	if !s.sweepAt.IsZero() && now.After(s.sweepAt) {
		s.sweepAt = time.Time{}
		s.kernel.Drop() // of calls that did not go on
	}
	if s.routes, s.routesAt = s.kernel.Routes(), now; s.routes == before {
		return
	}
	for _, rooms := range s.groups {
		for _, r := range rooms {
			r.takeBack()
			for _, l := range r.legs {
				l.course.wanted = 0
			}
		}
	}
}

// mind counts what the kernel has relayed since the last tick, and takes back what has broken off, is not to be kept,
// or needs another lead.
func (r *room) mind(now time.Time) {
	if r.owing {
		r.settle(now)
	}
	for _, l := range r.legs {
		if l.left != nil {
			l.decide(now)
		}
		if l.carried == nil {
			continue
		}
		p := l.look()
		late := now.Sub(l.out.at) > coverAfter+l.out.clock.Duration(l.out.span)
		if !p.Runs || late || l.carried.source.record.paused() || l.strays() {
			l.takeBack()
		}
	}
}

// strays says that the stream is lastingly ahead of real time or behind it, as steady does.
func (l *leg) strays() bool {
	c, frame := l.carried, int32(l.out.clock.Frame())
	c.looks++
	c.top = max(c.top, l.out.lead(l.out.last, l.out.at))
	if c.looks < leads {
		return false
	}
	top := c.top
	c.looks, c.top = 0, -1<<31
	return top > max(int32(l.out.span), frame) || top < -frame
}

// left is what the kernel relays for the process before. Owned by the leg that hears it.
type left struct {
	slot     kernel.Slot
	flow     kernel.Flow
	until    time.Time // is waited for what the leg is to hear here
	replayed uint64    // packets that whoever records has had here, or that are no more
}

// inherit finds what the kernel relays to a leg that goes on here; it goes on meanwhile.
func (l *leg) inherit(now time.Time) {
	if l.shard.kernel == nil {
		return
	}
	slot, f, ok := l.shard.kernel.Adopt(l.local())
	if !ok {
		return
	}
	l.left = &left{slot: slot, flow: f, until: now.Add(inheritance)}
	if f.Taped {
		l.room.owing, l.room.until = true, l.left.until
	}
	if f.OutSSRC != l.out.ssrc {
		l.shard.kernel.Stop(slot)
		l.shard.kernel.Free(slot)
		l.left = nil
	}
}

// decide: when it is known what the leg is to hear, that may be what it hears.
func (l *leg) decide(now time.Time) {
	switch {
	case l.mode == silent && now.Before(l.left.until):
	case l.mode == relaying && l.sources[0].local() == l.left.flow.At && l.sources[0].latch.remote == l.left.flow.From:
		if !l.room.awaitsTaps() || !now.Before(l.left.until) {
			l.keep(now)
		}
	default:
		l.succeed()
	}
}

// keep goes on with what the kernel relays as if it had been given to it here.
func (l *leg) keep(now time.Time) {
	h, s := l.left, l.sources[0]
	l.room.replay()
	p, ok := l.shard.kernel.Read(h.slot)
	if !ok {
		return // it is decided with the next tick
	}
	before := s.reception
	since := h.flow.Start
	s.reception.Resume(&rtp.Header{SSRC: h.flow.SSRC, SequenceNumber: p.Seq, Timestamp: p.Timestamp},
		report.Clock(h.flow.Clock), since, h.flow.Span, p.Transit, p.Jitter)
	l.follow(h, p)
	l.left, l.crossfade.due = nil, false
	same := h.flow.To == l.latch.remote && h.flow.OutPT == l.stream.PT && h.flow.Span == s.inbound.span
	if same && (h.flow.Taped || s.record.Tap == nil) && l.plain(now) {
		s.replay(h.slot, &h.flow, h.replayed, p)
		s.checkpoints.restored = s.checkpoints.restored && !p.Runs
		l.begin(h.slot, h.flow, s, p)
		return
	}
	l.left, s.reception = h, before
	l.succeed()
}

// succeed takes over at the number and the time at which the kernel has come to be.
func (l *leg) succeed() {
	h := l.left
	l.room.replay()
	p := l.shard.kernel.Stop(h.slot)
	switch s := l.room.speaks(h); {
	case s == nil:
	case s.record.Tap == nil && h.flow.Taped && l.shard.now.Before(h.until):
		s.owe(h, p)
	default:
		s.replay(h.slot, &h.flow, h.replayed, p)
	}
	l.follow(h, p)
	l.shard.kernel.Free(h.slot)
	l.left, l.crossfade.due = nil, true
	for _, s := range l.room.legs { // nothing waits in the socket of whom the kernel had until now
		s.checkpoints.restored = s.checkpoints.restored && !(p.Runs && s.local() == h.flow.At)
	}
}

// succeed takes over all that the kernel relays for the process before to a party or of what it says; nil: to any.
func (r *room) succeed(party *leg) {
	if r.owing {
		r.replay()
	}
	for _, l := range r.legs {
		if l.left != nil && (party == nil || l == party || l.left.flow.At == party.local()) {
			l.succeed()
		}
	}
}

// speaks is whose sound it is that the kernel relays; nil: the party is there no more.
func (r *room) speaks(h *left) *leg {
	for _, s := range r.legs {
		if s.local() == h.flow.At {
			return s
		}
	}
	return nil
}

// awaitsTaps says that there are copies for somebody who is to record here, and does not yet.
func (r *room) awaitsTaps() bool {
	for _, l := range r.legs {
		if l.left != nil && l.left.flow.Taped {
			if s := r.speaks(l.left); s != nil && s.record.Tap == nil {
				return true
			}
		}
		if len(l.owed) > 0 && l.record.Tap == nil {
			return true
		}
	}
	return false
}

// copied is a packet that is kept for who is to record the party here and does not yet: one of those that the kernel
// has copied for the process before and does not relay any more, or one that came here behind them.
type copied struct {
	codec   codec.ID
	stamp   uint32
	at      time.Time
	payload []byte
}

// taped says that the process before recorded the party, by what the kernel relays or has relayed for it.
func (s *leg) taped() bool {
	return len(s.owed) > 0 || slices.ContainsFunc(s.room.legs, func(l *leg) bool {
		return l.left != nil && l.left.flow.Taped && l.left.flow.At == s.local()
	})
}

// owe keeps what the kernel has copied of the party.
func (s *leg) owe(h *left, p kernel.Progress) {
	first := max(h.replayed, p.Packets-min(p.Packets, s.shard.kernel.Copies(h.slot)))
	var list []copied
	for n := first; n < p.Packets; n++ {
		payload := make([]byte, h.flow.Payload)
		if at, ok := s.shard.kernel.Copy(h.slot, n, payload); ok {
			stamp := p.Timestamp - uint32(p.Packets-1-n)*h.flow.Span
			list = append(list, copied{s.inbound.codec, stamp, at, payload})
		}
	}
	s.owed = append(list, s.owed...)
}

// pay gives who records the oldest of what is kept for it.
func (s *leg) pay() {
	c := s.owed[0]
	s.owed = s.owed[1:]
	s.record.Tap.Put(s.record.Channel, c.codec, c.stamp, c.payload, c.at)
}

// settle gives who records here by now what is kept for it, all parties' together, and forgets what nobody has wanted
// for too long.
func (r *room) settle(now time.Time) {
	if r.owing = r.awaitsTaps() && now.Before(r.until); r.owing {
		return
	}
	r.replay()
	for _, l := range r.legs {
		l.owed = nil
	}
}

// untaped takes over what of a party the kernel relays without copies, now that it is recorded.
func (r *room) untaped(party *leg) {
	for _, l := range r.legs {
		if l.left != nil && party.record.Tap != nil && !l.left.flow.Taped && l.left.flow.At == party.local() {
			l.succeed()
		}
	}
}

// replay gives who records what the kernel has copied for the process before, also what that one has had and perhaps
// not kept: of all parties, in the order in which it came.
func (r *room) replay() {
	for {
		var next *leg
		var owed bool
		var oldest time.Time
		var progress kernel.Progress
		for _, l := range r.legs {
			if at, p, ok := l.replays(); ok && (next == nil || at.Before(oldest)) {
				next, owed, oldest, progress = l, false, at, p
			}
			pays := len(l.owed) > 0 && l.record.Tap != nil
			if pays && (next == nil || l.owed[0].at.Before(oldest)) {
				next, owed, oldest = l, true, l.owed[0].at
			}
		}
		switch {
		case next == nil:
			return
		case owed:
			next.pay()
		default:
			h := next.left
			r.speaks(h).replayOne(h.slot, &h.flow, h.replayed, progress)
			h.replayed++
		}
	}
}

// replays says that there are copies of what the kernel relays to the leg for the process before and somebody records,
// and when the oldest has come that nobody has had here.
func (l *leg) replays() (at time.Time, p kernel.Progress, ok bool) {
	h, k := l.left, l.shard.kernel
	if h == nil || !h.flow.Taped {
		return at, p, false
	}
	if s := l.room.speaks(h); s == nil || s.record.Tap == nil {
		return at, p, false
	}
	if p, ok = k.Read(h.slot); !ok {
		return at, p, false
	}
	h.replayed = max(h.replayed, p.Packets-min(p.Packets, k.Copies(h.slot)))
	at, ok = k.Copy(h.slot, h.replayed, l.shard.coded[:h.flow.Payload])
	return at, p, ok
}

// follow has the stream go on behind what the kernel has sent for the process before.
func (l *leg) follow(h *left, p kernel.Progress) {
	l.out.reach(&h.flow, p)
	l.out.base, l.out.epoch = l.out.last, p.At
	l.rewriter = rewriter{live: true, ssrc: h.flow.SSRC, first: p.Seq - gapLimit, seq: h.flow.AddSeq,
		ts: h.flow.AddStamp}
	l.rewriter.restart()
	l.crossfade.passed(l.stream.Codec, p.Last)
}
