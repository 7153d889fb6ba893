package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// variable names the descriptor of a child's line in its environment.
const variable = "LIANDONG_KEEPER"

// Line is a process's line to its keeper. All methods may be called from any goroutine.
type Line struct {
	wire     *wire
	status   atomic.Pointer[Status]
	begun    chan struct{} // closed: this process is the worker
	yielded  chan struct{} // closed: it is to leave the calls to another
	lasts    atomic.Bool   // set before: but for their sound
	hush     chan struct{} // closed: that is to end, too
	hushed   chan struct{} // closed: who had the calls before has ended its sound
	words    [][]byte      // of who had the calls before; owned by listen until hushed
	seamless bool          // it did so now; owned as words are
	lost     chan struct{} // closed: the keeper is gone
	answers  func() bool   // whether the switch is alive; set before begun is waited for
	mu       sync.Mutex
	kept     map[string]int  // guarded by mu: what the worker before had, until it is taken
	names    map[string]bool // guarded by mu: all that the keeper has
	failures atomic.Uint64
}

// Attach is the line of a process that a keeper has started; nil: nobody has.
func Attach() (*Line, error) {
	given := os.Getenv(variable)
	if given == "" {
		return nil, nil
	}
	_ = os.Unsetenv(variable)
	fd, err := strconv.Atoi(given)
	if err != nil {
		return nil, fmt.Errorf("keeper: %s: %w", variable, err)
	}
	unix.CloseOnExec(fd)
	w, err := newWire(os.NewFile(uintptr(fd), "line"))
	if err != nil {
		return nil, err
	}
	_ = os.WriteFile("/proc/self/comm", []byte("liandong"), 0) // it may have been started by a descriptor's number
	l := &Line{wire: w, begun: make(chan struct{}), yielded: make(chan struct{}), lost: make(chan struct{}),
		hush: make(chan struct{}), hushed: make(chan struct{}), kept: map[string]int{}, names: map[string]bool{}}
	l.status.Store(&Status{})
	return l, nil
}

