package console

import (
	"errors"
	"net/http"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/report"
	"liandong/routing/indicator"
)

// curve is a picture that the script draws: what it shows, over time, a line for each hotline or party.
type curve struct {
	Title   string   `json:"title"`
	Unit    string   `json:"unit"`              // "%", "s", "ms", "": a count, "mos"
	At      []string `json:"at,omitempty"`      // of each point: "2024-04-03", "2024-04-03T08"
	Seconds []int    `json:"seconds,omitempty"` // of each point, since the call began
	Lines   []points `json:"lines"`
}

// points are those of one line; nil: there is nothing to show for that time.
type points struct {
	Name   string     `json:"name"`
	Values []*float64 `json:"values"`
}

// drawn are the indicators that are shown as curves.
var drawn = []string{"calls", "answered_in_15s", "diversion", "handover_success", "key_to_answer_p50", "key_to_answer_p95",
	"three_way", "feedback_in_time"}

var (
	badDays = pair{"日期：应如 2024-04-03，起不晚于止，最多 366 天", "days: must be like 2024-04-03, from no later than to, at most 366"}
	// what a reader is told where there is no Redis
	noFigures = pair{"指标无法读取：Redis 无应答", "The figures cannot be read: Redis does not answer"}
)

// indicators fills in the figures of the days that were asked for.
func (s *Server) indicators(r *http.Request, v visit, d *data) {
	span := api.SpanOf(r)
	span.Parts = true
	d.From, d.To, d.Drawn = span.From, span.To, true
	lines, err := s.api.Figures(r.Context(), v.lines(), span)
	switch {
	case errors.Is(err, api.ErrDay):
		d.Fault = badDays
	case err != nil:
		s.log.Warn("indicators cannot be read", "err", err)
		d.Fault = noFigures
	default:
		d.Lines, d.Curves = lines, curvesOf(lines, s.lang(r))
	}
}

// curvesOf are the curves of some lines, which all have the same parts.
func curvesOf(lines []report.Line, lang string) (all []curve) {
	if len(lines) == 0 {
		return nil
	}
	for _, name := range drawn {
		c := curve{Title: indicatorName(name, lang)}
		for _, p := range lines[0].Parts {
			c.At = append(c.At, p.Period)
		}
		for _, l := range lines {
			one := points{Name: l.Hotline}
			for _, p := range l.Parts {
				value, unit := valueOf(p.Rows, name)
				one.Values, c.Unit = append(one.Values, value), unit
			}
			c.Lines = append(c.Lines, one)
		}
		all = append(all, c)
	}
	return all
}

// valueOf is an indicator as a number to draw: a share in percent.
func valueOf(rows []indicator.Row, name string) (value *float64, unit string) {
	for _, row := range rows {
		switch {
		case row.Name != name:
		case row.Unit == "":
			v := float64(row.Of)
			return &v, ""
		case row.Value == nil:
			return nil, row.Unit
		case row.Unit == "%":
			v := 100 * *row.Value
			return &v, "%"
		default:
			return row.Value, row.Unit
		}
	}
	return nil, ""
}
