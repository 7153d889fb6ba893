package exchange

import (
	"net/url"
	"testing"
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
	to := []string{"12345", "12345", "110", "119", "2102", "1102", "conference", "consult", "handover", "urgent",
		"7777"}[s.rng.IntN(11)]
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
	switch s.rng.IntN(8) {
	case 0, 1: // attended or semi-attended transfer
		tags := b.beside.early
		if tags[0] == "" { // it has had no more than a 100
			ours, _ := b.leg.Tags()
			tags = [2]string{"0", ours}
		}
		if !b.ended {
			l.refer("<sip:x@127.0.0.1?Replaces=" + url.QueryEscape(
				b.leg.CallID()+";to-tag="+tags[0]+";from-tag="+tags[1]) + ">")
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
	case 6, 7: // the network's conference
		l.confers(b)
	case 5: // both are put down
		b.hangUp()
		l.hangUp()
	}
}

// RFC 3891 §3: a phone whose second line has had no more than a 100 knows no tag of ours,
// and transfers to it all the same.
func TestTransferBeforeTheFirstTag(t *testing.T) {
	r := newRouted(t, 1)
	r.targets[0].does = func(l *line) { l.after(8*time.Second, leg.Answer{}) } // silent until then
	r.citizen = r.phoneOf("13812345670").dial("110")
	desk := r.phoneOf("1101")
	r.at(4*time.Second, func() {
		desk.legs[0].do(leg.Modify{Direction: sdp.SendOnly})
		second := desk.dial("119")
		r.after(2*time.Second, func() {
			if second.beside.early[0] != "" {
				t.Error("it has had a tag")
			}
			ours, _ := second.leg.Tags()
			desk.legs[0].refer("<sip:x@127.0.0.1?Replaces=" +
				url.QueryEscape(second.leg.CallID()+";to-tag=0;from-tag="+ours) + ">")
		})
	})
	r.at(20*time.Second, func() {
		if got := r.talksTo(); got != "119-0" || !desk.legs[0].ended {
			t.Errorf("the citizen talks to %q, the desk has ended %v", got, desk.legs[0].ended)
		}
		r.citizen.hangUp()
	})
	r.run(time.Hour)
	if r.err != nil || t.Failed() {
		t.Errorf("%v\n%s", r.err, r.log.String())
	}
}

// confers: the phone calls the conference URI and brings both lines in, by a REFER in each of them or in the
// conference's own; then it may put the partner out.
func (l *line) confers(b *line) {
	s := l.phone.sim
	if l.ended || b.ended || l.phone.dead {
		return
	}
	f := l.phone.dial("conference")
	f.focus = true
	lines := []*line{l, b}
	if s.chance(0.3) {
		lines = []*line{b, l}
	}
	formA := s.chance(0.5)
	for i, one := range lines {
		s.after(s.between(time.Second, 3*time.Second)+time.Duration(i)*3*time.Second, func() {
			if to, from := one.tags(); formA && f.beside.target != "" {
				one.refer("<" + f.beside.target + ">")
			} else if to != "" {
				f.refer("<sip:x@127.0.0.1?Replaces=" + url.QueryEscape(
					one.leg.CallID()+";to-tag="+to+";from-tag="+from) + ">")
			}
		})
	}
	if s.chance(0.3) {
		s.after(s.between(7*time.Second, 30*time.Second), func() { f.refer("<sip:12345@127.0.0.1;method=BYE>") })
	}
	s.after(s.between(10*time.Second, 60*time.Second), f.hangUp)
}
