package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

// BenchmarkCost is what a packet costs that the kernel relays, at 1,000 calls, beside L2: a bare loop with a socket for
// each party, which receives and sends the same packets and does nothing else. All of it is done by one thread, in
// turn: whoever sends on lo or by a veth has what becomes of the packet done in its own time. From the whole of it is
// taken what the same packets cost when nobody relays them.
//
//	go test ./media/socket/kernel -run '^$' -bench Cost
//
// The figures: ns of a packet by the kernel's relay and by L2, beyond those of the parties; what of the former is the
// program (by the kernel's own count, in a run of its own: counting costs, too); and the ratio to the CPU time of the
// loop of L2 alone, to which the parties' delivery to its sockets does not belong. On xdp packets come in with whole
// checksums, as those of a network do, and are sent back by the driver of a veth, which copies each: one that has no
// hardware tells what the program does, not what it saves.
func BenchmarkCost(b *testing.B) {
	b.Run("lo", func(b *testing.B) {
		c := newCost(b, loopback, loopback, nil, nil, false)
		c.run(b)
	})
	b.Run("veth", func(b *testing.B) {
		n := newNetwork(b)
		newCost(b, n.toLeft, n.leftAddr, n.middle, n.left, false).run(b)
	})
	b.Run("xdp", func(b *testing.B) {
		n := besides(b)
		n.left.in(func() {
			i, err := net.InterfaceByName("eth0")
			if err != nil {
				b.Error(err)
				return
			}
			n.middle.ip(b, "neigh replace "+n.leftAddr.String()+" dev left lladdr "+i.HardwareAddr.String()+" nud permanent")
		})
		newCost(b, n.toLeft, n.leftAddr, n.middle, n.left, true).run(b)
	})
}

const (
	costFlows = 2000 // of 1,000 calls
	costBatch = 100  // packets of a millisecond
	costBurst = 50   // rounds of all flows that are measured in turn with the others
)

// cost has parties at one address, all of one socket, and the switch at another.
type cost struct {
	r          *Relay
	middle     *namespace
	party      int // socket
	sink       int // of the switch's machine, for what nobody relays
	ours       []int
	partner    map[int]int
	from, here netip.Addr
	ports      []uint16
	ep         int
	slots      []Slot
	batch      [costBatch]sys.Message
	parts      [costBatch]unix.Iovec
	to         [costBatch]sys.Sockaddr
	data       [costBatch][]byte
	seq        uint16
	loop       time.Duration // of L2
	late       int           // batches
}

func within(n *namespace, f func()) {
	if n == nil {
		f()
		return
	}
	n.in(f)
}

func newCost(b *testing.B, here, from netip.Addr, middle, outside *namespace, driver bool) *cost {
	c := &cost{middle: middle, from: from, here: here, partner: map[int]int{}, seq: 100}
	bind := func(a netip.Addr) int {
		fd, err := sys.Bind(netip.AddrPortFrom(a, 0))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	within(outside, func() { c.party = bind(from) })
	var err error
	if c.ep, err = unix.EpollCreate1(0); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(c.ep) })
	within(middle, func() { c.r, err = Open([]netip.Addr{here}, testTables(), driver, nil) })
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(c.r.Close)
	within(middle, func() {
		c.sink = bind(here)
		for range costFlows {
			c.ours = append(c.ours, bind(here))
		}
	})
	for _, fd := range []int{c.party, c.sink} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	}
	for i, fd := range c.ours {
		c.partner[fd] = c.ours[i^1]
		c.ports = append(c.ports, sys.BoundPort(fd))
		if err := unix.EpollCtl(c.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN,
			Fd: int32(fd)}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range c.batch {
		c.data[i] = rtp(0x80, 8, 0, 0, ssrc)
		c.parts[i].Base = &c.data[i][0]
		c.parts[i].SetLen(len(c.data[i]))
		c.batch[i].Head.Iov = &c.parts[i]
		c.batch[i].Head.SetIovlen(1)
		c.batch[i].Head.Name = (*byte)(unsafe.Pointer(&c.to[i].Raw))
	}
	return c
}

// put gives all flows to the kernel.
func (c *cost) put(b *testing.B) {
	within(c.middle, func() {
		party := netip.AddrPortFrom(c.from, sys.BoundPort(c.party))
		for i := range c.ours {
			f := Flow{From: party, At: netip.AddrPortFrom(c.here, c.ports[i]), To: party,
				By: netip.AddrPortFrom(c.here, c.ports[i^1]), SSRC: ssrc, OutSSRC: newSSRC, PT: 8, OutPT: 8,
				Payload: 160, Seq: c.seq, Timestamp: uint32(c.seq) * 160, Span: 160, Clock: 8, Start: time.Now(),
				Loud: ByFirst}
			f.Transit = -f.Timestamp
			f.Earliest, f.Latest = f.Transit-1<<30, f.Transit+1<<30
			slot, err := c.r.Put(f)
			if err != nil {
				b.Fatal(err)
			}
			c.slots = append(c.slots, slot)
		}
	})
	if at, _ := c.r.Front(); at > 0 {
		await(b, "the neighbour", func() bool { c.r.Routes(); return c.r.hopOf(c.slots[0]) != 0 })
		c.r.follows(time.Hour)
	}
}

