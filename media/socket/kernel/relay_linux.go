package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"liandong/media/socket"
)

// What a keeper holds has names. The layout is another one with each change of the program, a slot or the key of a
// flow: a process takes over only flows that it can read.
const (
	anyLayout = "kernel/"
	layout    = anyLayout + "4/"
	linkName  = "link/" // and the interface's number
)

// Relay is the flows of a process. Its methods may be called by anyone, but those of one flow by one only.
type Relay struct {
	flows, states *ebpf.Map
	tapes, loud   *ebpf.Map
	program       *ebpf.Program
	front         front
	links         []link.Link
	kept          []string // names that a keeper knows
	memory        []byte   // of states
	taped         []byte   // of tapes
	free          chan Slot
	freeTapes     chan uint32
	hears         sync.Mutex // guards the next, and that what is told there is taken in its order
	changes       []listener
	routes        atomic.Uint32
	began         time.Time
	beganAt       int64 // the same as CLOCK_MONOTONIC has it

	used sync.Map // interfaces by which flows come in and leave

	look    sync.Once
	mu      sync.Mutex              // guards all below
	orphans map[netip.AddrPort]Slot // of the process before, by the port that they leave by
	ways    map[[2]netip.Addr]way   // what route has answered at waysAt
	sealed  bool                    // what seals has
	waysAt  uint32                  // Routes
}

// Open puts the program into the kernel for sound that comes in at the addresses; tables have the square of what each
// byte of a payload stands for. With driver, what leaves by the interface that it came by does so before the kernel
// has seen it, where Front can. k has what the process before has left; nil: nobody has. It needs CAP_BPF and
// CAP_NET_ADMIN, and fails without: the error says what is missing.
func Open(addresses []netip.Addr, tables [2][256]uint32, driver bool, k socket.Keeper) (r *Relay, err error) {
	places, err := interfaces(addresses)
	if err != nil {
		return nil, err
	}
	r = newRelay()
	defer func() {
		if err != nil {
			r.forget(k)
			r.Close()
			r = nil
		}
	}()
	_ = rlimit.RemoveMemlock() // older kernels count maps as locked memory; else the next step says so
	if !r.take(k) {
		r.forget(k)
		if err := r.create(tables, k); err != nil {
			return r, err
		}
	}
	if err := r.share(); err != nil {
		return r, err
	}
	r.astray()
	if driver {
		r.arm(k)
	}
	if r.changes, err = watch(driver); err != nil {
		return r, err
	}
	for _, at := range places {
		r.used.Store(at, nil)
		if err := r.attach(at, k); err != nil {
			return r, err
		}
		r.stand(at, k)
	}
	forget(k, r.kept...) // flows that are not to be read here, and at interfaces that are not ours any more
	return r, nil
}

func newRelay() *Relay {
	return &Relay{free: make(chan Slot, MostFlows), freeTapes: make(chan uint32, MostTapes),
		orphans: map[netip.AddrPort]Slot{}, front: newFront()}
}

// End ends all that the kernel relays for the process before: it is not taken over.
func End(k socket.Keeper) { forget(k) }

// forget ends all that the kernel relays by what a keeper has of the process before but what is ours, and has the
// keeper hold it no longer.
func forget(k socket.Keeper, ours ...string) {
	if k == nil {
		return
	}
	for _, name := range k.Kept(anyLayout) {
		if slices.Contains(ours, name) {
			continue
		}
		if _, of, ok := strings.Cut(strings.TrimPrefix(name, anyLayout), "/"); ok && strings.HasPrefix(of, linkName) {
			if l := takeLink(name, k); l != nil {
				detach(l)
				_ = l.Close()
			}
		}
		k.Drop(name)
	}
}

// forget does so with what was taken or made here, too.
func (r *Relay) forget(k socket.Keeper) {
	for _, l := range r.links {
		detach(l)
	}
	for _, name := range r.kept {
		k.Drop(name)
	}
	r.kept = nil
	forget(k)
}

// detach ends a link whoever has it besides. It fails when the link has ended already.
func detach(l link.Link) { _ = l.Detach() }

