package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"liandong/media/socket/sockettest"
	"liandong/media/socket/sys"
)

// namespace is a network of its own, which ends with the test and the sockets that it has.
type namespace struct {
	path string
	do   chan func()
}

func newNamespace(t testing.TB) *namespace {
	t.Helper()
	n := &namespace{do: make(chan func())}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), unix.Gettid())
		made <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range n.do {
			f()
		}
	}()
	if err := <-made; err != nil {
		close(n.do)
		t.Skipf("no network of its own: %v", err)
	}
	t.Cleanup(func() { close(n.do) })
	return n
}

// in runs f there.
func (n *namespace) in(f func()) {
	done := make(chan struct{})
	n.do <- func() { defer close(done); f() }
	<-done
}

// ip runs commands of iproute2 there.
func (n *namespace) ip(t testing.TB, commands ...string) {
	t.Helper()
	for _, c := range commands {
		n.in(func() {
			if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
				t.Errorf("ip %s: %v: %s", c, err, out)
			}
		})
	}
	if t.Failed() {
		t.FailNow()
	}
}

// network has a switch in the middle and a party on either side; the second is behind a gateway.
type network struct {
	middle, left, right *namespace
	toLeft, toRight     netip.Addr // of the switch
	leftAddr, rightAddr netip.Addr
	from, at, by, to    *party
}

func newNetwork(t testing.TB) *network {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	n := &network{
		middle: newNamespace(t), left: newNamespace(t), right: newNamespace(t),
		toLeft: netip.MustParseAddr("10.1.0.1"), leftAddr: netip.MustParseAddr("10.1.0.2"),
		toRight: netip.MustParseAddr("10.2.0.1"), rightAddr: netip.MustParseAddr("10.9.0.2"),
	}
	n.middle.ip(t, "link add left type veth peer name eth0 netns "+n.left.path,
		"link add right type veth peer name eth0 netns "+n.right.path)
	n.left.ip(t, "link set eth0 up", "addr add 10.1.0.2/24 dev eth0")
	n.right.ip(t, "link set eth0 up", "link set lo up", "addr add 10.2.0.2/24 dev eth0",
		"addr add 10.9.0.2/32 dev lo")
	n.middle.ip(t, "link set lo up", "link set left up", "link set right up", "addr add 10.1.0.1/24 dev left",
		"addr add 10.2.0.1/24 dev right", "route add 10.9.0.0/16 via 10.2.0.2")
	n.left.in(func() { n.from = newParty(t, n.leftAddr) })
	n.right.in(func() { n.to = newParty(t, n.rightAddr) })
	n.middle.in(func() { n.at, n.by = newParty(t, n.toLeft), newParty(t, n.toRight) })
	return n
}

