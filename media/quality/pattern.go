package quality

// Gmin is how many packets in a row must come for a burst to be over: RFC 3611
// §4.7.2 recommends 16.
const Gmin = 16

// window is how far back a packet may come late and is not counted as lost:
// 1.3 s of 20 ms packets.
const window = 64

// Span counts packets of a kind of time.
type Span struct {
	Packets uint32 // that were due
	Lost    uint32 // of them
}

func (s *Span) add(o Span) {
	s.Packets += o.Packets
	s.Lost += o.Lost
}

// Loss is what became of the packets of a stream. A burst is RFC 3611 §4.7.2's:
// it begins and ends with a lost packet, has no Gmin that came in a row, and
// lost more than one. All else is gap, single lost packets with it.
type Loss struct {
	Gap, Burst Span
	Bursts     uint32
	Rows       uint32 // of packets lost one right after the other
}

// Packets counts what was due, Lost what of it did not come.
func (l Loss) Packets() uint32 { return l.Gap.Packets + l.Burst.Packets }

// Lost counts the packets that did not come.
func (l Loss) Lost() uint32 { return l.Gap.Lost + l.Burst.Lost }

// Ratio is the part that was lost, 0 to 1.
func (l Loss) Ratio() float64 { return ratio(l.Lost(), l.Packets()) }

// GapDensity is the part that was lost outside of bursts.
func (l Loss) GapDensity() float64 { return ratio(l.Gap.Lost, l.Gap.Packets) }

// BurstDensity is the part that was lost in bursts, 0 when there was none.
func (l Loss) BurstDensity() float64 { return ratio(l.Burst.Lost, l.Burst.Packets) }

// BurstRatio is BurstR of ITU-T G.107 §7.5: the mean row of lost packets against
// the one that random loss of the same ratio has, which is 1/(1 − ratio). 1 when
// nothing was lost.
func (l Loss) BurstRatio() float64 {
	if l.Rows == 0 {
		return 1
	}
	return float64(l.Lost()) / float64(l.Rows) * (1 - l.Ratio())
}

func ratio(part, whole uint32) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Since is what was added to an earlier Loss of the same pattern. A packet
// that was missing then and came since takes nothing away.
func (l Loss) Since(before Loss) Loss {
	return Loss{
		Gap: l.Gap.since(before.Gap), Burst: l.Burst.since(before.Burst),
		Bursts: grown(l.Bursts, before.Bursts), Rows: grown(l.Rows, before.Rows),
	}
}

func (s Span) since(before Span) Span {
	return Span{Packets: grown(s.Packets, before.Packets), Lost: grown(s.Lost, before.Lost)}
}

func grown(now, before uint32) uint32 { return max(now, before) - before }

// Pattern follows the sequence numbers of a stream: which packets came, which
// did not, and how the lost ones lie. A packet is lost for good when 64 newer
// numbers have been seen. The zero value has seen nothing. Not safe for use by
// several goroutines.
type Pattern struct {
	seen   uint64 // bit i: the packet i below the newest came; 0: not begun
	good   int32  // left the window since the last lost one; below 0 while it holds what was before the first packet
	run    Span   // from a lost packet to the newest one lost: a burst, if more than one is
	closed Loss
}

// Start begins with the first packet of a stream, or of the one that takes its
// place: nothing between the two was lost.
func (p *Pattern) Start() {
	p.closed = p.Loss()
	p.run, p.good = Span{}, 1-window
	p.seen = ^uint64(0) // as if the packets before the first had come; good makes up for them
}

// Packet takes one that came. step is its sequence number less the newest so
// far: 1 in the ordinary case, negative when it comes late.
func (p *Pattern) Packet(step int) {
	switch {
	case step == 1 && p.seen>>(window-1) == 1: // nearly always
		p.seen = p.seen<<1 | 1
		p.good++
	case step > 0:
		p.advance(step)
	case step > -window:
		p.seen |= 1 << -step
	}
}

// advance moves the window on by step packets, of which only the last has come.
func (p *Pattern) advance(step int) {
	for range min(step, window) {
		p.shift()
	}
	if step > window {
		p.lose(uint32(step - window))
	}
	p.seen |= 1
}

// shift lets the oldest packet out of the window: what has not come by now is lost.
func (p *Pattern) shift() {
	if p.seen>>(window-1) == 1 {
		p.good++
	} else {
		p.lose(1)
	}
	p.seen <<= 1
}

// lose counts packets lost in a row.
func (p *Pattern) lose(n uint32) {
	if p.good > 0 || p.run.Lost == 0 {
		p.closed.Rows++
	}
	if p.good >= Gmin || p.run.Lost == 0 {
		p.settle()
	}
	p.run.add(Span{Packets: uint32(p.good) + n, Lost: n})
	p.good = 0
}

// settle closes the run, and what came since is gap.
func (p *Pattern) settle() {
	if p.run.Lost > 1 {
		p.closed.Burst.add(p.run)
		p.closed.Bursts++
	} else {
		p.closed.Gap.add(p.run)
	}
	p.closed.Gap.Packets += uint32(p.good)
	p.run, p.good = Span{}, 0
}

// Loss is what became of all packets up to the newest: one that is missing
// now counts as lost until it comes.
func (p Pattern) Loss() Loss {
	if p.seen == 0 {
		return Loss{}
	}
	for range window {
		p.shift()
	}
	p.settle()
	return p.closed
}
