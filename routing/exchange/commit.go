package exchange

import (
	"errors"
	"net/netip"
	"time"

	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/sip/leg"
)

// What an input comes to, messages, ticket entries, orders to the media engine, is done when the input is over and the
// state of the call is stored with it: so there is nothing that others have seen and the next process does not know of.
// If the process ends before, the input was never there, and comes again as everything does that is lost on the way. If
// it ends after, the next process does it: what is sent twice is a copy.

// act is one thing to be done: one of its fields but the last is set.
type act struct {
	packet *leg.Packet
	entry  *ticket.Entry
	letter *Letter
	order  engine.Command
	news   *news.Item
	note   *news.Item       // news for the trace alone
	do     func()           // what follows from the state anyway, and is done anew by the next process
	stops  *record.Position // of the recording that do ends
}

// usualActs is what an input comes to, and more.
const usualActs = 8

func (c *Core) later(a act) {
	if c.acts == nil && !c.state.Over() {
		c.acts = make([]act, 0, usualActs)
	}
	c.acts = append(c.acts, a)
}

// media gives the engine an order.
func (c *Core) media(cmd engine.Command) { c.later(act{order: cmd}) }

// stream has a party's sound go as offer and answer say.
func (c *Core) stream(p *party, s engine.Stream) {
	p.Stream = &s
	c.media(s)
}

// port opens a port for a party.
func (c *Core) port(p *party) (netip.AddrPort, error) {
	return c.world.Media.Open(engine.LegID(p.ID), p.Network)
}

func (c *Core) publish(it *news.Item) { c.later(act{news: it}) }

// commit ends an input.
func (c *Core) commit() {
	if c.world.Timed != nil {
		c.world.Timed(c.storing)
	} else {
		c.store()
	}
	c.perform()
}

// perform does what is to be done, in order. The room that it took is there for the next input, while the call is on.
func (c *Core) perform() {
	room := c.acts[:0]
	for len(c.acts) > 0 {
		a := c.acts[0]
		c.acts[0] = act{}
		c.acts = c.acts[1:]
		if !c.mended(func() { c.act(a) }) && a.letter == nil {
			c.mended(func() { c.act(a) }) // whoever gets a message or an entry twice knows it
		}
	}
	switch {
	case c.state.Over():
		c.acts = nil
	case cap(room) > cap(c.acts):
		c.acts = room
	}
}

func (c *Core) act(a act) {
	switch {
	case a.do != nil:
		a.do()
	case a.order != nil:
		c.world.Media.Do(a.order)
	case a.news != nil:
		c.world.Tell(*a.news)
	case a.note != nil:
		c.world.Trace(*a.note)
	case a.entry != nil:
		c.put(*a.entry)
	case a.letter != nil:
		if !c.world.Post(*a.letter) {
			c.Returned(c.now, *a.letter)
		}
	default:
		c.world.Wire.Send(*a.packet)
	}
}

// put hands an entry to the outbox.
func (c *Core) put(e ticket.Entry) {
	log := c.world.Log.With("stub", e.StubID, "event", e.Event)
	c.world.Tickets.Put(e, func(err error) {
		if err != nil {
			log.Error("a ticket entry is not on disk", "err", err)
		}
	})
}

var errUnsent = errors.New("exchange: a message could not be sent")

// wall is what a clock on the wall shows at a time of the switch: what people and other systems read.
func (c *Core) wall(t time.Time) time.Time {
	if c.world.Wall == nil {
		return t
	}
	return c.world.Wall(t)
}

func (c *Core) newID() string { return c.world.NewID(c.wall(c.now)) }
