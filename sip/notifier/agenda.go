package notifier

import (
	"cmp"
	"container/heap"
	"time"
)

// agenda are the subscriptions that have something to say or wait for an answer, the next one to act first: an input
// looks at those that it concerns, however many others there are. A heap.
type agenda []*subscription

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	return cmp.Or(a[i].due.Compare(a[j].due), cmp.Compare(a[i].number, a[j].number)) < 0
}

func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i+1, j+1
}

// Push is for package heap.
func (a *agenda) Push(x any) {
	sub := x.(*subscription)
	*a = append(*a, sub)
	sub.place = len(*a)
}

// Pop is for package heap.
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = nil
	*a = (*a)[:len(*a)-1]
	last.place = 0
	return last
}

// plan puts a subscription in its place in the agenda, by when it acts next; out of it when it does not.
func (s *Server) plan(sub *subscription) {
	at := sub.deadline(s.cfg)
	switch on := !sub.done() && !at.IsZero(); {
	case !on && sub.place > 0:
		heap.Remove(&s.active, sub.place-1)
	case on && sub.place > 0:
		sub.due = at
		heap.Fix(&s.active, sub.place-1)
	case on:
		s.planned++
		sub.due, sub.number = at, s.planned
		heap.Push(&s.active, sub)
	}
}

// acts takes those out of the agenda that are due.
func (s *Server) acts(now time.Time) (list []*subscription) {
	for len(s.active) > 0 && !s.active[0].due.After(now) {
		list = append(list, heap.Pop(&s.active).(*subscription))
	}
	return list
}
