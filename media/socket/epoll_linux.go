package socket

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

const (
	eventBatch  = 256
	drainRounds = 8                      // batches of events in one Drain: a flood must not hold up the tick
	slowPeriod  = 100 * time.Millisecond // RTCP is looked for so often
	coalesce    = 500 * time.Microsecond // when busy, packets are gathered for so long at the most
	burst       = 16                     // packets that one Collect takes
	wakeWithin  = time.Millisecond       // Wake ends a Poll: one that ends by itself so soon needs nothing of it
)

// epollNet is the Transport of Linux: a non-blocking socket for each port, read when epoll
// says so or when asked. With the privileges for it, packets leave through a raw socket
// for each address (rawPath) and come in through one that is steered to (steering).
type epollNet struct {
	table []atomic.Pointer[sock] // by file descriptor, which is the ID
	woken atomic.Bool
	brief atomic.Bool // the Poll that is under way ends within wakeWithin by itself
	lost  atomic.Uint64

	mu      sync.RWMutex // guards the descriptors against use after Stop; held for no wait
	wake    int          // eventfd
	stopped bool

	// owned by the shard's thread
	prompt, slow int // epoll instances
	slowAt       time.Time
	events       [eventBatch]unix.EpollEvent
	ready        int // events of the last Poll that Drain has not seen
	pace         pace
	data         [DatagramSize]byte
	from, to     sys.Sockaddr
	sent, failed int

	keeper  Keeper   // nil: none
	raw     *rawPath // nil: every socket sends for itself
	steered *steered // nil: every socket receives for itself
}

// sock is an open port.
type sock struct {
	fd        int
	local     netip.AddrPort
	kept      bool // by the keeper, too
	inherited bool // packets may wait in it from before

	// owned by the shard's thread
	care    Care
	epoll   int // the instance that it is in; 0: none
	steered bool
	sweep   int // so many more times Collect looks for more than one packet
	turn    uint8
}

func newEpoll() (t *epollNet, err error) {
	t = &epollNet{wake: -1, prompt: -1, slow: -1}
	defer func() {
		if err != nil {
			t.closeOwn()
		}
	}()
	limit, known := OpenFiles()
	if !known {
		limit = maxFiles
	}
	t.table = make([]atomic.Pointer[sock], min(limit, maxFiles))
	if t.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, fmt.Errorf("socket: eventfd: %w", err)
	}
	for _, ep := range []*int{&t.prompt, &t.slow} {
		if *ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return nil, fmt.Errorf("socket: epoll: %w", err)
		}
	}
	if err := unix.EpollCtl(t.prompt, unix.EPOLL_CTL_ADD, t.wake, readable(t.wake)); err != nil {
		return nil, fmt.Errorf("socket: epoll: %w", err)
	}
	return t, nil
}

// maxFiles bounds the table of a process without a limit of its own.
const maxFiles = 1 << 20

func readable(fd int) *unix.EpollEvent { return &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)} }

func (t *epollNet) Name() string {
	name := "epoll"
	if t.raw != nil {
		name += "+raw"
	}
	if t.steered != nil {
		name += "+steered"
	}
	return name
}

func (t *epollNet) Open(local netip.AddrPort) (ID, error) {
	kept := t.keeper != nil && local.Port() != 0 // a port that the kernel chooses is for this process alone
	fd, inherited, err := t.bind(local, kept)
	if err != nil {
		return 0, fmt.Errorf("socket: open %v: %w", local, err)
	}
	if fd >= len(t.table) {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("socket: open %v: %w: more than %d", local, unix.EMFILE, len(t.table))
	}
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), sys.BoundPort(fd))
	}
	t.table[fd].Store(&sock{fd: fd, local: local, kept: kept, inherited: inherited})
	return ID(fd), nil
}

// bind opens a port, or takes over the one that the process before had.
func (t *epollNet) bind(local netip.AddrPort, kept bool) (fd int, inherited bool, err error) {
	if !kept {
		fd, err = sys.Bind(local)
		return fd, false, err
	}
	if fd, ok := t.keeper.Take(keptName(local)); ok {
		return fd, true, unix.SetNonblock(fd, true)
	}
	if fd, err = sys.Bind(local); err == nil {
		t.keeper.Hold(keptName(local), fd)
	}
	return fd, false, err
}

