package engine

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

const (
	steerBatch   = 64
	steerControl = 32 // one message with a sockaddr_in
	steerPorts   = 1 << 17
	steerRoom    = 8 << 20 // bytes of datagrams waiting for one shard
)

// steering is a program in the kernel that hands what comes to the open ports of a shard to
// one socket of the shard (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9). It needs CAP_BPF and
// CAP_NET_ADMIN, and goes away with the process. Shared by all shards.
type steering struct {
	program *ebpf.Program
	link    *link.NetNsLink
	shards  *ebpf.Map // SOCKMAP: number of the shard → its socket
	ports   *ebpf.Map // address and port → number of the shard
	users   atomic.Int32
}

// release lets go of it; the last user takes it out of the kernel.
func (s *steering) release() {
	if s.users.Add(-1) == 0 {
		s.close()
	}
}

// steerKey is an address in network order and a port in the machine's, as the program sees them.
type steerKey struct {
	addr [4]byte
	port uint32
}

func (k steerKey) MarshalBinary() ([]byte, error) {
	return binary.NativeEndian.AppendUint32(k.addr[:], k.port), nil
}

// newSteering fails without the privileges, which is no fault.
func newSteering() (s *steering, err error) {
	s = &steering{}
	s.users.Store(1)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	_ = rlimit.RemoveMemlock() // older kernels count maps as locked memory; else the next step says so
	if s.shards, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: maxShards}); err != nil {
		return s, err
	}
	if s.ports, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 4, MaxEntries: steerPorts}); err != nil {
		return s, err
	}
	if s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "Apache-2.0", Instructions: s.lookup(),
	}); err != nil {
		return s, err
	}
	netns, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return s, err
	}
	defer func() { _ = unix.Close(netns) }()
	s.link, err = link.AttachNetNs(netns, s.program)
	return s, err
}

// Offsets in struct bpf_sk_lookup of linux/bpf.h.
const (
	lookupFamily    = 8
	lookupProtocol  = 12
	lookupLocalAddr = 40
	lookupLocalPort = 60
)

// lookup is the program: the shard of the port, its socket, and "take that one". Whatever is
// not found goes the usual way, to the port's own socket.
func (s *steering) lookup() asm.Instructions {
	const (
		key   = -8
		shard = -12
		pass  = 1 // SK_PASS
	)
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, lookupProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_UDP, "usual"),
		asm.LoadMem(asm.R2, asm.R6, lookupFamily, asm.Word),
		asm.JNE.Imm(asm.R2, unix.AF_INET, "usual"),
		asm.LoadMem(asm.R2, asm.R6, lookupLocalAddr, asm.Word),
		asm.StoreMem(asm.RFP, key, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, lookupLocalPort, asm.Word),
		asm.StoreMem(asm.RFP, key+4, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, s.ports.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "usual"),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.RFP, shard, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, s.shards.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, shard),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "usual"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, pass).WithSymbol("usual"),
		asm.Return(),
	}
}

func (s *steering) close() {
	if s.link != nil {
		_ = s.link.Close()
	}
	if s.program != nil {
		_ = s.program.Close()
	}
	for _, m := range []*ebpf.Map{s.ports, s.shards} {
		if m != nil {
			_ = m.Close()
		}
	}
}

// steered is the socket of one shard that all its ports are steered to. All but fd is owned by
// the shard's thread.
type steered struct {
	steering *steering
	shard    uint32
	fd       int
	at       []steeredAddr // few: one for each network
	used     int           // messages that the last receive filled
	stash    stash
	turned   []Socket // to Promptly since the last drain: what they have in the stash is due
	prompt   int      // sockets that are watched Promptly: while there are any, the socket is in epoll

	messages [steerBatch]message
	parts    [steerBatch]unix.Iovec
	from     [steerBatch]sockaddr
	control  [steerBatch][steerControl]byte
	data     [steerBatch][datagramSize]byte
}

// steer makes the socket of a shard. It has a port of its own only because the kernel wants one.
func (s *steering) steer(shard uint32) (*steered, error) {
	fd, err := bindUDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, steerRoom) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, steerRoom)
	}
	if err := s.shards.Update(shard, uint64(fd), ebpf.UpdateAny); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("sockmap: %w", err)
	}
	t := &steered{steering: s, shard: shard, fd: fd, used: steerBatch}
	for i := range t.messages {
		t.parts[i].Base = &t.data[i][0]
		t.parts[i].SetLen(datagramSize)
		head := &t.messages[i].head
		head.Iov = &t.parts[i]
		head.SetIovlen(1)
		head.Name = (*byte)(unsafe.Pointer(&t.from[i].raw))
		head.Control = &t.control[i][0]
	}
	s.users.Add(1)
	return t, nil
}

