package jitter

import "unsafe"

const (
	cacheLine = 64
	payload   = 160 // bytes of G.711 in a tick
)

// Prefetch reads a byte of each cache line that the next Push and Pop need, so that the memory
// gives them all at once. What it returns means nothing.
func (b *Buffer) Prefetch() (sum byte) {
	for i := uintptr(0); i < unsafe.Offsetof(b.pace)+unsafe.Offsetof(b.pace.spans); i += cacheLine {
		sum += *(*byte)(unsafe.Add(unsafe.Pointer(b), i))
	}
	if b.store.count() == 0 {
		return sum + touch(b.store.bytes, 0)
	}
	first := b.store.first()
	return sum + touch(b.store.bytes, int(first.at)) + touch(b.store.bytes, b.store.used)
}

func touch(bytes []byte, from int) (sum byte) {
	for i := from; i < min(len(bytes), from+payload+cacheLine); i += cacheLine {
		sum += bytes[i]
	}
	return sum
}
