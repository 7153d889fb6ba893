package socket

import (
	"errors"
	"net/netip"
	"time"
)

// ErrClosed says that the transport has been stopped.
var ErrClosed = errors.New("socket: closed")

const (
	DatagramSize = 1500 // bytes: RTP of 60 ms G.711 is 492; longer ones are cut and then refused by the parser
	MaxShards    = 256  // transports of one Open
)

// Config says how datagrams are moved.
type Config struct {
	Portable bool // by package net, on Linux too
	Raw      bool // leaving through raw sockets, where the process may
	Steered  bool // coming in through one socket for each transport, where the process may

	Keeper Keeper // nil: what is open ends with the process. Not of the portable transport
}

// Keeper holds descriptors for the process that comes after this one. Its methods may be called by anyone.
type Keeper interface {
	Take(name string) (fd int, ok bool) // what the process before had; it is the caller's from now on
	Hold(name string, fd int)           // keeps a duplicate
	Drop(name string)                   // forgets it
	Kept(prefix string) []string        // names of what the process before had and nobody has taken
}

// Default takes every fast path that the process may take.
func Default() Config { return Config{Raw: true, Steered: true} }

// StopAll stops transports.
func StopAll(all []Transport) {
	for _, t := range all {
		t.Stop()
	}
}

// ID names an open port of a Transport. After Close it may come to name another.
type ID uint32

// Packet is a datagram that came in. Data is only good within the call of
// Drain or Collect that hands it over.
type Packet struct {
	Socket ID
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
	Idly                 // by Drain, when it costs least: of a port that nobody has
)

// Transport moves the datagrams of one shard. Open, Wake, Lost, and Close of what has never been
// watched may be called by anyone; the rest, and Stop last of all, only by the shard's thread.
type Transport interface {
	Name() string                               // for the log and the metrics
	Open(local netip.AddrPort) (ID, error)      // bound: nobody else gets the port until Close
	Close(s ID)                                 //
	Watch(s ID, c Care)                         // a socket is OnDemand before its first Watch
	Wake()                                      // ends Poll, or the next one, within a millisecond
	Poll(wait time.Duration)                    // until something came in, Wake, or so long
	Drain(receive func(Packet))                 // hands over what came in, never waits
	Collect(s ID, receive func(Packet))         // hands over what came in to s, never waits
	Queue(s ID, to netip.AddrPort, data []byte) // data is free again on return
	Flush() (sent, failed int)                  // everything queued leaves
	Lost() uint64                               // packets that came in and found no room
	// closes all sockets and waits for what it started; a Keeper has them still
	Stop()
}
