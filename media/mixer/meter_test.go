package mixer

import (
	"math"
	"math/rand/v2"
	"testing"
)

// talk gives a meter a row of windows of these levels in -dBov, and notes its state
// after each: # talks, . does not.
func talk(m *Meter, levels ...float64) string {
	states := ""
	for _, level := range levels {
		before := m.Talks()
		changed := m.Window(uint64(math.Pow(10, -level/10)*(1<<30)*20), 20)
		if changed != (before != m.Talks()) {
			return "a report without a change, or a change without a report"
		}
		states += map[bool]string{true: "#", false: "."}[m.Talks()]
	}
	return states
}

// row repeats levels.
func row(pairs ...float64) (levels []float64) {
	for i := 0; i < len(pairs); i += 2 {
		for range int(pairs[i+1]) {
			levels = append(levels, pairs[i])
		}
	}
	return levels
}

func TestTalkspurts(t *testing.T) {
	for _, test := range []struct {
		name   string
		levels []float64
		want   string
	}{
		{"silence", row(80, 12), "............"},
		{"a click", row(80, 3, 20, 1, 80, 3), "......."},
		{"begins after 200 ms", row(80, 3, 26, 3), "....##"},
		{"ends after 600 ms", row(26, 12, 80, 7), ".################.."},
		{"a pause of 500 ms", row(26, 12, 80, 5, 26, 4), ".####################"},
		{"softer, but above the background", row(26, 12, 52, 12), ".#######################"},
		{"too soft to begin", row(54, 12), "............"},
		{"no two reports within a second", row(26, 2, 80, 12), ".##########..."},
		{"nor off and on", row(26, 12, 80, 6, 26, 11), ".################..........##"},
	} {
		var m Meter
		if got := talk(&m, test.levels...); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// On a line with noise speech is what is louder than the noise.
func TestNoisyLine(t *testing.T) {
	var m Meter
	talk(&m, row(45, 200)...) // 20 s: it is background now
	if m.Talks() {
		t.Fatal("steady noise counts as speech")
	}
	if got := talk(&m, row(28, 3, 45, 12)...); got != ".##########...."[:len(got)] {
		t.Errorf("speech in noise: %s", got)
	}
}

// Speech without a long pause does not become background in two minutes.
func TestLongSpeech(t *testing.T) {
	var m Meter
	talk(&m, row(24, 3)...)
	for range 400 {
		talk(&m, 24, 22, 48)
		if !m.Talks() {
			t.Fatal("who talks on counts as silent")
		}
	}
}

// Packets that stay away end a talkspurt, and say nothing about the background.
func TestNothingComes(t *testing.T) {
	var m Meter
	talk(&m, row(35, 12)...)
	for i := range 7 {
		m.Window(0, 0)
		if m.Talks() != (i < 5) {
			t.Fatalf("window %d without packets: talks %v", i, m.Talks())
		}
	}
	if m.Level() < 50 {
		t.Errorf("level %d", m.Level())
	}
}

func TestLevel(t *testing.T) {
	for _, test := range []struct {
		squares uint64
		samples int
		want    uint8
	}{
		{0, 0, 127}, {0, 160, 127}, {1 << 30, 1, 0}, {160 << 30, 160, 0}, {16000 << 20, 16000, 30}, {1, 1, 90},
		{1, 1 << 20, 127},
	} {
		var m Meter
		if m.Level() != Silence {
			t.Error("a level before any sound")
		}
		m.Window(test.squares, test.samples)
		if test.want != 127 && m.Level() != test.want {
			t.Errorf("%d over %d samples: level %d, want %d", test.squares, test.samples, m.Level(), test.want)
		}
		for range 60 {
			m.Window(test.squares, test.samples)
		}
		if m.Level() != test.want {
			t.Errorf("%d over %d samples: level %d, want %d", test.squares, test.samples, m.Level(), test.want)
		}
	}
}

// The level is there at once and goes slowly.
func TestLevelIsSmooth(t *testing.T) {
	var m Meter
	talk(&m, 80, 80, 20)
	if m.Level() != 20 {
		t.Errorf("level %d after one loud window", m.Level())
	}
	talk(&m, 80)
	if m.Level() < 30 || m.Level() > 45 {
		t.Errorf("level %d after one soft window", m.Level())
	}
}

// Whatever comes, there is no more than one report a second.
func TestReportsAreRare(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var m Meter
	last := -spacing
	for i := range 20000 {
		if m.Window(uint64(r.Uint32())<<(r.IntN(3)*10)>>r.IntN(30), r.IntN(200)) {
			if i-last < spacing {
				t.Fatalf("reports %d windows apart", i-last)
			}
			last = i
		}
	}
	if last < 0 {
		t.Error("no report at all")
	}
}

func BenchmarkMeter(b *testing.B) {
	var m Meter
	for b.Loop() {
		m.Window(123456789, 100)
	}
}
