package codec

import (
	"bytes"
	"testing"
)

// RFC 6716 §3.1 table 2, in hundredths of milliseconds.
var opusTable2 = [32]int{
	1000, 2000, 4000, 6000, // SILK, narrowband
	1000, 2000, 4000, 6000, // mediumband
	1000, 2000, 4000, 6000, // wideband
	1000, 2000, // hybrid, super-wideband
	1000, 2000, // fullband
	250, 500, 1000, 2000, // CELT, narrowband
	250, 500, 1000, 2000, // wideband
	250, 500, 1000, 2000, // super-wideband
	250, 500, 1000, 2000, // fullband
}

func TestOpusFrameLengths(t *testing.T) {
	for config, length := range opusTable2 {
		ticks := length * 48 / 100
		for stereo := range 2 {
			toc := byte(config<<3 | stereo<<2)
			for _, test := range []struct {
				name   string
				packet []byte
				frames int
			}{
				{"one", []byte{toc, 1, 2, 3}, 1},
				{"one, empty: nothing to say", []byte{toc}, 1},
				{"two of one length", []byte{toc | 1, 1, 2, 3, 4}, 2},
				{"two", []byte{toc | 2, 1, 2, 3}, 2},
				{"three", []byte{toc | 3, 3, 1, 2, 3}, 3},
				{"two by count, with padding", []byte{toc | 3, 0xc2, 0}, 2},
			} {
				want := ticks * test.frames
				if want > 5760 {
					want = 0
				}
				if got := Opus.Ticks(test.packet); got != want {
					t.Errorf("configuration %d, %s: %d ticks, want %d", config, test.name, got, want)
				}
			}
		}
	}
}

// Each breaks the rule of RFC 6716 §3.4 in its name.
func TestOpusTicksOfTheCorrupt(t *testing.T) {
	for name, packet := range map[string][]byte{
		"R1: no byte":                 {},
		"R3: two frames, odd":         {1<<3 | 1, 1},
		"R5: 48 frames of 2.5 ms, +1": {16<<3 | 3, 49},
		"R5: 63 frames of 20 ms":      {1<<3 | 3, 63},
		"R6: no count":                {1<<3 | 3},
		"R5: no frames":               {1<<3 | 3, 0xc0},
	} {
		if got := Opus.Ticks(packet); got != 0 {
			t.Errorf("%s: %d ticks", name, got)
		}
	}
	if got := Opus.Ticks([]byte{16<<3 | 3, 48}); got != 5760 {
		t.Errorf("48 frames of 2.5 ms last %d ticks", got)
	}
}

func FuzzTicks(f *testing.F) {
	f.Add([]byte{0x4b, 0x83, 0})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if n := Opus.Ticks(payload); n < 0 || n > 5760 || n%120 != 0 {
			t.Fatalf("%d ticks", n)
		}
		if PCMA.Ticks(payload) != len(payload) || G722.Ticks(payload) != len(payload) {
			t.Fatal("bytes are not ticks")
		}
	})
}
