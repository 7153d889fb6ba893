package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"liandong/media/socket"
)

// What a keeper holds of it.
const (
	frontName = "front"
	frontLink = linkName + "front/" // and the interface's number
)

// front is the program of XDP at the interfaces whose drivers have that, and what it has to be told: packets that it
// sends back out leave to an Ethernet address, which the kernel itself looks up for all others. A flow whose address is
// not known, or not to be trusted now, is TCX's.
type front struct {
	program *ebpf.Program
	at      map[int]hardware // our own addresses at the interfaces; written by Open only
	refused error            // why it is not at one of them; likewise

	mu    sync.Mutex // guards what follows
	flows map[hop]*leaving
	hops  map[Slot]hop
}

// leaving is the flows that leave to a neighbour.
type leaving struct {
	to    hardware
	slots map[Slot]*uint64 // the program's copies of it
}

// hop is a neighbour at an interface.
type hop struct {
	at   int
	addr netip.Addr
}

// hardware is an Ethernet address as the program has it in a register: three times two bytes, the first two lowest. 0:
// none.
type hardware uint64

func hardwareOf(b []byte) (h hardware) {
	if len(b) != 6 {
		return 0
	}
	for i := range 3 {
		h |= hardware(binary.NativeEndian.Uint16(b[2*i:])) << (16 * i)
	}
	return h
}

// bytes is the address as the wire has it.
func (h hardware) bytes() (b [6]byte) {
	for i := range 3 {
		binary.NativeEndian.PutUint16(b[2*i:], uint16(h>>(16*i)))
	}
	return b
}

func newFront() front {
	return front{at: map[int]hardware{}, flows: map[hop]*leaving{}, hops: map[Slot]hop{}}
}

// Front is at how many interfaces drivers send packets back by themselves, and why one does not.
func (r *Relay) Front() (interfaces int, refused error) { return len(r.front.at), r.front.refused }

// arm has the program of XDP: that of the process before, or a new one.
func (r *Relay) arm(k socket.Keeper) {
	f := &r.front
	if k != nil {
		if fd, ok := k.Take(layout + frontName); ok {
			if f.program, f.refused = ebpf.NewProgramFromFD(fd); f.refused == nil {
				r.kept = append(r.kept, layout+frontName)
				return
			}
		}
	}
	if f.program, f.refused = r.load("liandong_front", ebpf.XDP, xdp); f.refused == nil {
		r.hold(k, layout+frontName, f.program.FD())
	}
}

// unfit are drivers that take the program and do not do what it says: a veth loses what is sent back unless its other
// end is made for it, and the others run the program at interfaces of which they are made.
var unfit = []string{"veth", "bonding", "team", "hv_netvsc"}

var (
	errUnfit = errors.New("its driver does not send back by itself")
	errUpper = errors.New("others are built upon it (VLANs, a bridge, a bond)")
)

// fit says that a driver may run the program. Cards cut off what tells VLANs apart: where there are some, packets of
// theirs could be taken for others.
func fit(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, name)
	if err != nil {
		return err
	}
	if slices.Contains(unfit, unix.ByteSliceToString(info.Driver[:])) {
		return errUnfit
	}
	if upper, _ := filepath.Glob("/sys/class/net/" + name + "/upper_*"); len(upper) > 0 { // the pattern is good
		return errUpper
	}
	return nil
}

// stand has the driver of an interface run the program, if it can. The kernel's own imitation (generic XDP) would cost
// more than it saves.
func (r *Relay) stand(at int, k socket.Keeper) {
	i, err := net.InterfaceByIndex(at)
	if r.front.program == nil || err != nil || i.Flags&net.FlagLoopback != 0 || len(i.HardwareAddr) != 6 {
		return // lo has no driver
	}
	l, err := r.driver(i, k)
	if err != nil {
		r.front.refused = fmt.Errorf("kernel: no XDP at interface %s: %w", i.Name, err)
		return
	}
	r.links = append(r.links, l)
	r.front.at[at] = hardwareOf(i.HardwareAddr)
}

// driver is the link of the process before, or a new one.
func (r *Relay) driver(i *net.Interface, k socket.Keeper) (link.Link, error) {
	if err := fit(i.Name); err != nil {
		return nil, err
	}
	name := layout + frontLink + strconv.Itoa(i.Index)
	if k != nil {
		if l := takeLink(name, k); l != nil {
			r.kept = append(r.kept, name)
			return l, nil
		}
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: r.front.program, Interface: i.Index, Flags: link.XDPDriverMode})
	if err != nil {
		return nil, err
	}
	if held, ok := l.(interface{ FD() int }); ok {
		r.hold(k, name, held.FD())
	}
	return l, nil
}

