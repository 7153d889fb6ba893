package load

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"liandong/media/pcm"
)

const (
	slots     = 20 // of a tick, 1 ms each: the streams are spread over them
	slotTime  = pcm.FrameTime / slots
	wakeups   = 64                // sockets looked after between two looks at the clock
	longStall = 3 * pcm.FrameTime // ticks further behind are skipped: a burst would be worse than a gap
	// of the threads, as that of the media threads that are measured; where it is not allowed nothing changes
	niceness = -15
	tooLate  = 5 * time.Millisecond // a packet this late disturbs what is measured
)

// engine is threads, each of which speaks and listens for its share of the streams with one epoll set: no goroutine,
// timer or buffer belongs to a stream.
type engine struct {
	threads []*thread

	mu  sync.Mutex
	ids [sides]uint32 // guarded by mu
}

// startEngine starts the threads. Stop them.
func startEngine(threads int) (*engine, error) {
	e := &engine{}
	for range threads {
		t, err := newThread()
		if err != nil {
			e.stop()
			return nil, err
		}
		e.threads = append(e.threads, t)
		go t.run()
	}
	return e, nil
}

// stop ends the threads and waits for them; sockets are closed, counts stay.
func (e *engine) stop() {
	for _, t := range e.threads {
		_ = t.post(func() { t.stopping = true })
		<-t.done
	}
}

// id is the next of a side: the side in the upper two bits of 24.
func (e *engine) id(s side) uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids[s]++
	return uint32(s)<<sideShift | e.ids[s]&(1<<sideShift-1)
}

// thread owns streams, their sockets and the window. Everything below its inputs is owned by run.
type thread struct {
	done chan struct{}

	mu     sync.Mutex
	orders []func() // guarded by mu
	ended  bool     // guarded by mu

	epoll, timer int
	streams      []*stream // by file descriptor
	slot         [slots][]*stream
	all          []*stream // the closed ones too
	window       window
	delays       [sides][sides]delays // by who hears, and who is heard
	reader       *reader
	current      *stream
	taker        func(arrival)
	began        time.Time
	next         int64 // slots done since began
	stopping     bool
	forgets      bool // streams that are closed

	late     delays
	skipped  int // ticks that were left out
	unsent   int
	overflow map[int]uint32 // by file descriptor
	lost     uint32         // overflow of the sockets that are closed
}

func newThread() (*thread, error) {
	t := &thread{done: make(chan struct{}), reader: newReader(), overflow: map[int]uint32{}}
	t.taker = t.take
	var err error
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	if t.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		_ = unix.Close(t.epoll)
		return nil, fmt.Errorf("load: timer: %w", err)
	}
	every := unix.NsecToTimespec(int64(slotTime))
	if err = unix.TimerfdSettime(t.timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err == nil {
		err = t.watch(t.timer)
	}
	if err != nil {
		t.shut()
		return nil, fmt.Errorf("load: timer: %w", err)
	}
	return t, nil
}

func (t *thread) watch(fd int) error {
	return unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// run is the thread.
func (t *thread) run() {
	defer close(t.done)
	defer t.shut()
	runtime.LockOSThread() // and never unlocked: the priority ends with the thread
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceness)
	events := make([]unix.EpollEvent, wakeups)
	t.began = time.Now()
	for !t.stopping {
		n, err := unix.EpollWait(t.epoll, events, 100)
		if err != nil {
			n = 0 // a signal
		}
		t.obey()
		t.speak(time.Now())
		for _, e := range events[:n] {
			t.listen(int(e.Fd))
		}
	}
}

// listen empties a socket.
func (t *thread) listen(fd int) {
	if fd == t.timer {
		var ticks [8]byte
		_, _ = unix.Read(fd, ticks[:]) // how many it was is seen by the clock
		return
	}
	if fd >= len(t.streams) || t.streams[fd] == nil {
		return
	}
	t.current = t.streams[fd]
	for t.reader.read(fd, t.taker) == batch {
	}
}

func (t *thread) take(a arrival) {
	if a.lost != 0 {
		t.overflow[t.current.fd] = a.lost
	}
	if a.at == 0 {
		a.at = time.Now().UnixNano() // a kernel that does not say
	}
	t.current.take(a.data, a.at)
}

// speak sends what is due by now.
func (t *thread) speak(now time.Time) {
	due := int64(now.Sub(t.began) / slotTime)
	if behind := time.Duration(due-t.next) * slotTime; behind > longStall {
		skip := int64(behind / pcm.FrameTime)
		if t.window.holds(now.UnixNano()) {
			t.skipped += int(skip)
		}
		t.next += skip * slots
	}
	for ; t.next < due; t.next++ {
		when := t.began.Add(time.Duration(t.next+1) * slotTime)
		for _, s := range t.slot[t.next%slots] {
			t.send(s, when)
		}
	}
}

