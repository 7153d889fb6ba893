//go:build opus

package codec

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"liandong/media/pcm"
)

// vowels is speech as far as a codec is concerned, at 16 kHz: the pitch goes up
// and down, so do the formants and the loudness, and no stretch is like another.
func vowels(n int) []int16 {
	out := make([]int16, n)
	var phase float64
	for i := range out {
		at := float64(i) / 16000
		phase += 2 * math.Pi * (140 + 40*math.Sin(2*math.Pi*0.7*at)) / 16000
		formant := 700 + 400*math.Sin(2*math.Pi*1.3*at)
		var x float64
		for k := 1.0; k <= 20; k++ {
			off := (k*140 - formant) / 300
			x += math.Sin(k*phase) * math.Exp(-off*off)
		}
		out[i] = int16(4000 * x * (0.6 + 0.4*math.Sin(2*math.Pi*3*at)))
	}
	return out
}

// through codes a stream by packets of so many ms; lost ones are concealed.
func through(t *testing.T, source []int16, ms int, lost func(i int) bool) (heard []int16, bytes int) {
	t.Helper()
	e, d := NewEncoder(Opus), NewDecoder(Opus)
	payload, span := make([]byte, 1500), 16*ms
	for i := 0; (i+1)*span <= len(source); i++ {
		frame := make([]int16, span)
		n := e.Encode(payload, source[i*span:(i+1)*span])
		if got, want := Opus.Ticks(payload[:n]), 48*ms; got != want {
			t.Fatalf("a packet of %d ms lasts %d ticks, want %d", ms, got, want)
		}
		bytes += n
		if lost(i) {
			n = d.(Concealer).Conceal(frame)
		} else {
			n = d.Decode(frame, payload[:n])
		}
		if n != span {
			t.Fatalf("%d samples of %d ms", n, ms)
		}
		heard = append(heard, frame...)
	}
	return heard, bytes
}

func never(int) bool { return false }

func TestOpusSoundsLikeItself(t *testing.T) {
	source := vowels(3 * 16000)
	for ms := 10; ms <= 60; ms += 10 {
		heard, bytes := through(t, source, ms, never)
		lag, r := pcm.Correlate(source, heard, 400)
		rate := 8 * bytes / 3
		t.Logf("%d ms: %.3f alike, %d samples later, %d bit/s", ms, r, lag, rate)
		if r < 0.95 || lag < 0 || lag > 200 {
			t.Errorf("%d ms: %.3f alike, %d samples later", ms, r, lag)
		}
		if rate < opusBits/2 || rate > opusBits*3/2 {
			t.Errorf("%d ms: %d bit/s", ms, rate)
		}
		if got, want := pcm.Level(heard), pcm.Level(source); math.Abs(got-want) > 1 {
			t.Errorf("%d ms: %.1f dBFS, want %.1f", ms, got, want)
		}
	}
}

// What is made up for lost packets is liker than silence, and leaves no bang behind.
func TestOpusConceals(t *testing.T) {
	source := vowels(3 * 16000)
	lost := func(i int) bool { return i > 0 && i%10 == 0 }
	heard, _ := through(t, source, 20, lost)
	silent := slices.Clone(heard)
	for i := range silent {
		if lost(i / 320) {
			silent[i] = 0
		}
	}
	_, with := pcm.Correlate(source, heard, 400)
	_, without := pcm.Correlate(source, silent, 400)
	t.Logf("a packet in ten lost: %.3f alike, %.3f with silence", with, without)
	if with < without+0.01 {
		t.Errorf("%.3f alike, with silence %.3f", with, without)
	}
	d := newOpusDecoder().(Concealer)
	for _, c := range []struct{ room, want int }{{0, 0}, {39, 0}, {40, 40}, {341, 320}} {
		if n := d.Conceal(make([]int16, c.room)); n != c.want {
			t.Errorf("%d samples concealed of %d", n, c.room)
		}
	}
}

