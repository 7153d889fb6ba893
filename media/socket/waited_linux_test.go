package socket

import (
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestWaited: RTCP is looked for some times a second only; how long it lay there is told, so that no round trip is
// longer by it.
func TestWaited(t *testing.T) {
	nets, err := Open(1, Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	wire := nets[0]
	defer wire.Stop()
	s, err := wire.Open(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	local := wire.(*epollNet).table[s].Load().local
	wire.Watch(s, Slowly)
	phone, err := net.Dial("udp4", local.String())
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	good := 0
	// the kernel begins to note times a moment after it was asked to
	for deadline := time.Now().Add(patience); good < 3; {
		wire.Drain(func(Packet) {}) // so that the next look is a while away
		before := time.Now()
		if _, err := phone.Write([]byte{0x80, 201, 0, 1, 0, 0, 0, 1}); err != nil {
			t.Fatal(err)
		}
		waited, most := time.Duration(-1), time.Duration(0)
		for waited < 0 && time.Now().Before(deadline) {
			wire.Poll(5 * time.Millisecond)
			wire.Drain(func(p Packet) { waited, most = p.Waited, time.Since(before) })
		}
		if waited > most {
			t.Errorf("waited %v, read %v after it was sent", waited, most)
		}
		if waited > slowPeriod/2 {
			good++
		}
		if !time.Now().Before(deadline) {
			t.Fatalf("%d of 3 packets told that they waited; the last one %v of %v", good, waited, most)
		}
	}
}
