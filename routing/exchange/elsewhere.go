package exchange

import (
	"liandong/routing/desk"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// What a phone wants of a call that another switch has cannot be done here: it is refused, in words that it may show.

// atAnother refuses with the switch that has the call; "": it is not known which.
func atAnother(code int, node string) leg.Reject {
	zh, en := "通话在另一台交换机", "the call is at another switch"
	if node != "" {
		zh, en = zh+" "+node, en+", "+node
	}
	return refusal(code, "Call At Another Switch", zh+" / "+en)
}

func refusal(code int, phrase, warning string) leg.Reject {
	return leg.Reject{Code: code, Phrase: phrase, Fields: []header.Field{
		{Name: "Warning", Value: `399 liandong "` + warning + `"`}}} // RFC 3261 §20.43
}

// unknown refuses what names a call that this switch does not have: it is over, or at another switch, where there are
// some.
func (c *Core) unknown(code int) leg.Reject {
	if c.world.Seats.alone() {
		return leg.Reject{Code: code}
	}
	return refusal(code, "No Such Call At This Switch",
		"通话已结束或在另一台交换机 / the call is over, or at another switch")
}

// heldOf is the switch that has a seat of a line.
func (s *Seats) heldOf(line *desk.Hotline) (node string, held bool) {
	for _, seat := range line.Seats {
		if node, held := s.shared.HeldBy(seat); held {
			return node, true
		}
	}
	return "", false
}

// notHere refuses with a code what is meant for the call of a seat, or for one that rings or waits for a line, when
// there is none here.
func (c *Core) notHere(code int, seat string, line *desk.Hotline) leg.Reject {
	node, held := "", false
	switch {
	case seat != "":
		node, held = c.world.Seats.shared.HeldBy(seat)
	case line != nil:
		if node, held = c.world.Seats.heldOf(line); !held {
			held = c.world.Seats.shared.Waiting(line) > 0
		}
	}
	if !held {
		return leg.Reject{Code: code}
	}
	return atAnother(code, node)
}
