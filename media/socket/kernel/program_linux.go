package kernel

import (
	"encoding/binary"
	"time"

	"github.com/cilium/ebpf/asm"
)

// Offsets in struct __sk_buff of linux/bpf.h.
const (
	skbLen     = 0
	skbType    = 4
	skbProto   = 16
	skbVLAN    = 20
	skbIndex   = 40 // of the interface
	skbData    = 76
	skbDataEnd = 80
)

// Offsets in struct xdp_md of linux/bpf.h.
const (
	xdpData    = 0
	xdpDataEnd = 4
	xdpIndex   = 12 // of the interface
)

// hook is where a program sees packets: at that of TCX as the kernel has taken them, at that of XDP as the driver has
// them, before the kernel knows of them. XDP's passes on to TCX's whatever it does not send back out: only that ends
// a flow.
type hook struct {
	xdp                  bool
	data, dataEnd, index int16           // in its context: the packet's ends, and the interface
	load                 asm.BuiltinFunc // copies a part of the packet
}

var (
	tcx = hook{data: skbData, dataEnd: skbDataEnd, index: skbIndex, load: asm.FnSkbLoadBytes}
	xdp = hook{xdp: true, data: xdpData, dataEnd: xdpDataEnd, index: xdpIndex, load: asm.FnXdpLoadBytes}
)

// Offsets in a packet of Ethernet, IPv4 without options, UDP and RTP. Of IPv6 without extension headers all but the
// first is longer behind: there the program counts from so much further on.
const (
	atType     = 12
	atIP       = 14
	atTotal    = atIP + 2
	atFragment = atIP + 6
	atProtocol = atIP + 9
	atSource   = atIP + 12 // addresses and ports stand together
	atUDP      = atIP + 20
	atUDPLen   = atUDP + 4
	atUDPSum   = atUDP + 6
	atRTP      = atUDP + 8
	atStamp    = atRTP + 4
	atSSRC     = atRTP + 8
	atPayload  = atRTP + 12

	longer    = 20 // an IPv6 header, RFC 8200 §3
	atLength6 = atIP + 4
	atNext6   = atIP + 6
	atSource6 = atIP + 8
)

// Offsets in a slot of the map of states, whose numbers are in the machine's order unless they are said to be wire. The
// first cache line has all that changes, and the program looks at the first three only.
const (
	slotState   = 0 // bits below
	slotOwned   = 4 // 1: a flow's, which has ended or not
	slotSeq     = 8
	slotStamp   = 12
	slotPackets = 16 // 8 bytes
	slotAt      = 24 // 8 bytes: ns of CLOCK_MONOTONIC
	slotTransit = 32
	slotJitter  = 36
	slotSquares = 40 // 8 bytes
	slotSamples = 48
	slotLast    = 52
	slotSpan    = 56
	slotAddTime = 60

	slotSSRC    = 64 // wire
	slotNewSSRC = 68 // wire
	slotFirst   = 72 // wire, 2 bytes: the first two of RTP as they come
	slotNew     = 74 // wire, 2 bytes: and as they leave
	slotUDPLen  = 76 // wire, 2 bytes
	slotLength  = 78 // wire, 2 bytes: what IP says of it
	slotSize    = 80 // of the whole packet
	slotAddSeq  = 84
	slotStart   = 88 // 8 bytes: as slotAt
	slotTick    = 96 // ns
	slotLeast   = 100
	slotMost    = 104
	slotOut     = 108 // interface; 0: it stays on this one, and is for this machine
	slotIn      = 112 // interface on which it comes in
	slotPseudo  = 116 // what the addresses change of the checksum
	slotLoud    = 120
	slotPorts   = 124 // wire: as they leave

	slotIP    = 128 // wire: the header as it leaves, 20 bytes or 40
	slotShift = 168 // 0, or longer of IPv6
	slotTape  = 172 // 0: none; else one more than its place in the map of tapes
	slotCell  = 176 // bytes of each of its packets
	slotCells = 180 // and how many there are
	slotHop   = 184 // 8 bytes: the Ethernet address that it leaves to, see hardware; 0: XDP leaves it to TCX

	slotKey   = 192 // keyBytes, wire
	slotOurs  = 228 // wire, 6 bytes: the Ethernet address that it comes to
	slotBegun = 234 // wire, 2 bytes: the checksum of who lets his device do the rest, of addresses and length
	slotBytes = 256 // whole cache lines
	keyBytes  = 36  // both addresses as those of IPv6, RFC 4291 §2.5.5.2, and the ports
)