func (t *thread) send(s *stream, when time.Time) {
	now := time.Now()
	packet := s.tick(now.UnixNano())
	if packet == nil {
		return
	}
	if t.window.holds(now.UnixNano()) {
		t.late.add(now.Sub(when))
	}
	if err := unix.Sendto(s.fd, packet, 0, s.to); err == unix.EAGAIN || err == unix.ENOBUFS {
		t.unsent++ // anything else is the ICMP error of an earlier packet, or the peer's affair
	}
}

// shut closes everything that is open.
func (t *thread) shut() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.obey()
	for _, s := range t.streams {
		if s != nil {
			t.drop(s)
		}
	}
	_ = unix.Close(t.timer) // nothing to be done about it
	_ = unix.Close(t.epoll)
}

// post lets the thread run fn within a millisecond; false: it has ended.
func (t *thread) post(fn func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.orders = append(t.orders, fn)
	return true
}

// do runs fn in the thread and waits for it; after the end it runs fn itself, as then nobody else does.
func (t *thread) do(fn func()) {
	ran := make(chan struct{})
	if !t.post(func() { fn(); close(ran) }) {
		<-t.done
		fn()
		return
	}
	<-ran
}

func (t *thread) obey() {
	t.mu.Lock()
	orders := t.orders
	t.orders = nil
	t.mu.Unlock()
	for _, fn := range orders {
		fn()
	}
}

// open gives a stream a socket and its place in the schedule.
func (t *thread) open(s *stream, at netip.Addr) (err error) {
	for range 50 {
		if s.fd, s.addr, err = openSocket(netip.AddrPortFrom(at, 0)); err != nil {
			return err
		}
		if s.addr.Port()%2 == 0 { // RFC 3550 §11
			break
		}
		_ = unix.Close(s.fd)
	}
	if s.addr.Port()%2 != 0 {
		return fmt.Errorf("load: no even RTP port is free on %s", at)
	}
	t.do(func() { err = t.adopt(s) })
	return err
}

func (t *thread) adopt(s *stream) error {
	if t.stopping {
		_ = unix.Close(s.fd)
		return fmt.Errorf("load: stopped")
	}
	if err := t.watch(s.fd); err != nil {
		_ = unix.Close(s.fd)
		return fmt.Errorf("load: epoll: %w", err)
	}
	for len(t.streams) <= s.fd {
		t.streams = append(t.streams, nil)
	}
	t.streams[s.fd] = s
	t.all = append(t.all, s)
	s.counted.delays = &t.delays[s.side]
	if now := time.Now().UnixNano(); t.window.holds(now) {
		s.counted.second = t.window.second(now) + 1 // the one that has begun is no whole one for it
	}
	least := 0
	for i := range t.slot {
		if len(t.slot[i]) < len(t.slot[least]) {
			least = i
		}
	}
	t.slot[least] = append(t.slot[least], s)
	return nil
}

// drop ends a stream; what it counted stays.
func (t *thread) drop(s *stream) {
	if s.fd < 0 {
		return
	}
	s.sending = false
	if now := time.Now().UnixNano(); now > t.window.from && t.window.from > 0 {
		s.counted.rollTo(t.window.second(min(now, t.window.till)))
	}
	s.counted.closed = true
	for i := range t.slot {
		for j, o := range t.slot[i] {
			if o == s {
				t.slot[i] = append(t.slot[i][:j], t.slot[i][j+1:]...)
				break
			}
		}
	}
	t.lost += t.overflow[s.fd]
	delete(t.overflow, s.fd)
	t.streams[s.fd] = nil
	_ = unix.Close(s.fd)
	s.fd = -1
	if t.forgets {
		t.all = slices.DeleteFunc(t.all, func(o *stream) bool { return o == s })
	}
}

// forgets lets the engine keep nothing of streams that are closed.
func (e *engine) forgets() {
	for _, t := range e.threads {
		t.do(func() { t.forgets = true })
	}
}

// measure sets the window of all threads.
func (e *engine) measure(from, till time.Time) {
	for _, t := range e.threads {
		t.do(func() { t.window = window{micros(from.UnixNano()), micros(till.UnixNano())} })
	}
}

// each shows every stream to f, in the thread that owns it.
func (e *engine) each(f func(*stream)) {
	for _, t := range e.threads {
		t.do(func() {
			for _, s := range t.all {
				f(s)
			}
		})
	}
}
