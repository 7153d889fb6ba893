package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"liandong/media/pcm"
)

// g722Words reads a file of 16-bit words from the ITU's test sequences.
func g722Words(t *testing.T, order binary.ByteOrder, name string) []uint16 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../shared/testdata", name))
	if err != nil {
		t.Skipf("the ITU vectors are not there: %v", err)
	}
	words := make([]uint16, len(b)/2)
	for i := range words {
		words[i] = order.Uint16(b[2*i:])
	}
	if len(words) < 700 {
		t.Fatalf("%s has no more than %d words", name, len(words))
	}
	return words
}

func same[T int16 | int32 | byte](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d, want %d", what, len(got), len(want))
	}
	bad := 0
	for i := range want {
		if got[i] == want[i] {
			continue
		}
		if bad++; bad <= 3 {
			t.Errorf("%s: number %d is %d, want %d", what, i, got[i], want[i])
		}
	}
	if bad > 3 {
		t.Errorf("%s: %d of %d differ", what, bad, len(want))
	}
}

// G.722 Appendix II, configuration 1: the two encoders without the filter. Bit
// 0 of a word asks for a reset, the sample is above it.
func TestG722SequencesEncode(t *testing.T) {
	for _, test := range []struct{ in, out string }{{"bt1c1.xmt", "bt2r1.cod"}, {"bt1c2.xmt", "bt2r2.cod"}} {
		in := g722Words(t, binary.BigEndian, "g722/"+test.in)
		var got, want []byte
		e := newG722Encoder()
		for i, code := range g722Words(t, binary.BigEndian, "g722/"+test.out) {
			if in[i]&1 != 0 {
				e = newG722Encoder()
				continue
			}
			x := int32(int16(in[i]) >> 1)
			got = append(got, e.encode(x, x))
			want = append(want, byte(code>>8))
		}
		same(t, test.in, got, want)
	}
}

// Configuration 2: the two decoders without the filter, the lower one by its three modes.
func TestG722SequencesDecode(t *testing.T) {
	for _, test := range []struct{ code, lower, higher string }{
		{"bt2r1.cod", "bt3l1", "bt3h1"}, {"bt2r2.cod", "bt3l2", "bt3h2"}, {"bt1d3.cod", "bt3l3", "bt3h3"},
	} {
		codes := g722Words(t, binary.BigEndian, "g722/"+test.code)
		for mode := 1; mode <= 3; mode++ {
			d := newG722Decoder()
			lower, _ := decodeBands(codes, d, mode)
			same(t, test.lower, lower, bandWords(t, codes, test.lower+".rc"+string('0'+rune(mode))))
		}
		_, higher := decodeBands(codes, newG722Decoder(), 1)
		same(t, test.higher, higher, bandWords(t, codes, test.higher+".rc0"))
	}
}

func decodeBands(codes []uint16, d *g722Decoder, mode int) (lower, higher []int32) {
	for _, code := range codes {
		if code&1 != 0 {
			*d = *newG722Decoder()
			continue
		}
		b := byte(code >> 8)
		low, high := d.decode(b, mode)
		lower, higher = append(lower, low), append(higher, high)
	}
	return lower, higher
}

// bandWords is what a decoder must give for codes; there is nothing while it is reset.
func bandWords(t *testing.T, codes []uint16, name string) (out []int32) {
	t.Helper()
	for i, w := range g722Words(t, binary.BigEndian, "g722/"+name) {
		if codes[i]&1 == 0 {
			out = append(out, int32(int16(w))>>1)
		}
	}
	return out
}

// The software tool library's speech, through the whole codec with its filter.
func TestG722Speech(t *testing.T) {
	source := samplesOf(g722Words(t, binary.LittleEndian, "g722-stl/inpsp.bin"))
	coded := codesOf(g722Words(t, binary.LittleEndian, "g722-stl/codspw.cod"))
	got := make([]byte, len(source)/2)
	newG722Encoder().Encode(got, source)
	same(t, "coded", got, coded)
	for mode, name := range []string{1: "outsp1.bin", 2: "outsp2.bin", 3: "outsp3.bin"} {
		if name == "" {
			continue
		}
		want := samplesOf(g722Words(t, binary.LittleEndian, "g722-stl/"+name))
		d := newG722Decoder()
		d.mode = mode
		got := make([]int16, 2*len(coded))
		d.Decode(got, coded)
		same(t, name, got, want)
	}
}