// watchSlot is a place behind those of flows, whose slotAt is when a process has last heard what neighbours there are;
// for so long XDP goes by it.
const (
	watchSlot = MostFlows
	watched   = time.Second
)

// A tape has the newest packets of a flow, of all sizes some two seconds: when each has come, 8 bytes of ns as slotAt,
// and its payload.
const (
	tapeBytes  = 16 << 10
	tapeHeader = 8
)

// Bits of a slot's state. Only the program sets busy, for as long as it is at work on a packet.
const (
	runs = 1
	busy = 2
)

// Answers of the programs.
const (
	passOn   = 0  // TCX_PASS
	noneOfMe = -1 // TCX_NEXT
	toStack  = 2  // XDP_PASS
	sendBack = 3  // XDP_TX
)

// refresh is of how many packets XDP leaves one to TCX, less one: by it the kernel learns that a party is still there.
const refresh = 0xff

// Flags of bpf_l4_csum_replace.
const (
	pseudoHeader = 0x10
	mangledZero  = 0x20
)

// wire16 is how two bytes of the wire look to the machine.
func wire16(a, b byte) int32 { return int32(binary.NativeEndian.Uint16([]byte{a, b})) }

// onState is an atomic operation on the slot's state by R1. The library leaves its kind out of the instruction when it
// does not stand in Constant, too.
func onState(op asm.AtomicOp) asm.Instruction {
	i := op.Mem(asm.R8, asm.R1, asm.Word, slotState)
	i.Constant = int64(op >> 8)
	return i
}

// Where things lie on the program's stack.
const (
	fpKey     = -40 // keyBytes
	fpSlot    = -44
	fpTransit = -48
	fpNow     = -56
	fpBefore  = -72 // 16 bytes: ports and RTP header as they came
	fpAfter   = -88 // and as they leave
	fpLast    = -92
	fpNumber  = -96 // of a place in a map
	fpLength  = -100
	fpHop     = -112 // 8 bytes
)

// program is what looks at each packet that comes in at an interface. R6 is the context, R7 the packet, R8 the slot,
// R9 the packet's end.
func program(at hook, flows, states, tapes, tables int) asm.Instructions {
	p := builder{hook: at, states: states}
	p.names()
	p.finds(flows, states)
	p.takes()
	p.times()
	p.notes(tapes, tables)
	p.rewrites()
	p.counts()
	p.leaves()
	return p.all
}

// builder is a program of which a part is written.
type builder struct {
	hook
	states int
	all    asm.Instructions
}

func (p *builder) add(more ...asm.Instruction) { p.all = append(p.all, more...) }

// packet has R7 and R9 be the packet's ends, and R2 the end of its headers, which are so much longer than IPv4's.
func (p *builder) packet(longer int32) {
	p.add(
		asm.LoadMem(asm.R7, asm.R6, p.data, asm.Word),
		asm.LoadMem(asm.R9, asm.R6, p.dataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, atPayload+longer),
	)
}

// headers has all headers be in reach, by name.
func (p *builder) headers(name string, longer int32) {
	p.packet(longer)
	if p.xdp {
		p.add(asm.JGT.Reg(asm.R2, asm.R9, "other"))
		return
	}
	p.add(
		asm.JLE.Reg(asm.R2, asm.R9, name),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, atPayload+longer),
		asm.FnSkbPullData.Call(),
	)
	p.packet(longer)
	p.add(
		asm.JGT.Reg(asm.R2, asm.R9, "other"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol(name),
	)
}

// key has so many bytes of the packet be a part of the flow's key.
func (p *builder) key(to, from, n int16) {
	for i := int16(0); i < n; i += 4 {
		p.add(asm.LoadMem(asm.R2, asm.R7, from+i, asm.Half), // 2 bytes of alignment are all that is promised
			asm.StoreMem(asm.RFP, fpKey+to+i, asm.R2, asm.Half),
			asm.LoadMem(asm.R2, asm.R7, from+i+2, asm.Half),
			asm.StoreMem(asm.RFP, fpKey+to+i+2, asm.R2, asm.Half))
	}
}