// astray has XDP leave what the process before has left to TCX, until somebody adopts it and knows its neighbour.
func (r *Relay) astray() {
	for s := range Slot(MostFlows) {
		if m := r.state(s); m.load(slotOwned) != 0 {
			atomic.StoreUint64(m.double(slotHop), 0)
		}
	}
}

// leads has XDP send a flow on, where it leaves by the interface that it comes by. Who is not known yet is asked for:
// the kernel may take its time.
func (r *Relay) leads(s Slot, in int, out way) {
	f, m := &r.front, r.state(s)
	ours, ok := f.at[in]
	if !ok || out.at != in {
		return
	}
	own := ours.bytes()
	copy(m[slotOurs:], own[:])
	h := hop{in, out.next}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.flows[h]
	if l == nil {
		l = &leaving{slots: map[Slot]*uint64{}}
		f.flows[h] = l
		go r.meet(h)
	}
	l.slots[s], f.hops[s] = m.double(slotHop), h
	atomic.StoreUint64(m.double(slotHop), uint64(l.to))
}

// meet asks for a neighbour. The answer is heard as changes are, in its place among them.
func (r *Relay) meet(h hop) {
	r.hears.Lock()
	defer r.hears.Unlock()
	for _, l := range r.changes {
		if l.family == unix.NETLINK_ROUTE {
			_ = unix.Sendto(l.fd, neighbourQuestion(h), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		}
	}
}

// leave is that a flow has ended.
func (f *front) leave(s Slot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, ok := f.hops[s]
	if !ok {
		return
	}
	delete(f.hops, s)
	if delete(f.flows[h].slots, s); len(f.flows[h].slots) == 0 {
		delete(f.flows, h)
	}
}

// end is that no flow's memory is there any more.
func (f *front) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.flows)
	clear(f.hops)
}

// moved is that a neighbour has another address now, or none that is known.
func (f *front) moved(h hop, to hardware) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.flows[h]
	if l == nil {
		return
	}
	l.to = to
	for _, at := range l.slots {
		atomic.StoreUint64(at, uint64(to))
	}
}

func neighbourQuestion(h hop) (q []byte) {
	order := binary.NativeEndian
	family := byte(unix.AF_INET6)
	if h.addr.Is4() {
		family = unix.AF_INET
	}
	addr := h.addr.AsSlice()
	q = order.AppendUint32(q, uint32(unix.SizeofNlMsghdr+unix.SizeofNdMsg+unix.SizeofRtAttr+len(addr)))
	q = order.AppendUint16(q, unix.RTM_GETNEIGH)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...)
	q = append(q, family, 0, 0, 0)
	q = order.AppendUint32(q, uint32(h.at))
	q = append(q, 0, 0, 0, 0) // ndm_state, ndm_flags, ndm_type
	q = order.AppendUint16(q, uint16(unix.SizeofRtAttr+len(addr)))
	q = order.AppendUint16(q, unix.NDA_DST)
	return append(q, addr...)
}

// known are the states in which a neighbour's address holds; one that does not answer has none.
const known = unix.NUD_PERMANENT | unix.NUD_NOARP | unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY |
	unix.NUD_PROBE

// neighbourAnswer reads a message about a neighbour; false: it is about something else.
func neighbourAnswer(m []byte) (of hop, at hardware, ok bool) {
	const head = unix.SizeofNlMsghdr + unix.SizeofNdMsg
	if len(m) < head {
		return hop{}, 0, false
	}
	kind := binary.NativeEndian.Uint16(m[4:])
	if kind != unix.RTM_NEWNEIGH && kind != unix.RTM_DELNEIGH {
		return hop{}, 0, false
	}
	nd := m[unix.SizeofNlMsghdr:]
	of.at = int(binary.NativeEndian.Uint32(nd[4:]))
	holds := kind == unix.RTM_NEWNEIGH && binary.NativeEndian.Uint16(nd[8:])&known != 0
	for kind, value := range attributes(m[head:]) {
		switch {
		case kind == unix.NDA_DST:
			of.addr, _ = netip.AddrFromSlice(value)
		case kind == unix.NDA_LLADDR && holds:
			at = hardwareOf(value)
		}
	}
	return of, at, true
}