// noise is the same loud nothing each time, up to the limits.
func noise(n int) []int16 {
	r := rand.New(rand.NewPCG(7, 22))
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(r.Uint32())
	}
	return out
}

// The packet time changes nothing: the codec goes on where it was.
func TestG722AtAnyPacketTime(t *testing.T) {
	source := noise(16000)
	want, heard := make([]byte, 8000), make([]int16, 16000)
	newG722Encoder().Encode(want, source)
	newG722Decoder().Decode(heard, want)
	for ms := 10; ms <= 60; ms += 10 {
		e, d, span := newG722Encoder(), newG722Decoder(), 16*ms
		var got []byte
		var back []int16
		for at := 0; at < len(source); at += span {
			payload, samples := make([]byte, span), make([]int16, span)
			n := e.Encode(payload, source[at:min(at+span, len(source))])
			got = append(got, payload[:n]...)
			back = append(back, samples[:d.Decode(samples, payload[:n])]...)
		}
		same(t, "coded", got, want)
		same(t, "decoded", back, heard)
	}
}

func TestG722AsMuchAsFits(t *testing.T) {
	e, d := newG722Encoder(), newG722Decoder()
	for _, test := range []struct{ dst, src, want int }{{3, 10, 3}, {5, 7, 3}, {5, 1, 0}, {0, 8, 0}, {8, 0, 0}} {
		if n := e.Encode(make([]byte, test.dst), make([]int16, test.src)); n != test.want {
			t.Errorf("%d samples into %d bytes: %d", test.src, test.dst, n)
		}
	}
	for _, test := range []struct{ dst, src, want int }{{10, 3, 6}, {7, 5, 6}, {1, 5, 0}, {0, 8, 0}, {8, 0, 0}} {
		if n := d.Decode(make([]int16, test.dst), make([]byte, test.src)); n != test.want {
			t.Errorf("%d bytes into %d samples: %d", test.src, test.dst, n)
		}
	}
}

// The higher band is really there: a tone of 6 kHz comes through, as loud as it was.
func TestG722CarriesWideband(t *testing.T) {
	for _, hz := range []float64{300, 1000, 3000, 5000, 6500} {
		tone := make([]int16, 16000)
		for i := range tone {
			tone[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/16000))
		}
		payload, heard := make([]byte, 8000), make([]int16, 16000)
		newG722Encoder().Encode(payload, tone)
		newG722Decoder().Decode(heard, payload)
		lag, r := pcm.Correlate(tone, heard, 100)
		if r < 0.98 || math.Abs(pcm.Level(heard)-pcm.Level(tone)) > 0.5 {
			t.Errorf("%v Hz: %.3f alike %d samples later, %.1f dBFS of %.1f", hz, r, lag, pcm.Level(heard),
				pcm.Level(tone))
		}
	}
}

// Whatever comes is sound, and both sides' state stays within 16 bits.
func FuzzG722Decode(f *testing.F) {
	f.Add([]byte{0xfa, 0x00, 0x3f, 0xff, 0x04, 0xa0})
	f.Add(bytes.Repeat([]byte{0x04, 0x24}, 300))
	f.Fuzz(func(t *testing.T, payload []byte) {
		d := newG722Decoder()
		samples := make([]int16, 2*len(payload))
		if n := d.Decode(samples, payload); n != len(samples) {
			t.Fatalf("%d samples of %d bytes", n, len(payload))
		}
		for _, s := range []scale{d.lower, d.higher} {
			if s.step <= 0 || s.log < 0 || s.step != saturated(s.step) {
				t.Fatalf("scale %+v", s)
			}
		}
		back := make([]byte, len(payload))
		if n := newG722Encoder().Encode(back, samples); n != len(payload) {
			t.Fatalf("%d bytes of %d samples", n, len(samples))
		}
		plainSamples, plainBack := make([]int16, len(samples)), make([]byte, len(back))
		newPlainDecoder().Decode(plainSamples, payload)
		newPlainEncoder().Encode(plainBack, samples)
		same(t, "decoded", samples, plainSamples)
		same(t, "coded", back, plainBack)
	})
}