// length notes what IP says of the packet's.
func (p *builder) length(at int16) {
	p.add(asm.LoadMem(asm.R2, asm.R7, at, asm.Half), asm.StoreMem(asm.RFP, fpLength, asm.R2, asm.Half))
}

// same is that what the packet has is what the slot says.
func (p *builder) same(at, of int16, size asm.Size) {
	p.add(asm.LoadMem(asm.R2, asm.R7, at, size), asm.LoadMem(asm.R3, asm.R8, of, size),
		asm.JNE.Reg(asm.R2, asm.R3, "odd"))
}

// stamp has a register be the packet's timestamp. It uses R4.
func (p *builder) stamp(to asm.Register) {
	p.add(asm.LoadMem(to, asm.R7, atStamp, asm.Half), asm.HostTo(asm.BE, to, asm.Half), asm.LSh.Imm(to, 16),
		asm.LoadMem(asm.R4, asm.R7, atStamp+2, asm.Half), asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.Or.Reg(to, asm.R4))
}

// names makes the key of the packet's flow, of its addresses and ports: what is no whole packet of UDP comes up.
func (p *builder) names() {
	p.add(asm.Mov.Reg(asm.R6, asm.R1))
	if p.xdp {
		p.headers("", 0)
		p.add(asm.LoadMem(asm.R2, asm.R7, atType, asm.Half)) // VLANs have another: see unfit for cards that cut it off
	} else {
		p.add(
			asm.LoadMem(asm.R2, asm.R6, skbVLAN, asm.Word),
			asm.JNE.Imm(asm.R2, 0, "other"), // it is another interface's
			asm.LoadMem(asm.R2, asm.R6, skbType, asm.Word),
			asm.JNE.Imm(asm.R2, 0, "other"), // PACKET_HOST
			asm.LoadMem(asm.R2, asm.R6, skbProto, asm.Word),
		)
	}
	p.add(
		asm.JEq.Imm(asm.R2, wire16(0x86, 0xdd), "IPv6"), // ETH_P_IPV6
		asm.JNE.Imm(asm.R2, wire16(8, 0), "other"),      // ETH_P_IP
	)
	p.headers("short", 0)
	p.add(
		asm.LoadMem(asm.R2, asm.R7, atIP, asm.Byte),
		asm.JNE.Imm(asm.R2, 0x45, "other"),
		asm.LoadMem(asm.R2, asm.R7, atProtocol, asm.Byte),
		asm.JNE.Imm(asm.R2, 17, "other"),
		asm.LoadMem(asm.R2, asm.R7, atFragment, asm.Half),
		asm.And.Imm(asm.R2, wire16(0x3f, 0xff)), // more fragments, or not the first
		asm.JNE.Imm(asm.R2, 0, "other"),
		asm.Mov.Imm(asm.R3, wire16(0xff, 0xff)),
		asm.Mov.Imm(asm.R2, 0),
	)
	for _, at := range []int16{0, 16} {
		for i := int16(0); i < 12; i += 4 {
			p.add(asm.StoreMem(asm.RFP, fpKey+at+i, asm.R2, asm.Word))
		}
		p.add(asm.StoreMem(asm.RFP, fpKey+at+10, asm.R3, asm.Half))
	}
	p.key(12, atSource, 4)
	p.key(28, atSource+4, 4)
	p.key(32, atUDP, 4)
	p.length(atTotal)
	p.add(asm.Ja.Label("known"), asm.Mov.Imm(asm.R0, 0).WithSymbol("IPv6"))
	p.headers("short6", longer)
	p.add(
		asm.LoadMem(asm.R2, asm.R7, atIP, asm.Byte),
		asm.RSh.Imm(asm.R2, 4),
		asm.JNE.Imm(asm.R2, 6, "other"),
		asm.LoadMem(asm.R2, asm.R7, atNext6, asm.Byte),
		asm.JNE.Imm(asm.R2, 17, "other"),
	)
	p.key(0, atSource6, 32)
	p.length(atLength6)
	p.add(asm.Add.Imm(asm.R7, longer))
	p.key(32, atUDP, 4)
	p.add(asm.Mov.Imm(asm.R0, 0).WithSymbol("known"))
}

