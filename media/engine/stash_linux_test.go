package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// TestStash: what waits comes out in order, once, to its own socket; what is full or too long is
// said, and slots come back.
func TestStash(t *testing.T) {
	var s stash
	for _, socket := range []Socket{5, 9} {
		s.grow(socket)
	}
	packet := func(socket Socket, word string) Packet {
		return Packet{Socket: socket, From: netip.MustParseAddrPort("127.0.0.1:4000"), Data: []byte(word)}
	}
	for round := range 3 * stashSlots {
		for i := range 3 {
			if !s.put(packet(5, fmt.Sprint(round, i))) || !s.put(packet(9, "other")) {
				t.Fatalf("round %d: no room", round)
			}
		}
		var got []string
		s.collect(5, func(p Packet) { got = append(got, string(p.Data)) })
		if want := []string{fmt.Sprint(round, 0), fmt.Sprint(round, 1), fmt.Sprint(round, 2)}; !slices.Equal(got, want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
		s.collect(5, func(Packet) { t.Fatal("it came twice") })
		s.drop(9)
	}
	if s.put(Packet{Socket: 5, Data: make([]byte, stashBytes+1)}) {
		t.Error("a packet was cut")
	}
	for n := 0; s.put(packet(9, "x")); n++ {
		if n >= stashSlots {
			t.Fatal("there is no end to it")
		}
	}
	n := 0
	if s.collect(9, func(Packet) { n++ }); n != stashSlots-1 {
		t.Errorf("%d packets of a full stash, want %d", n, stashSlots-1)
	}
}

// TestStashTurned: what came while a party was mixed is handed over when it is relayed from now on.
func TestStashTurned(t *testing.T) {
	all, err := linuxTransports(1, false, true, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer stopAll(all)
	net := all[0].(*epollNet)
	if net.steered == nil {
		t.Skip("packets cannot be steered here")
	}
	from, to := mustOpen(t, net), mustOpen(t, net)
	net.Watch(to, OnDemand)
	port := netip.AddrPortFrom(labNetwork.Address, boundPort(int(to)))
	net.Queue(from, port, []byte("early"))
	net.Flush()
	eventually(t, "it is in the stash", func() bool {
		net.Poll(0)
		net.Drain(func(Packet) { t.Fatal("it was handed over before it was asked for") })
		return net.steered.stash.lists[to] != queue{}
	})
	net.Watch(to, Promptly)
	came := ""
	net.Drain(func(p Packet) { came = string(p.Data) })
	if came != "early" {
		t.Errorf("got %q", came)
	}
}

func mustOpen(t *testing.T, net Transport) Socket {
	t.Helper()
	s, err := net.Open(netip.AddrPortFrom(labNetwork.Address, 0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
