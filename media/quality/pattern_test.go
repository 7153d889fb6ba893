package quality

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// follow plays packets: x came, . did not; both ends are x.
func follow(p *Pattern, packets string) {
	p.Start()
	step := 0
	for _, c := range packets[1:] {
		step++
		if c == 'x' {
			p.Packet(step)
			step = 0
		}
	}
}

func came(n int) string { return strings.Repeat("x", n) }

// TestBursts: RFC 3611 §4.7.2, a burst "starts with a lost or discarded packet", "does not contain any occurrences of
// Gmin or more consecutively received ... packets", and "ends with a lost or discarded packet".
func TestBursts(t *testing.T) {
	for name, c := range map[string]struct {
		packets string
		want    Loss
	}{
		"nothing lost": {came(500), Loss{Gap: Span{500, 0}}},
		"one packet":   {came(1), Loss{Gap: Span{1, 0}}},
		"isolated":     {came(100) + "." + came(16) + "." + came(100), Loss{Gap: Span{218, 2}, Rows: 2}},
		"one less between": {came(100) + "." + came(15) + "." + came(100),
			Loss{Gap: Span{200, 0}, Burst: Span{17, 2}, Bursts: 1, Rows: 2}},
		"a row": {came(100) + "..." + came(100),
			Loss{Gap: Span{200, 0}, Burst: Span{3, 3}, Bursts: 1, Rows: 1}},
		"two bursts": {came(100) + ".." + came(50) + ".x." + came(100),
			Loss{Gap: Span{250, 0}, Burst: Span{5, 4}, Bursts: 2, Rows: 3}},
		"near both ends": {came(1) + "." + came(1), Loss{Gap: Span{3, 1}, Rows: 1}},
		"a long row": {came(1) + strings.Repeat(".", 200) + came(1) + "." + came(20),
			Loss{Gap: Span{21, 0}, Burst: Span{202, 201}, Bursts: 1, Rows: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			var p Pattern
			follow(&p, c.packets)
			if got := p.Loss(); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// naive is the definition, read off the whole sequence.
func naive(packets string) (l Loss) {
	last := strings.LastIndexByte(packets, 'x')
	packets = packets[:last+1]
	var lost []int
	for i, c := range packets {
		if c != '.' {
			continue
		}
		lost = append(lost, i)
		if packets[i-1] != '.' {
			l.Rows++
		}
	}
	l.Gap.Packets = uint32(len(packets))
	for i := 0; i < len(lost); {
		j := i
		for j+1 < len(lost) && lost[j+1]-lost[j]-1 < Gmin {
			j++
		}
		if n := uint32(j - i + 1); n > 1 {
			span := uint32(lost[j] - lost[i] + 1)
			l.Burst.Packets, l.Burst.Lost, l.Gap.Packets = l.Burst.Packets+span, l.Burst.Lost+n, l.Gap.Packets-span
			l.Bursts++
		} else {
			l.Gap.Lost++
		}
		i = j + 1
	}
	return l
}

// TestAgainstDefinition compares with the definition on random loss of every kind, also while it runs.
func TestAgainstDefinition(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := 2 + rnd.IntN(600)
		bad, good := rnd.Float64()*0.3, rnd.Float64() // a two-state channel
		state, packets := true, []byte{'x'}
		for range n {
			if rnd.Float64() < map[bool]float64{true: bad, false: good}[state] {
				state = !state
			}
			packets = append(packets, map[bool]byte{true: 'x', false: '.'}[state])
		}
		packets = append(packets, 'x')
		var p Pattern
		follow(&p, string(packets))
		if got, want := p.Loss(), naive(string(packets)); got != want {
			t.Fatalf("%s\ngot  %+v\nwant %+v", packets, got, want)
		}
	}
}

// TestLateIsNotLost: what comes behind its turn, or twice, is no loss while the window remembers it.
func TestLateIsNotLost(t *testing.T) {
	var p Pattern
	follow(&p, came(100))
	p.Packet(3)
	if got := p.Loss().Lost(); got != 2 {
		t.Errorf("%d missing, want 2", got)
	}
	before := p.Loss()
	p.Packet(-1)
	p.Packet(-1)
	p.Packet(0)
	p.Packet(-2)
	if got := p.Loss(); got.Lost() != 0 || got.Packets() != 103 {
		t.Errorf("%+v after the late ones came", got)
	}
	if d := p.Loss().Since(before); d.Lost() != 0 || d.Packets() != 2 {
		t.Errorf("%+v since then", d)
	}
	p.Packet(2)
	follow2 := func(n int) {
		for range n {
			p.Packet(1)
		}
	}
	follow2(window)
	p.Packet(-window - 1)
	if got := p.Loss().Lost(); got != 1 {
		t.Errorf("%d lost, want the one that came after 64 others", got)
	}
}

// TestStartAgain: another stream in place of the first adds its own loss and none between them.
func TestStartAgain(t *testing.T) {
	var p Pattern
	if p.Loss() != (Loss{}) {
		t.Errorf("%+v of nothing", p.Loss())
	}
	follow(&p, came(30)+"."+came(2))
	follow(&p, came(2)+"."+came(30))
	want := Loss{Gap: Span{66, 2}, Rows: 2}
	if got := p.Loss(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestBurstRatio: ITU-T G.107 §7.5, 1 for random loss; 1/(p+q) for a two-state channel with the
// transitions p (to lost) and q (to found).
func TestBurstRatio(t *testing.T) {
	for _, c := range []struct{ p, q, want float64 }{{0.05, 0.95, 1}, {0.02, 0.48, 2}, {0.05, 0.2, 4}} {
		rnd := rand.New(rand.NewPCG(3, 4))
		var pattern Pattern
		pattern.Start()
		lost, step := false, 0
		for range 400_000 {
			if step++; lost {
				lost = rnd.Float64() >= c.q
			} else {
				lost = rnd.Float64() < c.p
			}
			if !lost {
				pattern.Packet(step)
				step = 0
			}
		}
		l := pattern.Loss()
		if got := l.BurstRatio(); math.Abs(got-c.want) > 0.03*c.want {
			t.Errorf("p %v q %v: burst ratio %.2f, want %v", c.p, c.q, got, c.want)
		}
		if want := c.p / (c.p + c.q); math.Abs(l.Ratio()-want) > 0.03*want {
			t.Errorf("p %v q %v: loss %.4f, want %.4f", c.p, c.q, l.Ratio(), want)
		}
	}
}

func TestAllocations(t *testing.T) {
	var p Pattern
	p.Start()
	if n := testing.AllocsPerRun(1000, func() { p.Packet(1); p.Packet(3); p.Packet(-1); _ = p.Loss() }); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

func BenchmarkPacket(b *testing.B) {
	var p Pattern
	p.Start()
	b.ReportAllocs()
	for range b.N {
		p.Packet(1)
	}
}

// BenchmarkPacketLossy loses every eighth packet.
func BenchmarkPacketLossy(b *testing.B) {
	var p Pattern
	p.Start()
	for i := range b.N {
		p.Packet(1 + i&7/7)
	}
}

func BenchmarkLoss(b *testing.B) {
	var p Pattern
	p.Start()
	for range b.N {
		_ = p.Loss()
	}
}
