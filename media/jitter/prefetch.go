package jitter

import "unsafe"

const (
	cacheLine = 64
	payload   = 160 // bytes of G.711 in a tick
)

// Prefetch reads a byte of each cache line that the next Push and Pop need, so that the memory
// gives them all at once. What it returns means nothing.
func (b *Buffer) Prefetch() (sum byte) {
	for i := uintptr(0); i < unsafe.Offsetof(b.pace.spans)+unsafe.Offsetof(b.pace); i += cacheLine {
		sum += *(*byte)(unsafe.Add(unsafe.Pointer(b), i))
	}
	sum += byte(b.store.count) + byte(b.store.packets[2].ts) // two lines: of the packets few are there
	sum += touch(b.store.bytes, b.store.used)
	if b.store.count > 0 {
		sum += touch(b.store.bytes, int(b.store.first().at))
	}
	return sum
}

func touch(bytes []byte, from int) (sum byte) {
	for i := from; i < min(len(bytes), from+payload+cacheLine); i += cacheLine {
		sum += bytes[i]
	}
	return sum
}