// takeLink is nil when there is none.
func takeLink(name string, k socket.Keeper) link.Link {
	fd, ok := k.Take(name)
	if !ok {
		return nil
	}
	l, err := link.NewFromFD(fd) // closes it when it fails
	if err != nil {
		return nil
	}
	return l
}

// hold has a keeper, if there is one, hold what was made here.
func (r *Relay) hold(k socket.Keeper, name string, fd int) {
	if k != nil {
		k.Hold(name, fd)
		r.kept = append(r.kept, name)
	}
}

// share maps the memory of the flows and the tapes.
func (r *Relay) share() (err error) {
	const access = unix.PROT_READ | unix.PROT_WRITE
	r.memory, err = unix.Mmap(r.states.FD(), 0, (watchSlot+1)*slotBytes, access, unix.MAP_SHARED)
	if err == nil {
		r.taped, err = unix.Mmap(r.tapes.FD(), 0, MostTapes*tapeBytes, access, unix.MAP_SHARED)
	}
	if err != nil {
		return fmt.Errorf("kernel: the memory of the flows: %w", err)
	}
	r.began, r.beganAt = bothClocks()
	return nil
}

// bothClocks are Go's and the kernel's time of one moment, as exactly as of several tries: a thread may stand still
// between two readings.
func bothClocks() (at time.Time, kernel int64) {
	best := int64(math.MaxInt64)
	for range 5 {
		before, now, after := monotonic(), time.Now(), monotonic()
		if after-before < best {
			best, at, kernel = after-before, now, before+(after-before)/2
		}
	}
	return at, kernel
}

func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // never fails
	return t.Nano()
}

// take takes over what the process before had; false: nothing, or not all.
func (r *Relay) take(k socket.Keeper) bool {
	if k == nil {
		return false
	}
	fd := func(name string) int {
		if fd, ok := k.Take(layout + name); ok {
			r.kept = append(r.kept, layout+name)
			return fd
		}
		return -1
	}
	flows, states, tapes, loud, program := fd("flows"), fd("states"), fd("tapes"), fd("loud"), fd("program")
	if all := []int{flows, states, tapes, loud, program}; slices.Contains(all, -1) {
		for _, fd := range all {
			if fd >= 0 {
				_ = unix.Close(fd)
			}
		}
		return false
	}
	var errs [5]error
	r.flows, errs[0] = ebpf.NewMapFromFD(flows)
	r.states, errs[1] = ebpf.NewMapFromFD(states)
	r.tapes, errs[2] = ebpf.NewMapFromFD(tapes)
	r.loud, errs[3] = ebpf.NewMapFromFD(loud)
	r.program, errs[4] = ebpf.NewProgramFromFD(program)
	if errors.Join(errs[:]...) == nil && r.states.ValueSize() == slotBytes && r.states.MaxEntries() == watchSlot+1 {
		return true
	}
	r.closeAll()
	return false
}

