package dtmf

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// dial is a key as a phone sounds it.
type dial struct {
	key       byte
	rowOff    float64 // of the frequency: 0.01 is one per cent above
	columnOff float64
	row       float64 // dBm0
	column    float64
	ms        float64
}

func plain(key byte) dial { return dial{key: key, row: -9, column: -7, ms: 40} }

// amplitude of a level: 0 dBm0 is 3.14 dB below a full-scale sine (G.711 §2).
func amplitude(dBm0 float64) float64 { return 32767 * math.Pow(10, (dBm0-3.14)/20) }

// sound is the tone at a rate, beginning at a phase.
func (d dial) sound(rate int, phase float64) []int16 {
	at := strings.IndexByte(ToneKeys, d.key)
	low, high := Rows[at/4]*(1+d.rowOff), Columns[at%4]*(1+d.columnOff)
	out := make([]int16, int(d.ms*float64(rate)/1000))
	for i := range out {
		t := 2 * math.Pi * float64(i) / float64(rate)
		x := amplitude(d.row)*math.Sin(low*t+phase) + amplitude(d.column)*math.Sin(high*t+2*phase)
		out[i] = pcm.Clip(int32(x))
	}
	return out
}

func pause(ms float64) []int16 { return make([]int16, int(ms*pcm.Rate/1000)) }

// detected is what a detector makes of sound that comes in frames.
func detected(sound []int16) string {
	var d Detector
	var keys []byte
	for len(sound) > 0 {
		n := min(len(sound), pcm.FrameSamples)
		keys = d.Push(keys, sound[:n])
		sound = sound[n:]
	}
	return string(keys)
}

// everywhere lets a key begin at every half millisecond of a frame, between pauses.
func everywhere(d dial) (taken, played int) {
	step := 1.7
	if testing.Short() {
		step = 5.1
	}
	for ms := 0.0; ms < 20; ms += step {
		sound := append(append(pause(20+ms), d.sound(pcm.Rate, ms)...), pause(60)...)
		played++
		if detected(sound) == string(d.key) {
			taken++
		}
	}
	return taken, played
}

// TestEveryKey: 40 ms of a tone and 40 ms of pause are a key, wherever they begin.
func TestEveryKey(t *testing.T) {
	for ms := 0.0; ms < 20; ms += 2.5 {
		sound := pause(10 + ms)
		for _, key := range []byte(ToneKeys + ToneKeys) {
			for range 2 {
				sound = append(append(sound, plain(key).sound(pcm.Rate, ms)...), pause(40)...)
			}
		}
		var want strings.Builder
		for _, key := range ToneKeys + ToneKeys {
			want.WriteString(strings.Repeat(string(key), 2))
		}
		if got := detected(sound); got != want.String() {
			t.Errorf("from %v ms: %q, want %q", ms, got, want.String())
		}
	}
}

// TestLimits: ITU-T Q.24 annex A.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*dial)
		want   bool
	}{
		{"frequencies 1.5 % above", func(d *dial) { d.rowOff, d.columnOff = 0.015, 0.015 }, true},
		{"frequencies 1.5 % below", func(d *dial) { d.rowOff, d.columnOff = -0.015, -0.015 }, true},
		{"one above, one below", func(d *dial) { d.rowOff, d.columnOff = 0.015, -0.015 }, true},
		{"row 3.5 % above", func(d *dial) { d.rowOff = 0.035 }, false},
		{"row 3.5 % below", func(d *dial) { d.rowOff = -0.035 }, false},
		{"column 3.5 % above", func(d *dial) { d.columnOff = 0.035 }, false},
		{"column 3.5 % below", func(d *dial) { d.columnOff = -0.035 }, false},
		{"column 4 dB above the row", func(d *dial) { d.row, d.column = -11, -7 }, true},
		{"row 8 dB above the column", func(d *dial) { d.row, d.column = -7, -15 }, true},
		{"column 8 dB above the row", func(d *dial) { d.row, d.column = -15, -7 }, false},
		{"row 12 dB above the column", func(d *dial) { d.row, d.column = -7, -19 }, false},
		{"0 dBm0 each", func(d *dial) { d.row, d.column = -3, -3 }, true},
		{"-25 dBm0 each", func(d *dial) { d.row, d.column = -25, -25 }, true},
		{"-40 dBm0 each", func(d *dial) { d.row, d.column = -40, -40 }, false},
		{"20 ms", func(d *dial) { d.ms = 20 }, false},
		{"half a second", func(d *dial) { d.ms = 500 }, true},
		{"two seconds", func(d *dial) { d.ms = 2000 }, true},
	} {
		for _, key := range []byte(ToneKeys) {
			d := plain(key)
			c.change(&d)
			taken, played := everywhere(d)
			if c.want && taken != played || !c.want && taken != 0 {
				t.Errorf("%s: key %c was taken %d times of %d", c.name, key, taken, played)
			}
		}
	}
}