// finds is whose packet it is: one of no flow comes up.
func (p *builder) finds(flows, states int) {
	p.add(
		asm.LoadMapPtr(asm.R1, flows),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, fpKey),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "other"),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.RFP, fpSlot, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, states),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, fpSlot),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "other"),
		asm.Mov.Reg(asm.R8, asm.R0),
		// Who sends from elsewhere under the party's address is for rp_filter to judge.
		asm.LoadMem(asm.R2, asm.R6, p.index, asm.Word),
		asm.LoadMem(asm.R3, asm.R8, slotIn, asm.Word),
		asm.JNE.Reg(asm.R2, asm.R3, "other"),
		// RTCP on the port, RFC 5761 §4: it comes up, and the flow goes on.
		asm.LoadMem(asm.R2, asm.R7, atRTP+1, asm.Byte),
		asm.Sub.Imm(asm.R2, 192),
		asm.JLE.Imm(asm.R2, 223-192, "other"),
	)
	if p.xdp {
		p.returns()
	} else {
		// All of it has to be in reach, and ours to write.
		p.add(
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.LoadMem(asm.R2, asm.R6, skbLen, asm.Word),
			asm.FnSkbPullData.Call(),
		)
		p.packet(0)
	}
	p.add(
		asm.LoadMem(asm.R3, asm.R8, slotShift, asm.Word),
		asm.JEq.Imm(asm.R3, 0, "whole"),
		asm.Add.Imm(asm.R7, longer),
		asm.Add.Imm(asm.R2, longer),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("whole"),
	)
}

// returns is that XDP may send it back: the way is known, and somebody follows what becomes of it; it came to our own
// Ethernet address, and it is none that the kernel learns by.
func (p *builder) returns() {
	p.add(
		asm.StoreImm(asm.RFP, fpNumber, watchSlot, asm.Word),
		asm.LoadMapPtr(asm.R1, p.states),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, fpNumber),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "other"),
		asm.LoadMem(asm.R9, asm.R0, slotAt, asm.DWord),
		asm.FnKtimeGetNs.Call(),
		asm.Sub.Reg(asm.R0, asm.R9),
		asm.JSGT.Imm(asm.R0, int32(watched), "other"),
		asm.LoadMem(asm.R1, asm.R8, slotHop, asm.DWord),
		asm.StoreMem(asm.RFP, fpHop, asm.R1, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "other"),
		asm.LoadMem(asm.R1, asm.R8, slotSeq, asm.Word),
		asm.And.Imm(asm.R1, refresh),
		asm.JEq.Imm(asm.R1, refresh, "other"),
	)
	p.packet(0)
	p.add(asm.JGT.Reg(asm.R2, asm.R9, "other"))
	for i := int16(0); i < 6; i += 2 {
		p.add(asm.LoadMem(asm.R3, asm.R7, i, asm.Half), asm.LoadMem(asm.R4, asm.R8, slotOurs+i, asm.Half),
			asm.JNE.Reg(asm.R3, asm.R4, "other"))
	}
}

// size has R2 be the length of the packet. It uses R3.
func (p *builder) size() {
	if !p.xdp {
		p.add(asm.LoadMem(asm.R2, asm.R6, skbLen, asm.Word))
		return
	}
	p.add(asm.LoadMem(asm.R3, asm.R6, p.data, asm.Word), asm.LoadMem(asm.R2, asm.R6, p.dataEnd, asm.Word),
		asm.Sub.Reg(asm.R2, asm.R3))
}

