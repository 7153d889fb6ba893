package prompt

import (
	"math"
	"strings"
	"testing"
	"time"

	"liandong/media/pcm"
)

func tone(t *testing.T, name string) []int16 {
	t.Helper()
	l, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := l.Get(name)
	if !ok {
		t.Fatalf("%s is missing", name)
	}
	return flat(c)
}

// cadence writes sound as a row of 10 ms: # where it sounds.
func cadence(samples []int16) string {
	var out strings.Builder
	for len(samples) >= 80 {
		mark := byte('.')
		if pcm.Level(samples[:80]) > -30 {
			mark = '#'
		}
		out.WriteByte(mark)
		samples = samples[80:]
	}
	return out.String()
}

func row(spans ...time.Duration) string {
	var out strings.Builder
	for i, span := range spans {
		out.WriteString(strings.Repeat(string("#."[i%2]), int(span/(10*time.Millisecond))))
	}
	return out.String()
}

// power is the part of the sound's power that is at hz (Goertzel).
func power(samples []int16, hz float64) float64 {
	var re, im, all float64
	for i, s := range samples {
		sin, cos := math.Sincos(turns(hz, i))
		re, im, all = re+float64(s)*cos, im+float64(s)*sin, all+float64(s)*float64(s)
	}
	return 2 * (re*re + im*im) / (all * float64(len(samples)))
}

func TestTones(t *testing.T) {
	ms := time.Millisecond
	for _, test := range []struct {
		name string
		hz   float64
		want string
	}{
		{Ring, 450, row(1000*ms, 4000*ms)},
		{Busy, 450, row(350*ms, 350*ms)},
		{Congestion, 450, row(700*ms, 700*ms)},
		{Confirm, 1000, row(80*ms, 60*ms, 80*ms)},
		{Refuse, 200, row(400 * ms)},
		{Already, 1000, row(80*ms, 20*ms)},
	} {
		samples := tone(t, test.name)
		if got := cadence(samples); got != test.want {
			t.Errorf("%s sounds\n%s, want\n%s", test.name, got, test.want)
		}
		on := samples[:strings.Count(test.want[:min(len(test.want), 8)], "#")*80]
		if p := power(on, test.hz); p < 0.9 {
			t.Errorf("%s has %.2f of its power at %v Hz", test.name, p, test.hz)
		}
		if level := dBm0(pcm.Level(on)); math.Abs(level+10) > 0.5 {
			t.Errorf("%s has %.1f dBm0", test.name, level)
		}
	}
}

// A tone begins and ends at nothing, so that no loop clicks.
func TestTonesDoNotClick(t *testing.T) {
	for _, name := range []string{Ring, Busy, Congestion, Confirm} {
		samples := tone(t, name)
		if first, last := samples[0], samples[len(samples)-1]; first != 0 || last != 0 {
			t.Errorf("%s goes from %d to %d", name, last, first)
		}
	}
}

func TestMusic(t *testing.T) {
	samples := tone(t, Music)
	if len(samples) < 10*pcm.Rate || len(samples)%pcm.FrameSamples != 0 {
		t.Errorf("%d samples: too short, or a loop with a hole", len(samples))
	}
	if level := pcm.Level(samples); level < -26 || level > -17 {
		t.Errorf("music has %.1f dBFS", level)
	}
	for at := 0; at < len(samples); at += pcm.Rate / 4 {
		if level := pcm.Level(samples[at:min(at+pcm.Rate/4, len(samples))]); level < -40 {
			t.Errorf("music is silent at %d: %.1f dBFS", at, level)
		}
	}
	largest := 0
	for i := range samples {
		next := samples[(i+1)%len(samples)]
		if next == math.MaxInt16 || next == math.MinInt16 {
			t.Fatalf("music is clipped at %d", i+1)
		}
		largest = max(largest, int(math.Abs(float64(next)-float64(samples[i]))))
	}
	// The last of the long notes, 196 Hz, still sounds in the first beat.
	if p := power(samples[:count(beat)], 220*math.Pow(2, -2./12)); p < 0.01 {
		t.Errorf("nothing rings on from the end into the beginning: %.4f of the power", p)
	}
	if seam := int(math.Abs(float64(samples[0]) - float64(samples[len(samples)-1]))); seam > largest/2 {
		t.Errorf("the loop's seam is a step of %d, no other is larger than %d", seam, largest)
	}
}

func BenchmarkLoadTonesOnly(b *testing.B) {
	for b.Loop() {
		if _, err := Load(nil); err != nil {
			b.Fatal(err)
		}
	}
}
