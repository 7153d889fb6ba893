package leg

import "testing"

// BenchmarkCall is one answered call of two legs with everything that they send:
// INVITE, 100, 180, 200, ACK, BYE, 200, and the time until both are Done.
func BenchmarkCall(b *testing.B) {
	cfg := testConfig(1)
	localA, localB := localAt(addrA, mediaA, "tcp"), localAt(addrB, mediaB, "tcp")
	cmd := inviteTo(b, addrB, "tcp")
	wayA := Flow{Network: "lab", Transport: "tcp", Local: addrA, Remote: addrB}
	wayB := Flow{Network: "lab", Transport: "tcp", Local: addrB, Remote: addrA}
	b.ReportAllocs()
	for b.Loop() {
		now := epoch
		caller := NewOutbound(cfg, localA)
		var callee *Leg
		var toB, toA func(Out)
		toB = func(out Out) {
			for _, p := range out.Packets {
				if p.Flow = wayB; callee == nil {
					var first Out
					callee, first = NewInbound(cfg, now, p, localB)
					toA(first)
				} else {
					toA(callee.Receive(now, p))
				}
			}
		}
		toA = func(out Out) {
			for _, p := range out.Packets {
				p.Flow = wayA
				toB(caller.Receive(now, p))
			}
		}
		toB(caller.Do(now, cmd))
		toA(callee.Do(now, Progress{Code: 180}))
		toA(callee.Do(now, Answer{}))
		toB(caller.Do(now, End{}))
		for _, l := range []*Leg{caller, callee} {
			for at, ok := l.Deadline(); ok && !l.Done(); at, ok = l.Deadline() {
				l.Tick(at)
			}
			if !l.Done() {
				b.Fatal("not done")
			}
		}
	}
}