// Between two interfaces: by the route and the neighbours as they are, without any forwarding of the machine's, and
// with checksums that are right whoever has made those that came.
func TestBetweenInterfaces(t *testing.T) {
	n := newNetwork(t)
	var r *Relay
	n.middle.in(func() { r = open(t, nil, n.toLeft, n.toRight) })
	if r == nil {
		t.SkipNow()
	}
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	for range 20 {
		c.passes()
	}
	var wire raw
	var seen tap
	n.left.in(func() { wire = newRaw(t) })
	n.right.in(func() { seen = newTap(t, n.to.addr.Port()) })
	for range 20 {
		p := c.packet()
		wire.send(datagram(c.from.addr, c.at.addr, p))
		c.carries(p)
		if got, want := seen.gets(), datagram(c.by.addr, c.to.addr, c.rewritten(p)); !slices.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
	}
	c.passes() // by a UDP socket: its checksum is only that of addresses, protocol and length, the device does the rest
	got := seen.gets()
	begun, whole := fold(17+uint64(len(got)-20)+sum(got[12:20])), udpSum(got)
	if has := binary.BigEndian.Uint16(got[26:]); has != begun && has != whole {
		t.Errorf("checksum %04x, want %04x of the addresses or %04x of all", has, begun, whole)
	}
	broken := datagram(c.from.addr, c.at.addr, c.packet())
	broken[150] ^= 16
	wire.send(broken)
	c.passes()
	if got := c.read(); got.Packets != 43 || !got.Runs {
		t.Errorf("%+v", got)
	}
	c.comesUp(rtp(0x80, 101, c.seq, c.stamp, ssrc))
	c.comesUp(c.packet())

	routes := r.Routes()
	if r.Routes() != routes {
		t.Error("routes have changed by themselves")
	}
	n.middle.ip(t, "route add 10.10.0.0/16 via 10.2.0.2")
	if r.Routes() == routes {
		t.Error("a route has changed, and nothing was told")
	}
	for _, change := range []struct {
		commands []string
		matters  bool
	}{
		{[]string{"addr add 10.3.0.1/24 dev left valid_lft 1000 preferred_lft 1000"}, true},
		{[]string{"addr change 10.3.0.1/24 dev left valid_lft 2000 preferred_lft 2000"}, false},
		{[]string{"link add other type veth peer name another"}, false},
		{[]string{"link set other up", "link del other"}, false},
		{[]string{"link set right mtu 1400"}, true},
		{[]string{"addr del 10.3.0.1/24 dev left"}, true},
		{[]string{"rule add from 10.3.0.1 lookup main"}, true},
	} {
		r.Routes()
		routes = r.Routes()
		if n.middle.ip(t, change.commands...); (r.Routes() != routes) != change.matters {
			t.Errorf("%q: it is told: %v, want %v", change.commands, !change.matters, change.matters)
		}
	}
	turned := newCall(t, r, n.to, n.by, n.at, n.from)
	put := func(want uint32) {
		t.Helper()
		n.middle.in(func() { turned.put() })
		if out := r.state(turned.slot).load(slotOut); out != want {
			t.Errorf("leaves by interface %d, want %d", out, want)
		}
		turned.free()
	}
	left := r.state(c.slot).load(slotIn)
	put(left)
	n.middle.ip(t, "route add 10.1.0.2/32 via 10.2.0.2")
	put(r.state(c.slot).load(slotOut)) // what was known of routes is so no longer
	n.middle.ip(t, "route del 10.1.0.2/32")
	put(left)

	n.middle.ip(t, "xfrm policy add src 10.1.0.2/32 dst 10.1.0.1/32 dir in "+
		"tmpl src 10.1.0.2 dst 10.1.0.1 proto esp mode tunnel")
	n.middle.in(func() {
		if _, err := r.Put(turned.flow); !errors.Is(err, errSeal) {
			t.Errorf("where IPsec has a policy for what comes in: %v", err)
		}
	})
	n.middle.ip(t, "xfrm policy flush")
	routes = r.Routes()
	sealed := newCall(t, r, n.to, n.by, n.at, n.from)
	n.middle.ip(t, "xfrm policy add src 10.1.0.1/32 dst 10.1.0.2/32 dir out "+
		"tmpl src 10.1.0.1 dst 10.1.0.2 proto esp mode tunnel")
	if r.Routes() == routes {
		t.Error("a policy of IPsec has changed, and nothing was told")
	}
	n.middle.in(func() {
		if _, err := r.Put(sealed.flow); !errors.Is(err, errSeal) {
			t.Errorf("where IPsec has a policy: %v", err)
		}
	})
	n.middle.ip(t, "xfrm policy flush")
	n.middle.in(func() { sealed.put() })
	sealed.passes()

	here := newCall(t, r, n.from, n.at, n.by, n.at)
	n.middle.in(func() {
		if _, err := r.Put(here.flow); err == nil {
			t.Error("a flow from another machine to this one was taken")
		}
	})
}

// So it does with IPv6: by the route and the neighbours as they are, and with headers and checksums that are right
// whoever has made those that came.
func TestBetweenInterfaces6(t *testing.T) {
	n := newNetwork(t)
	n.middle.ip(t, "addr add fd01::1/64 dev left nodad", "addr add fd02::1/64 dev right nodad",
		"route add fd09::/64 via fd02::2")
	n.left.ip(t, "addr add fd01::2/64 dev eth0 nodad")
	n.right.ip(t, "addr add fd02::2/64 dev eth0 nodad", "addr add fd09::2/128 dev lo nodad")
	left, right := netip.MustParseAddr("fd01::1"), netip.MustParseAddr("fd02::1")
	var r *Relay
	var at, by, from, to *party
	n.middle.in(func() { r = open(t, nil, left, right) })
	if r == nil {
		t.SkipNow()
	}
	n.middle.in(func() { at, by = newParty(t, left), newParty(t, right) })
	n.left.in(func() { from = newParty(t, netip.MustParseAddr("fd01::2")) })
	n.right.in(func() { to = newParty(t, netip.MustParseAddr("fd09::2")) })
	var wire raw
	var seen link6
	n.left.in(func() { wire = newRaw(t) })
	n.right.in(func() { seen = newLink6(t, to.addr.Port()) })
	c := newCall(t, r, from, at, by, to)
	n.middle.in(func() { c.put() })
	for range 100 {
		p := c.packet()
		wire.send(datagram(c.from.addr, c.at.addr, p))
		c.carries(p)
		if got, want := seen.gets(), datagram(c.by.addr, c.to.addr, c.rewritten(p)); !slices.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
	}
	for range 20 {
		c.passes() // by a UDP socket: the device does the rest of its checksum
	}
	broken := datagram(c.from.addr, c.at.addr, c.packet())
	broken[150] ^= 16
	wire.send(broken)
	c.passes()
	routes := r.Routes()
	if r.Routes() != routes {
		t.Error("routes have changed by themselves")
	}
	n.middle.ip(t, "route add fd0a::/64 via fd02::2")
	if r.Routes() == routes {
		t.Error("a route has changed, and nothing was told")
	}
	routes = r.Routes()
	n.middle.ip(t, "-6 rule add from fd03::1 lookup main")
	if r.Routes() == routes {
		t.Error("a rule has changed, and nothing was told")
	}
	c.comesUp(rtp(0x80, 101, c.seq, c.stamp, ssrc))
	c.comesUp(c.packet())
	if got := c.free(); got.Packets != 122 || got.Runs {
		t.Errorf("%+v", got)
	}
}