func (r *Relay) create(tables [2][256]uint32, k socket.Keeper) (err error) {
	flows := ebpf.MapSpec{Name: "liandong_flows", Type: ebpf.Hash, KeySize: keyBytes, ValueSize: 4,
		MaxEntries: MostFlows}
	if r.flows, err = ebpf.NewMap(&flows); err != nil {
		return fmt.Errorf("kernel: no map: %w", err)
	}
	states := ebpf.MapSpec{Name: "liandong_states", Type: ebpf.Array, KeySize: 4, ValueSize: slotBytes,
		MaxEntries: watchSlot + 1, Flags: unix.BPF_F_MMAPABLE}
	if r.states, err = ebpf.NewMap(&states); err != nil {
		return fmt.Errorf("kernel: no map that can be shared: %w", err)
	}
	tapes := ebpf.MapSpec{Name: "liandong_tapes", Type: ebpf.Array, KeySize: 4, ValueSize: tapeBytes,
		MaxEntries: MostTapes, Flags: unix.BPF_F_MMAPABLE}
	if r.tapes, err = ebpf.NewMap(&tapes); err != nil {
		return fmt.Errorf("kernel: no map that can be shared: %w", err)
	}
	var table []byte
	for _, t := range tables {
		for _, square := range t {
			table = binary.NativeEndian.AppendUint32(table, square)
		}
	}
	r.loud, err = ebpf.NewMap(&ebpf.MapSpec{Name: "liandong_loud", Type: ebpf.Array, KeySize: 4,
		ValueSize: uint32(len(table)), MaxEntries: 1, Contents: []ebpf.MapKV{{Key: uint32(0), Value: table}}})
	if err != nil {
		return fmt.Errorf("kernel: no map: %w", err)
	}
	if r.program, err = r.load("liandong_relay", ebpf.SchedCLS, tcx); err != nil {
		return err
	}
	r.hold(k, layout+"flows", r.flows.FD())
	r.hold(k, layout+"states", r.states.FD())
	r.hold(k, layout+"tapes", r.tapes.FD())
	r.hold(k, layout+"loud", r.loud.FD())
	r.hold(k, layout+"program", r.program.FD())
	return nil
}

func (r *Relay) load(name string, kind ebpf.ProgramType, at hook) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: kind, License: "Apache-2.0",
		Instructions: program(at, r.flows.FD(), r.states.FD(), r.tapes.FD(), r.loud.FD())})
	if err != nil {
		return nil, fmt.Errorf("kernel: the program is not taken: %w", err)
	}
	return p, nil
}

// attach has the program see what comes in at an interface.
func (r *Relay) attach(at int, k socket.Keeper) error {
	name := layout + linkName + strconv.Itoa(at)
	if k != nil {
		if l := takeLink(name, k); l != nil {
			r.links, r.kept = append(r.links, l), append(r.kept, name)
			return nil
		}
	}
	l, err := link.AttachTCX(link.TCXOptions{Interface: at, Program: r.program, Attach: ebpf.AttachTCXIngress})
	if err != nil {
		return fmt.Errorf("kernel: not at interface %d: %w", at, err)
	}
	r.links = append(r.links, l)
	if held, ok := l.(interface{ FD() int }); ok {
		r.hold(k, name, held.FD())
	}
	return nil
}

// interfaces are those that have the addresses.
func interfaces(addresses []netip.Addr) (list []int, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("kernel: interfaces: %w", err)
	}
	for _, addr := range addresses {
		for _, i := range all {
			if has(i, addr) && !slices.Contains(list, i.Index) {
				list = append(list, i.Index)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("kernel: no Ethernet interface has one of %v as its address", addresses)
	}
	return list, nil
}

func has(i net.Interface, addr netip.Addr) bool {
	if addr.IsUnspecified() {
		return false
	}
	if i.Flags&net.FlagLoopback != 0 && addr.IsLoopback() {
		return true
	}
	addrs, err := i.Addrs()
	return err == nil && len(i.HardwareAddr) == 6 && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(addr.AsSlice())
	})
}

// Close ends this process' part; what a keeper holds goes on.
func (r *Relay) Close() {
	r.front.end()
	for _, m := range []*[]byte{&r.memory, &r.taped} {
		if *m != nil {
			_ = unix.Munmap(*m)
			*m = nil
		}
	}
	r.hears.Lock()
	for _, l := range r.changes {
		_ = unix.Close(l.fd)
	}
	r.changes = nil
	r.hears.Unlock()
	r.closeAll()
}

func (r *Relay) closeAll() {
	for _, l := range r.links {
		_ = l.Close()
	}
	r.links = nil
	for _, p := range []*ebpf.Program{r.program, r.front.program} {
		if p != nil {
			_ = p.Close()
		}
	}
	for _, m := range []*ebpf.Map{r.flows, r.states, r.tapes, r.loud} {
		if m != nil {
			_ = m.Close()
		}
	}
	r.flows, r.states, r.tapes, r.loud, r.program, r.front.program = nil, nil, nil, nil, nil, nil
}

// state is the memory of a flow.
type state []byte

