package e2e

import (
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"liandong/cmd/internal/phone"
)

// exchanged is one message of a call at the switch.
type exchanged struct {
	at   time.Time
	to   int // the party that hears it, or has said it
	out  bool
	text []byte
}

// messagesOfCall is what a citizen, a desk and the switch tell each other from INVITE to BYE, in order.
func messagesOfCall(b *testing.B) (all []exchanged) {
	l := startLab(b)
	var mu sync.Mutex
	note := func(party int) func(phone.Logged) {
		return func(g phone.Logged) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, exchanged{g.At, party, !g.Out, g.Message.Bytes()})
		}
	}
	desk := newPhone(b, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: l.server,
		Policy: phone.AnswerAfter(0), Note: note(1)})
	must(b, desk.Register(within(b, 10*time.Second)))
	caller := newPhone(b, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: l.server,
		Note: note(0)})
	mu.Lock()
	all = nil // what it took to register
	mu.Unlock()
	c := l.call(b, caller, "110")
	must(b, c.WaitState(within(b, 10*time.Second), phone.Confirmed))
	time.Sleep(500 * time.Millisecond)
	must(b, c.Hangup(within(b, 10*time.Second)))
	l.empty(b)
	mu.Lock()
	defer mu.Unlock()
	slices.SortStableFunc(all, func(a, b exchanged) int { return a.at.Compare(b.at) })
	return all
}

// BenchmarkBareMessages is the yardstick of a call's signalling: a loop on a thread of its own that reads what the
// switch would read for a call and writes what it would write, byte by byte the messages of a call that it has had,
// and does nothing else. What it reports is that thread's CPU time.
func BenchmarkBareMessages(b *testing.B) {
	script := messagesOfCall(b)
	server := bareSocket(b)
	parties := [2]int{bareSocket(b), bareSocket(b)}
	var at [2]unix.Sockaddr
	for i, fd := range parties {
		var err error
		at[i], err = unix.Getsockname(fd)
		must(b, err)
	}
	to, err := unix.Getsockname(server)
	must(b, err)
	calls, used := 0, make(chan time.Duration)
	const enough = 2000
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		before, room := threadTime(), make([]byte, 1<<16)
		for range enough {
			for _, m := range script {
				if m.out {
					_ = unix.Sendto(server, m.text, 0, at[m.to])
				} else {
					_ = hearBare(server, room)
				}
			}
		}
		used <- threadTime() - before
	}()
	room := make([]byte, 1<<16)
	for range enough {
		for _, m := range script {
			if m.out {
				err = hearBare(parties[m.to], room)
			} else {
				err = unix.Sendto(parties[m.to], m.text, 0, to)
			}
			must(b, err)
		}
		calls++
	}
	b.ReportMetric(float64((<-used).Microseconds())/float64(calls), "cpu-µs/call")
	b.ReportMetric(float64(len(script)), "messages/call")
	b.ReportMetric(0, "ns/op")
}

// bareSocket is a UDP socket that waits, and gives up after a while.
func bareSocket(b *testing.B) int {
	b.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(b, err)
	b.Cleanup(func() { unix.Close(fd) })
	must(b, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(b, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}))
	return fd
}

// hearBare waits for a datagram; signals, by which the runtime divides time, are no end of it (signal(7)).
func hearBare(fd int, room []byte) error {
	for {
		if _, _, err := unix.Recvfrom(fd, room, 0); err != unix.EINTR {
			return err
		}
	}
}

// threadTime is what this thread has had of the processors.
func threadTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
