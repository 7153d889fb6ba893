package codec

import (
	"bytes"
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		id        ID
		want      info
		known     bool
		stateless bool
	}{
		{PCMA, info{"PCMA", 8, 8000, 1, 8000}, true, true}, {PCMU, info{"PCMU", 0, 8000, 1, 8000}, true, true},
		{G722, info{"G722", 9, 8000, 1, 16000}, true, false},
		{Opus, info{"opus", 111, 48000, 2, 16000}, opusBuilt, false},
		{0, info{}, false, false}, {Opus + 1, info{}, false, false}, {255, info{}, false, false},
	} {
		id := test.id
		if got := (info{id.Name(), id.PayloadType(), id.ClockRate(), id.Channels(), id.Rate()}); got != test.want ||
			id.String() != got.name {
			t.Errorf("ID %d: %+v, want %+v", uint8(id), got, test.want)
		}
		if id.Known() != test.known || id.Stateless() != test.stateless {
			t.Errorf("ID %d: known %v, stateless %v", uint8(id), id.Known(), id.Stateless())
		}
		if (NewEncoder(id) != nil) != test.known || (NewDecoder(id) != nil) != test.known {
			t.Errorf("ID %d: encoder %v, decoder %v", uint8(id), NewEncoder(id), NewDecoder(id))
		}
	}
}

func TestByName(t *testing.T) {
	for _, test := range []struct {
		name string
		want ID
	}{
		{"PCMA", PCMA}, {"PCMU", PCMU}, {"pcmu", PCMU}, {"PcmA", PCMA}, {"G722", G722}, {"g722", G722}, {"OPUS", Opus},
		{"", 0}, {"G7221", 0}, {"PCM", 0},
	} {
		want := test.want
		if !want.Known() {
			want = 0
		}
		if got, ok := ByName(test.name); got != want || ok != (want != 0) {
			t.Errorf("ByName(%q) = %d, %v", test.name, got, ok)
		}
	}
}

func TestList(t *testing.T) {
	want := []ID{G722, PCMA, PCMU}
	if opusBuilt {
		want = append([]ID{Opus}, want...)
	}
	if got := List(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	List()[0] = 0
	if !slices.Equal(List(), want) {
		t.Error("the list can be written to")
	}
}

// A payload lasts as long as its samples, at any packet time.
func TestTicksAreTheTime(t *testing.T) {
	for _, id := range List() {
		for ms := 10; ms <= 60; ms += 10 {
			encoder, decoder := NewEncoder(id), NewDecoder(id)
			payload, samples := make([]byte, 1500), make([]int16, id.Rate()*ms/1000)
			n := encoder.Encode(payload, samples)
			if got := id.Ticks(payload[:n]); got != id.ClockRate()*ms/1000 {
				t.Errorf("%v: %d bytes of %d ms last %d ticks", id, n, ms, got)
			}
			if got := decoder.Decode(make([]int16, len(samples)+1), payload[:n]); got != len(samples) {
				t.Errorf("%v: %d samples of %d ms, want %d", id, got, ms, len(samples))
			}
		}
	}
	if ID(0).Ticks([]byte{1}) != 0 || ID(9).Ticks([]byte{1}) != 0 {
		t.Error("a payload of no codec lasts")
	}
	for _, id := range []ID{PCMA, PCMU, G722, Opus} {
		if id.Ticks(nil) != 0 {
			t.Errorf("nothing lasts in %v", id)
		}
	}
}

// The stream of a codec without a memory is the codec.
func TestStreamsOfG711(t *testing.T) {
	samples := []int16{0, 1, -1, 1000, -1000, 32767, -32768}
	for _, id := range []ID{PCMA, PCMU} {
		var got, want [7]byte
		var back, wantBack [7]int16
		if n := NewEncoder(id).Encode(got[:], samples); n != Encode(id, want[:], samples) || got != want {
			t.Errorf("%v: % x, want % x", id, got, want)
		}
		if n := NewDecoder(id).Decode(back[:], got[:]); n != Decode(id, wantBack[:], got[:]) || back != wantBack {
			t.Errorf("%v: %d, want %d", id, back, wantBack)
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
	for _, id := range []ID{0, G722, Opus, 99} {
		if Encode(id, dst, []int16{1}) != 0 || Decode(id, []int16{1}, dst) != 0 || Transcode(id, dst, PCMA, dst) != 0 ||
			Transcode(PCMA, dst, id, dst) != 0 || Transcode(id, dst, id, dst) != 0 || dst[0] != 7 {
			t.Errorf("codec %d wrote something without its memory", uint8(id))
		}
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
	for _, id := range List() {
		encoder, decoder := NewEncoder(id), NewDecoder(id)
		payload, frame := make([]byte, 1500), make([]int16, id.Rate()/50)
		n := testing.AllocsPerRun(100, func() {
			coded := payload[:encoder.Encode(payload, frame)]
			if id.Ticks(coded) == 0 || decoder.Decode(frame, coded) != len(frame) {
				t.Errorf("%v: not decoded", id)
			}
		})
		if n != 0 {
			t.Errorf("%v: %v allocations", id, n)
		}
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