// take steers a port here; false: it stays with its own socket.
func (t *steered) take(local netip.AddrPort, s Socket) bool {
	if !local.Addr().Is4() || local.Addr().IsUnspecified() {
		return false
	}
	if t.steering.ports.Update(steerKey{local.Addr().As4(), uint32(local.Port())}, t.shard, ebpf.UpdateAny) != nil {
		return false
	}
	t.portsOf(local.Addr().As4())[local.Port()] = s | onDemand
	t.stash.grow(s)
	return true
}

// steeredAddr has the sockets of an address by port; 0: none.
type steeredAddr struct {
	addr  [4]byte
	ports *[1 << 16]Socket
}

func (t *steered) portsOf(addr [4]byte) *[1 << 16]Socket {
	for i := range t.at {
		if t.at[i].addr == addr {
			return t.at[i].ports
		}
	}
	t.at = append(t.at, steeredAddr{addr, new([1 << 16]Socket)})
	return t.at[len(t.at)-1].ports
}

// onDemand marks a port whose packets wait for Collect.
const onDemand Socket = 1 << 31

// find gives the socket of a port, with its mark; 0 when it is not steered (any more).
func (t *steered) find(addr [4]byte, port uint16) Socket {
	for i := range t.at {
		if t.at[i].addr == addr {
			return t.at[i].ports[port]
		}
	}
	return 0
}

func (t *steered) forget(local netip.AddrPort) {
	s := &t.portsOf(local.Addr().As4())[local.Port()]
	t.stash.drop(*s &^ onDemand)
	*s = 0
	// Fails only when it is gone already.
	_ = t.steering.ports.Delete(steerKey{local.Addr().As4(), uint32(local.Port())})
}

// mind notes how soon a port's packets are wanted, and counts those whose packets must end Poll.
func (t *steered) mind(ep int, k *sock, now Care) {
	s, before := &t.portsOf(k.local.Addr().As4())[k.local.Port()], k.care
	if *s &^= onDemand; now == OnDemand {
		*s |= onDemand
	} else {
		t.turned = append(t.turned, *s)
	}
	was := t.prompt
	if before == Promptly {
		t.prompt--
	}
	if now == Promptly {
		t.prompt++
	}
	switch {
	case was == 0 && t.prompt > 0:
		_ = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, t.fd, readable(t.fd)) // fails: Drain still finds them at each tick
	case was > 0 && t.prompt == 0:
		_ = unix.EpollCtl(ep, unix.EPOLL_CTL_DEL, t.fd, nil)
	}
}

// drain hands over what has come, up to a limit: a flood must not hold up the tick.
func (t *steered) drain(receive func(Packet)) (packets int) {
	for _, s := range t.turned {
		t.stash.collect(s, receive)
	}
	t.turned = t.turned[:0]
	for range drainRounds {
		n := t.fill()
		for i := range n {
			t.hand(i, receive)
		}
		packets += n
		if n < steerBatch {
			break
		}
	}
	return packets
}

func (t *steered) fill() int {
	for i := range t.messages[:t.used] {
		head := &t.messages[i].head
		head.Namelen = unix.SizeofSockaddrInet6
		head.SetControllen(steerControl)
	}
	t.used, _ = transfer(unix.SYS_RECVMMSG, t.fd, t.messages[:])
	return t.used
}

// hand finds the port that a packet was sent to: IP_RECVORIGDSTADDR of ip(7).
func (t *steered) hand(i int, receive func(Packet)) {
	control := t.control[i][:]
	if t.messages[i].head.Controllen < unix.SizeofCmsghdr+unix.SizeofSockaddrInet4 {
		return
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if head.Level != unix.SOL_IP || head.Type != unix.IP_ORIGDSTADDR {
		return
	}
	to := (*unix.RawSockaddrInet4)(unsafe.Pointer(&control[unix.SizeofCmsghdr]))
	socket := t.find(to.Addr, networkOrder(to.Port))
	if socket == 0 {
		return // the port was closed while the packet waited, or it was sent to our own
	}
	p := Packet{Socket: socket &^ onDemand, From: t.from[i].get(), Data: t.data[i][:min(int(t.messages[i].size), datagramSize)]}
	if socket&onDemand == 0 || !t.stash.put(p) {
		receive(p)
	}
}

func (t *steered) close() {
	_ = unix.Close(t.fd) // leaves the sockmap by itself
	t.steering.release()
}
