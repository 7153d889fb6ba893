package record

import (
	"bytes"
	"testing"
	"time"

	"liandong/media/codec"
)

func TestRingKeepsOrderAndContent(t *testing.T) {
	r := &ring{}
	var scratch [maxPayload]byte
	put, took := 0, 0
	size := func(i int) int { return 1 + i*37%maxPayload }
	for range 50 { // many times round, filled to the brim and emptied by half
		for r.put(packet{channel: put % 3, codec: codec.PCMU, ts: uint32(put), at: time.Duration(put),
			payload: noise(uint64(put), size(put))}) {
			put++
		}
		for range (put - took + 1) / 2 {
			p, ok := r.take(&scratch)
			if !ok || p.channel != took%3 || p.codec != codec.PCMU || p.ts != uint32(took) ||
				p.at != time.Duration(took) ||
				!bytes.Equal(p.payload, noise(uint64(took), size(took))) {
				t.Fatalf("packet %d came out as %+v", took, p)
			}
			took++
		}
	}
	if put < 100 {
		t.Fatalf("only %d packets fitted", put)
	}
}

// Two goroutines, no lock: run with -race.
func TestRingBetweenThreads(t *testing.T) {
	r := &ring{}
	const packets = 20000
	sound := noise(1, 160)
	done := make(chan int)
	go func() {
		var scratch [maxPayload]byte
		got := 0
		for next := uint32(0); next < packets; {
			p, ok := r.take(&scratch)
			if !ok {
				time.Sleep(time.Microsecond)
				continue
			}
			if p.ts != next || !bytes.Equal(p.payload, sound) {
				break
			}
			next, got = next+1, got+1
		}
		done <- got
	}()
	for i := uint32(0); i < packets; {
		if r.put(packet{ts: i, payload: sound}) {
			i++
		} else {
			time.Sleep(time.Microsecond)
		}
	}
	if got := <-done; got != packets {
		t.Fatalf("packet %d is not what was put", got)
	}
}
