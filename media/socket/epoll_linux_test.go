package socket

import (
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

func epollUnderTest(t *testing.T, steer bool) *epollNet {
	t.Helper()
	nets, err := Open(1, Config{Steered: steer}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nets[0].Stop)
	return nets[0].(*epollNet)
}

func openLoopback(t *testing.T, net *epollNet) ID {
	t.Helper()
	s, err := net.Open(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClosedPortIsNotRead: between Poll and Drain a port is closed, and its descriptor becomes a
// connection of another part of the switch. Not a byte of that may be taken.
func TestClosedPortIsNotRead(t *testing.T) {
	net := epollUnderTest(t, false)
	s, from := openLoopback(t, net), openLoopback(t, net)
	net.Watch(s, Promptly)
	net.Queue(from, net.table[s].Load().local, []byte("sound"))
	for deadline := time.Now().Add(patience); net.ready == 0; {
		if net.Poll(patience); time.Now().After(deadline) {
			t.Fatal("the packet did not come")
		}
	}
	others, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(others[1])
	net.Close(s)
	if err := unix.Dup3(others[0], int(s), unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(int(s))
	_ = unix.Close(others[0])
	if _, err := unix.Write(others[1], []byte("secret")); err != nil {
		t.Fatal(err)
	}
	net.Drain(func(p Packet) { t.Errorf("%q was taken from a descriptor that is no port", p.Data) })
	var left [16]byte
	if n, err := unix.Read(int(s), left[:]); err != nil || string(left[:n]) != "secret" {
		t.Errorf("of what stood in the connection %q is left, %v", left[:max(n, 0)], err)
	}
}

// TestWakeBeforeDrain: an order that is posted after the orders were taken, and before Drain, ends
// the next Poll.
func TestWakeBeforeDrain(t *testing.T) {
	net := epollUnderTest(t, false)
	net.Wake()
	net.Poll(patience)
	net.Wake()
	net.Drain(func(Packet) {})
	net.Poll(10 * time.Millisecond)
	if net.ready == 0 {
		t.Error("the second Wake was lost")
	}
}

// TestWakeOfABriefPoll: a Poll that ends within a millisecond by itself is not woken, any other is.
func TestWakeOfABriefPoll(t *testing.T) {
	net := epollUnderTest(t, false)
	net.brief.Store(true)
	net.Wake()
	net.Poll(time.Nanosecond)
	if net.ready != 0 {
		t.Error("a Poll was woken that ends by itself")
	}
	net.Wake()
	net.Poll(patience)
	if net.ready != 1 {
		t.Error("an order waits until something comes in")
	}
}

// TestNoWakeIsLost: whatever Polls an order meets, it is taken before the shard waits for long.
func TestNoWakeIsLost(t *testing.T) {
	net := epollUnderTest(t, false)
	const orders = 5000
	var posted, taken atomic.Int64
	answered := make(chan struct{}, 1)
	var poster sync.WaitGroup
	poster.Go(func() {
		for range orders {
			posted.Add(1)
			net.Wake()
			<-answered
		}
	})
	waits := []time.Duration{time.Hour, 0, wakeWithin / 8, 2 * wakeWithin, wakeWithin / 50}
	for turn := 0; taken.Load() < orders; turn++ {
		for taken.Load() < posted.Load() {
			taken.Add(1)
			answered <- struct{}{}
		}
		if taken.Load() < orders {
			net.Poll(waits[turn%len(waits)])
			net.Drain(func(Packet) {})
		}
	}
	poster.Wait()
}

// TestSteeredAtRest: when the last port is closed whose packets somebody waits for, what comes to
// the others ends no Poll any more.
func TestSteeredAtRest(t *testing.T) {
	net := epollUnderTest(t, true)
	if net.steered == nil {
		t.Skip("steering needs CAP_BPF and CAP_NET_ADMIN")
	}
	if net.steered.prompt != 0 {
		t.Errorf("%d ports are waited for before there is one", net.steered.prompt)
	}
	s := openLoopback(t, net)
	net.Watch(s, Promptly)
	if net.steered.prompt != 1 {
		t.Errorf("%d ports are waited for, one is open", net.steered.prompt)
	}
	net.Close(s)
	if net.steered.prompt != 0 {
		t.Errorf("%d ports are waited for, none is open", net.steered.prompt)
	}
}

// TestWaitUnderSeccomp: container run-times with older filters answer epoll_pwait2 with EPERM, not
// with ENOSYS.
func TestWaitUnderSeccomp(t *testing.T) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ep)
	event, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(event)
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, event, readable(event)); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		n   int
		err error
	}
	came := make(chan outcome)
	go func() {
		runtime.LockOSThread() // and never unlocked: the filter ends with the thread
		if err := forbid(unix.SYS_EPOLL_PWAIT2); err != nil {
			came <- outcome{err: err}
			return
		}
		var events [1]unix.EpollEvent
		came <- outcome{n: sys.WaitEvents(ep, events[:], time.Second)}
	}()
	if o := <-came; o.err != nil {
		t.Skip("no seccomp filter:", o.err)
	} else if o.n != 1 {
		t.Errorf("%d events, one is there", o.n)
	}
}

// forbid lets a system call of this thread fail with EPERM.
func forbid(call uint32) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	runtime.KeepAlive(filter)
	return err
}