func (r *Relay) state(s Slot) state { return r.memory[int(s)*slotBytes : (int(s)+1)*slotBytes] }

func (m state) word(at int) *uint32   { return (*uint32)(unsafe.Pointer(&m[at])) }
func (m state) double(at int) *uint64 { return (*uint64)(unsafe.Pointer(&m[at])) }
func (m state) load(at int) uint32    { return atomic.LoadUint32(m.word(at)) }
func (m state) store(at int, v uint32) {
	atomic.StoreUint32(m.word(at), v)
}

// first looks once at what the process before has left, when that works on nothing any more.
func (r *Relay) first() {
	r.look.Do(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		var used [MostTapes]bool
		for s := range Slot(MostFlows) {
			if m := r.state(s); m.load(slotOwned) != 0 {
				r.orphans[m.flow(r).By] = s
				if tape := m.load(slotTape); tape != 0 {
					used[tape-1] = true
				}
			} else {
				r.free <- s
			}
		}
		for tape, used := range used {
			if !used {
				r.freeTapes <- uint32(tape)
			}
		}
	})
}

// key is what the packets of a flow have of addresses and ports.
func (f Flow) key() (k [keyBytes]byte) {
	from, at := f.From.Addr().As16(), f.At.Addr().As16()
	copy(k[0:], from[:])
	copy(k[16:], at[:])
	binary.BigEndian.PutUint16(k[32:], f.From.Port())
	binary.BigEndian.PutUint16(k[34:], f.At.Port())
	return k
}

var (
	errFlow = errors.New("kernel: no flow that the kernel can carry")
	errSeal = errors.New("kernel: IPsec has policies here, which the kernel's relay would go around")
	errWay  = errors.New("kernel: one party is on this machine and the other is not")
)

// global says that an address is whole without an interface.
func global(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.Is4In6() && (a.Is4() || !a.IsLinkLocalUnicast())
}

func (f Flow) validate() error {
	for _, a := range []netip.AddrPort{f.From, f.At, f.By, f.To} {
		if a.Port() == 0 || !global(a.Addr()) {
			return fmt.Errorf("%w: address %v is not allowed, one of IPv4 or a global one of IPv6 with a port", errFlow,
				a)
		}
		if a.Addr().Is4() != f.From.Addr().Is4() {
			return fmt.Errorf("%w: %v and %v are not of one family", errFlow, f.From, a)
		}
	}
	if f.Payload < LeastPayload || f.Payload > MostPayload {
		return fmt.Errorf("%w: payload of %d bytes is not allowed, %d to %d", errFlow, f.Payload, LeastPayload,
			MostPayload)
	}
	if f.PT > 127 || f.OutPT > 127 || f.Clock == 0 || f.Clock > 1000 || f.Span == 0 || f.Loud > BySecond {
		return fmt.Errorf("%w: payload types %d and %d, clock %d, span %d, loudness %d", errFlow, f.PT, f.OutPT,
			f.Clock, f.Span, f.Loud)
	}
	return nil
}

// Put has the kernel carry a flow from its next packet on. Nothing else may be sent in its stream until Free.
func (r *Relay) Put(f Flow) (Slot, error) {
	if err := f.validate(); err != nil {
		return 0, err
	}
	in, out, err := r.way(f)
	if err != nil {
		return 0, err
	}
	r.first()
	var s Slot
	select {
	case s = <-r.free:
	default:
		return 0, ErrFull
	}
	m := r.state(s)
	m.write(f, r, in, out.at)
	if f.Taped && !r.tape(m, f) {
		r.free <- s
		return 0, ErrFull
	}
	m.store(slotOwned, 1)
	if err := r.flows.Update(f.key(), uint32(s), ebpf.UpdateNoExist); err != nil {
		r.vacate(s)
		return 0, fmt.Errorf("kernel: flow from %v to %v: %w", f.From, f.At, err)
	}
	m.store(slotState, runs)
	r.leads(s, in, out)
	return s, nil
}