func TestOpusRefuses(t *testing.T) {
	e, d := newOpusEncoder(), newOpusDecoder()
	for _, n := range []int{0, 1, 159, 161, 640 + 1, 1120, 16000} {
		if got := e.Encode(make([]byte, 1500), make([]int16, n)); got != 0 {
			t.Errorf("%d samples gave %d bytes", n, got)
		}
	}
	for _, n := range []int{320, 480} {
		if got := e.Encode(nil, make([]int16, n)); got != 0 {
			t.Errorf("%d bytes without room", got)
		}
	}
	payload := make([]byte, 1500)
	if got := e.Encode(payload[:20], vowels(480)); got != 0 {
		t.Errorf("%d bytes of 30 ms in 20", got)
	}
	n := e.Encode(payload, vowels(320))
	for _, room := range []int{0, 1, 319} {
		if got := d.Decode(make([]int16, room), payload[:n]); got != 0 {
			t.Errorf("%d samples into %d", got, room)
		}
	}
	for name, corrupt := range map[string][]byte{"empty": {}, "odd": {1<<3 | 1, 1}, "no count": {3},
		"too long": {1<<3 | 3, 63, 1}} {
		if got := d.Decode(make([]int16, 1920), corrupt); got != 0 {
			t.Errorf("%s: %d samples", name, got)
		}
	}
	if got := d.Decode(make([]int16, 1920), payload[:n]); got != 320 {
		t.Errorf("afterwards %d samples", got)
	}
}

// libopus sees RFC 6716 table 2 as we do.
func TestOpusTicksAreThoseOfTheDecoder(t *testing.T) {
	for config := range 32 {
		for code := range byte(4) {
			frames := bytes.Repeat([]byte{0x5a}, 31+int(code)/3) // two of one length in codes 1 and 3
			packet := append([]byte{byte(config<<3) | code, 2}, frames...)
			n := newOpusDecoder().Decode(make([]int16, 1920), packet)
			if n == 0 || 3*n != Opus.Ticks(packet) {
				t.Errorf("configuration %d, code %d: %d samples at 16 kHz, %d ticks of 48 kHz", config, code, n,
					Opus.Ticks(packet))
			}
		}
	}
}

// Long frames have lengths of two bytes: RFC 6716 §3.2.1.
func TestPackOpus(t *testing.T) {
	frame := func(toc byte, n int) []byte { return append([]byte{toc}, bytes.Repeat([]byte{byte(n)}, n)...) }
	got := make([]byte, 2000)
	n := packOpus(got, [][]byte{frame(8, 251), frame(8, 252), frame(8, 299), frame(8, 0), frame(8, 7)})
	want := slices.Concat([]byte{8 | 3, 0x85, 251, 252, 0, 255, 11, 0}, frame(8, 251)[1:], frame(8, 252)[1:],
		frame(8, 299)[1:], frame(8, 7)[1:])
	if !bytes.Equal(got[:n], want) {
		t.Errorf("% x\nwant % x", got[:n], want)
	}
	for name, frames := range map[string][][]byte{
		"two configurations": {frame(8, 3), frame(16, 3)}, "an empty one": {frame(8, 3), nil},
		"one of two frames": {frame(8|1, 4), frame(8|1, 4)},
	} {
		if n := packOpus(got, frames); n != 0 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// Whatever comes: what the decoder takes lasts as long as Ticks says.
func FuzzOpusDecode(f *testing.F) {
	payload := make([]byte, 1500)
	e := newOpusEncoder()
	for _, n := range []int{320, 480, 960} {
		f.Add(bytes.Clone(payload[:e.Encode(payload, vowels(n))]))
	}
	f.Add([]byte{0xff, 0x41, 0x10})
	f.Fuzz(func(t *testing.T, payload []byte) {
		d := newOpusDecoder()
		n := d.Decode(make([]int16, 1920), payload)
		if n != 0 && 3*n != Opus.Ticks(payload) {
			t.Fatalf("%d samples, %d ticks", n, Opus.Ticks(payload))
		}
		if n := d.(Concealer).Conceal(make([]int16, 320)); n != 320 {
			t.Fatalf("%d samples concealed", n)
		}
	})
}

func BenchmarkOpusEncode(b *testing.B) { // 20 ms
	e, payload, source := newOpusEncoder(), make([]byte, 1500), vowels(16000)
	for i := 0; b.Loop(); i++ {
		e.Encode(payload, source[i%50*320:][:320])
	}
}

func BenchmarkOpusDecode(b *testing.B) { // 20 ms
	e, d, payload, frame := newOpusEncoder(), newOpusDecoder(), make([]byte, 1500), make([]int16, 320)
	n := e.Encode(payload, vowels(320))
	for b.Loop() {
		d.Decode(frame, payload[:n])
	}
}
