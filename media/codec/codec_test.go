package codec

import (
	"bytes"
	"testing"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		id   ID
		name string
		pt   uint8
		rate int
	}{{PCMA, "PCMA", 8, 8000}, {PCMU, "PCMU", 0, 8000}, {0, "", 0, 0}, {PCMU + 1, "", 0, 0}, {255, "", 0, 0}} {
		id := test.id
		if id.Name() != test.name || id.PayloadType() != test.pt || id.ClockRate() != test.rate || id.String() != test.name {
			t.Errorf("ID %d: %q, payload type %d, %d Hz", uint8(id), id.Name(), id.PayloadType(), id.ClockRate())
		}
		if id.Known() != (test.name != "") {
			t.Errorf("ID %d: known %v", uint8(id), id.Known())
		}
	}
}

func TestByName(t *testing.T) {
	for _, test := range []struct {
		name string
		want ID
	}{{"PCMA", PCMA}, {"PCMU", PCMU}, {"pcmu", PCMU}, {"PcmA", PCMA}, {"", 0}, {"G722", 0}, {"PCM", 0}} {
		if got, ok := ByName(test.name); got != test.want || ok != (test.want != 0) {
			t.Errorf("ByName(%q) = %d, %v", test.name, got, ok)
		}
	}
}

// The values that everyone knows by heart: digital silence and the two ends.
func TestKnownCodes(t *testing.T) {
	for _, test := range []struct {
		id     ID
		sample int16
		code   byte
	}{
		{PCMA, 0, 0xd5}, {PCMA, -1, 0x55}, {PCMA, 32767, 0xaa}, {PCMA, -32768, 0x2a},
		{PCMU, 0, 0xff}, {PCMU, -1, 0x7f}, {PCMU, 32767, 0x80}, {PCMU, -32768, 0x00},
	} {
		var code [1]byte
		Encode(test.id, code[:], []int16{test.sample})
		if code[0] != test.code {
			t.Errorf("%v: %d gives %#x, want %#x", test.id, test.sample, code[0], test.code)
		}
	}
}

func TestAsMuchAsFits(t *testing.T) {
	for _, id := range []ID{PCMA, PCMU} {
		if n := Encode(id, make([]byte, 3), make([]int16, 5)); n != 3 {
			t.Errorf("%v: encoded %d", id, n)
		}
		if n := Encode(id, make([]byte, 5), make([]int16, 3)); n != 3 {
			t.Errorf("%v: encoded %d", id, n)
		}
		if n := Decode(id, make([]int16, 3), make([]byte, 5)); n != 3 {
			t.Errorf("%v: decoded %d", id, n)
		}
		if n := Transcode(id, make([]byte, 3), PCMA, make([]byte, 5)); n != 3 {
			t.Errorf("to %v: transcoded %d", id, n)
		}
	}
	dst := []byte{7}
	if Encode(0, dst, []int16{1}) != 0 || Decode(9, []int16{1}, dst) != 0 || Transcode(0, dst, PCMA, dst) != 0 ||
		Transcode(PCMA, dst, 9, dst) != 0 || dst[0] != 7 {
		t.Error("an unknown codec wrote something")
	}
}

func TestTranscodeIsDecodeAndEncode(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, from := range []ID{PCMA, PCMU} {
		for _, to := range []ID{PCMA, PCMU} {
			samples, want, got := make([]int16, 256), make([]byte, 256), make([]byte, 256)
			Decode(from, samples, all)
			Encode(to, want, samples)
			if from == to {
				want = all // as it is: -0 of µ-law too
			}
			if Transcode(to, got, from, all); !bytes.Equal(got, want) {
				t.Errorf("%v to %v: % x", from, to, got)
			}
			inPlace := bytes.Clone(all)
			if Transcode(to, inPlace, from, inPlace); !bytes.Equal(inPlace, want) {
				t.Errorf("%v to %v in place differs", from, to)
			}
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	var samples [160]int16
	var a, mu [160]byte
	n := testing.AllocsPerRun(100, func() {
		Encode(PCMA, a[:], samples[:])
		Transcode(PCMU, mu[:], PCMA, a[:])
		Decode(PCMU, samples[:], mu[:])
		_ = PCMU.Name()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A code stands for a sample that has that code: coding again changes nothing.
// Only µ-law's minus zero becomes zero.
func FuzzDecodeEncode(f *testing.F) {
	f.Add([]byte{0, 0x55, 0xd5, 0x7f, 0x80, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, id := range []ID{PCMA, PCMU} {
			samples, back := make([]int16, len(payload)), make([]byte, len(payload))
			if Decode(id, samples, payload) != len(payload) || Encode(id, back, samples) != len(payload) {
				t.Fatal("lengths differ")
			}
			for i, code := range payload {
				if back[i] != code && (id != PCMU || code != 0x7f || back[i] != 0xff) {
					t.Fatalf("%v: %#x came back as %#x", id, code, back[i])
				}
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	var samples [160]int16
	var payload [160]byte
	for b.Loop() {
		Encode(PCMA, payload[:], samples[:])
	}
}

func BenchmarkTranscode(b *testing.B) {
	var payload [160]byte
	for b.Loop() {
		Transcode(PCMU, payload[:], PCMA, payload[:])
	}
}