// link6 sees datagrams of IPv6 with their headers as they come in to a port, by whatever interface.
type link6 struct {
	t    testing.TB
	fd   int
	port uint16
}

func newLink6(t testing.TB, port uint16) link6 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(sys.NetworkOrder(unix.ETH_P_IPV6)))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)})
	return link6{t, fd, port}
}

func (l link6) gets() []byte {
	l.t.Helper()
	for {
		d := make([]byte, 2000)
		n, from, err := unix.Recvfrom(l.fd, d, 0)
		if err != nil {
			l.t.Fatal(err)
		}
		if in := from.(*unix.SockaddrLinklayer).Pkttype == 0; in && d[6] == 17 && // PACKET_HOST
			binary.BigEndian.Uint16(d[42:]) == l.port {
			return d[:n]
		}
	}
}

// Flows go on between interfaces while there is no process, and end when the keeper does.
func TestBetweenInterfacesWithout(t *testing.T) {
	n := newNetwork(t)
	keeper := sockettest.NewKeeper()
	var r *Relay
	n.middle.in(func() { r = open(t, keeper, n.toLeft, n.toRight) })
	if r == nil {
		t.SkipNow()
	}
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	r.Close()
	for range 5 {
		c.passes()
	}
	for _, name := range []string{"link/2", "link/3", "program", "flows", "states", "tapes", "loud"} {
		keeper.Drop(layout + name)
	}
	if keeper.Len() != 0 {
		t.Errorf("the keeper has %d more", keeper.Len())
	}
	c.comesUp(c.packet())
}

// What comes in under the party's address by another interface than the one that leads to it comes up, where rp_filter
// judges it (ip-sysctl.rst), and the flow goes on.
func TestFromElsewhere(t *testing.T) {
	n := newNetwork(t)
	var r *Relay
	n.middle.in(func() { r = open(t, nil, n.toLeft, n.toRight) })
	if r == nil {
		t.SkipNow()
	}
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	n.right.ip(t, "route add 10.1.0.0/24 via 10.2.0.1")
	var forger raw
	n.right.in(func() { forger = newRaw(t) })
	forged := rtp(0x80, 8, c.seq, c.stamp, ssrc)
	forger.send(datagram(c.from.addr, c.at.addr, forged))
	c.passes()
	c.has(forged) // where rp_filter is off
	if got := c.read(); got.Packets != 2 || !got.Runs {
		t.Errorf("%+v", got)
	}
}

// full has as many programs at an interface as there can be.
func full(t *testing.T, at int) {
	t.Helper()
	for {
		p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Apache-2.0",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, noneOfMe), asm.Return()}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		l, err := link.AttachTCX(link.TCXOptions{Interface: at, Program: p, Attach: ebpf.AttachTCXIngress})
		if errors.Is(err, unix.ERANGE) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
}

// When the program does not get to an interface nothing is left in the kernel and at the keeper: neither of what the
// process before has left, nor of what was made.
func TestAnInterfaceIsRefused(t *testing.T) {
	n := newNetwork(t)
	keeper := sockettest.NewKeeper()
	refused := func() {
		t.Helper()
		if r, err := Open([]netip.Addr{n.toLeft, n.toRight}, testTables(), false, keeper); err == nil {
			r.Close()
			t.Error("an interface that is full has taken the program")
		}
		if keeper.Len() != 0 {
			t.Errorf("the keeper has %q", keeper.Kept(""))
		}
	}
	var r *Relay
	n.middle.in(func() { r = open(t, keeper, n.toLeft) })
	if r == nil {
		t.SkipNow()
	}
	c := newCall(t, r, n.from, n.at, n.by, n.to)
	n.middle.in(func() { c.put() })
	c.passes()
	n.middle.in(func() {
		right, err := net.InterfaceByName("right")
		if err != nil {
			t.Fatal(err)
		}
		full(t, right.Index)
		refused()
	})
	c.comesUp(c.packet())
	n.middle.in(refused)
}

// At an interface that is the switch's no more there is nothing of the process before.
func TestAnInterfaceLess(t *testing.T) {
	n := newNetwork(t)
	keeper := sockettest.NewKeeper()
	var r *Relay
	n.middle.in(func() {
		open(t, keeper, n.toLeft, n.toRight)
		r = open(t, keeper, n.toLeft)
	})
	if r == nil {
		t.SkipNow()
	}
	if got := keeper.Kept(layout + linkName); len(got) != 1 {
		t.Errorf("the keeper has %q", got)
	}
}
