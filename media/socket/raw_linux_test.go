package socket

import (
	"fmt"
	"net/netip"
	"testing"
)

// TestRawSources: with a foot in several networks each datagram leaves with the address and the
// port of its own leg, and comes whole.
func TestRawSources(t *testing.T) {
	all, err := Open(1, Config{Raw: true}, discard)
	if err != nil {
		t.Fatal(err)
	}
	defer StopAll(all)
	net := all[0].(*epollNet)
	if net.raw == nil {
		t.Skip("no raw socket can be had here")
	}
	to := mustOpen(t, net)
	net.Watch(to, Promptly)
	want := map[string]netip.AddrPort{}
	for host := byte(1); host <= 3; host++ {
		from, err := net.Open(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, host}), 0))
		if err != nil {
			t.Fatal(err)
		}
		net.Watch(from, OnDemand)
		word := fmt.Sprint("from ", host, " of odd and even length"[:20+host])
		want[word] = net.table[from].Load().local
		net.Queue(from, net.table[to].Load().local, []byte(word))
	}
	if sent, failed := net.Flush(); sent != len(want) || failed != 0 {
		t.Fatalf("%d sent and %d failed, want %d", sent, failed, len(want))
	}
	if len(net.raw.senders) < len(want) {
		t.Errorf("%d raw sockets for %d addresses", len(net.raw.senders), len(want))
	}
	eventually(t, "all have come", func() bool {
		net.Poll(0)
		net.Drain(func(p Packet) {
			if from, ok := want[string(p.Data)]; !ok || p.From != from {
				t.Errorf("%q from %v, want %v", p.Data, p.From, from)
			}
			delete(want, string(p.Data))
		})
		return len(want) == 0
	})
}
