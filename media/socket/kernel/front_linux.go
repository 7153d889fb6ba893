package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	flows map[hop]map[Slot]*uint64
	hops  map[Slot]hop
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
	return front{at: map[int]hardware{}, flows: map[hop]map[Slot]*uint64{}, hops: map[Slot]hop{}}
}

// Front is at how many interfaces drivers send packets back by themselves, and why one does not.
func (r *Relay) Front() (interfaces int, refused error) { return len(r.front.at), r.front.refused }

// stand has the driver of an interface run the program, if it can. The kernel's own imitation (generic XDP) would cost
// more than it saves.
func (r *Relay) stand(at int, k socket.Keeper) {
	i, err := net.InterfaceByIndex(at)
	if err != nil || i.Flags&net.FlagLoopback != 0 || len(i.HardwareAddr) != 6 {
		return // it has no driver
	}
	name := layout + frontLink + strconv.Itoa(at)
	var l link.Link
	if k != nil {
		if l = takeLink(name, k); l != nil {
			r.kept = append(r.kept, name)
		}
	}
	if l == nil {
		l, err = link.AttachXDP(link.XDPOptions{Program: r.front.program, Interface: at, Flags: link.XDPDriverMode})
		if err != nil {
			r.front.refused = fmt.Errorf("kernel: no XDP at interface %s: %w", i.Name, err)
			return
		}
		if held, ok := l.(interface{ FD() int }); ok {
			r.hold(k, name, held.FD())
		}
	}
	r.links = append(r.links, l)
	r.front.at[at] = hardwareOf(i.HardwareAddr)
}

// leads has XDP send a flow on, where it leaves by the interface that it comes by.
func (r *Relay) leads(s Slot, in int, out way) {
	f, m := &r.front, r.state(s)
	ours, ok := f.at[in]
	if !ok || out.at != in {
		atomic.StoreUint64(m.double(slotHop), 0) // it may be one of the process before
		return
	}
	own := ours.bytes()
	copy(m[slotOurs:], own[:])
	h := hop{in, out.next}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flows[h] == nil {
		f.flows[h] = map[Slot]*uint64{}
	}
	f.flows[h][s], f.hops[s] = m.double(slotHop), h
	atomic.StoreUint64(m.double(slotHop), uint64(neighbour(h))) // what changes after that is heard by watch
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
	if delete(f.flows[h], s); len(f.flows[h]) == 0 {
		delete(f.flows, h)
	}
}

// moved is that a neighbour has another address now, or none that is known.
func (f *front) moved(h hop, to hardware) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.flows[h] {
		atomic.StoreUint64(at, uint64(to))
	}
}

// neighbour is the Ethernet address of a neighbour; 0: none is known.
func neighbour(h hop) hardware {
	order := binary.NativeEndian
	family := byte(unix.AF_INET6)
	if h.addr.Is4() {
		family = unix.AF_INET
	}
	addr := h.addr.AsSlice()
	var q []byte
	q = order.AppendUint32(q, uint32(unix.SizeofNlMsghdr+unix.SizeofNdMsg+unix.SizeofRtAttr+len(addr)))
	q = order.AppendUint16(q, unix.RTM_GETNEIGH)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...)
	q = append(q, family, 0, 0, 0)
	q = order.AppendUint32(q, uint32(h.at))
	q = append(q, 0, 0, 0, 0) // ndm_state, ndm_flags, ndm_type
	q = order.AppendUint16(q, uint16(unix.SizeofRtAttr+len(addr)))
	q = order.AppendUint16(q, unix.NDA_DST)
	q = append(q, addr...)
	m, err := ask(unix.NETLINK_ROUTE, q)
	if err != nil || errors.Is(refusal(m), unix.ENOENT) {
		return 0
	}
	_, at, _ := neighbourAnswer(m)
	return at
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
