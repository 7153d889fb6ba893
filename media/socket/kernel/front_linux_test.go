package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"liandong/media/socket"
	"liandong/media/socket/sockettest"
	"liandong/media/socket/sys"
)

const setTxSum = 0x17 // of linux/ethtool.h

// feature switches one of a device's. Here it has to be this thread's network.
func feature(device string, command, value uint32) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	what := struct{ command, value uint32 }{command, value}
	request := struct {
		name [16]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&what)}
	copy(request.name[:], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&what)
	if errno != 0 {
		return fmt.Errorf("%s: %x: %w", device, command, errno)
	}
	return nil
}

// passing has a veth have a program of XDP that does nothing: it takes what the other end's sends back only with one.
func passing(t testing.TB, device string) error {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, toStack), asm.Return()}})
	if err != nil {
		return err
	}
	t.Cleanup(func() { p.Close() })
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: i.Index, Flags: link.XDPDriverMode})
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return err
}

// trustVeth has veths be among the drivers that do what the program says: their other ends are made for it here.
func trustVeth(t testing.TB) {
	before := unfit
	unfit = nil
	t.Cleanup(func() { unfit = before })
}

// besides makes a network in which the second party is behind the first, at the same interface of the switch, which is
// a veth: its driver has XDP.
func besides(t testing.TB) *network {
	n := newNetwork(t)
	trustVeth(t)
	n.left.ip(t, "addr add 10.7.0.2/32 dev eth0")
	n.middle.ip(t, "route add 10.7.0.0/16 via 10.1.0.2")
	n.leftAddr, n.rightAddr = netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.7.0.2")
	var err error
	n.left.in(func() {
		// A network's packets have their checksums whole.
		err = errors.Join(passing(t, "eth0"), feature("eth0", setTxSum, 0))
		n.to = newParty(t, n.rightAddr)
	})
	if err != nil {
		t.Skip(err)
	}
	n.middle.in(func() { n.by = newParty(t, n.toLeft) })
	return n
}

// await waits for what the kernel tells.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatal(what)
		}
	}
}

