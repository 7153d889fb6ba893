// Package admission lets new calls in when there is time for them. More than there is time for are refused soon, so
// that those let in are served well: overload is a state in which a switch goes on working, and not its end.
//
// A new call waits in a [Queue] until a goroutine that wants to begin it gets one of the [Turns], of which there are as
// many as cores. What belongs to calls that are on gets them first. So calls are let in just as fast as there is time,
// and how long one has waited tells whether there is enough (as in CoDel, RFC 8289).
package admission

import (
	"slices"
	"time"
)

// Class is how much a new call matters. Those of a lower one are let in before all of a higher one.
type Class uint8

// Classes of new calls.
const (
	Emergency Class = iota // for the emergency line, or with a priority that a trusted peer has given it
	Usual
	classes
)

// How long a new call may wait. RFC 8289 §3.2: a burst is no overload; what stands for longer than bursts do is.
const (
	Burst    = 300 * time.Millisecond // while none of its source was refused of late
	Patience = 40 * time.Millisecond  // else, and who is refused is told soon
	Danger   = 2 * time.Second        // an emergency call, before whom only its like is served
	lately   = 2 * time.Second
	calm     = 500 * time.Millisecond // without a refusal: the overload is over
	maxLine  = 2048                   // calls of a class that wait
)

// Queue holds new calls until there is time for them. It is pure: time is an argument. The zero value is empty.
type Queue[T any] struct {
	classes [classes]class[T]
	refused time.Time // the last one
}

// class is what waits of one class: a line for each source, those in turn that have one.
type class[T any] struct {
	lines   []*line[T]
	size    int
	refused map[string]time.Time // when one of a source was, the last time
}

// line is what waits of one source.
type line[T any] struct {
	source string
	calls  []waiting[T]
}

type waiting[T any] struct {
	since time.Time
	call  T
}

// Put adds a call of a source. full: there were too many, and the one given back is refused in its place: the newest
// of the source when it has most, else the oldest of the source that has.
func (q *Queue[T]) Put(now time.Time, of Class, source string, call T) (refused T, full bool) {
	c := &q.classes[of]
	if c.size >= maxLine {
		longest := c.longest()
		q.refuse(now, c, longest.source)
		if longest.source == source {
			return call, true
		}
		refused, full = longest.calls[0].call, true
		c.drop(longest)
	}
	at := slices.IndexFunc(c.lines, func(l *line[T]) bool { return l.source == source })
	if at < 0 {
		at = len(c.lines)
		c.lines = append(c.lines, &line[T]{source: source})
	}
	c.lines[at].calls = append(c.lines[at].calls, waiting[T]{now, call})
	c.size++
	return refused, full
}

// Next is the call that is let in now: of the first class that has one, of its sources in turn, the one that came
// first.
func (q *Queue[T]) Next() (call T, ok bool) {
	for i := range q.classes {
		if c := &q.classes[i]; c.size > 0 {
			first := c.lines[0]
			call = first.calls[0].call
			c.lines = append(c.lines[1:], first)
			c.drop(first)
			return call, true
		}
	}
	return call, false
}

// Late takes out the calls that have waited for too long. They are refused.
func (q *Queue[T]) Late(now time.Time) (refused []T) {
	for i := range q.classes {
		c := &q.classes[i]
		for _, l := range slices.Clone(c.lines) {
			for len(l.calls) > 0 && !now.Before(l.calls[0].since.Add(c.patience(Class(i), l.source, now))) {
				refused = append(refused, l.calls[0].call)
				q.refuse(now, c, l.source)
				c.drop(l)
			}
		}
	}
	return refused
}

// Deadline is when Late is to be asked next; false: nothing waits.
func (q *Queue[T]) Deadline(now time.Time) (at time.Time, ok bool) {
	for i := range q.classes {
		c := &q.classes[i]
		for _, l := range c.lines {
			due := l.calls[0].since.Add(c.patience(Class(i), l.source, now))
			if !ok || due.Before(at) {
				at, ok = due, true
			}
		}
	}
	return at, ok
}

// Len is how many calls wait.
func (q *Queue[T]) Len() (n int) {
	for i := range q.classes {
		n += q.classes[i].size
	}
	return n
}

// Overloaded says that calls have been refused of late.
func (q *Queue[T]) Overloaded(now time.Time) bool {
	return !q.refused.IsZero() && now.Sub(q.refused) < calm
}

func (q *Queue[T]) refuse(now time.Time, c *class[T], source string) {
	if c.refused == nil {
		c.refused = map[string]time.Time{}
	}
	q.refused, c.refused[source] = now, now
}

// patience is how long the calls of a source may wait. An emergency call is given up as late as it can be.
func (c *class[T]) patience(of Class, source string, now time.Time) time.Duration {
	if of == Emergency {
		return Danger
	}
	if at, was := c.refused[source]; !was || now.Sub(at) >= lately {
		return Burst
	}
	return Patience
}

func (c *class[T]) longest() *line[T] {
	return slices.MaxFunc(c.lines, func(a, b *line[T]) int { return len(a.calls) - len(b.calls) })
}

// drop takes the first call out of a line.
func (c *class[T]) drop(l *line[T]) {
	l.calls[0] = waiting[T]{}
	l.calls = l.calls[1:]
	if c.size--; len(l.calls) == 0 {
		c.lines = slices.DeleteFunc(c.lines, func(o *line[T]) bool { return o == l })
	}
}
