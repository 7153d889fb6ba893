package socket

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"liandong/media/socket/sys"
)

// TestTickQueue: what waits comes out in order, once, to its own socket; what is full or too long is
// said, and slots come back.
func TestTickQueue(t *testing.T) {
	var s tickQueue
	for _, socket := range []ID{5, 9} {
		s.grow(socket)
	}
	packet := func(socket ID, word string) Packet {
		return Packet{Socket: socket, From: netip.MustParseAddrPort("127.0.0.1:4000"), Data: []byte(word)}
	}
	for round := range 3 * queueSlots {
		for i := range 3 {
			if !s.put(packet(5, fmt.Sprint(round, i))) || !s.put(packet(9, "other")) {
				t.Fatalf("round %d: no room", round)
			}
		}
		var got []string
		s.collect(5, func(p Packet) { got = append(got, string(p.Data)) })
		if want := []string{fmt.Sprint(round, 0), fmt.Sprint(round, 1), fmt.Sprint(round, 2)}; !slices.Equal(got,
			want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
		s.collect(5, func(Packet) { t.Fatal("it came twice") })
		s.drop(9)
	}
	if s.put(Packet{Socket: 5, Data: make([]byte, queueBytes+1)}) {
		t.Error("a packet was cut")
	}
	for n := 0; s.put(packet(9, "x")); n++ {
		if n >= queueSlots {
			t.Fatal("there is no end to it")
		}
	}
	n := 0
	if s.collect(9, func(Packet) { n++ }); n != queueSlots-1 {
		t.Errorf("%d packets of a full queue, want %d", n, queueSlots-1)
	}
}

// TestQueueTurned: what came while a party was mixed is handed over when it is relayed from now on.
func TestQueueTurned(t *testing.T) {
	all, err := Open(1, Config{Steered: true}, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer StopAll(all)
	net := all[0].(*epollNet)
	if net.steered == nil {
		t.Skip("packets cannot be steered here")
	}
	from, to := mustOpen(t, net), mustOpen(t, net)
	net.Watch(to, OnDemand)
	port := netip.AddrPortFrom(loopback, sys.BoundPort(int(to)))
	net.Queue(from, port, []byte("early"))
	net.Flush()
	eventually(t, "it is in the queue", func() bool {
		net.Poll(0)
		net.Drain(func(Packet) { t.Fatal("it was handed over before it was asked for") })
		return net.steered.waiting.lists[to] != list{}
	})
	net.Watch(to, Promptly)
	came := ""
	net.Drain(func(p Packet) { came = string(p.Data) })
	if came != "early" {
		t.Errorf("got %q", came)
	}
}

func mustOpen(t *testing.T, net Transport) ID {
	t.Helper()
	s, err := net.Open(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
