package configs

import (
	"errors"
	"slices"
	"strings"
	"time"

	"liandong/routing/matter"
)

var errCalendar = errors.New("configs: no such time")

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts

// calendar is nil where none is given.
func (c *Config) calendar() *matter.Calendar {
	from := c.Matters.Calendar
	if len(from.Hours) == 0 {
		return nil
	}
	cal := &matter.Calendar{Zone: c.Location(), Hours: from.Hours, Holidays: from.Holidays, Workdays: from.Workdays}
	for _, name := range from.Days {
		cal.Days[slices.Index(weekdays, name)] = true
	}
	return cal
}

// parseSpan reads 08:30-12:00.
func parseSpan(s string) (matter.Span, error) {
	first, last, ok := strings.Cut(s, "-")
	from, err1 := parseMinute(first)
	to, err2 := parseMinute(last)
	if !ok || err1 != nil || err2 != nil || from >= to {
		return matter.Span{}, errCalendar
	}
	return matter.Span{From: from, To: to}, nil
}

// parseMinute reads 00:00 to 24:00.
func parseMinute(s string) (time.Duration, error) {
	if s = strings.TrimSpace(s); s == "24:00" {
		return 24 * time.Hour, nil
	}
	at, err := time.Parse("15:04", s)
	if err != nil {
		return 0, err
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

func spanText(s matter.Span) string {
	var midnight time.Time
	to := midnight.Add(s.To).Format("15:04")
	if s.To == 24*time.Hour {
		to = "24:00"
	}
	return midnight.Add(s.From).Format("15:04") + "-" + to
}

// parseDates reads 2026-10-10 or 2026-10-01..2026-10-08.
func parseDates(s string) (matter.Dates, error) {
	first, last, ok := strings.Cut(s, "..")
	if !ok {
		last = first
	}
	from, err1 := time.Parse(time.DateOnly, strings.TrimSpace(first))
	to, err2 := time.Parse(time.DateOnly, strings.TrimSpace(last))
	if err1 != nil || err2 != nil || to.Before(from) {
		return matter.Dates{}, errCalendar
	}
	return matter.Dates{First: from, Last: to}, nil
}

func datesText(d matter.Dates) string {
	if d.First.Equal(d.Last) {
		return d.First.Format(time.DateOnly)
	}
	return d.First.Format(time.DateOnly) + ".." + d.Last.Format(time.DateOnly)
}

// workingTime checks the calendar, and the limits that count by it.
func (c *checker) workingTime() {
	const key = "matters.calendar"
	cal := c.Matters.Calendar
	if !c.written(key) {
		c.eachLimits(func(key string, l Limits) {
			if l.Counts == matter.ByCalendar && !c.faulty(join(key, "counts")) {
				c.add(join(key, "counts"), textNoCalendar.of())
			}
		})
		return
	}
	if c.faulty(key) {
		return
	}
	if len(cal.Hours) == 0 {
		c.add(join(key, "hours"), textMissing.of(textItems.of(textSpan.of())))
	}
	if len(cal.Days) == 0 {
		c.add(join(key, "days"), textMissing.of(textItems.of(textOneOf.of(append(slices.Clone(weekdays[1:]),
			weekdays[0])))))
	}
	c.hoursRise(join(key, "hours"))
	c.oneOrTheOther(join(key, "workdays"))
	if !c.faulty(key) {
		c.limitsFit()
		c.emergencyAwake(key)
	}
}

// written: also an empty calendar is one that somebody meant.
func (c *checker) written(key string) bool {
	if _, ok := c.headed(key); ok {
		return true
	}
	cal := c.Matters.Calendar
	return len(cal.Hours)+len(cal.Days)+len(cal.Holidays)+len(cal.Workdays) > 0
}

func (c *checker) hoursRise(key string) {
	list := c.Matters.Calendar.Hours
	for i := 1; i < len(list); i++ {
		if list[i].From < list[i-1].To {
			c.add(index(key, i), textHoursCross.of(spanText(list[i-1])))
		}
	}
}

func (c *checker) oneOrTheOther(key string) {
	cal := c.Matters.Calendar
	for i, w := range cal.Workdays {
		for _, h := range cal.Holidays {
			if !w.First.After(h.Last) && !h.First.After(w.Last) {
				c.add(index(key, i), textDayBoth.of(datesText(h)))
			}
		}
	}
}

// limitsFit: 30h would be more than a day by the clock, and more than four of work. Nobody can say what was meant.
func (c *checker) limitsFit() {
	var day time.Duration
	for _, h := range c.Matters.Calendar.Hours {
		day += h.To - h.From
	}
	c.eachLimits(func(key string, l Limits) {
		if l.Counts == matter.ByClock || l.Counts == "" && c.Matters.Counts == matter.ByClock {
			return
		}
		fit := func(name string, limit time.Duration) {
			if key := join(key, name); limit > day && limit%(24*time.Hour) != 0 && !c.faulty(key) {
				c.add(key, textLimitWorked.of(limit, day))
			}
		}
		fit("receive", l.Receive)
		fit("sign", l.Sign)
		fit("first_feedback", l.FirstFeedback)
		fit("close", l.Close)
	})
}

// emergencyAwake: who forgets it would be told of a call of the night in the morning.
func (c *checker) emergencyAwake(key string) {
	counts := c.Matters.Counts
	if l := c.Matters.Hotlines[c.Emergency]; l != nil && l.Counts != "" {
		counts = l.Counts
	}
	if _, ok := c.Hotlines[c.Emergency]; ok && counts != matter.ByClock {
		c.warn(key, textUrgentSleeps.of(c.Emergency, c.Emergency))
	}
}

// eachLimits visits those for all, of the lines and of the categories, with their keys.
func (c *checker) eachLimits(visit func(key string, l Limits)) {
	visit("matters", c.Matters.Limits)
	for _, id := range sorted(c.Matters.Hotlines) {
		visit(join("matters.hotlines", id), *c.Matters.Hotlines[id])
	}
	for _, code := range sorted(c.Matters.Categories) {
		visit(join("matters.categories", code), *c.Matters.Categories[code])
	}
}
