package exchange

import (
	"testing"
	"time"

	"liandong/sip/header"
	"liandong/sip/leg"
)

// RFC 3326 §2: whoever is called off, hung up on or refused learns what the other
// side has given for a reason.
func TestReasonIsCarriedAcross(t *testing.T) {
	elsewhere := header.Reason{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"}
	busy := header.Reason{Protocol: "Q.850", Cause: 17, Text: "User busy"}
	fields := func(r header.Reason) []header.Field { return []header.Field{{Name: "Reason", Value: r.String()}} }
	for name, c := range map[string]struct {
		desk    func(*line)
		citizen func(*line)
		to      string
		told    func(r *routed, desk *line) []header.Reason
		want    header.Reason
	}{
		"CANCEL": {
			desk:    func(l *line) { l.do(leg.Progress{Code: 180}) },
			citizen: func(l *line) { l.do(leg.End{Fields: fields(elsewhere)}) },
			told:    func(_ *routed, desk *line) []header.Reason { return desk.why }, want: elsewhere,
		},
		"BYE": {
			desk:    func(l *line) { l.answer(time.Second) },
			citizen: func(l *line) { l.do(leg.End{Fields: fields(busy)}) },
			told:    func(_ *routed, desk *line) []header.Reason { return desk.why }, want: busy,
		},
		"BYE without a word": { // Q.850: the ordinary end
			desk:    func(l *line) { l.answer(time.Second) },
			citizen: func(l *line) { l.do(leg.End{}) },
			told:    func(_ *routed, desk *line) []header.Reason { return desk.why },
			want:    header.Reason{Protocol: "Q.850", Cause: 16, Text: "Normal call clearing"},
		},
		"CANCEL without a word": {
			desk:    func(l *line) { l.do(leg.Progress{Code: 180}) },
			citizen: func(l *line) { l.do(leg.End{}) },
			told:    func(_ *routed, desk *line) []header.Reason { return desk.why },
			want:    header.Reason{Protocol: "SIP", Cause: 487, Text: "Call withdrawn"},
		},
		"a refusal": {
			to:   "119",
			desk: func(l *line) { l.after(time.Second, leg.Reject{Code: 486, Fields: fields(busy)}) },
			told: func(r *routed, _ *line) []header.Reason { return r.citizen.why }, want: busy,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouted(t, 1)
			var desk *line
			does := func(l *line) { desk = l; c.desk(l) }
			r.phoneOf("1101").does, r.targets[0].does = does, does
			if c.to == "" {
				c.to = "110"
			}
			r.citizen = r.phoneOf("13812345670").dial(c.to)
			r.at(4*time.Second, func() {
				if c.citizen != nil {
					c.citizen(r.citizen)
				}
			})
			r.at(6*time.Second, func() {
				if got := c.told(r, desk); len(got) != 1 || got[0].String() != c.want.String() {
					t.Errorf("told %v, want %v", got, c.want)
				}
			})
			r.run(time.Hour)
			if r.err != nil {
				t.Error(r.err)
			}
			if t.Failed() {
				t.Log("\n" + r.log.String())
			}
		})
	}
}

// after gives a command later, unless the line has ended.
func (l *line) after(d time.Duration, cmd leg.Command) {
	l.phone.sim.after(d, func() {
		if !l.ended {
			l.do(cmd)
		}
	})
}
