package exchange

import (
	"net/url"
	"time"

	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// consults: a desk's phone holds the caller and dials on its second line, and
// then does one of what phones do.
func (l *line) consults(from time.Duration) {
	s := l.phone.sim
	if !s.chance(0.2) {
		return
	}
	to := []string{"12345", "12345", "110", "119", "2102", "1102", "conference", "consult", "handover", "urgent", "7777"}[s.rng.IntN(11)]
	s.after(from+s.between(200*time.Millisecond, 20*time.Second), func() {
		if !l.up || l.ended || l.phone.dead {
			return
		}
		if s.chance(0.9) {
			l.do(leg.Modify{Direction: sdp.SendOnly})
		}
		b := l.phone.dial(to)
		s.after(s.between(time.Second, 40*time.Second), func() { l.finishes(b) })
		s.after(s.between(40*time.Second, 90*time.Second), b.hangUp)
	})
}

// finishes ends a consultation in one of the ways of phones.
func (l *line) finishes(b *line) {
	s := l.phone.sim
	switch s.rng.IntN(6) {
	case 0, 1: // attended or semi-attended transfer
		if tags := b.beside.early; tags[0] != "" && !b.ended {
			l.refer("<sip:x@127.0.0.1?Replaces=" + url.QueryEscape(b.leg.CallID()+";to-tag="+tags[0]+";from-tag="+tags[1]) + ">")
		}
	case 2: // back to the caller
		b.hangUp()
		l.do(leg.Modify{Direction: sdp.SendRecv})
	case 3: // the phone's own conference
		if !l.ended {
			l.do(leg.Modify{Direction: sdp.SendRecv})
		}
	case 4: // to and fro
		for i := range 4 {
			one, two := l, b
			if i%2 == 1 {
				one, two = b, l
			}
			s.after(time.Duration(i)*3*time.Second, func() {
				if one.up && two.up && !one.ended && !two.ended {
					two.do(leg.Modify{Direction: sdp.SendOnly})
					one.do(leg.Modify{Direction: sdp.SendRecv})
				}
			})
		}
	case 5: // both are put down
		b.hangUp()
		l.hangUp()
	}
}