// tape gives a flow one that is free.
func (r *Relay) tape(m state, f Flow) bool {
	select {
	case tape := <-r.freeTapes:
		cell := uint32(tapeHeader+f.Payload+7) &^ 7
		m.store(slotCell, cell)
		m.store(slotCells, (tapeBytes-tapeHeader-MostPayload)/cell+1)
		m.store(slotTape, tape+1)
		return true
	default:
		return false
	}
}

// vacate gives a place back. Nothing of what was said stays there.
func (r *Relay) vacate(s Slot) {
	r.front.leave(s)
	m := r.state(s)
	if tape := m.load(slotTape); tape != 0 {
		clear(r.taped[(tape-1)*tapeBytes:][:tapeBytes])
		r.freeTapes <- tape - 1
	}
	m.store(slotOwned, 0)
	r.free <- s
}

// way is the interface by which a flow comes in, as what is sent to its party leaves, and how it leaves. Both parties
// have to be on the same side.
func (r *Relay) way(f Flow) (in int, out way, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.Routes(); r.ways == nil || r.waysAt != now || len(r.ways) > 2*MostFlows {
		sealed, err := seals()
		if err != nil {
			return 0, way{}, err
		}
		r.ways, r.sealed, r.waysAt = map[[2]netip.Addr]way{}, sealed, now
	}
	if r.sealed {
		return 0, way{}, errSeal
	}
	back, err := r.route(f.At.Addr(), f.From.Addr())
	if err != nil {
		return 0, way{}, err
	}
	out, err = r.route(f.By.Addr(), f.To.Addr())
	if err == nil && (back.at == 0) != (out.at == 0) {
		err = errWay
	}
	if in = back.at; in == 0 {
		in = lo
	}
	return in, out, err
}

// route asks each thing once for as long as nothing changes. It needs mu.
func (r *Relay) route(from, to netip.Addr) (way, error) {
	w, ok := r.ways[[2]netip.Addr{from, to}]
	if ok {
		return w, nil
	}
	w, err := route(from, to)
	if err == nil {
		r.ways[[2]netip.Addr{from, to}] = w
		r.used.Store(w.at, nil)
	}
	return w, err
}

func (r *Relay) nanoseconds(t time.Time) int64 { return r.beganAt + int64(t.Sub(r.began)) }

func (r *Relay) time(ns uint64) time.Time { return r.began.Add(time.Duration(int64(ns) - r.beganAt)) }

// write fills a slot that nobody looks at.
func (m state) write(f Flow, r *Relay, in, out int) {
	clear(m)
	order, wire := binary.NativeEndian, binary.BigEndian
	wire.PutUint32(m[slotSSRC:], f.SSRC)
	wire.PutUint32(m[slotNewSSRC:], f.OutSSRC)
	order.PutUint32(m[slotSeq:], uint32(f.Seq))
	order.PutUint32(m[slotStamp:], f.Timestamp)
	order.PutUint32(m[slotSpan:], f.Span)
	order.PutUint32(m[slotAddSeq:], uint32(f.AddSeq))
	order.PutUint32(m[slotAddTime:], f.AddStamp)
	m[slotFirst], m[slotFirst+1] = 0x80, f.PT
	m[slotNew], m[slotNew+1] = 0x80, f.OutPT
	udp := 8 + 12 + f.Payload
	wire.PutUint16(m[slotUDPLen:], uint16(udp))
	order.PutUint32(m[slotSize:], uint32(atUDP+udp))
	order.PutUint64(m[slotAt:], uint64(r.nanoseconds(time.Now())))
	order.PutUint64(m[slotStart:], uint64(r.nanoseconds(f.Start)))
	order.PutUint32(m[slotTick:], uint32(time.Millisecond)/f.Clock)
	order.PutUint32(m[slotTransit:], f.Transit)
	order.PutUint32(m[slotJitter:], f.Jitter)
	order.PutUint32(m[slotLeast:], f.Earliest)
	order.PutUint32(m[slotMost:], f.Latest)
	order.PutUint32(m[slotIn:], uint32(in))
	order.PutUint32(m[slotOut:], uint32(out))
	order.PutUint32(m[slotLoud:], uint32(f.Loud))
	m.headers(f, udp)
	key := f.key()
	copy(m[slotKey:], key[:])
}

