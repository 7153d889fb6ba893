package load

import (
	"cmp"
	"slices"
)

// collect puts what the legs counted into the report, when the engine has stopped or will not change it any more. With
// marks: who heard whom decides which legs are a pair, whatever the server shows of numbers.
func (r *run) collect(marks bool) {
	sides0 := map[side][]*stream{}
	byID := map[uint32]*stream{}
	r.engine.each(func(s *stream) {
		if s.window.till > s.window.from {
			s.counted.rollTo(s.window.second(s.window.till))
		}
		sides0[s.side] = append(sides0[s.side], s)
		byID[s.id] = s
		r.report.Legs = append(r.report.Legs, s.leg())
	})
	slices.SortFunc(r.report.Legs, func(a, b Leg) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Port, b.Port))
	})
	if !marks {
		r.streamsTo(sides0)
		return
	}
	for _, pair := range [][2]side{{caller, desk}, {desk, caller}, {caller, partner}, {partner, caller}} {
		if d, ok := direction(pair[0], pair[1], sides0[pair[1]], byID); ok {
			d.Delay = r.delaysOf(pair[1], pair[0])
			r.report.Directions = append(r.report.Directions, d)
		}
	}
}

func (r *run) delaysOf(hearer, speaker side) *Spread {
	var all delays
	for _, t := range r.engine.threads {
		all.merge(&t.delays[hearer][speaker])
	}
	return all.summary()
}

// streamsTo is what each side hears when the server makes its stream of several parties': what came of it, and what is
// missing in its RTP sequence.
func (r *run) streamsTo(hearers map[side][]*stream) {
	for s := range sides {
		d := Direction{From: "server", To: s.String(), Lowest: -1}
		for _, h := range hearers[s] {
			if h.counted.in == 0 && h.counted.out == 0 {
				continue // over before the window
			}
			d.Legs++
			d.Out += h.counted.out
			d.In += h.counted.in
			d.Lost += h.counted.missing
			d.gaps(h)
		}
		if d.Unmarked = 0; d.Legs == 0 { // nothing is marked in a mix
			continue
		}
		r.report.Directions = append(r.report.Directions, d)
	}
}

// leg is one stream's line.
func (s *stream) leg() Leg {
	c := &s.counted
	l := Leg{Side: s.side.String(), Port: int(s.addr.Port()), Out: c.out, In: c.in, Missing: c.missing,
		Gaps30: c.short, Gaps60: c.long, Longest: ms(c.longest), Lowest: c.worst()}
	if h := c.most(); h != nil {
		l.Marked, l.MaxDelay = h.in, ms(h.max)
	}
	return l
}

// worst is the packets of the worst second; -1: there was no whole one.
func (c *counted) worst() int {
	if !c.started {
		return -1
	}
	return c.lowest
}

// direction adds up what the hearers of one side heard from one other side.
func direction(from, to side, hearers []*stream, byID map[uint32]*stream) (d Direction, any bool) {
	d = Direction{From: from.String(), To: to.String(), Lowest: -1}
	for _, s := range hearers {
		h := s.counted.mostOf(from)
		if h == nil {
			continue
		}
		speaker := byID[h.speaker]
		if speaker == nil {
			continue // a stamp of another generator's
		}
		d.Legs++
		d.Out += speaker.counted.out
		d.In += h.in
		d.Twice += h.twice
		d.Strange += s.counted.strange(from, h)
		d.gaps(s)
	}
	d.Lost = d.Out - d.In
	return d, d.Legs > 0
}

// gaps adds what has to do with when packets came.
func (d *Direction) gaps(s *stream) {
	c := &s.counted
	d.Unmarked += c.unmarked
	d.Gaps30 += c.short
	d.Gaps60 += c.long
	d.Longest = max(d.Longest, ms(c.longest))
	if w := c.worst(); w >= 0 && (d.Lowest < 0 || w < d.Lowest) {
		d.Lowest = w
	}
}