// takes is that nobody else is at work on the flow, and that the packet is the very next one of it.
func (p *builder) takes() {
	p.add(
		// Nobody else is at work on the flow.
		asm.Mov.Imm(asm.R0, runs),
		asm.Mov.Imm(asm.R1, runs|busy),
		onState(asm.CmpXchg),
		asm.JEq.Imm(asm.R0, runs, "mine"),
	)
	if !p.xdp {
		p.add(
			asm.JNE.Imm(asm.R0, runs|busy, "other"),
			asm.Mov.Imm(asm.R1, ^runs), // another processor has one of its packets now, too: which is the first?
			onState(asm.FetchAnd),
		)
	}
	p.add(
		asm.Ja.Label("other"),
		asm.JGT.Reg(asm.R2, asm.R9, "odd").WithSymbol("mine"),
	)
	p.size()
	p.add(
		asm.LoadMem(asm.R3, asm.R8, slotSize, asm.Word),
		asm.JNE.Reg(asm.R2, asm.R3, "odd"),
	)
	p.add(asm.LoadMem(asm.R2, asm.RFP, fpLength, asm.Half), asm.LoadMem(asm.R3, asm.R8, slotLength, asm.Half),
		asm.JNE.Reg(asm.R2, asm.R3, "odd"))
	p.same(atUDPLen, slotUDPLen, asm.Half)
	p.same(atRTP, slotFirst, asm.Half)
	p.same(atSSRC, slotSSRC, asm.Half)
	p.same(atSSRC+2, slotSSRC+2, asm.Half)
	p.add(
		asm.LoadMem(asm.R2, asm.R7, atUDPSum, asm.Half),
		asm.JEq.Imm(asm.R2, 0, "odd"), // without a checksum: RFC 768
	)
	if p.xdp {
		p.add(asm.LoadMem(asm.R3, asm.R8, slotBegun, asm.Half), asm.JEq.Reg(asm.R2, asm.R3, "odd"))
	}
	p.add(
		asm.LoadMem(asm.R2, asm.R7, atRTP+2, asm.Half),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.LoadMem(asm.R3, asm.R8, slotSeq, asm.Word),
		asm.Add.Imm(asm.R3, 1),
		asm.And.Imm(asm.R3, 0xffff),
		asm.JNE.Reg(asm.R2, asm.R3, "odd"),
	)
	p.stamp(asm.R2)
	p.add(
		asm.LoadMem(asm.R3, asm.R8, slotStamp, asm.Word),
		asm.LoadMem(asm.R4, asm.R8, slotSpan, asm.Word),
		asm.Add.Reg32(asm.R3, asm.R4),
		asm.JNE.Reg(asm.R2, asm.R3, "odd"),
	)
}

// times is that it comes neither too soon nor too late.
func (p *builder) times() {
	p.add(
		// When is it? R3 is the transit from here on.
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.RFP, fpNow, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R3, asm.R0),
		asm.LoadMem(asm.R2, asm.R8, slotStart, asm.DWord),
		asm.Sub.Reg(asm.R3, asm.R2),
		asm.LoadMem(asm.R2, asm.R8, slotTick, asm.Word),
		asm.Div.Reg(asm.R3, asm.R2),
	)
	p.stamp(asm.R5)
	p.add(
		asm.Sub.Reg32(asm.R3, asm.R5),
		asm.StoreMem(asm.RFP, fpTransit, asm.R3, asm.Word),
		asm.Mov.Reg32(asm.R2, asm.R3),
		asm.LoadMem(asm.R4, asm.R8, slotLeast, asm.Word),
		asm.Sub.Reg32(asm.R2, asm.R4),
		asm.JSLT.Imm32(asm.R2, 0, "odd"),
		asm.LoadMem(asm.R4, asm.R8, slotMost, asm.Word),
		asm.Sub.Reg32(asm.R4, asm.R3),
		asm.JSLT.Imm32(asm.R4, 0, "odd"),
	)
}

// notes is what is kept of the sound: how loud it is, its last byte, and all of it where there is a tape.
func (p *builder) notes(tapes, tables int) {
	p.loudness(tables)
	p.copied(tapes)
	// The last byte is what a crossfade begins at.
	p.add(
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMem(asm.R2, asm.R8, slotSize, asm.Word),
		asm.Sub.Imm(asm.R2, 1),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, fpLast),
		asm.Mov.Imm(asm.R4, 1),
		p.load.Call(),
		asm.JNE.Imm(asm.R0, 0, "odd"),
		asm.LoadMem(asm.R2, asm.RFP, fpLast, asm.Byte),
		asm.StoreMem(asm.R8, slotLast, asm.R2, asm.Word),
	)
}