func (c *cost) free(b *testing.B) {
	for _, s := range c.slots {
		if p := c.r.Stop(s); !p.Runs {
			b.Fatalf("a flow has ended: %+v", p)
		}
		c.r.Free(s)
	}
	c.slots = c.slots[:0]
}

// pass has each party send a packet, and takes what comes out of it: at the parties, or at the sink.
func (c *cost) pass(b *testing.B, out int, relay func(), port func(i int) uint16) {
	c.seq++
	for at := 0; at < costFlows; at += costBatch {
		for i := range c.batch {
			binary.BigEndian.PutUint16(c.data[i][2:], c.seq)
			binary.BigEndian.PutUint32(c.data[i][4:], uint32(c.seq)*160)
			binary.BigEndian.PutUint32(c.data[i][8:], ssrc) // what has come was put in its place
			c.to[i].Set(netip.AddrPortFrom(c.here, port(at+i)))
			c.batch[i].Head.Namelen = c.size()
		}
		c.transfer(b, unix.SYS_SENDMMSG, c.party)
		relay()
		for i := range c.batch {
			c.batch[i].Head.Namelen = unix.SizeofSockaddrInet6
		}
		c.transfer(b, unix.SYS_RECVMMSG, out)
	}
}

// size is that of a party's address.
func (c *cost) size() uint32 {
	if c.here.Is4() {
		return unix.SizeofSockaddrInet4
	}
	return unix.SizeofSockaddrInet6
}

// transfer waits for what the kernel has put off to ksoftirqd, whose time is not counted: such rounds are told.
func (c *cost) transfer(b *testing.B, call uintptr, fd int) {
	start := time.Now()
	for at, waits := 0, 0; at < costBatch; {
		n, errno := sys.Transfer(call, fd, c.batch[at:])
		if n <= 0 {
			if waits == 0 {
				c.late++
			}
			if waits++; time.Since(start) > patience {
				b.Fatalf("%d of %d packets: %v", at, costBatch, errno)
			}
			sys.Nap(50 * time.Microsecond)
		}
		at += max(n, 0)
	}
}

// bare is the loop of L2.
func (c *cost) bare() {
	start := threadTime()
	var events [256]unix.EpollEvent
	var data [1500]byte
	var from sys.Sockaddr
	n := sys.WaitEvents(c.ep, events[:], 0)
	for i := range events[:n] {
		fd := int(events[i].Fd)
		if size, ok := sys.ReceiveFrom(fd, data[:], &from); ok {
			data[11] ^= 1
			sys.SendTo(c.partner[fd], data[:size], &from)
		}
	}
	c.loop += threadTime() - start
}

func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

func (c *cost) run(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	nothing := func() {}
	sink := sys.BoundPort(c.sink)
	toSink, toPorts := func(int) uint16 { return sink }, func(i int) uint16 { return c.ports[i] }
	timed := func(out int, relay func(), port func(int) uint16) time.Duration {
		c.pass(b, out, relay, port) // finds its things in the cache again
		c.loop = 0
		start := threadTime()
		for range costBurst {
			c.pass(b, out, relay, port)
		}
		return threadTime() - start
	}
	counted := c.r.program
	if at, _ := c.r.Front(); at > 0 {
		counted = c.r.front.program
	}
	var direct, carried, bare, loop time.Duration
	b.ResetTimer()
	for range b.N {
		direct += timed(c.sink, nothing, toSink)
		c.put(b)
		carried += timed(c.party, nothing, toPorts)
		c.free(b)
		bare += timed(c.party, c.bare, toPorts)
		loop += c.loop
	}
	b.StopTimer()
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		b.Fatal(err)
	}
	c.put(b)
	before, _ := counted.Stats()
	for range costBurst {
		c.pass(b, c.party, nothing, toPorts)
	}
	after, _ := counted.Stats()
	c.free(b)
	_ = stats.Close()
	packets := time.Duration(b.N * costBurst * costFlows)
	b.ReportMetric(float64((carried-direct)/packets), "ns/kernel")
	b.ReportMetric(float64((bare-direct)/packets), "ns/L2")
	b.ReportMetric(float64(direct/packets), "ns/parties")
	b.ReportMetric(float64((after.Runtime-before.Runtime)/time.Duration(after.RunCount-before.RunCount)), "ns/program")
	b.ReportMetric(float64(carried-direct)/float64(loop), "×loop")
	b.ReportMetric(float64(carried-direct)/float64(bare-direct), "×L2")
	b.ReportMetric(100*float64(c.late*costBatch)/float64(3*packets), "%late")
	b.ReportMetric(0, "ns/op")
}
