// Package report prints the indicators of a day or an hour, as the switches that share a Redis have counted them.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"liandong/routing/indicator"
	"liandong/routing/ledger"
	"liandong/routing/link"
)

// Options say what to print.
type Options struct {
	Redises   []link.Config // in which the sums are: those of several are added
	Lines     []string      // hotline ids
	At        time.Time     // of the day or hour, in the zone by which they are counted
	Hour      bool          // of At's hour alone
	To        time.Time     // the last day of a span that begins with At; zero: At's day alone
	Parts     bool          // also of each day of a span, or of each hour of a day
	Diversion indicator.Diversion
	Lang      string // "zh" or "en"
	JSON      bool
}

// Line is the indicators of a hotline.
type Line struct {
	Hotline string          `json:"hotline"`
	Period  string          `json:"period"` // "2024-04-03", "2024-04-03T08"
	Zone    string          `json:"zone"`
	Rows    []indicator.Row `json:"indicators"`
	Sums    indicator.Sums  `json:"sums"`
	Parts   []Part          `json:"parts,omitempty"`
}

// Part is what a span is made of.
type Part struct {
	Period string          `json:"period"`
	Rows   []indicator.Row `json:"indicators"`
	Sums   indicator.Sums  `json:"sums"`
}

// Print reads and prints.
func Print(ctx context.Context, out io.Writer, o Options) error {
	lines, err := Read(ctx, o)
	if err != nil {
		return err
	}
	if o.JSON {
		return json.NewEncoder(out).Encode(lines)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l.text(o.Lang)); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// Read reads the indicators of each line.
func Read(ctx context.Context, o Options) ([]Line, error) {
	lines := make([]Line, len(o.Lines))
	for i, id := range o.Lines {
		lines[i] = Line{Hotline: id, Period: o.period(), Zone: o.At.Format("-07:00"), Sums: indicator.Sums{}}
		if o.Parts {
			lines[i].Parts = o.parts()
		}
	}
	for _, r := range o.Redises {
		if err := o.add(ctx, r, lines); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
	}
	for i := range lines {
		lines[i].Rows = indicator.Of(lines[i].Sums, o.Diversion)
		for k := range lines[i].Parts {
			lines[i].Parts[k].Rows = indicator.Of(lines[i].Parts[k].Sums, o.Diversion)
		}
	}
	return lines, nil
}

const byDay, byHour = "2006-01-02", "2006-01-02T15"

func (o Options) span() bool { return !o.To.IsZero() && o.To.Format(byDay) != o.At.Format(byDay) }

func (o Options) period() string {
	switch {
	case o.Hour:
		return o.At.Format(byHour)
	case o.span():
		return o.At.Format(byDay) + "/" + o.To.Format(byDay)
	}
	return o.At.Format(byDay)
}

// days are those of the span.
func (o Options) days() (all []time.Time) {
	if !o.span() {
		return []time.Time{o.At}
	}
	for day := 0; ; day++ {
		at := time.Date(o.At.Year(), o.At.Month(), o.At.Day()+day, 12, 0, 0, 0, o.At.Location())
		if all = append(all, at); at.Format(byDay) >= o.To.Format(byDay) {
			return all
		}
	}
}

// hours are those of the day, as the clock there shows them: 23 to 25.
func (o Options) hours() (all []time.Time) {
	at := time.Date(o.At.Year(), o.At.Month(), o.At.Day(), 0, 0, 0, 0, o.At.Location())
	for ; at.Format(byDay) <= o.At.Format(byDay); at = at.Add(time.Hour) {
		if len(all) == 0 || all[len(all)-1].Format(byHour) != at.Format(byHour) {
			all = append(all, at)
		}
	}
	return all
}

// parts are empty ones, in order of time.
func (o Options) parts() (all []Part) {
	list, format := o.days(), byDay
	if !o.span() {
		list, format = o.hours(), byHour
	}
	for _, at := range list {
		all = append(all, Part{Period: at.Format(format), Sums: indicator.Sums{}})
	}
	return all
}

// add takes in the sums of one Redis.
func (o Options) add(ctx context.Context, r link.Config, lines []Line) error {
	from, err := ledger.OpenIndicators(r)
	if err != nil {
		return err
	}
	defer from.Close()
	var keys []string
	var to []indicator.Sums
	for _, l := range lines {
		if o.Hour {
			keys, to = append(keys, indicator.HourKey(l.Hotline, o.At)), append(to, l.Sums)
			continue
		}
		for _, at := range o.days() {
			keys, to = append(keys, indicator.DayKey(l.Hotline, at)), append(to, l.Sums)
		}
		if !o.Parts || o.span() {
			continue
		}
		for i, at := range o.hours() {
			keys, to = append(keys, indicator.HourKey(l.Hotline, at)), append(to, l.Parts[i].Sums)
		}
	}
	list, err := from.Sums(ctx, keys...)
	if err != nil {
		return err
	}
	for i, sums := range list {
		to[i].Add(sums)
	}
	if o.Parts && o.span() { // a day's are a part's as well
		days := len(o.days())
		for i, sums := range list {
			lines[i/days].Parts[i%days].Sums.Add(sums)
		}
	}
	return nil
}

// Names are the indicators in Chinese and English, by their name.
var Names = map[string][2]string{
	"calls":                  {"来话", "calls"},
	"answered_in_15s":        {"15 秒接通率", "answered within 15 s"},
	"diversion":              {"分流率", "diversion rate"},
	"handover_success":       {"一键转接成功率", "hand-overs answered"},
	"abandoned":              {"转接中市民挂机", "caller hung up meanwhile"},
	"unreached":              {"对方未接通", "other line not reached"},
	"taken_back":             {"收回", "taken back"},
	"key_to_answer_mean":     {"按键到接通，平均", "key to answer, mean"},
	"key_to_answer_p50":      {"按键到接通，中位数", "key to answer, p50"},
	"key_to_answer_p95":      {"按键到接通，95 分位", "key to answer, p95"},
	"three_way":              {"三方通话", "three-way calls"},
	"three_way_mean":         {"三方通话平均时长", "three-way length, mean"},
	"decided_agreed":         {"三方商定受理", "decided by agreement"},
	"decided_first_receiver": {"首接先行受理", "decided: first receiver"},
	"decided_emergency":      {"险情先行处置", "decided: emergency"},
	"wrongly_transferred":    {"误转率（退回）", "wrongly transferred"},
	"other_mode":             {"与建议方式不符", "another mode than advised"},
	"feedback_in_time":       {"按时反馈率", "first feedback in time"},
	"closed_in_time":         {"按时办结率", "closed in time"},
	"overdue":                {"逾期", "time limits passed"},
	"hotspots":               {"重复上报提示", "hotspots"},
}

// nameWidth is the widest name, in columns of a terminal.
const nameWidth = 28

func (l Line) text(lang string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", l.Hotline, l.Period, l.Zone)
	for _, r := range l.Rows {
		name := Names[r.Name][1]
		if lang == "zh" {
			name = Names[r.Name][0]
		}
		fmt.Fprintln(&b, strings.TrimRight("  "+name+strings.Repeat(" ", nameWidth-width(name))+amount(r), " "))
	}
	return b.String()
}

// amount is the value, and of a share what it is made of. – stands where nothing can be divided.
func amount(r indicator.Row) string {
	switch {
	case r.Unit == "":
		return fmt.Sprintf("%9d", r.Of)
	case r.Value == nil:
		return "        –" + parts(r)
	case r.Unit == "%":
		return fmt.Sprintf("%7.1f %%", 100**r.Value) + parts(r)
	}
	return fmt.Sprintf("%7.1f s", *r.Value) + parts(r)
}

func parts(r indicator.Row) string {
	switch {
	case r.Among == nil:
		return ""
	case r.Unit == "s":
		return fmt.Sprintf("    %d", *r.Among)
	}
	return fmt.Sprintf("    %d/%d", r.Of, *r.Among)
}

// width counts the columns of a terminal: Chinese characters and their punctuation take two.
func width(s string) (n int) {
	for _, r := range s {
		n++
		if r >= 0x2E80 {
			n++
		}
	}
	return n
}