// rewrites is that it leaves as the hearer's.
func (p *builder) rewrites() {
	p.add(asm.LoadMem(asm.R2, asm.R8, slotShift, asm.Word), asm.JNE.Imm(asm.R2, 0, "header6"))
	for i := int16(0); i < 20; i += 2 {
		p.add(asm.LoadMem(asm.R2, asm.R8, slotIP+i, asm.Half), asm.StoreMem(asm.R7, atIP+i, asm.R2, asm.Half))
	}
	p.add(
		asm.Ja.Label("addressed"),
		asm.LoadMem(asm.R1, asm.R6, p.data, asm.Word).WithSymbol("header6"),
		asm.LoadMem(asm.R3, asm.R6, p.dataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Add.Imm(asm.R2, atUDP+longer),
		asm.JGT.Reg(asm.R2, asm.R3, "odd"), // never, which the kernel's verifier cannot know
	)
	for i := int16(0); i < 40; i += 2 {
		p.add(asm.LoadMem(asm.R2, asm.R8, slotIP+i, asm.Half), asm.StoreMem(asm.R1, atIP+i, asm.R2, asm.Half))
	}
	p.add(asm.Mov.Imm(asm.R0, 0).WithSymbol("addressed"))
	// Ports and RTP header, as they are and as they will be.
	for i, at := range []int16{atUDP, atUDP + 2, atRTP, atRTP + 2, atStamp, atStamp + 2, atSSRC, atSSRC + 2} {
		p.add(asm.LoadMem(asm.R2, asm.R7, at, asm.Half), asm.StoreMem(asm.RFP, fpBefore+2*int16(i), asm.R2, asm.Half))
	}
	p.add(
		asm.LoadMem(asm.R2, asm.R8, slotPorts, asm.Word),
		asm.StoreMem(asm.RFP, fpAfter, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R8, slotNew, asm.Half),
		asm.StoreMem(asm.RFP, fpAfter+4, asm.R2, asm.Half),
		asm.LoadMem(asm.R2, asm.R8, slotSeq, asm.Word),
		asm.Add.Imm(asm.R2, 1),
		asm.And.Imm(asm.R2, 0xffff),
		asm.StoreMem(asm.R8, slotSeq, asm.R2, asm.Word),
		asm.LoadMem(asm.R3, asm.R8, slotAddSeq, asm.Word),
		asm.Add.Reg(asm.R2, asm.R3),
		asm.HostTo(asm.BE, asm.R2, asm.Half),
		asm.StoreMem(asm.RFP, fpAfter+6, asm.R2, asm.Half),
		asm.LoadMem(asm.R2, asm.R8, slotStamp, asm.Word),
		asm.LoadMem(asm.R3, asm.R8, slotSpan, asm.Word),
		asm.Add.Reg32(asm.R2, asm.R3),
		asm.StoreMem(asm.R8, slotStamp, asm.R2, asm.Word),
		asm.LoadMem(asm.R3, asm.R8, slotAddTime, asm.Word),
		asm.Add.Reg32(asm.R2, asm.R3),
		asm.HostTo(asm.BE, asm.R2, asm.Word),
		asm.StoreMem(asm.RFP, fpAfter+8, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R8, slotNewSSRC, asm.Word),
		asm.StoreMem(asm.RFP, fpAfter+12, asm.R2, asm.Word),
	)
	for i, at := range []int16{atUDP, atUDP + 2, atRTP, atRTP + 2, atStamp, atStamp + 2, atSSRC, atSSRC + 2} {
		p.add(asm.LoadMem(asm.R2, asm.RFP, fpAfter+2*int16(i), asm.Half), asm.StoreMem(asm.R7, at, asm.R2, asm.Half))
	}
}

// counts is what reports are made of.
func (p *builder) counts() {
	// What is counted: RFC 3550 §A.8 for the jitter.
	p.add(
		asm.LoadMem(asm.R2, asm.RFP, fpNow, asm.DWord),
		asm.StoreMem(asm.R8, slotAt, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R8, slotPackets, asm.DWord),
		asm.Add.Imm(asm.R2, 1),
		asm.StoreMem(asm.R8, slotPackets, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.RFP, fpTransit, asm.Word),
		asm.LoadMem(asm.R3, asm.R8, slotTransit, asm.Word),
		asm.StoreMem(asm.R8, slotTransit, asm.R2, asm.Word),
		asm.Sub.Reg32(asm.R2, asm.R3),
		asm.JSGE.Imm32(asm.R2, 0, "later"),
		asm.Neg.Imm32(asm.R2, 0),
		asm.LoadMem(asm.R3, asm.R8, slotJitter, asm.Word).WithSymbol("later"),
		asm.Add.Reg32(asm.R2, asm.R3),
		asm.Add.Imm32(asm.R3, 8),
		asm.RSh.Imm32(asm.R3, 4),
		asm.Sub.Reg32(asm.R2, asm.R3),
		asm.StoreMem(asm.R8, slotJitter, asm.R2, asm.Word),
	)
}

// leaves is the way out, and that of what stays.
func (p *builder) leaves() {
	stays, free := int32(noneOfMe), int32(^(runs | busy))
	if p.xdp {
		p.sums()
		p.turns()
		stays, free = toStack, ^busy
	} else {
		p.mends()
		p.goes()
	}
	p.add(
		asm.Mov.Imm(asm.R1, free).WithSymbol("odd"),
		onState(asm.FetchAnd),
		asm.Mov.Imm(asm.R0, stays).WithSymbol("other"),
		asm.Return(),
	)
}

// changes has R0 be a checksum, in R5, and what ports and RTP header change of it.
func (p *builder) changes() {
	p.add(
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, fpBefore),
		asm.Mov.Imm(asm.R2, 16),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, fpAfter),
		asm.Mov.Imm(asm.R4, 16),
		asm.FnCsumDiff.Call(),
	)
}

