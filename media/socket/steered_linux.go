package socket

import (
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

const (
	steerBatch   = 64      // datagrams for one recvmmsg
	steerControl = 32      // bytes: one message with a sockaddr_in
	steerRoom    = 8 << 20 // bytes of datagrams waiting for one shard
)

// steered is the socket of one shard that all its ports are steered to. All but fd is owned by
// the shard's thread.
type steered struct {
	steering *steering
	shard    uint32
	fd       int
	at       []steeredAddr // few: one for each network
	used     int           // messages that the last receive filled
	waiting  tickQueue
	turned   []ID // to Promptly since the last drain: what they have waiting is due
	prompt   int  // sockets that are watched Promptly: while there are any, the socket is in epoll

	messages [steerBatch]sys.Message
	parts    [steerBatch]unix.Iovec
	from     [steerBatch]sys.Sockaddr
	control  [steerBatch][steerControl]byte
	data     [steerBatch][DatagramSize]byte
}

// steer makes the socket of a shard. It has a port of its own only because the kernel wants one.
func (s *steering) steer(shard uint32) (*steered, error) {
	fd, err := sys.Bind(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
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
		t.parts[i].SetLen(DatagramSize)
		head := &t.messages[i].Head
		head.Iov = &t.parts[i]
		head.SetIovlen(1)
		head.Name = (*byte)(unsafe.Pointer(&t.from[i].Raw))
		head.Control = &t.control[i][0]
	}
	s.users.Add(1)
	return t, nil
}

// take steers a port here; false: it stays with its own socket.
func (t *steered) take(local netip.AddrPort, s ID) bool {
	if !local.Addr().Is4() || local.Addr().IsUnspecified() {
		return false
	}
	if t.steering.ports.Update(steerKey{local.Addr().As4(), uint32(local.Port())}, t.shard, ebpf.UpdateAny) != nil {
		return false
	}
	t.portsOf(local.Addr().As4())[local.Port()] = s | onDemand
	t.waiting.grow(s)
	return true
}

// steeredAddr has the sockets of an address by port; 0: none.
type steeredAddr struct {
	addr  [4]byte
	ports *[1 << 16]ID
}

func (t *steered) portsOf(addr [4]byte) *[1 << 16]ID {
	for i := range t.at {
		if t.at[i].addr == addr {
			return t.at[i].ports
		}
	}
	t.at = append(t.at, steeredAddr{addr, new([1 << 16]ID)})
	return t.at[len(t.at)-1].ports
}

// onDemand marks a port whose packets wait for Collect.
const onDemand ID = 1 << 31

// find gives the socket of a port, with its mark; 0 when it is not steered (any more).
func (t *steered) find(addr [4]byte, port uint16) ID {
	for i := range t.at {
		if t.at[i].addr == addr {
			return t.at[i].ports[port]
		}
	}
	return 0
}

func (t *steered) forget(local netip.AddrPort) {
	s := &t.portsOf(local.Addr().As4())[local.Port()]
	t.waiting.drop(*s &^ onDemand)
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
		t.waiting.collect(s, receive)
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
		head := &t.messages[i].Head
		head.Namelen = unix.SizeofSockaddrInet6
		head.SetControllen(steerControl)
	}
	t.used, _ = sys.Transfer(unix.SYS_RECVMMSG, t.fd, t.messages[:])
	return t.used
}

// hand finds the port that a packet was sent to: IP_RECVORIGDSTADDR of ip(7).
func (t *steered) hand(i int, receive func(Packet)) {
	control := t.control[i][:]
	if t.messages[i].Head.Controllen < unix.SizeofCmsghdr+unix.SizeofSockaddrInet4 {
		return
	}
	head := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if head.Level != unix.SOL_IP || head.Type != unix.IP_ORIGDSTADDR {
		return
	}
	to := (*unix.RawSockaddrInet4)(unsafe.Pointer(&control[unix.SizeofCmsghdr]))
	socket := t.find(to.Addr, sys.NetworkOrder(to.Port))
	if socket == 0 {
		return // the port was closed while the packet waited, or it was sent to our own
	}
	size := min(int(t.messages[i].Size), DatagramSize)
	p := Packet{Socket: socket &^ onDemand, From: t.from[i].Get(), Data: t.data[i][:size]}
	if socket&onDemand == 0 || !t.waiting.put(p) {
		receive(p)
	}
}

func (t *steered) close() {
	_ = unix.Close(t.fd) // leaves the sockmap by itself
	t.steering.release()
}