// keptName is by what a keeper knows a port.
func keptName(local netip.AddrPort) string { return "rtp/" + local.String() }

func (t *epollNet) Close(s ID) {
	if k := t.table[s].Swap(nil); k != nil {
		t.close(k)
		if k.kept {
			t.keeper.Drop(keptName(k.local))
		}
	}
}

// close ends this process' part in a port.
func (t *epollNet) close(k *sock) {
	if k.steered {
		t.steered.mind(t.prompt, k, OnDemand)
		t.steered.forget(k.local)
	}
	t.lost.Add(sys.Overruns(k.fd))
	_ = unix.Close(k.fd) // leaves epoll by itself
}

// Watch puts a socket where its packets are looked for. A port that is steered to is not
// looked at for itself at all; only RTP is.
func (t *epollNet) Watch(s ID, c Care) {
	k := t.table[s].Load()
	if k == nil || k.care == c && (k.epoll != 0 || k.steered) {
		return
	}
	if t.raw != nil {
		t.raw.adopt(s, k.local)
	}
	if t.steered != nil && c != Slowly {
		t.steer(s, k)
	}
	if t.steered != nil && k.steered {
		t.steered.mind(t.prompt, k, c)
		k.care = c
		return
	}
	t.enter(k, c)
	k.care, k.sweep = c, sweeps // until it is known how many come in a tick
	if c == Slowly {
		sys.Waited(k.fd) // the kernel notes times from the first question on
	}
}

// steer has a port's packets come in through the shard's socket. Those that have waited in its own come first.
func (t *epollNet) steer(s ID, k *sock) {
	if k.steered {
		return
	}
	k.steered = t.steered.take(k.local, s)
	for k.steered && k.inherited {
		n, ok := sys.ReceiveFrom(k.fd, t.data[:], &t.from)
		k.inherited = ok && t.steered.waiting.put(Packet{Socket: s, From: t.from.Get(), Data: t.data[:n]})
	}
}

// enter moves a socket into the epoll instance of its care. One to which nobody sends costs nothing where it is: it
// leaves when something comes (serve), as the next Watch may want it there again.
func (t *epollNet) enter(k *sock, c Care) {
	want := t.instance(c)
	if k.epoll == want || k.epoll == t.prompt && (c == OnDemand || c == Idly) {
		return
	}
	t.leave(k)
	// Only fails for want of memory; then the socket is left to Collect.
	if want != 0 && unix.EpollCtl(want, unix.EPOLL_CTL_ADD, k.fd, readable(k.fd)) == nil {
		k.epoll = want
	}
}

func (t *epollNet) leave(k *sock) {
	if k.epoll != 0 {
		_ = unix.EpollCtl(k.epoll, unix.EPOLL_CTL_DEL, k.fd, nil)
		k.epoll = 0
	}
}

func (t *epollNet) instance(c Care) int {
	switch c {
	case OnDemand:
		return 0
	case Promptly:
		return t.prompt
	}
	return t.slow
}

