package trace

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/cmd/internal/object"
	"liandong/routing/news"
	"liandong/sip/capture"
)

// Sound is how a party's leg sounded, over time.
type Sound struct {
	Party  string  `json:"party"` // "caller", or a desk's agent
	Points []Point `json:"points"`
}

// Point is a leg in the five seconds before. What is not known is left out: a phone that sends no RTCP says nothing of
// what it hears.
type Point struct {
	At           time.Time `json:"at"`
	Loss         *float64  `json:"loss_percent,omitempty"` // of what the party has sent
	Jitter       *float64  `json:"jitter_ms,omitempty"`
	MOS          *float64  `json:"mos,omitempty"`                 // 1 to 4.5, of a conversation
	RemoteLoss   *float64  `json:"remote_loss_percent,omitempty"` // of what it got from us
	RemoteJitter *float64  `json:"remote_jitter_ms,omitempty"`
	RemoteMOS    *float64  `json:"remote_mos,omitempty"`
	RTT          *float64  `json:"rtt_ms,omitempty"`
}

// figures are the fields of a measurement in the order in which they stand in a note, and where they go.
var figures = []struct {
	name string
	of   func(*Point) **float64
}{
	{"loss_percent", func(p *Point) **float64 { return &p.Loss }},
	{"jitter_ms", func(p *Point) **float64 { return &p.Jitter }},
	{"mos", func(p *Point) **float64 { return &p.MOS }},
	{"remote_loss_percent", func(p *Point) **float64 { return &p.RemoteLoss }},
	{"remote_jitter_ms", func(p *Point) **float64 { return &p.RemoteJitter }},
	{"remote_mos", func(p *Point) **float64 { return &p.RemoteMOS }},
	{"rtt_ms", func(p *Point) **float64 { return &p.RTT }},
}

const (
	measured = "measured" // the event that says how a leg sounded, and the note with some of them
	points   = "points"   // the field of the note: rows with ; between, the second and the figures in a row
	unknown  = "-"
)

// row is a measurement as it stands in a note.
func row(at time.Time, fields news.Fields) string {
	words := []string{strconv.FormatInt(at.Unix(), 10)}
	for _, f := range figures {
		words = append(words, cmp.Or(fields.Get(f.name), unknown))
	}
	return strings.Join(words, " ")
}

// pointsOf reads the rows of a note. What is no row is left out.
func pointsOf(rows string) (list []Point) {
	for one := range strings.SplitSeq(rows, ";") {
		words := strings.Fields(one)
		if len(words) != 1+len(figures) {
			continue
		}
		at, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			continue
		}
		p := Point{At: time.Unix(at, 0)}
		for i, f := range figures {
			if v, err := strconv.ParseFloat(words[1+i], 64); err == nil {
				*f.of(&p) = &v
			}
		}
		list = append(list, p)
	}
	return list
}

// sounds takes a note of measurements into the ladder.
func (l *Ladder) sounds(fields map[string]string) {
	i := slices.IndexFunc(l.Quality, func(s Sound) bool { return s.Party == fields["party"] })
	if i < 0 {
		i, l.Quality = len(l.Quality), append(l.Quality, Sound{Party: fields["party"]})
	}
	l.Quality[i].Points = append(l.Quality[i].Points, pointsOf(fields[points])...)
}

// Measurements of a leg are gathered to one note: by themselves they would take more room than the messages do.
const (
	together     = 32   // measurements in a note
	mostGathered = 8192 // calls whose measurements are gathered at once; of more each has a note
)

// gathered are the measurements of a leg that are in no note yet.
type gathered struct {
	also   string      // another name of the call
	fields news.Fields // of the note
	rows   []string
}

// note is that of all that is gathered.
func (g *gathered) note() []byte {
	rows := news.Field{Name: points, Value: strings.Join(g.rows, ";")}
	return object.Shown{Filled: true, Also: news.Fields{rows}}.Append(nil, g.fields)
}

// measure gathers a measurement.
func (b *Book) measure(ref, also string, fields news.Fields, at time.Time) {
	b.mu.Lock()
	full := b.gather(ref, also, fields, row(at, fields))
	b.mu.Unlock()
	if full != nil {
		b.note(ref, also, full.note())
	}
}

// gather adds a row to a leg's; those that are to be a note now. Caller holds mu.
func (b *Book) gather(ref, also string, fields news.Fields, row string) (full *gathered) {
	legs := b.legs[ref]
	i := slices.IndexFunc(legs, func(g *gathered) bool { return g.fields.Get("party") == fields.Get("party") })
	if i < 0 {
		i, legs = len(legs), append(legs, &gathered{})
	}
	g := legs[i]
	g.also, g.rows = also, append(g.rows, row)
	g.fields = news.Of(news.Field{Name: "event", Value: measured},
		news.Field{Name: "party", Value: fields.Get("party")}, news.Field{Name: "lines", Value: fields.Get("lines")},
		news.Field{Name: "supervisor", Value: fields.Get("supervisor")})
	_, known := b.legs[ref]
	switch {
	case len(g.rows) >= together:
		b.legs[ref] = slices.Delete(legs, i, i+1)
		return g
	case !known && len(b.legs) >= mostGathered:
		return g
	}
	b.legs[ref] = legs
	return nil
}

// settle brings what is gathered of a call to its notes.
func (b *Book) settle(ref string) {
	b.mu.Lock()
	legs := b.legs[ref]
	delete(b.legs, ref)
	b.mu.Unlock()
	for _, g := range legs {
		b.note(ref, g.also, g.note())
	}
}

// settleAll brings all that is gathered to notes.
func (b *Book) settleAll() {
	b.mu.Lock()
	refs := slices.Collect(maps.Keys(b.legs))
	b.mu.Unlock()
	for _, ref := range refs {
		b.settle(ref)
	}
}

// unsettled are the notes that what is gathered of a call would be.
func (b *Book) unsettled(ref string) (all []capture.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.legs[ref] {
		all = append(all, capture.Entry{Note: &capture.Note{At: time.Now(), Ref: ref, Data: g.note()}})
	}
	return all
}
