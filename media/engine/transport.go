package engine

import (
	"net/netip"
	"time"
)

// Socket names an open port of a Transport. After Close it may come to name another.
type Socket uint32

// Packet is a datagram that came in. Data is only good within the call of
// Drain or Collect that hands it over.
type Packet struct {
	Socket Socket
	From   netip.AddrPort
	Data   []byte
	Waited time.Duration // before it was read, as far as is known; of those that are looked for Slowly
}

// Care is how soon what comes to a socket is to be handed over.
type Care uint8

const (
	OnDemand Care = iota // by Collect, but Drain may be earlier
	Slowly               // by Drain, some times a second: RTCP
	Promptly             // it ends Poll, and Drain hands it over
)

// Transport moves the datagrams of one shard. Open, Close, Wake and Lost may be called
// by anyone; the rest, and Stop last of all, only by the shard's thread.
type Transport interface {
	Name() string                                   // for the log and the metrics
	Open(local netip.AddrPort) (Socket, error)      // bound: nobody else gets the port until Close
	Close(s Socket)                                 //
	Watch(s Socket, c Care)                         // a socket is OnDemand before its first Watch
	Wake()                                          // ends Poll, or the next one, within a millisecond
	Poll(wait time.Duration)                        // until something came in, Wake, or so long
	Drain(receive func(Packet))                     // hands over what came in, never waits
	Collect(s Socket, receive func(Packet))         // hands over what came in to s, never waits
	Queue(s Socket, to netip.AddrPort, data []byte) // data is free again on return
	Flush() (sent, failed int)                      // everything queued leaves
	Lost() uint64                                   // packets that came in and found no room
	Stop()                                          // closes all sockets and waits for what it started
}
