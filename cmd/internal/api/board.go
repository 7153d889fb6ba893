package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"liandong/cmd/internal/report"
	"liandong/cmd/internal/trace"
	"liandong/routing/call"
	"liandong/routing/disclose"
)

// Detail is a call as somebody who has it on his desk sees it.
type Detail struct {
	Shown
	Number   string `json:"number,omitempty"`   // of the caller, unmasked; "": not his to see
	Category string `json:"category,omitempty"` // of the matter
	Mode     string `json:"mode,omitempty"`     // in which it goes over
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	// how each party's leg has sounded
	Quality []trace.Sound `json:"quality,omitempty"`
}

// call shows one call. Whose desk rings or talks in it sees the caller's number as the line's policy lets it, and
// that is written down.
func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	v := visitorOf(r)
	c, ok := s.sw.Calls.Call(r.PathValue("id"))
	if !ok || !v.lines.any(concerned(c)...) {
		s.say(w, http.StatusNotFound, goneCall)
		return
	}
	d := Detail{Shown: show(c, v), Category: c.Category,
		Quality: s.sw.Traces.Quality(c.Ref, trace.Eyes{Lines: v.lines, Attends: v.supervises})}
	if m := c.Matter; m != nil {
		d.Mode, d.From, d.To = m.Mode, m.From, m.To
		if m.Category != "" {
			d.Category = m.Category
		}
	}
	if line, has := seatOf(c, v.own); has {
		d.Number = disclose.Caller{Number: c.Caller}.ToLine(s.conf().Lines[line], disclose.AnyNetwork)
	}
	if d.Number != "" {
		s.audit.did(r, "a number is shown", "call", c.Ref, "user", v.own)
	}
	s.Encode(w, d)
}

// seatOf is the line of a user's desk in a call.
func seatOf(c call.Call, user string) (line string, ok bool) {
	for _, l := range c.Legs {
		if l.Seat == user && user != "" {
			return l.Hotline, true
		}
	}
	return "", false
}

// Board is what the room wants to know: of each line the figures of the day, and what is amiss.
type Board struct {
	Lines    []Tile    `json:"lines"`
	Warnings []string  `json:"warnings"`
	At       time.Time `json:"at"` // when the figures were read
	Stale    bool      `json:"stale,omitempty"`
}

// Tile is a line on the board.
type Tile struct {
	Hotline string       `json:"hotline"`
	Name    string       `json:"name"`
	Seats   int          `json:"seats"`
	Amber   float64      `json:"amber"` // seconds of waiting from which it is late
	Red     float64      `json:"red"`   // and too late
	Today   *report.Line `json:"today,omitempty"`
}

// boardAge is how old the figures of the day may be.
const boardAge = 5 * time.Second

// days are figures of a day that were read of late. Guarded by mu, which is held while Redis is asked: many who look at
// once ask once.
type days struct {
	mu    sync.Mutex
	at    time.Time
	lines []report.Line
	err   error
}

// today are the figures of the day, not older than boardAge.
func (s *Server) today(ctx context.Context) (lines []report.Line, at time.Time, err error) {
	s.days.mu.Lock()
	defer s.days.mu.Unlock()
	if now := s.now(); now.Sub(s.days.at) > boardAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		lines, err := s.sw.Indicators(ctx, Span{})
		if s.days.at, s.days.err = now, err; err == nil {
			s.days.lines = lines
		}
	}
	return s.days.lines, s.days.at, s.days.err
}

func (s *Server) board(w http.ResponseWriter, r *http.Request) {
	seen, lang := visitorOf(r).lines, s.langOf(w)
	today, at, err := s.today(r.Context())
	b := Board{Lines: []Tile{}, Warnings: []string{}, At: at, Stale: err != nil}
	if seen == nil {
		b.Warnings = append(b.Warnings, append(s.faults(lang), s.warnings(lang)...)...)
	}
	all := s.conf().Lines
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !seen.has(id) {
			continue
		}
		t := Tile{Hotline: id, Name: all[id].Name, Seats: len(all[id].Seats), Amber: late.Seconds(),
			Red: tooLate(all[id].NoAnswer)}
		if i := slices.IndexFunc(today, func(l report.Line) bool { return l.Hotline == id }); i >= 0 {
			t.Today = &today[i]
		}
		b.Lines = append(b.Lines, t)
	}
	s.Encode(w, b)
}

// late is from when a call should have been answered: indicators count by it.
const late = 15 * time.Second

// tooLate is from when a desk that does not answer is given up, and never before it is late.
func tooLate(noAnswer time.Duration) float64 { return max(noAnswer, 2*late).Seconds() }

// ErrDay: days that cannot be read.
var ErrDay = errors.New("api: no such days")

// Span is some days, as they are asked for: "2024-04-03".
type Span struct {
	From, To string // "" From: today; "" To: that one day
	Parts    bool   // also of each day, or of a single day's hours
}

// mostDays bounds a span.
const mostDays = 366

// In reads the days in the zone by which they are counted.
func (p Span) In(zone *time.Location, now time.Time) (from, to time.Time, err error) {
	from = now.In(zone)
	if p.From != "" {
		if from, err = time.ParseInLocation(time.DateOnly, p.From, zone); err != nil {
			return from, to, ErrDay
		}
	}
	if p.To == "" {
		return from, from, nil
	}
	to, err = time.ParseInLocation(time.DateOnly, p.To, zone)
	switch day := from.Format(time.DateOnly); {
	case err != nil, p.From == "", day > to.Format(time.DateOnly),
		from.AddDate(0, 0, mostDays).Format(time.DateOnly) <= to.Format(time.DateOnly):
		return from, to, ErrDay
	}
	return from, to, nil
}

// SpanOf is what a request asks for: ?day=, or ?from= and ?to=.
func SpanOf(r *http.Request) Span {
	q := r.URL.Query()
	return Span{From: cmp.Or(q.Get("from"), q.Get("day")), To: q.Get("to"), Parts: q.Get("parts") != ""}
}

// indicators are the figures of some days, without any named of today.
func (s *Server) indicators(w http.ResponseWriter, r *http.Request) {
	list, err := s.Figures(r.Context(), visitorOf(r).lines, SpanOf(r))
	switch {
	case errors.Is(err, ErrDay):
		s.say(w, http.StatusBadRequest, badDay, mostDays)
	case err != nil:
		s.say(w, http.StatusServiceUnavailable, noFigures)
	default:
		s.Encode(w, list)
	}
}

// Figures are those of some days, for some lines, nil: for all.
func (s *Server) Figures(ctx context.Context, of []string, span Span) ([]report.Line, error) {
	list, err := s.sw.Indicators(ctx, span)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(l report.Line) bool { return !lines(of).has(l.Hotline) }), nil
}