// headers are those of IP and UDP as they leave: as the sockets of the ports would make them.
func (m state) headers(f Flow, udp int) {
	wire := binary.BigEndian
	from, at, by, to := f.From.Addr().AsSlice(), f.At.Addr().AsSlice(), f.By.Addr().AsSlice(), f.To.Addr().AsSlice()
	if ip := m[slotIP:]; f.From.Addr().Is4() {
		ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, 64, 17 // not to be fragmented, RFC 791 §3.1; hops; UDP
		wire.PutUint16(ip[2:], uint16(20+udp))
		copy(ip[12:], by)
		copy(ip[16:], to)
		wire.PutUint16(ip[10:], ^fold(sum(ip[:20])))
		wire.PutUint16(m[slotLength:], uint16(20+udp))
	} else {
		ip[0], ip[6], ip[7] = 0x60, 17, 64 // RFC 8200 §3
		wire.PutUint16(ip[4:], uint16(udp))
		copy(ip[8:], by)
		copy(ip[24:], to)
		wire.PutUint16(m[slotLength:], uint16(udp))
		m.store(slotShift, longer)
		m.store(slotSize, m.load(slotSize)+longer)
	}
	wire.PutUint16(m[slotPorts:], f.By.Port())
	wire.PutUint16(m[slotPorts+2:], f.To.Port())
	// One's complement, RFC 1624: what comes in goes away. In the order of the wire, as the kernel adds it up.
	change := fold(sum(by) + sum(to) + uint64(^fold(sum(from)+sum(at))))
	wire.PutUint16(m[slotPseudo:], change)
	wire.PutUint16(m[slotBegun:], fold(17+uint64(udp)+sum(from)+sum(at)))
}

func sum(b []byte) (n uint64) {
	for i := 0; i < len(b); i += 2 {
		n += uint64(binary.BigEndian.Uint16(b[i:]))
	}
	return n
}

func fold(n uint64) uint16 {
	for n > 0xffff {
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

// flow is what a slot was written by, as far as the one goes on who takes it over.
func (m state) flow(r *Relay) Flow {
	order, wire := binary.NativeEndian, binary.BigEndian
	at := func(addr, port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(m[addr:])).Unmap(), wire.Uint16(m[port:]))
	}
	by, to := at(slotIP+8, slotPorts), at(slotIP+24, slotPorts+2)
	if m.load(slotShift) == 0 {
		by = netip.AddrPortFrom(netip.AddrFrom4([4]byte(m[slotIP+12:])), by.Port())
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte(m[slotIP+16:])), to.Port())
	}
	return Flow{
		From: at(slotKey, slotKey+32), At: at(slotKey+16, slotKey+34), By: by, To: to,
		SSRC: wire.Uint32(m[slotSSRC:]), OutSSRC: wire.Uint32(m[slotNewSSRC:]), PT: m[slotFirst+1], OutPT: m[slotNew+1],
		Payload: int(wire.Uint16(m[slotUDPLen:])) - 20,
		Span:    order.Uint32(m[slotSpan:]), AddSeq: uint16(order.Uint32(m[slotAddSeq:])),
		AddStamp: order.Uint32(m[slotAddTime:]), Clock: uint32(time.Millisecond) / max(1, order.Uint32(m[slotTick:])),
		Start: r.time(order.Uint64(m[slotStart:])), Earliest: order.Uint32(m[slotLeast:]),
		Latest: order.Uint32(m[slotMost:]), Loud: Loud(order.Uint32(m[slotLoud:])), Taped: m.load(slotTape) != 0,
	}
}

// mostRounds are tried until a flow is found at rest: the program may have been interrupted at its work.
const mostRounds = 100