// Wake comes after what it is for: whoever reads that a brief Poll is under way is heard after that one.
func (t *epollNet) Wake() {
	if t.brief.Load() || t.woken.Swap(true) {
		return
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if !t.stopped {
		one := [8]byte{1, 0, 0, 0, 0, 0, 0, 1} // not zero in either byte order
		_, _ = unix.Write(t.wake, one[:])
	}
}

// Poll lets packets gather for a while when there are many: fewer wake-ups is what saves.
func (t *epollNet) Poll(wait time.Duration) {
	t.brief.Store(t.pace.busy || wait <= wakeWithin)
	if t.pace.busy {
		sys.Nap(max(0, min(wait, coalesce)))
		wait = 0
	}
	t.ready = sys.WaitEvents(t.prompt, t.events[:], wait)
	t.brief.Store(false)
	for i := range t.events[:t.ready] {
		if int(t.events[i].Fd) == t.wake {
			t.awake()
		}
	}
}

// awake lets Wake write again. It is done here and not in Drain: whoever posts an order and finds
// that he need not write is then heard before the next Poll.
func (t *epollNet) awake() {
	var count [8]byte
	_, _ = unix.Read(t.wake, count[:])
	t.woken.Store(false)
}

func (t *epollNet) Drain(receive func(Packet)) {
	for range drainRounds {
		for i := range t.events[:t.ready] {
			t.serve(int(t.events[i].Fd), receive)
		}
		if t.ready < len(t.events) {
			break
		}
		t.ready = sys.WaitEvents(t.prompt, t.events[:], 0)
	}
	t.ready = 0
	if t.steered != nil {
		t.pace.packets += t.steered.drain(receive)
	}
	if now := time.Now(); now.Sub(t.slowAt) >= slowPeriod {
		t.slowAt = now
		t.pace.judge()
		t.drainSlow(receive)
	}
}

// serve takes one packet; epoll is level-triggered and tells of more. A port that was closed since
// Poll is none of ours any more: what has its descriptor now may be a connection of others.
func (t *epollNet) serve(fd int, receive func(Packet)) {
	if fd == t.wake {
		return
	}
	switch k := t.table[fd].Load(); {
	case k == nil:
	case k.care == OnDemand:
		t.leave(k)
	default:
		t.take(fd, receive)
		t.pace.packets++
	}
}

func (t *epollNet) take(fd int, receive func(Packet)) bool {
	n, ok := sys.ReceiveFrom(fd, t.data[:], &t.from)
	if ok {
		receive(Packet{Socket: ID(fd), From: t.from.Get(), Data: t.data[:n]})
	}
	return ok
}

func (t *epollNet) drainSlow(receive func(Packet)) {
	for range drainRounds {
		n := sys.WaitEvents(t.slow, t.events[:], 0)
		for i := range t.events[:n] {
			t.takeSlow(int(t.events[i].Fd), receive)
		}
		if n < len(t.events) {
			break
		}
	}
}

// takeSlow takes one packet, and finds out how long it has lain there.
func (t *epollNet) takeSlow(fd int, receive func(Packet)) {
	if n, ok := sys.ReceiveFrom(fd, t.data[:], &t.from); ok {
		receive(Packet{Socket: ID(fd), From: t.from.Get(), Data: t.data[:n], Waited: sys.Waited(fd)})
	}
}

const (
	sweeps   = 4  // after an irregular tick
	sweepAll = 16 // and each so many ticks
)

// Collect takes the one packet that a tick brings. To see that there is no other costs
// as much as a quarter of a packet, so it is done after a tick that brought none or several,
// and now and then.
func (t *epollNet) Collect(s ID, receive func(Packet)) {
	k := t.table[s].Load()
	if k == nil {
		return
	}
	if k.steered {
		t.steered.waiting.collect(s, receive)
		return
	}
	k.turn++
	if k.turn%sweepAll == 0 {
		k.sweep = max(k.sweep, 1)
	}
	got := 0
	for got < burst && t.take(k.fd, receive) {
		got++
		if k.sweep == 0 {
			return
		}
	}
	k.sweep = max(0, k.sweep-1)
	if got != 1 {
		k.sweep = sweeps
	}
}

func (t *epollNet) Queue(s ID, to netip.AddrPort, data []byte) {
	if t.raw != nil && t.raw.queue(s, to, data) {
		return
	}
	t.to.Set(to)
	t.count(sys.SendTo(int(s), data, &t.to))
}

func (t *epollNet) count(ok bool) {
	if ok {
		t.sent++
	} else {
		t.failed++
	}
}

func (t *epollNet) Flush() (sent, failed int) {
	if t.raw != nil {
		sent, failed = t.raw.flush()
	}
	sent, failed = sent+t.sent, failed+t.failed
	t.sent, t.failed = 0, 0
	return sent, failed
}

func (t *epollNet) Lost() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	lost := t.lost.Load()
	if t.steered != nil && !t.stopped {
		lost += sys.Overruns(t.steered.fd)
	}
	return lost
}

func (t *epollNet) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for fd := range t.table {
		if k := t.table[fd].Swap(nil); k != nil {
			t.close(k)
		}
	}
	t.closeOwn()
}

func (t *epollNet) closeOwn() {
	if t.raw != nil {
		t.raw.close()
	}
	if t.steered != nil {
		t.steered.close()
	}
	for _, fd := range []int{t.wake, t.prompt, t.slow} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}