// TestG722AsThePlainOne: the codec that is quick gives what the one gives that follows the Recommendation word by word,
// of sound from silence to clipping, in packets of any length, and of any bytes.
func TestG722AsThePlainOne(t *testing.T) {
	dice := rand.New(rand.NewPCG(7, 22))
	for _, loud := range []float64{0, 1, 3, 30, 300, 3000, 30000, 300000} {
		e, d, plainE, plainD := newG722Encoder(), newG722Decoder(), newPlainEncoder(), newPlainDecoder()
		low := 0.
		for n := range 400 {
			samples := make([]int16, 2*(1+dice.IntN(340)))
			for i := range samples {
				low = 0.9*low + dice.NormFloat64()*loud*0.4
				x := low
				if n%7 == 0 {
					x = dice.NormFloat64() * loud
				}
				samples[i] = int16(max(-32768, min(32767, x)))
			}
			code, plainCode := make([]byte, len(samples)/2), make([]byte, len(samples)/2)
			e.Encode(code, samples)
			plainE.Encode(plainCode, samples)
			same(t, "coded", code, plainCode)
			if n%11 == 0 { // what no coder sends
				for i := range code {
					code[i] = byte(dice.Uint32())
				}
			}
			got, want := make([]int16, len(samples)), make([]int16, len(samples))
			d.Decode(got, code)
			plainD.Decode(want, code)
			same(t, "decoded", got, want)
			if t.Failed() {
				t.Fatalf("packet %d, at a level of %g", n, loud)
			}
		}
	}
}

// TestG722InstructionsAsPlain: what a machine has instructions for is to the bit what is done without, from any state.
func TestG722InstructionsAsPlain(t *testing.T) {
	dice := rand.New(rand.NewPCG(7, 22))
	edge := []int16{0, 1, -1, math.MaxInt16, math.MinInt16, math.MinInt16 + 1}
	word := func() int16 {
		if dice.IntN(3) == 0 {
			return edge[dice.IntN(len(edge))]
		}
		return int16(dice.Uint32()) >> dice.IntN(15)
	}
	words := func(of []int16) {
		for i := range of {
			of[i] = word()
		}
	}
	for range 2000 {
		var p predictor
		for _, of := range [][]int16{p.b[:], p.d[:], p.p[:], p.r[:], p.zeros[:], p.next[:]} {
			words(of)
		}
		for i := range p.b {
			p.b[i] = min(p.b[i], math.MaxInt16-255) // what 255/256 and 128 more are kept below
		}
		for range 50 {
			was, plain, low, high := p, p, int32(word()), int32(word())
			p.predict(low, high)
			if plain.predictPlain(low, high); p != plain {
				t.Fatalf("%+v and %d, %d:\n%+v, want\n%+v", was, low, high, p, plain)
			}
		}
	}
	for i := range 2000 {
		b := newBands()
		for range 50 {
			was, plain, low, high := b, b, int32(word())>>1, int32(word())>>1
			if i&1 == 0 {
				low >>= i >> 1 % 15 // silence, too
			}
			got, want := b.encode(low, high), plain.encodePlain(low, high)
			if got != want || b != plain {
				t.Fatalf("%+v and %d, %d: %x\n%+v, want %x\n%+v", was, low, high, got, b, want, plain)
			}
		}
	}
	for range 2000 {
		var x [taps - 2 + 2*block]int16
		words(x[:])
		var got, want [block][2]int16
		n, c, before, places, most := dice.IntN(block+1), &splitter, uint64(1), uint64(14), int32(1<<14-1)
		if dice.IntN(2) == 0 {
			c, before, places, most = &joiner, 0, 10, math.MaxInt16
		}
		filter(got[:n], &x, c, before, places, most)
		if filterPlain(want[:n], &x, c, before, places, most); got != want {
			t.Fatalf("%d pairs of %v: %v, want %v", n, x, got, want)
		}
	}
}

