package engine

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"liandong/media/codec"
	"liandong/media/socket"
	"liandong/media/socket/sys"
)

// The servers that the benchmarks of limits_linux_test.go compare: the engine, and two bare
// loops that do nothing but what no relay can do without. Each runs in a process of its own,
// on a core of its own, so that its CPU time is all its own.

// serverEnv makes the test binary such a server.
const serverEnv = "LIANDONG_LIMIT_SERVER"

// order of a server, as JSON in serverEnv.
type serverOrder struct {
	Kind     string // "L1", "L2" or "engine"
	Legs     int
	Parties  int // of a call
	Raw      bool
	Steer    bool
	Kernel   bool
	Peer     netip.AddrPort // all parties are there
	Duration time.Duration  // the longest it may run
}

// serverReport answers each line on standard input.
type serverReport struct {
	Ports      []uint16      // of the legs; only in the first
	Empty      int           // bytes resident before there were legs
	CPU        time.Duration // with that of the programs
	Programs   time.Duration // that the program that relays in the kernel was at work, in the parties' time
	Carried    int           // parties to whom the kernel relays
	Memory     int           // bytes resident
	Threads    int
	Goroutines int
	Transport  string
	Skipped    uint64 // ticks
}

func TestMain(m *testing.M) {
	if order := os.Getenv(serverEnv); order != "" {
		serve(order)
		return
	}
	os.Exit(m.Run())
}

func serve(raw string) {
	var o serverOrder
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		panic(err)
	}
	time.AfterFunc(o.Duration, func() { os.Exit(3) }) // whatever happens to the parent
	empty := residentBytes()
	ports, stats := map[string]func(serverOrder) ([]uint16, func(*serverReport)){"L1": serveOne, "L2": serveEach,
		"engine": serveEngine}[o.Kind](o)
	report := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); ports = nil {
		r := serverReport{Ports: ports, Empty: empty, Goroutines: runtime.NumGoroutine()}
		r.measure()
		stats(&r)
		if err := report.Encode(r); err != nil {
			panic(err)
		}
	}
}

func (r *serverReport) measure() {
	r.CPU = processTime()
	r.Memory, r.Threads = residentBytes(), status("Threads: %d")
}

// processTime is the CPU time of this process.
func processTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func residentBytes() int { return 1024 * status("VmRSS: %d kB") }

// status reads a number of /proc/self/status.
func status(format string) (n int) {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, format, &n); err == nil {
			return n
		}
	}
	return 0
}

func serveEngine(o serverOrder) ([]uint16, func(*serverReport)) {
	cfg := labConfig(nil)
	cfg.Shards, cfg.Kernel = 1, o.Kernel
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 10000, PortMax: 31999}}
	e, err := start(cfg, socket.Config{Raw: o.Raw, Steered: o.Steer}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	var ports []uint16
	for len(ports) < o.Legs {
		s := e.NewSession("limit", func(Event) {})
		for leg := range LegID(o.Parties) {
			at, err := s.Open(leg, "lab")
			if err != nil {
				panic(err)
			}
			ports = append(ports, at.Port())
			s.Do(Stream{Leg: leg, Remote: o.Peer, Codec: codec.PCMA, PT: 8, Send: true, Receive: true,
				DTMFRecv: map[uint8]int{101: 8000}, DTMFSend: 101})
		}
		for leg := range LegID(o.Parties) {
			listen := Listen{Leg: leg}
			for other := range LegID(o.Parties) {
				listen.From = append(listen.From, other) // never itself
			}
			s.Do(listen)
		}
	}
	return ports, func(r *serverReport) {
		stats := e.Stats()
		r.Transport, r.Skipped, r.Carried = stats.Transport, stats.SkippedTicks, stats.Carried
		r.Programs = programTime()
		r.CPU += r.Programs
	}
}

// programTime is how long the programs of this process have been at work in the kernel, whoever's packets they had: it
// is known while /proc/sys/kernel/bpf_stats_enabled is 1.
func programTime() (d time.Duration) {
	for _, name := range programFiles() {
		ns, _ := runTime(name)
		d += ns
	}
	return d
}