// mends is the checksum, which a packet of this machine has only begun: bpf_l4_csum_replace knows.
func (p *builder) mends() {
	p.add(asm.Mov.Imm(asm.R5, 0))
	p.changes()
	p.add(
		asm.Mov.Reg(asm.R4, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMem(asm.R2, asm.R8, slotShift, asm.Word),
		asm.Add.Imm(asm.R2, atUDPSum),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R5, mangledZero),
		asm.FnL4CsumReplace.Call(),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMem(asm.R2, asm.R8, slotShift, asm.Word),
		asm.Add.Imm(asm.R2, atUDPSum),
		asm.Mov.Imm(asm.R3, 0),
		asm.LoadMem(asm.R4, asm.R8, slotPseudo, asm.Word),
		asm.Mov.Imm(asm.R5, pseudoHeader|mangledZero),
		asm.FnL4CsumReplace.Call(),
	)
}

// goes sends it on by its interface, or to this machine.
func (p *builder) goes() {
	p.add(
		asm.LoadMem(asm.R7, asm.R8, slotOut, asm.Word),
		asm.Mov.Imm(asm.R1, ^busy),
		onState(asm.FetchAnd),
		asm.JNE.Imm(asm.R7, 0, "out"),
		asm.Mov.Imm(asm.R0, passOn),
		asm.Return(),
		asm.Mov.Reg(asm.R1, asm.R7).WithSymbol("out"),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRedirectNeigh.Call(),
		asm.Return(),
	)
}

// sums is the checksum, of a packet that has it whole: RFC 1624, one of 0 is said as 0xffff.
func (p *builder) sums() {
	p.add(asm.LoadMem(asm.R5, asm.R7, atUDPSum, asm.Half), asm.Xor.Imm(asm.R5, 0xffff))
	p.changes()
	p.add(
		asm.Mov.Reg32(asm.R0, asm.R0),
		asm.LoadMem(asm.R2, asm.R8, slotPseudo, asm.Word),
		asm.Add.Reg(asm.R0, asm.R2),
	)
	for range 3 {
		p.add(asm.Mov.Reg(asm.R2, asm.R0), asm.And.Imm(asm.R2, 0xffff), asm.RSh.Imm(asm.R0, 16),
			asm.Add.Reg(asm.R0, asm.R2))
	}
	p.add(
		asm.Xor.Imm(asm.R0, 0xffff),
		asm.JNE.Imm(asm.R0, 0, "whole sum"),
		asm.Mov.Imm(asm.R0, 0xffff),
		asm.StoreMem(asm.R7, atUDPSum, asm.R0, asm.Half).WithSymbol("whole sum"),
	)
}

