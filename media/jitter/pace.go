package jitter

import "time"

const (
	span   = 100 * time.Millisecond // over which transits are taken together
	window = 40                     // spans that are looked at: 4 s
	infant = 10                     // spans after which the jitter is known
)

// pace measures the network by the packets' transits: by how many ticks our
// clock is ahead of a packet's timestamp when it comes. The clocks begin anywhere and
// drift, so only differences within the window mean anything. Two figures come out:
// the transit of the fastest packet, and by how much the slowest ones are slower.
//
// The slowest packet of each span of time counts once, and of the spans in the
// window the worst is left out: one stall, ours or the sender's, makes any number of
// packets late at the same moment, and no delay would have helped against it. What
// happens twice in the window happens again.
type pace struct {
	length int32 // of a span, in ticks

	origin uint32 // transits are relative to this one
	began  uint32 // the span that is being measured: by our clock,
	low    int32  // its fastest packet,
	high   int32  // and its slowest
	base   int32  // the fastest one of the window
	spread int32  // by how much the slow ones are slower: the second worst of the window
	at     int    // where the span will be written down
	n      int    // how many are written down
	valid  int    // and how many since the last rebase
	spans  [window]measured
}

// measured is what is written down of a span.
type measured struct {
	low, high int32
	spread    int32 // high above the base at that time
}

// young says that too little was measured yet.
func (p *pace) young() bool { return p.n < infant }

// fastest is the least transit.
func (p *pace) fastest() uint32 { return p.origin + uint32(p.base) }

// above is by how much a packet's transit is more than the least.
func (p *pace) above(transit uint32) int32 { return int32(transit-p.origin) - p.base }

// rebase takes a packet as the fastest one: timestamps or the way of the packets
// have changed, so that older transits mean nothing. What jitter there was, there still is.
func (p *pace) rebase(transit, clock uint32) {
	p.origin, p.base, p.low, p.high = transit, 0, 0, 0
	p.began, p.valid = clock, 0
}

// note counts a packet. It is true when the spread was measured anew.
func (p *pace) note(transit, clock uint32) (closed bool) {
	x := int32(transit - p.origin)
	if closed = int32(clock-p.began) >= p.length; closed {
		p.close()
		p.began, p.low, p.high = clock, x, x
	}
	p.low, p.high, p.base = min(p.low, x), max(p.high, x), min(p.base, x)
	return closed
}

// close writes a span down. When the base has changed since an older one, the lesser
// spread of then and now is true: both a slower and a faster way of the packets are new to it.
func (p *pace) close() {
	p.spans[p.at] = measured{p.low, p.high, p.high - p.base}
	p.at = (p.at + 1) % window
	p.n, p.valid = min(p.n+1, window), min(p.valid+1, window)
	p.base = p.low
	for i := range p.valid {
		p.base = min(p.base, p.back(i).low)
	}
	var largest, second int32
	for i := range p.n {
		spread := p.back(i).spread
		if i < p.valid {
			spread = min(spread, p.back(i).high-p.base)
		}
		second = max(second, min(spread, largest))
		largest = max(largest, spread)
	}
	p.spread = second
}

// back is the i-th last span written down.
func (p *pace) back(i int) *measured {
	at := p.at - 1 - i
	if at < 0 {
		at += window
	}
	return &p.spans[at]
}
