package trace

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"
)

// Sizes of the picture, in CSS pixels.
const (
	timeWide = 84  // the times, left of all
	colWide  = 190 // from a party to the next
	rowHigh  = 30
	headHigh = 44
)

// SVG is a ladder as a picture for a page: each message is a link to #m and its number, see [Step.ID].
func SVG(l Ladder, lang string) template.HTML {
	cols := l.Columns()
	p := picture{cols: cols, lang: lang, high: headHigh + rowHigh*(len(l.Steps)+1)}
	wide := timeWide + colWide*len(cols)
	fmt.Fprintf(&p.out, `<svg class="ladder" role="group" aria-label="%s" width="%d" height="%d" viewBox="0 0 %d %d">`,
		html.EscapeString(pair{"梯形图", "Ladder"}.in(lang)), wide, p.high, wide, p.high)
	for i, name := range cols {
		p.column(i, name)
	}
	for i, s := range l.Steps {
		p.step(i, s, l)
	}
	p.out.WriteString("</svg>")
	return template.HTML(p.out.String()) // all text in it is escaped
}

// picture is one in the making.
type picture struct {
	out  strings.Builder
	cols []string
	lang string
	high int
}

// x is where a column stands.
func (p *picture) x(col int) int { return timeWide + colWide/2 + col*colWide }

func (p *picture) column(i int, name string) {
	class := "party"
	if name == "" {
		name, class = Switch(p.lang), "party switch"
	}
	fmt.Fprintf(&p.out, `<line class="life" x1="%d" y1="%d" x2="%d" y2="%d"/>`, p.x(i), headHigh-8, p.x(i), p.high)
	fmt.Fprintf(&p.out, `<text class="%s" x="%d" y="24">%s</text>`, class, p.x(i),
		html.EscapeString(NameOf(name, p.lang)))
}

func (p *picture) step(i int, s Step, l Ladder) {
	y := headHigh + rowHigh*(i+1)
	fmt.Fprintf(&p.out, `<text class="time" x="%d" y="%d">%.3f</text>`, timeWide-10, y, s.At.Sub(l.Began).Seconds())
	if s.Event != nil {
		fmt.Fprintf(&p.out, `<text class="told" x="%d" y="%d">%s</text>`, timeWide+6, y,
			html.EscapeString(s.Heading(p.lang)))
		return
	}
	from, to := p.x(slices.Index(p.cols, "")), p.x(slices.Index(p.cols, s.Party))
	if !s.Out {
		from, to = to, from
	}
	class := "arrow"
	if s.Fault != "" {
		class += " bad"
	} else if s.Again {
		class += " again"
	}
	tip := 7
	if to < from {
		tip = -7
	}
	fmt.Fprintf(&p.out, `<a href="#%s" class="%s" aria-label="%s"><rect x="%d" y="%d" width="%d" height="%d"/>`,
		s.ID(i), class, html.EscapeString(p.says(s)), min(from, to), y-18, max(from, to)-min(from, to), rowHigh-6)
	fmt.Fprintf(&p.out, `<line x1="%d" y1="%d" x2="%d" y2="%d"/><path d="M%d %d l%d -4 v8 z"/>`,
		from, y+5, to-tip, y+5, to, y+5, -tip)
	fmt.Fprintf(&p.out, `<text x="%d" y="%d">%s</text></a>`, (from+to)/2, y, html.EscapeString(p.name(s)))
}

// name is what stands on the arrow.
func (p *picture) name(s Step) string {
	text := s.Label
	if s.SDP {
		text += " SDP"
	}
	if s.Fault != "" {
		text += " ✗"
	}
	return short(text, 24)
}

// says is the whole of a message's arrow in words.
func (p *picture) says(s Step) string {
	from, to := NameOf(s.Party, p.lang), Switch(p.lang)
	if s.Out {
		from, to = to, from
	}
	return from + " → " + to + ": " + s.Heading(p.lang)
}

// ID names the message of a step on a page.
func (s Step) ID(i int) string { return fmt.Sprintf("m%d", i+1) }

// Entry is a message on a page, below the picture.
type Entry struct{ ID, Time, Says, Way, Text, Fault string }

// Entries are the messages of a ladder for a page.
func Entries(l Ladder, lang string) (all []Entry) {
	p := picture{lang: lang}
	for i, s := range l.Steps {
		if m := s.Message; m != nil {
			all = append(all, Entry{
				ID: s.ID(i), Time: s.At.Local().Format("15:04:05.000"), Says: p.says(s),
				Way: fmt.Sprintf("%s %s → %s", m.Transport, m.From, m.To), Text: printable(m.Text), Fault: s.Fault,
			})
		}
	}
	return all
}

// Last leaves of a long story so many steps, the newest.
func (l Ladder) Last(most int) Ladder {
	if n := len(l.Steps) - most; n > 0 {
		l.Steps, l.Lost = l.Steps[n:], l.Lost+n
	}
	return l
}