func openFront(t testing.TB, n *network, k socket.Keeper) (r *Relay) {
	t.Helper()
	var err error
	n.middle.in(func() { r, err = Open([]netip.Addr{n.toLeft}, testTables(), true, k) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if at, refused := r.Front(); at != 1 || refused != nil {
		t.Fatalf("XDP at %d interfaces: %v", at, refused)
	}
	return r
}

// follows has XDP go by what is known now of neighbours for so long.
func (r *Relay) follows(until time.Duration) {
	atomic.StoreUint64(r.state(watchSlot).double(slotAt), uint64(monotonic()+int64(until)-int64(watched)))
}

// meets waits until XDP knows a flow's neighbour, and has it go by that for longer than a test takes.
func (c *call) meets() {
	c.t.Helper()
	await(c.t, "the neighbour", func() bool { c.r.Routes(); return c.r.hopOf(c.slot) != 0 })
	c.r.follows(time.Hour)
}

func (r *Relay) hopOf(s Slot) hardware {
	return hardware(atomic.LoadUint64(r.state(s).double(slotHop)))
}

// What leaves by the interface that it came by is sent back by the driver, as TCX would have sent it: the party sees no
// other packets, and the kernel none of them.
func TestFront(t *testing.T) {
	n := besides(t)
	r := openFront(t, n, nil)
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	c.flow.Taped = true
	n.middle.in(func() { c.put() })
	c.passes() // by TCX: nobody has asked for the neighbour's address before
	c.meets()
	var seen tap
	n.left.in(func() { seen = newTap(t, n.to.addr.Port()) })
	seenBy := newTaken(t, n)
	for range 2 * (refresh + 1) {
		p := c.packet()
		c.from.send(c.at.addr, p)
		c.carries(p)
		if got, want := seen.gets(), datagram(c.by.addr, c.to.addr, c.rewritten(p)); !slices.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
	}
	if got := seenBy.packets(); got != 2 {
		t.Errorf("the kernel has taken %d packets of %d, want one of each %d", got, 2*(refresh+1), refresh+1)
	}
	if got := c.read(); got.Packets != uint64(c.carried) || !got.Runs || got.Samples == 0 {
		t.Errorf("%+v, want %d", got, c.carried)
	}
	sound := make([]byte, 160)
	if _, ok := r.Copy(c.slot, uint64(c.carried-1), sound); !ok ||
		!bytes.Equal(sound, rtp(0x80, 8, c.seq-1, c.stamp-160, ssrc)[12:]) {
		t.Errorf("%v: %x on the tape", ok, sound)
	}
	// What is not regular comes up, and ends the flow.
	c.comesUp(rtp(0x80, 101, c.seq, c.stamp, ssrc))
	c.comesUp(c.packet())
	if got := c.free(); got.Runs {
		t.Errorf("%+v", got)
	}
}

// So it does with IPv6.
func TestFront6(t *testing.T) {
	n := besides(t)
	n.middle.ip(t, "addr add fd01::1/64 dev left nodad", "route add fd07::/64 via fd01::2")
	n.left.ip(t, "addr add fd01::2/64 dev eth0 nodad", "addr add fd07::2/128 dev eth0 nodad")
	n.toLeft, n.leftAddr, n.rightAddr = netip.MustParseAddr("fd01::1"), netip.MustParseAddr("fd01::2"),
		netip.MustParseAddr("fd07::2")
	n.middle.in(func() { n.at, n.by = newParty(t, n.toLeft), newParty(t, n.toLeft) })
	n.left.in(func() { n.from, n.to = newParty(t, n.leftAddr), newParty(t, n.rightAddr) })
	r := openFront(t, n, nil)
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	c.meets()
	seenBy := newTaken(t, n)
	var seen link6
	n.left.in(func() { seen = newLink6(t, n.to.addr.Port()) })
	for range 100 {
		p := c.packet()
		c.from.send(c.at.addr, p)
		c.carries(p)
		if got, want := seen.gets(), datagram(c.by.addr, c.to.addr, c.rewritten(p)); !slices.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
	}
	if got := seenBy.packets(); got > 1 {
		t.Errorf("the kernel has taken %d packets of 100", got)
	}
	c.comesUp(rtp(0x80, 101, c.seq, c.stamp, ssrc))
}

// What leaves by another interface is TCX's, and so is all where somebody else's program has the driver.
func TestFrontLeaves(t *testing.T) {
	n := newNetwork(t)
	trustVeth(t)
	var errs [3]error
	var r *Relay
	n.left.in(func() { errs[0] = feature("eth0", setTxSum, 0) })
	n.middle.in(func() {
		errs[1] = passing(t, "right")
		r, errs[2] = Open([]netip.Addr{n.toLeft, n.toRight}, testTables(), true, nil)
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Skip(err)
	}
	t.Cleanup(r.Close)
	if at, refused := r.Front(); at != 1 || !errors.Is(refused, unix.EBUSY) {
		t.Errorf("XDP at %d interfaces: %v", at, refused)
	}
	var back *party
	n.middle.in(func() { back = newParty(t, n.toRight) })
	for _, c := range []*call{newCall(t, r, n.from, n.at, n.by, n.to), newCall(t, r, n.to, n.by, back, n.to)} {
		n.middle.in(func() { c.put() })
		for range 3 {
			c.passes()
		}
	}
	if len(r.front.hops) != 0 {
		t.Errorf("XDP has %v", r.front.hops)
	}
}

// A veth is not trusted by itself: it may lose all that is sent back.
func TestFrontOnVeth(t *testing.T) {
	n := newNetwork(t)
	var r *Relay
	var err error
	if n.middle.in(func() { r, err = Open([]netip.Addr{n.toLeft}, testTables(), true, nil) }); err != nil {
		t.Skip(err)
	}
	t.Cleanup(r.Close)
	if at, refused := r.Front(); at != 0 || !errors.Is(refused, errUnfit) {
		t.Errorf("XDP at %d interfaces: %v", at, refused)
	}
}

// A checksum that is only begun is TCX's, whose kernel knows of it.
func TestFrontBegunSum(t *testing.T) {
	n := besides(t)
	r := openFront(t, n, nil)
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	c.meets()
	var err error
	if n.left.in(func() { err = feature("eth0", setTxSum, 1) }); err != nil {
		t.Fatal(err)
	}
	seenBy := newTaken(t, n)
	for range 50 {
		c.passes()
	}
	if got := seenBy.packets(); got != 50 {
		t.Errorf("the kernel has taken %d packets, want 50", got)
	}
}

// A neighbour that moves, or is not known any more, is so to XDP; others' Ethernet addresses are not ours.
func TestFrontNeighbour(t *testing.T) {
	n := besides(t)
	r := openFront(t, n, nil)
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.ip(t, "neigh replace 10.1.0.2 dev left lladdr 02:00:00:00:00:07 nud permanent")
	n.middle.in(func() { c.put() })
	is := func(what string, want hardware) {
		t.Helper()
		await(t, what, func() bool { r.Routes(); return r.hopOf(c.slot) == want })
	}
	is("a permanent one", hardwareOf([]byte{2, 0, 0, 0, 0, 7}))
	n.middle.ip(t, "neigh change 10.1.0.2 dev left lladdr 02:00:00:00:00:08 nud permanent")
	is("another address", hardwareOf([]byte{2, 0, 0, 0, 0, 8}))
	n.middle.ip(t, "neigh del 10.1.0.2 dev left")
	is("none", 0)
	c.passes() // TCX has it looked for
	var eth0 *net.Interface
	var err error
	if n.left.in(func() { eth0, err = net.InterfaceByName("eth0") }); err != nil {
		t.Fatal(err)
	}
	is("the one that it has", hardwareOf(eth0.HardwareAddr))
	r.follows(time.Hour)
	c.passes()

	other := r.front.at
	for at := range other {
		other[at] = hardwareOf([]byte{2, 0, 0, 0, 0, 9})
	}
	r.leads(c.slot, int(r.state(c.slot).load(slotIn)), way{int(r.state(c.slot).load(slotOut)), n.leftAddr})
	seenBy := newTaken(t, n)
	c.passes()
	if got := seenBy.packets(); got != 1 {
		t.Error("XDP has sent back what came to another's Ethernet address")
	}
	c.free()
	if len(r.front.flows) != 0 || len(r.front.hops) != 0 {
		t.Errorf("left: %v, %v", r.front.flows, r.front.hops)
	}
}

// Flows go on at the driver while there is no process, and the one after it goes on with them.
func TestFrontTaken(t *testing.T) {
	n := besides(t)
	keeper := sockettest.NewKeeper()
	r := openFront(t, n, keeper)
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	c.meets()
	r.Close()
	seenBy := newTaken(t, n)
	for range 5 {
		c.passes()
	}
	if got := seenBy.packets(); got > 1 {
		t.Errorf("the kernel has taken %d packets while there was no process", got)
	}
	c.r = openFront(t, n, keeper)
	var ok bool
	n.middle.in(func() { c.slot, _, ok = c.r.Adopt(c.by.addr) })
	if !ok || len(c.r.front.hops) != 1 {
		t.Fatalf("%v, %v", ok, c.r.front.hops)
	}
	c.meets()
	c.passes() // the kernel learns by it: see refresh
	seenBy.packets()
	c.passes()
	if got := seenBy.packets(); got != 0 {
		t.Errorf("the kernel has taken %d packets of 1", got)
	}
	c.r.follows(0) // nobody hears of neighbours any more
	c.passes()
	if got := seenBy.packets(); got != 1 {
		t.Errorf("the kernel has taken %d packets of 1 for which nobody follows neighbours", got)
	}
	c.free()
	c.r.Close()

	n.middle.in(func() { c.r = open(t, keeper, n.toLeft) }) // XDP is not asked for any more
	for _, name := range keeper.Kept(layout) {
		if strings.Contains(name, frontName) {
			t.Errorf("the keeper has %q", name)
		}
	}
}

// taken counts what the kernel takes from the switch's interface: what XDP has sent back is not among it.
type taken struct {
	t  testing.TB
	fd int
}

func newTaken(t testing.TB, n *network) taken {
	t.Helper()
	var fd int
	var err error
	n.middle.in(func() {
		all := sys.NetworkOrder(unix.ETH_P_ALL)
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
	})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	return taken{t, fd}
}

// packets is how many of UDP have come since it was asked last.
func (c taken) packets() (n int) {
	c.t.Helper()
	for {
		d := make([]byte, 2000)
		_, from, err := unix.Recvfrom(c.fd, d, 0)
		if err == unix.EAGAIN {
			return n
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if l := from.(*unix.SockaddrLinklayer); l.Pkttype == unix.PACKET_HOST &&
			(d[0]>>4 == 4 && d[9] == unix.IPPROTO_UDP || d[0]>>4 == 6 && d[6] == unix.IPPROTO_UDP) {
			n++
		}
	}
}