// Read is how far a flow has come; false: it is at work on a packet and does not come to an end.
func (r *Relay) Read(s Slot) (p Progress, ok bool) {
	for range mostRounds {
		if p, ok = r.read(s); ok {
			break
		}
		runtime.Gosched() // a packet takes a microsecond
	}
	return p, ok
}

func (r *Relay) read(s Slot) (p Progress, ok bool) {
	m := r.state(s)
	before := atomic.LoadUint64(m.double(slotPackets))
	if m.load(slotState)&busy != 0 {
		return Progress{}, false
	}
	p = Progress{
		Packets: before, Seq: uint16(m.load(slotSeq)), Timestamp: m.load(slotStamp),
		At:      r.time(atomic.LoadUint64(m.double(slotAt))),
		Transit: m.load(slotTransit), Jitter: m.load(slotJitter),
		Squares: atomic.LoadUint64(m.double(slotSquares)), Samples: m.load(slotSamples),
		Last: byte(m.load(slotLast)),
	}
	state := m.load(slotState)
	p.Runs = state&runs != 0
	return p, state&busy == 0 && atomic.LoadUint64(m.double(slotPackets)) == before
}

// Copies is how many of the newest packets of a flow that is Taped can be read: those of some two seconds.
func (r *Relay) Copies(s Slot) uint64 { return uint64(r.state(s).load(slotCells)) - 1 }

// Copy reads the sound of a packet of a flow that is Taped, as it came: the n-th that has passed since Put, from 0. To
// has room for the payload; false: it is not there any more.
func (r *Relay) Copy(s Slot, n uint64, to []byte) (at time.Time, ok bool) {
	m := r.state(s)
	tape, cell, cells := int(m.load(slotTape)), uint64(m.load(slotCell)), uint64(m.load(slotCells))
	if tape == 0 {
		return time.Time{}, false
	}
	from := r.taped[(tape-1)*tapeBytes+int(n%cells*cell):]
	at = r.time(binary.NativeEndian.Uint64(from))
	copy(to, from[tapeHeader:cell])
	passed := atomic.LoadUint64(m.double(slotPackets)) // the next one is perhaps just being written over the oldest
	return at, n < passed && passed-n < cells
}

// Stop ends a flow, and waits for the packet that it is at work on: what comes from now on comes up. It gives how far
// it has come; Runs is how it was until now.
func (r *Relay) Stop(s Slot) Progress {
	before := atomic.AndUint32(r.state(s).word(slotState), ^uint32(runs))
	p, ok := r.read(s)
	for ; !ok; p, ok = r.read(s) {
		runtime.Gosched()
	}
	p.Runs = before&runs != 0
	return p
}

// Free gives the place of a flow that was stopped away. Until then another process would go on where it has ended.
func (r *Relay) Free(s Slot) {
	m := r.state(s)
	_ = r.flows.Delete([keyBytes]byte(m[slotKey:])) // fails only when it is gone already
	r.vacate(s)
}

// Adopt gives the flow that leaves by a port and was left by the process before; it goes on.
func (r *Relay) Adopt(by netip.AddrPort) (s Slot, f Flow, ok bool) {
	r.first()
	r.mu.Lock()
	s, ok = r.orphans[by]
	delete(r.orphans, by)
	r.mu.Unlock()
	if !ok {
		return 0, Flow{}, false
	}
	m := r.state(s)
	f = m.flow(r)
	in, out, err := r.way(f)
	if err != nil || uint32(in) != m.load(slotIn) || uint32(out.at) != m.load(slotOut) {
		r.Stop(s) // the route has changed meanwhile
	}
	r.leads(s, in, out)
	return s, f, true
}

// Drop ends what the process before has left and nobody has adopted; with ports only what comes in or leaves by one of
// them.
func (r *Relay) Drop(ports ...netip.AddrPort) {
	r.first()
	r.mu.Lock()
	defer r.mu.Unlock()
	for by, s := range r.orphans {
		if len(ports) > 0 && !slices.Contains(ports, by) && !slices.Contains(ports, r.state(s).flow(r).At) {
			continue
		}
		delete(r.orphans, by)
		r.Stop(s)
		r.Free(s)
	}
}
