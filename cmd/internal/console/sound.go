package console

import (
	"net/http"
	"time"

	"liandong/cmd/internal/trace"
)

// sounded are the curves of a call: of what came from each party, and of what the party says of what it got.
var sounded = []struct {
	title     pair
	unit      string
	low       bool // that the worse of two figures is the lower one
	from, got func(trace.Point) *float64
}{
	{pair{"通话质量（MOS）", "Quality (MOS)"}, "mos", true,
		func(p trace.Point) *float64 { return p.MOS }, func(p trace.Point) *float64 { return p.RemoteMOS }},
	{pair{"丢包", "Packets lost"}, "%", false,
		func(p trace.Point) *float64 { return p.Loss }, func(p trace.Point) *float64 { return p.RemoteLoss }},
	{pair{"抖动", "Jitter"}, "ms", false,
		func(p trace.Point) *float64 { return p.Jitter }, func(p trace.Point) *float64 { return p.RemoteJitter }},
}

var sentBy, heardBy = pair{" 发出", " sends"}, pair{" 听到", " hears"}

const (
	measuring = 5   // seconds between the measurements of a leg
	mostDrawn = 240 // points of a curve: of a longer call each stands for more seconds, by the worst of them
)

// sound is a call's quality over time as curves, for a page that is open while the call goes on.
func (s *Server) sound(w http.ResponseWriter, r *http.Request) {
	if !s.may(w, r, oneCall) {
		return
	}
	list := []curve{}
	if l, ok := s.api.Ladder(r.PathValue("id"), s.signedAs(visitOf(r))); ok {
		list = soundOf(l.Quality, l.Began, s.lang(r))
	}
	s.api.Encode(w, list)
}

// soundOf are the curves of a call that has begun at a time.
func soundOf(legs []trace.Sound, began time.Time, lang string) []curve {
	last := 0
	for _, leg := range legs {
		for _, p := range leg.Points {
			last = max(last, int(p.At.Sub(began)/time.Second))
		}
	}
	step := measuring * (1 + last/measuring/mostDrawn)
	at := make([]int, last/step+1)
	for i := range at {
		at[i] = i * step
	}
	list := []curve{}
	for _, c := range sounded {
		one := curve{Title: c.title.in(lang), Unit: c.unit, Seconds: at}
		for _, leg := range legs {
			name := trace.NameOf(leg.Party, lang)
			for _, way := range []struct {
				name string
				of   func(trace.Point) *float64
			}{{name + sentBy.in(lang), c.from}, {name + heardBy.in(lang), c.got}} {
				if values := worst(leg.Points, began, step, len(at), c.low, way.of); values != nil {
					one.Lines = append(one.Lines, points{way.name, values})
				}
			}
		}
		if len(one.Lines) > 0 {
			list = append(list, one)
		}
	}
	return list
}

// worst are the worst figures of each step of a time; nil: there are none at all. A step between two others whose
// measurements have just missed it is as the one before.
func worst(from []trace.Point, began time.Time, step, n int, low bool, of func(trace.Point) *float64) []*float64 {
	values, any := make([]*float64, n), false
	for _, p := range from {
		v, i := of(p), max(0, int(p.At.Sub(began)/time.Second)/step)
		if v == nil {
			continue
		}
		any = true
		if old := values[i]; old == nil || (*v < *old) == low {
			values[i] = v
		}
	}
	for i := 1; i < n-1; i++ {
		if values[i] == nil && values[i+1] != nil {
			values[i] = values[i-1]
		}
	}
	if !any {
		return nil
	}
	return values
}