// programFiles tell of the programs that there were at the first report. A thousand ports have files, too: to read them
// all takes as much time as to relay for a while, so it is done before anything is measured.
var programFiles = sync.OnceValue(func() (names []string) {
	files, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, name := range files {
		if _, ok := runTime(name); ok {
			names = append(names, name)
		}
	}
	return names
})

// runTime reads how long a program has been at work; false: it is none.
func runTime(name string) (time.Duration, bool) {
	text, _ := os.ReadFile(name)
	for line := range strings.Lines(string(text)) {
		var ns int64
		if _, err := fmt.Sscanf(line, "run_time_ns: %d", &ns); err == nil {
			return time.Duration(ns), true
		}
	}
	return 0, false
}

// serveOne is L1: one socket for all legs, datagrams in batches, woken once a millisecond.
func serveOne(o serverOrder) ([]uint16, func(*serverReport)) {
	fd, err := sys.Bind(netip.AddrPortFrom(labNetwork.Address, 0))
	if err != nil {
		panic(err)
	}
	roomy(fd)
	go func() {
		runtime.LockOSThread()
		const batch = 64
		var in [batch]sys.Message
		var parts [batch]unix.Iovec
		var from [batch]sys.Sockaddr
		var data [batch][socket.DatagramSize]byte
		for i := range in {
			parts[i].Base = &data[i][0]
			in[i].Head.Iov = &parts[i]
			in[i].Head.SetIovlen(1)
			in[i].Head.Name = (*byte)(unsafe.Pointer(&from[i].Raw))
		}
		for {
			for i := range in {
				in[i].Head.Namelen = unix.SizeofSockaddrInet6
				parts[i].SetLen(socket.DatagramSize)
			}
			n, _ := sys.Transfer(unix.SYS_RECVMMSG, fd, in[:])
			for i := range n {
				parts[i].SetLen(int(in[i].Size))
				data[i][11] ^= 1 // SSRC: the partner's
			}
			for at := 0; at < n; {
				sent, _ := sys.Transfer(unix.SYS_SENDMMSG, fd, in[at:n])
				at += max(sent, 1)
			}
			if n < batch {
				sys.Nap(time.Millisecond)
			}
		}
	}()
	ports := make([]uint16, o.Legs)
	for i := range ports {
		ports[i] = sys.BoundPort(fd)
	}
	return ports, func(*serverReport) {}
}

// serveEach is L2: a socket for each leg, read when epoll says so, woken once a millisecond.
func serveEach(o serverOrder) ([]uint16, func(*serverReport)) {
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		panic(err)
	}
	partner := map[int]int{}
	ports, fds := make([]uint16, o.Legs), make([]int, o.Legs)
	for i := range fds {
		if fds[i], err = sys.Bind(netip.AddrPortFrom(labNetwork.Address, 0)); err != nil {
			panic(err)
		}
		ports[i] = sys.BoundPort(fds[i])
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fds[i],
			&unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fds[i])}); err != nil {
			panic(err)
		}
		partner[fds[i]] = fds[i^1&^(o.Legs&1)]
	}
	for i := range fds {
		partner[fds[i]] = fds[min(i^1, o.Legs-1)]
	}
	go func() {
		runtime.LockOSThread()
		var events [256]unix.EpollEvent
		var data [socket.DatagramSize]byte
		var from sys.Sockaddr
		for {
			n := sys.WaitEvents(ep, events[:], 0)
			for i := range events[:n] {
				fd := int(events[i].Fd)
				if size, ok := sys.ReceiveFrom(fd, data[:], &from); ok {
					data[11] ^= 1
					sys.SendTo(partner[fd], data[:size], &from)
				}
			}
			if n < len(events) {
				sys.Nap(time.Millisecond)
			}
		}
	}()
	return ports, func(*serverReport) {}
}

// roomy lets a socket hold what comes in a few milliseconds for all legs.
func roomy(fd int) {
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE, unix.SO_RCVBUF, unix.SO_SNDBUF} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 8<<20)
	}
}

// stamp writes the time of sending where a relay leaves it alone: in the payload.
func stamp(payload []byte, at time.Time) {
	binary.BigEndian.PutUint64(payload, uint64(at.UnixNano()))
}
