// Package kernel has the kernel pass RTP on from one port to another, without a system call, a copy or a wake-up for
// a packet: programs of the traffic control (BPF_PROG_TYPE_SCHED_CLS, attached as TCX, Linux 6.6) at the interfaces on
// which sound comes in rewrite what belongs to a Flow and send it out again.
//
// The kernel carries what is regular and nothing else: packets of IPv4 with neither options nor fragments, or of IPv6
// without extension headers, of the one source and by the interface that leads to it, RTP of version 2 without padding,
// extension, contributing sources or marker, of one SSRC, payload type and size, each the very next in number and in
// time, as far ahead of real time or behind it as the flow allows. The first packet that is anything else ends it:
// it comes up to the port's own socket, and so does all that follows, in the order in which it came. Who gave the flow
// reads where it has ended and goes on from there. Others' packets, and what comes in by other interfaces, come up
// beside it.
//
// Where Open is told to, a program of XDP stands before that at the interfaces whose drivers have it: it sends back
// what leaves by the interface that it came by, and passes on all else.
//
// What has passed is counted in memory that the kernel shares with the process (BPF_F_MMAPABLE): reading it is no
// system call either. So are the newest packets of a flow that is Taped, which the program copies there before it sends
// them out: whoever records reads them from time to time, many at once, and nobody is woken up for them. Maps, program
// and links can be held by a keeper: flows, and tapes, go on while there is no process.
package kernel

import (
	"errors"
	"net/netip"
	"time"
)

// MostFlows is how many flows there can be at a time.
const MostFlows = 1 << 14

// MostTapes is how many of them can be Taped.
const MostTapes = 2048

// ErrFull says that there are as many flows, or tapes, as there can be.
var ErrFull = errors.New("kernel: as many flows as there can be")

// Loud is by which table the loudness of a flow is measured.
type Loud uint32

const (
	Unheard Loud = iota // it is not
	ByFirst             // by the first of the tables that Open was given
	BySecond
)

// stride is of how many bytes of a payload one is looked at for its loudness.
const stride = 8

const (
	// LeastPayload and MostPayload are the bytes of sound that a packet of a flow may have.
	LeastPayload = 20
	MostPayload  = 480
)

// Flow is what comes from a party to one of our ports and leaves to another party by another of our ports.
type Flow struct {
	From, At netip.AddrPort // it comes from there to us
	By, To   netip.AddrPort // and leaves by our port
	SSRC     uint32
	OutSSRC  uint32
	PT       uint8
	OutPT    uint8
	Payload  int // bytes of each packet

	Seq       uint16 // of the newest packet that has come
	Timestamp uint32
	Span      uint32 // ticks from a packet to the next
	AddSeq    uint16 // makes the number of what leaves
	AddStamp  uint32

	Clock    uint32    // ticks of a millisecond
	Start    time.Time // when the ticks of arrival are counted from
	Transit  uint32    // RFC 3550 §A.8: arrival less timestamp of the newest packet, in ticks
	Jitter   uint32    // §A.8: in ticks, times 16
	Earliest uint32    // the least transit, and the greatest, of what is regular
	Latest   uint32
	Loud     Loud
	Taped    bool // what passes can be read by Copy
}

// Progress is how far a flow has come.
type Progress struct {
	Runs      bool   // false: it has ended, what comes from now on comes up
	Packets   uint64 // that have passed since Put
	Seq       uint16 // of the newest, as it came
	Timestamp uint32
	At        time.Time // when it came; without a packet that of Put
	Transit   uint32
	Jitter    uint32
	Squares   uint64 // of the bytes that were looked at, by the table; all since Put
	Samples   uint32 // how many those were
	Last      byte   // of the newest payload
}

// Slot names a flow.
type Slot uint32
