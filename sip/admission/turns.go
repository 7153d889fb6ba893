package admission

import (
	"slices"
	"sync"
)

// Want is what a turn is wanted for. Those for a lower one come first.
type Want uint8

// What turns are wanted for.
const (
	InCall  Want = iota // a message, key or timer of a call that is on
	NewCall             // to begin a call
	wants
)

// Turns are had by as many goroutines at a time as there are cores: who waits for one waits in the order of what
// matters, and not of the runtime's or the kernel's. A nil Turns has one for everybody.
type Turns struct {
	mu      sync.Mutex
	free    int
	waiting [wants][]*Turn // guarded by mu
}

// Turn is had time and again by one goroutine. Who has it gives it back, and waits for no other turn meanwhile.
type Turn struct {
	Came chan struct{} // holds a token when the turn has come
	of   *Turns
	want Want
}

// NewTurns has n turns at a time.
func NewTurns(n int) *Turns { return &Turns{free: max(1, n)} }

// Turn is one that can be asked for.
func (t *Turns) Turn(w Want) *Turn { return &Turn{Came: make(chan struct{}, 1), of: t, want: w} }

// Try takes a turn if there is one. It is given back by Give.
func (t *Turns) Try() bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free == 0 {
		return false
	}
	t.free-- // nobody waits while there is one
	return true
}

// Give gives a turn back, to who waits first of those whose want comes first.
func (t *Turns) Give() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.give()
}

// give: caller holds mu.
func (t *Turns) give() {
	for w := range t.waiting {
		if line := t.waiting[w]; len(line) > 0 {
			line[0].Came <- struct{}{} // there is room: it is asked for once at a time
			line[0] = nil
			t.waiting[w] = line[1:]
			return
		}
	}
	t.free++
}

// Ask stands in line for the turn, on behalf of whoever then takes the token of Came. It is not asked for again before
// it was given back.
func (o *Turn) Ask() {
	t := o.of
	if t == nil {
		o.Came <- struct{}{}
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free > 0 {
		t.free--
		o.Came <- struct{}{}
		return
	}
	t.waiting[o.want] = append(t.waiting[o.want], o)
}

// Give gives the turn back.
func (o *Turn) Give() { o.of.Give() }

// Drop gives up a turn that was asked for, whether it has come or not; its token is not taken.
func (o *Turn) Drop() {
	if o.of == nil {
		<-o.Came
		return
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	select {
	case <-o.Came:
		o.of.give()
	default:
		line := &o.of.waiting[o.want]
		*line = slices.DeleteFunc(*line, func(other *Turn) bool { return other == o })
	}
}
