package jitter_test

import (
	"fmt"
	"time"

	"liandong/media/codec"
	"liandong/media/jitter"
)

// Packets that the network has put out of order are played in order, and a gap is told as such.
func Example() {
	const frame = 20 * time.Millisecond
	b := jitter.New(jitter.Default())
	now := time.Unix(0, 0)
	for _, arriving := range [][]uint16{{0}, {2, 1}, {}, {4}, {5}, {6}, {7}} { // 3 is lost
		for _, n := range arriving {
			b.Push(now, jitter.Packet{Codec: codec.PCMA, Seq: n, TS: uint32(n) * 160, Span: 160,
				Payload: []byte{byte(n)}})
		}
		switch s := b.Pop(now, 160); s.Kind {
		case jitter.Play:
			fmt.Print(s.Payload[0], " ")
		case jitter.Conceal:
			fmt.Print(s.Kind, " ")
		}
		now = now.Add(frame)
	}
	fmt.Println("lost:", b.Stats().Lost)
	// Output: 0 1 2 conceal 4 5 lost: 1
}
