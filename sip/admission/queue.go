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
	// of nobody who is known: a datagram says itself where it comes from
	StrangeEmergency
	Strange
	classes
)

// How long a new call may wait. RFC 8289 §3.2: a burst is no overload; a line that stands for longer than bursts do is
// one, and is kept short. Who would wait for longer is refused when he comes, so that he knows it soon.
const (
	Burst    = 300 * time.Millisecond // at most
	Standing = 80 * time.Millisecond  // as it is expected, while others of its source are refused
	Danger   = 2 * time.Second        // an emergency call, before whom only its like is served
	lately   = 2 * time.Second
	calm     = 500 * time.Millisecond // without a refusal: the overload is over
	maxLine  = 2048                   // calls of a class that wait
)

// Queue holds new calls until there is time for them. It is pure: time is an argument. The zero value is empty.
type Queue[T any] struct {
	classes [classes]class[T]
	refused time.Time // the last one of somebody known

	pace  time.Duration // between two that are let in while others wait, on average; 0: not known yet
	since time.Time     // the last one was let in, or others began to wait
}

// recent is how many calls that were let in make up the pace.
const recent = 8

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
// of the source when it has most, else the oldest of the source that has. One that would wait for longer than it may is
// given back at once: who is refused is to know it soon. What it has waited before counts.
func (q *Queue[T]) Put(now time.Time, waited time.Duration, of Class, source string, call T) (refused T, full bool) {
	c := &q.classes[of]
	if q.Len() == 0 {
		q.since = now
	} else if patience(of) != Danger && waited+q.expected(of, source) > c.ahead(source, now) {
		q.refuse(now, of, source)
		return call, true
	}
	if c.size >= maxLine {
		longest := c.longest()
		q.refuse(now, of, longest.source)
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
	c.lines[at].calls = append(c.lines[at].calls, waiting[T]{now.Add(-waited), call})
	c.size++
	return refused, full
}

// Next is the call that is let in now: of the first class that has one, of its sources in turn, the one that came
// first.
func (q *Queue[T]) Next(now time.Time) (call T, ok bool) {
	for i := range q.classes {
		if c := &q.classes[i]; c.size > 0 {
			q.keepsPace(now)
			first := c.lines[0]
			call = first.calls[0].call
			c.lines = append(c.lines[1:], first)
			c.drop(first)
			return call, true
		}
	}
	return call, false
}

// keepsPace takes in that a call is let in.
func (q *Queue[T]) keepsPace(now time.Time) {
	took := max(now.Sub(q.since), 0)
	q.since = now
	if q.pace == 0 {
		q.pace = took
		return
	}
	q.pace += (took - q.pace) / recent
}

// expected is how long one more call of a source would wait: sources have their turns one after the other.
func (q *Queue[T]) expected(of Class, source string) time.Duration {
	before := 0
	for i := range of {
		before += q.classes[i].size
	}
	c := &q.classes[of]
	own := 0
	for _, l := range c.lines {
		if l.source == source {
			own = len(l.calls)
		}
	}
	for _, l := range c.lines {
		before += min(len(l.calls), own+1)
	}
	return time.Duration(before+1) * q.pace
}

// Late takes out the calls that have waited for too long. They are refused.
func (q *Queue[T]) Late(now time.Time) (refused []T) {
	for i := range q.classes {
		c := &q.classes[i]
		for _, l := range slices.Clone(c.lines) {
			for len(l.calls) > 0 && !now.Before(l.calls[0].since.Add(patience(Class(i)))) {
				refused = append(refused, l.calls[0].call)
				q.refuse(now, Class(i), l.source)
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
			due := l.calls[0].since.Add(patience(Class(i)))
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

// Overloaded says that calls have been refused of late, other than those of strangers: a flood of them is not to turn
// away whoever is known.
func (q *Queue[T]) Overloaded(now time.Time) bool {
	return !q.refused.IsZero() && now.Sub(q.refused) < calm
}

func (q *Queue[T]) refuse(now time.Time, of Class, source string) {
	c := &q.classes[of]
	if c.refused == nil {
		c.refused = map[string]time.Time{}
	}
	if c.refused[source] = now; of < StrangeEmergency {
		q.refused = now
	}
}

// patience is how long a call may wait. An emergency call is given up as late as it can be.
func patience(of Class) time.Duration {
	if of == Emergency || of == StrangeEmergency {
		return Danger
	}
	return Burst
}

// ahead is for how long it may be expected that a call of a source waits.
func (c *class[T]) ahead(source string, now time.Time) time.Duration {
	if at, was := c.refused[source]; !was || now.Sub(at) >= lately {
		return Burst
	}
	return Standing
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