// Wait says that this process has done all it can, and waits to be the worker. answers is asked now and then from then
// on: a worker that does not say yes is taken for hung.
func (l *Line) Wait(ctx context.Context, h Hello, answers func() bool) error {
	l.answers = answers
	if err := l.wire.tell(waiting, h); err != nil {
		return err
	}
	go l.listen()
	select {
	case <-l.begun:
		return nil
	case <-l.lost:
		return ErrLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// listen takes what the keeper says until one of both ends.
func (l *Line) listen() {
	defer close(l.lost)
	for {
		m, err := l.wire.receive()
		if errors.Is(err, errMessage) {
			continue
		}
		if err != nil {
			return
		}
		l.take(m)
	}
}

func (l *Line) take(m message) {
	switch m.kind {
	case hold:
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, name := range m.names {
			l.kept[name] = m.fds[i]
			l.names[name] = true
		}
	case begin, status:
		var s Status
		if json.Unmarshal(m.body, &s) == nil {
			l.status.Store(&s)
		}
		if m.kind == begin {
			shut(l.begun)
		}
	case yield:
		l.lasts.Store(string(m.body) == lasting)
		shut(l.yielded)
	case stopSound:
		shut(l.hush)
	case lastWord:
		l.words = append(l.words, m.body)
	case soundStopped:
		l.seamless = string(m.body) == lasting
		shut(l.hushed)
	case ping:
		go func() { // a switch that is stuck holds up this goroutine alone
			if l.answers() {
				_ = l.wire.send(message{kind: pong})
			}
		}()
	}
}

// shut closes a channel of listen's once.
func shut(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// Status is what the keeper has told last.
func (l *Line) Status() Status { return *l.status.Load() }

// Yielded is closed when this worker is to leave the calls to another: it takes no more input, writes what it has and
// ends.
func (l *Line) Yielded() <-chan struct{} { return l.yielded }

// Lasts says that who goes on takes the sound over when it is ready to: until then it goes on here. See Left.
func (l *Line) Lasts() bool { return l.lasts.Load() }

// Left says that this process has left the calls to another, all but their sound. What is returned is closed when that
// is to end.
func (l *Line) Left() <-chan struct{} {
	l.note(l.wire.send(message{kind: leftCalls}))
	return l.hush
}

// PassOn has a word for who goes on: it is there when that one takes the sound, whatever becomes of this process. Not
// before Left.
func (l *Line) PassOn(word []byte) { l.note(l.wire.send(message{kind: lastWord, body: word})) }

// Hushed says that nothing sounds here any more.
func (l *Line) Hushed() { l.note(l.wire.send(message{kind: soundStopped})) }

// TakeSound has the process that had the calls before end its sound, waits until it has, and gives its last words;
// false: it had stopped before, or the keeper is gone.
func (l *Line) TakeSound() (words [][]byte, ok bool) {
	l.note(l.wire.send(message{kind: takeSound}))
	select {
	case <-l.hushed:
		return l.words, l.seamless
	case <-l.lost:
		return nil, false
	}
}

// Sounds says that the sound goes on here.
func (l *Line) Sounds() { l.note(l.wire.send(message{kind: soundGoesOn})) }

// Lost is closed when the keeper is gone.
func (l *Line) Lost() <-chan struct{} { return l.lost }

// Kept names what the worker before had and nobody has taken, in a fixed order.
func (l *Line) Kept(prefix string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.kept {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Take gives a descriptor that the worker before had. It belongs to the caller; the keeper keeps its own.
func (l *Line) Take(name string) (fd int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fd, ok = l.kept[name]
	delete(l.kept, name)
	return fd, ok
}

// Hold hands the keeper a duplicate of a descriptor, before it is used.
func (l *Line) Hold(name string, fd int) {
	if !named(name) {
		l.failures.Add(1)
		return
	}
	l.mu.Lock()
	l.names[name] = true
	l.mu.Unlock()
	l.note(l.wire.send(message{kind: hold, names: []string{name}, fds: []int{fd}}))
}

// Drop says that a descriptor is to be kept no longer. Whoever closes a connection shuts it down first: the keeper's
// duplicate would hold it open until then.
func (l *Line) Drop(name string) {
	l.mu.Lock()
	if fd, ok := l.kept[name]; ok {
		_ = unix.Close(fd)
		delete(l.kept, name)
	}
	delete(l.names, name)
	l.mu.Unlock()
	l.note(l.wire.send(message{kind: drop, names: []string{name}}))
}

// DropAll lets go of all sockets: another machine has their address.
func (l *Line) DropAll() {
	l.mu.Lock()
	all := slices.Sorted(maps.Keys(l.names))
	l.mu.Unlock()
	for _, name := range all {
		l.Drop(name)
	}
}

// Failures counts what the keeper could not be told: a crash now would cost that many sockets.
func (l *Line) Failures() uint64 { return l.failures.Load() }

// Ready says that this worker takes calls. What the one before had and nobody has taken is dropped.
func (l *Line) Ready(r Ready) {
	l.mu.Lock()
	rest := make([]string, 0, len(l.kept))
	for name := range l.kept {
		rest = append(rest, name)
	}
	l.mu.Unlock()
	for _, name := range rest {
		l.Drop(name)
	}
	l.note(l.wire.tell(ready, r))
}

// Replace asks for another worker in this one's place, who reads the config again. It may be asked again.
func (l *Line) Replace() { l.note(l.wire.send(message{kind: replace})) }

// Tested says how the self-test ended; "" is well.
func (l *Line) Tested(fault string) { l.note(l.wire.send(message{kind: verdict, body: []byte(fault)})) }

func (l *Line) note(err error) {
	if err != nil {
		l.failures.Add(1)
	}
}