// TestG722Steps: all magnitudes at all steps.
func TestG722Steps(t *testing.T) {
	for i, step := range lowerSteps[:18432>>6+1] {
		quick, plain := scale{log: int32(i) << 6, step: step}, newPlainLower()
		plain.step = step
		for m := int32(0); m < 1<<15; m += 1 + m>>8 {
			if got, want := quick.levels(m), plain.steps(m); got != want {
				t.Fatalf("a magnitude of %d reaches %d levels of a step of %d, want %d", m, got, step, want)
			}
		}
	}
}

// BenchmarkG722Ratio is what a frame of 20 ms takes each way, the quickest of all, as a busy machine disturbs the
// others; and how many times as long the plain one takes.
func BenchmarkG722Ratio(b *testing.B) {
	samples, payload := noise(320), make([]byte, 160)
	e, d, plainE, plainD := newG722Encoder(), newG722Decoder(), newPlainEncoder(), newPlainDecoder()
	least := func(was time.Duration, do func()) time.Duration {
		from := time.Now()
		do()
		return min(was, time.Since(from))
	}
	coding, decoding, plainCoding, plainDecoding := time.Hour, time.Hour, time.Hour, time.Hour
	for b.Loop() {
		coding = least(coding, func() { e.Encode(payload, samples) })
		decoding = least(decoding, func() { d.Decode(samples, payload) })
		plainCoding = least(plainCoding, func() { plainE.Encode(payload, samples) })
		plainDecoding = least(plainDecoding, func() { plainD.Decode(samples, payload) })
	}
	b.ReportMetric(coding.Seconds()*1e6, "µs/coded")
	b.ReportMetric(decoding.Seconds()*1e6, "µs/decoded")
	b.ReportMetric(float64(plainCoding+plainDecoding)/float64(coding+decoding), "times")
}

func BenchmarkG722Encode(b *testing.B) { // 20 ms
	e, payload, samples := newG722Encoder(), make([]byte, 160), noise(320)
	for b.Loop() {
		e.Encode(payload, samples)
	}
}

func BenchmarkG722Decode(b *testing.B) { // 20 ms
	e, d, payload, samples := newG722Encoder(), newG722Decoder(), make([]byte, 160), noise(320)
	e.Encode(payload, samples)
	for b.Loop() {
		d.Decode(samples, payload)
	}
}

// TestG722Level: a tone of A-law, as loud as it can be, is 5.9 dB below the overload point of G.722 (+3.14 and +9
// dBm0), so that it is neither louder nor softer where it is heard; what is louder in G.722 is clipped and does not
// wrap.
func TestG722Level(t *testing.T) {
	tone := make([]int16, pcm.WideRate)
	for i := range tone {
		tone[i] = int16(16000 * math.Sin(2*math.Pi*1000*float64(i)/pcm.WideRate))
	}
	payload, raw, back := make([]byte, len(tone)/2), make([]int16, len(tone)), make([]int16, len(tone))
	NewEncoder(G722).Encode(payload, tone)
	newG722Decoder().Decode(raw, payload)
	NewDecoder(G722).Decode(back, payload)
	said, itu, heard := pcm.Level(tone[4000:]), pcm.Level(raw[4000:]), pcm.Level(back[4000:])
	if math.Abs(said-itu-5.86) > 0.3 {
		t.Errorf("on the scale of G.722 it is %.2f dB below, want 5.86", said-itu)
	}
	if math.Abs(said-heard) > 0.2 {
		t.Errorf("said at %.2f dB, heard at %.2f", said, heard)
	}
	loud := newG722Encoder()
	loud.Encode(payload, tone)
	NewDecoder(G722).Decode(back, payload)
	for i := range back[4100:] {
		if x, want := back[4100+i], tone[4100+i-22]; want > 16000*9/10 && x < 20000 {
			t.Fatalf("sample %d of a loud tone is %d", i, x)
		}
	}
}
