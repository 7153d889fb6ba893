package configs

import (
	"strings"

	"liandong/routing/desk"
)

func (c *checker) hotlines() {
	if len(c.Hotlines) == 0 && !c.faulty("hotlines") {
		c.add("hotlines", textNoHotline.of())
	}
	for _, id := range sorted(c.Hotlines) {
		h, key := c.Hotlines[id], join("hotlines", id)
		c.network(key, h.Network)
		c.reached(key, h)
		c.partner(key, id, h)
		c.overflow(key+".queue.overflow", id, h.Queue.Overflow)
		c.transfer(key+".transfer", h.Transfer)
		c.callback(key+".callback", h)
		c.announced(key + ".recording")
		c.spool(key, h)
		if h.RingEach > h.NoAnswer {
			c.add(key+".ring_each", textLongSeat.of(h.NoAnswer))
		}
		before := map[string]bool{}
		for i, user := range h.Seats {
			c.seat(index(key+".seats", i), id, user, before)
			before[user] = true
		}
		c.supervisors(key+".supervisors", h)
	}
}

// supervisors checks whose phones may look after the calls of a line: also those of another line's desks.
func (c *checker) supervisors(key string, h *Hotline) {
	before := map[string]bool{}
	for i, user := range h.Supervisors {
		if at := index(key, i); refers(c, at, user, c.Phones) && before[user] {
			c.add(at, textListTwice.of(user))
		}
		before[user] = true
	}
}

// announced finds a clip for a recording that nobody has asked for: the admin believes that it is on.
func (c *checker) announced(key string) {
	_, clip := c.placed(key + ".announce")
	_, mode := c.placed(key + ".mode")
	if clip && !mode && !c.faulty(key+".mode") {
		c.add(key+".mode", textNoMode.of(strings.Join(desk.RecordNames(), ", ")))
	}
}

// reached checks that a hotline has somewhere to ring: seats of its own, or a trunk.
func (c *checker) reached(key string, h *Hotline) {
	switch {
	case h.Trunk == "" && len(h.Seats) == 0 && !c.has(key) && !c.faulty(key+".seats") && !c.faulty(key+".trunk") &&
		!c.homeless():
		c.addName(key, textNoSeats.of())
	case h.Trunk != "" && len(h.Seats) > 0:
		c.add(key+".seats", textSeatsTrunk.of())
	}
	if refers(c, key+".trunk", h.Trunk, c.Trunks) {
		c.callable(key+".trunk", h.Trunk)
	}
}

// homeless says that some phone does not tell its hotline, which was reported: it may be the seat that a hotline lacks.
func (c *checker) homeless() bool {
	for _, p := range c.Phones {
		if p.Hotline == "" {
			return true
		}
	}
	return false
}

func (c *checker) callable(key, trunk string) {
	at := join("trunks", trunk)
	if len(c.Trunks[trunk].hosts()) == 0 && !c.faulty(at+".target") && !c.faulty(at+".targets") &&
		!c.faulty(at+".srv") {
		c.add(key, textNoTarget.of(trunk))
	}
}

func (c *checker) partner(key, id string, h *Hotline) {
	if h.Partner == id {
		c.add(key+".partner", textSelfPartner.of(c.lines(id)))
		return
	}
	refers(c, key+".partner", h.Partner, c.Hotlines)
}

func (c *checker) overflow(key, id string, o Overflow) {
	switch {
	case o.Hotline != "" && o.Trunk != "":
		c.add(key, textTwoOverflows.of())
	case (o.Trunk == "") != (o.Number == "") && !c.faulty(key+".trunk") && !c.faulty(key+".number"):
		c.add(key, textOverflowPair.of())
	case o.Hotline == id && id != "":
		c.add(key+".hotline", textSelfOverflow.of(c.lines(id)))
	}
	refers(c, key+".hotline", o.Hotline, c.Hotlines)
	if refers(c, key+".trunk", o.Trunk, c.Trunks) {
		c.callable(key+".trunk", o.Trunk)
	}
}

// transfer checks what phones may transfer to: nothing that no number could be, and nothing that is nearly everything.
func (c *checker) transfer(key string, t Transfer) {
	if (t.Trunk == "") != (len(t.Numbers) == 0) && !c.faulty(key+".trunk") && !c.faulty(key+".numbers") {
		c.add(key, textTransferPair.of())
	}
	for i, n := range t.Numbers {
		at := index(key+".numbers", i)
		if _, ok := c.plan().Range(n); !ok && n != "" && !c.faulty(at) {
			c.add(at, textBadValue.of(n, textRange.of()))
		}
	}
	if refers(c, key+".trunk", t.Trunk, c.Trunks) {
		c.callable(key+".trunk", t.Trunk)
	}
}

// callback checks that citizens can be called back, by whoever has desks.
func (c *checker) callback(key string, h *Hotline) {
	switch b := h.Callback; {
	case b.Trunk == "" && b.Number != "" && !c.faulty(key+".trunk"):
		c.add(key, textCallbackTrunk.of())
	case b.Trunk != "" && h.Trunk != "":
		c.add(key, textCallbackDesks.of())
	case refers(c, key+".trunk", b.Trunk, c.Trunks):
		c.callable(key+".trunk", b.Trunk)
	}
}

func (c *checker) seat(key, id, user string, before map[string]bool) {
	if !refers(c, key, user, c.Phones) {
		return
	}
	if before[user] {
		c.add(key, textListTwice.of(user))
	}
	if at := c.Phones[user].Hotline; at != id && !c.faulty(join(join("phones", user), "hotline")) {
		c.add(key, textSeatOther.of(user, at))
	}
}
