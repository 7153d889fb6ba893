// Package pcmtest is sound for tests, and a look at it.
package pcmtest

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/cmplx"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Speech is the switch's own announcements one behind the other, half a minute at 8 kHz; the test runs in a
// folder below media.
func Speech(t testing.TB) []int16 {
	t.Helper()
	files, err := filepath.Glob("../../configs/prompts/zh/*.wav")
	if err != nil || len(files) == 0 {
		t.Fatalf("no speech: %v", err)
	}
	slices.Sort(files)
	var out []int16
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil || len(b) < 44 || string(b[36:40]) != "data" || binary.LittleEndian.Uint32(b[24:]) != 8000 {
			t.Fatalf("%s: not plain sound of 8 kHz: %v", name, err)
		}
		for b = b[44:]; len(b) > 1; b = b[2:] {
			out = append(out, int16(binary.LittleEndian.Uint16(b)))
		}
	}
	return out
}

// FFT is the Fourier transform in place, radix 2, by decimation in frequency.
func FFT(x []complex128) {
	n := len(x)
	for size := n; size > 1; size /= 2 {
		for k := range size / 2 {
			turn := cmplx.Rect(1, -2*math.Pi*float64(k)/float64(size))
			for i := k; i < n; i += size {
				a, b := x[i], x[i+size/2]
				x[i], x[i+size/2] = a+b, (a-b)*turn
			}
		}
	}
	shift := 64 - bits.TrailingZeros(uint(n))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
}