// TestNoise: white noise 15 dB below a tone costs no key of 50 ms, and doubles none.
func TestNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, snr := range []float64{30, 20, 15} {
		wrong := 0
		for i := range 500 {
			d := plain(ToneKeys[i%16])
			d.ms = 50
			sound := append(append(pause(20+20*random.Float64()), d.sound(pcm.Rate, random.Float64())...), pause(60)...)
			noise := math.Hypot(amplitude(d.row), amplitude(d.column)) / math.Sqrt2 * math.Pow(10, -snr/20)
			for k := range sound {
				sound[k] = pcm.Clip(int32(float64(sound[k]) + noise*random.NormFloat64()))
			}
			if detected(sound) != string(d.key) {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%v dB above the noise: %d keys of 500 were lost or doubled", snr, wrong)
		}
	}
}

// TestBreak: a break of 10 ms is within a press (ITU-T Q.24), and lost packets are.
func TestBreak(t *testing.T) {
	for at := 0; at < 100; at++ {
		d := plain('5')
		d.ms = 100
		sound := append(append(pause(30), d.sound(pcm.Rate, 0)...), pause(60)...)
		clear(sound[8*(20+at) : 8*(30+at)])
		if got := detected(sound); got != "5" {
			t.Errorf("10 ms of silence %d ms into the key: %q", at-10, got)
		}
	}
}

func TestLose(t *testing.T) {
	d := plain('5')
	for _, c := range []struct {
		lost time.Duration
		want string
	}{{20 * time.Millisecond, "5"}, {200 * time.Millisecond, "5"}, {300 * time.Millisecond, "55"}} {
		var detector Detector
		keys := detector.Push(nil, d.sound(pcm.Rate, 0))
		detector.Lose(c.lost)
		keys = detector.Push(keys, d.sound(pcm.Rate, 1))
		if string(keys) != c.want {
			t.Errorf("%v lost within a press: %q, want %q", c.lost, keys, c.want)
		}
	}
}

// TestCoded: what codecs do to a tone costs no key, at 8 kHz and at 16.
func TestCoded(t *testing.T) {
	for _, id := range codec.List() {
		for _, level := range []float64{-3, -9, -25} {
			sound := make([]int16, id.Rate()/10)
			var want string
			for _, key := range []byte(ToneKeys) {
				d := plain(key)
				d.row, d.column, d.ms = level, level, 50
				sound = append(append(sound, d.sound(id.Rate(), 0)...), make([]int16, id.Rate()/20)...)
				want += string(key)
			}
			if got := detected(coded(id, sound)); got != want {
				t.Errorf("%s at %v dBm0: %q, want %q", id, level, got, want)
			}
		}
	}
}

// coded is what comes out of a codec, at 8 kHz.
func coded(id codec.ID, sound []int16) (out []int16) {
	size := id.Rate() / 50
	encoder, decoder := codec.NewEncoder(id), codec.NewDecoder(id)
	var down pcm.Downsampler
	payload, frame := make([]byte, 1000), make([]int16, size)
	for ; len(sound) >= size; sound = sound[size:] {
		n := decoder.Decode(frame, payload[:encoder.Encode(payload, sound[:size])])
		if id.Rate() == pcm.WideRate {
			n = down.Down(frame, frame[:n])
		}
		out = append(out, frame[:n]...)
	}
	return out
}

func TestDetectorAllocatesNothing(t *testing.T) {
	var d Detector
	d2 := plain('5')
	d2.ms = 20
	sound, dst := d2.sound(pcm.Rate, 0), make([]byte, 0, 8)
	if n := testing.AllocsPerRun(100, func() { d.Push(dst, sound) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDetector(b *testing.B) {
	var d Detector
	tone := plain('5')
	tone.ms = 20
	sound, dst := tone.sound(pcm.Rate, 0), make([]byte, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		d.Push(dst, sound)
	}
}
