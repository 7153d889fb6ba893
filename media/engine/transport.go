package engine

import (
	"net/netip"
	"time"
)

// Socket names an open port of a Transport. It is never used again.
type Socket uint32

// Packet is a datagram that came in. Data is only good within the call of
// Drain that hands it over.
type Packet struct {
	Socket Socket
	From   netip.AddrPort
	Data   []byte
}

// Transport moves the datagrams of one shard. Open, Close and Wake may be called
// by anyone; the rest, and Stop last of all, only by the shard's thread.
type Transport interface {
	Open(local netip.AddrPort) (Socket, error)
	Close(s Socket)
	Wake()                                          // ends Poll, or the next one
	Poll(wait time.Duration)                        // until something came in, Wake, or so long
	Drain(receive func(Packet))                     // hands over what came in, never waits
	Queue(s Socket, to netip.AddrPort, data []byte) // data is free again on return
	Flush() (sent, failed int)                      // everything queued leaves
	Lost() uint64                                   // packets that came in and found no room
	Stop()                                          // closes all sockets and waits for what it started
}