// turns sends it back out of the interface that it came by.
func (p *builder) turns() {
	p.add(
		asm.LoadMem(asm.R1, asm.R6, p.data, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, p.dataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.Add.Imm(asm.R2, atIP),
		asm.JGT.Reg(asm.R2, asm.R3, "odd"), // never, which the kernel's verifier cannot know
		asm.LoadMem(asm.R2, asm.RFP, fpHop, asm.DWord),
	)
	for i := int16(0); i < 6; i += 2 {
		p.add(asm.StoreMem(asm.R1, i, asm.R2, asm.Half), asm.RSh.Imm(asm.R2, 16),
			asm.LoadMem(asm.R3, asm.R8, slotOurs+i, asm.Half), asm.StoreMem(asm.R1, 6+i, asm.R3, asm.Half))
	}
	p.add(
		asm.Mov.Imm(asm.R1, ^busy),
		onState(asm.FetchAnd),
		asm.Mov.Imm(asm.R0, sendBack),
		asm.Return(),
	)
}

// lookedAt is where the i-th byte of a payload is that is looked at for its loudness: so spread that no tone hides
// between them.
func lookedAt(i int) int { return i*stride + i*3%stride }

// loudness adds up the squares of some of the payload's bytes. R9 is the packet's end.
func (p *builder) loudness(tables int) {
	p.add(
		asm.LoadMem(asm.R9, asm.R6, p.dataEnd, asm.Word),
		asm.LoadMem(asm.R2, asm.R8, slotLoud, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "quiet"),
		asm.StoreImm(asm.RFP, fpNumber, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, tables),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, fpNumber),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "quiet"),
		asm.LoadMem(asm.R2, asm.R8, slotLoud, asm.Word),
		asm.Sub.Imm(asm.R2, 1),
		asm.And.Imm(asm.R2, 1),
		asm.LSh.Imm(asm.R2, 10), // 256 numbers of 4 bytes
		asm.Add.Reg(asm.R0, asm.R2),
		asm.Mov.Imm(asm.R4, 0), // sum
		asm.Mov.Imm(asm.R5, 0), // samples
	)
	for i := int16(0); i < MostPayload/stride; i++ {
		at := atPayload + int16(lookedAt(int(i)))
		p.add(
			asm.Mov.Reg(asm.R3, asm.R7),
			asm.Add.Imm(asm.R3, int32(at)+1),
			asm.JGT.Reg(asm.R3, asm.R9, "summed"),
			asm.LoadMem(asm.R3, asm.R7, at, asm.Byte),
			asm.LSh.Imm(asm.R3, 2),
			asm.Mov.Reg(asm.R1, asm.R0),
			asm.Add.Reg(asm.R1, asm.R3),
			asm.LoadMem(asm.R3, asm.R1, 0, asm.Word),
			asm.Add.Reg(asm.R4, asm.R3),
			asm.Add.Imm(asm.R5, 1),
		)
	}
	p.add(
		asm.LoadMem(asm.R2, asm.R8, slotSquares, asm.DWord).WithSymbol("summed"),
		asm.Add.Reg(asm.R2, asm.R4),
		asm.StoreMem(asm.R8, slotSquares, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R8, slotSamples, asm.Word),
		asm.Add.Reg(asm.R2, asm.R5),
		asm.StoreMem(asm.R8, slotSamples, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("quiet"),
	)
}

// copied puts when the packet has come, and its payload, on the flow's tape, over the oldest that it has.
func (p *builder) copied(tapes int) {
	p.add(
		asm.LoadMem(asm.R2, asm.R8, slotTape, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "copied"),
		asm.Sub.Imm(asm.R2, 1),
		asm.StoreMem(asm.RFP, fpNumber, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, tapes),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, fpNumber),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "odd"),
		asm.LoadMem(asm.R1, asm.R8, slotPackets, asm.DWord),
		asm.LoadMem(asm.R2, asm.R8, slotCells, asm.Word),
		asm.Mod.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R2, asm.R8, slotCell, asm.Word),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.JGT.Imm(asm.R1, tapeBytes-tapeHeader-MostPayload, "odd"),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.LoadMem(asm.R2, asm.RFP, fpNow, asm.DWord),
		asm.StoreMem(asm.R0, 0, asm.R2, asm.DWord),
		asm.Mov.Reg(asm.R3, asm.R0),
		asm.Add.Imm(asm.R3, tapeHeader),
		asm.LoadMem(asm.R2, asm.R8, slotShift, asm.Word),
		asm.Add.Imm(asm.R2, atPayload),
		asm.LoadMem(asm.R4, asm.R8, slotSize, asm.Word),
		asm.Sub.Reg(asm.R4, asm.R2),
		asm.JGT.Imm(asm.R4, MostPayload, "odd"),
		asm.JLT.Imm(asm.R4, LeastPayload, "odd"),
		asm.Mov.Reg(asm.R1, asm.R6),
		p.load.Call(),
		asm.JNE.Imm(asm.R0, 0, "odd"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("copied"),
	)
}
