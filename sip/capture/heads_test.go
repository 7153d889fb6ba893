package capture

import (
	"net/netip"
	"testing"
	"time"
)

func rtpAt(at time.Time, leg uint32, n int) RTP {
	p := RTP{At: at, Leg: leg, Network: "lab", Local: netip.MustParseAddrPort("10.0.0.1:20000"),
		Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(40000+leg)), Size: 172}
	p.Head = [RTPHead]byte{0x80, 8, byte(n >> 8), byte(n)}
	return p
}

// The last packets of a call are kept as they came, however many come, and of however many addresses.
func TestHeadsAreBounded(t *testing.T) {
	h, at := NewHeads(), time.Unix(1000, 0)
	for i := range mostHeads + 10 {
		h.Put(rtpAt(at.Add(time.Duration(i)*time.Millisecond), 1, i))
	}
	all := h.All()
	if len(all) != mostHeads {
		t.Fatalf("%d are kept", len(all))
	}
	for i, p := range all {
		if want := rtpAt(at.Add(time.Duration(i+10)*time.Millisecond), 1, i+10); p != want {
			t.Fatalf("%d: %+v, want %+v", i, p, want)
		}
	}
	for leg := range uint32(2 * mostFlows) {
		h.Put(rtpAt(at, leg, 0))
	}
	if len(h.flows) != mostFlows {
		t.Errorf("%d flows", len(h.flows))
	}
	if n := testing.AllocsPerRun(100, func() { h.Put(rtpAt(at, 1, 1)) }); n > 0 {
		t.Errorf("%v allocations for a packet", n)
	}
	before := h.next
	h.mu.Lock() // somebody reads: who carries the sound does not wait
	h.Put(rtpAt(at, 1, 1))
	h.mu.Unlock()
	if h.next != before {
		t.Error("a packet was kept while somebody read")
	}
}
