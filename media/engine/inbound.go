package engine

import (
	"liandong/media/codec"

	"liandong/media/report"
)

// steadyPackets in a row are another packet time or codec, and not a stray.
const steadyPackets = 10

// inbound is what a leg's party sends: its codec may be any of those that were agreed on, and
// its packet time is its own affair. Whether it can be relayed depends on both. Owned by the leg.
type inbound struct {
	codec codec.ID
	span  uint32 // of a packet, in ticks of the codec's clock
	row   uint32 // packets in a row that are otherwise
	next  struct {
		codec codec.ID
		span  uint32
	}
}

// expect is what we take it for before it comes: the codec that we send, and 20 ms, which is
// what our own SDP wishes for.
func (c *inbound) expect(id codec.ID) {
	*c = inbound{codec: id, span: report.ClockOf(id).Frame()}
}

// other takes a packet that is not as expected; true: so will those be that follow.
func (c *inbound) other(id codec.ID, span uint32, relayed bool) bool {
	if c.next.codec != id || c.next.span != span {
		c.next.codec, c.next.span, c.row = id, span, 0
	}
	c.row++
	foreign := relayed && !passes(c.codec, id) // whoever hears it packet by packet cannot have it
	if c.row < steadyPackets && !foreign {
		return false
	}
	c.codec, c.span, c.row = id, span, 0
	return true
}

// passes says whether a packet of one codec can be sent on as one of another without regard to
// those before it.
func passes(from, to codec.ID) bool { return from == to || from.Stateless() && to.Stateless() }

// fits says whether what a party sends can be relayed to the leg, packet by packet: also in
// packets as long as it wishes.
func (l *leg) fits(source *leg) bool {
	c := &source.inbound
	return passes(c.codec, l.stream.Codec) &&
		(l.stream.Ptime == 0 || report.ClockOf(c.codec).Duration(c.span) == packetTime(l.stream.Ptime))
}
