package engine

import (
	"flag"
	"testing"
	"time"

	"liandong/media/codec"
)

// BenchmarkLimits compares the engine with what a machine can do at all: with bare loops that
// move the same packets between the same sockets and do nothing else.
//
//	L1   one socket for all legs, datagrams in batches
//	L2   a socket for each leg
//	three-way limit   150 packets of L1 and the bare arithmetic, for each second
//
// Each server runs in a process on the first core, its CPU time is the process's; the parties
// are played from the second core. Run it on a quiet machine with
//
//	go test ./media/engine -run '^$' -bench Limits -benchtime 1x
func BenchmarkLimits(b *testing.B) {
	l := &limits{}
	if l.legs = loadedLegs(b); b.Failed() {
		return
	}
	b.Run("L1", func(b *testing.B) { l.one = l.relay(b, serverOrder{Kind: "L1", Parties: 2}) })
	b.Run("L2", func(b *testing.B) { l.each = l.relay(b, serverOrder{Kind: "L2", Parties: 2}) })
	for _, path := range fastPaths {
		b.Run("relay/"+path.name, func(b *testing.B) {
			cost := l.relay(b, serverOrder{Kind: "engine", Parties: 2, Raw: path.raw, Steer: path.steer})
			b.ReportMetric(cost/l.each, "×L2")
		})
	}
	for _, path := range fastPaths {
		b.Run("three-way/"+path.name, func(b *testing.B) { l.threeWay(b, path.raw, path.steer) })
	}
}

var fastPaths = []struct {
	name       string
	raw, steer bool
}{{"plain", false, false}, {"raw", true, false}, {"raw+steered", true, true}}

var measured = flag.Duration("measure", 4*time.Second, "how long each server of BenchmarkLimits is measured")

type limits struct {
	legs      int
	one, each float64 // µs of CPU for a packet in and out
}

const (
	runIn    = time.Second
	coreLoad = 0.7
)

// loadedLegs finds how many relayed parties load a core to coreLoad.
func loadedLegs(b *testing.B) int {
	const trial = 600
	m := measure(b, serverOrder{Kind: "engine", Parties: 2, Legs: trial}, 2*time.Second)
	return int(trial*coreLoad/m.load) / 12 * 12
}

// measurement is what one server did.
type measurement struct {
	cpu     time.Duration
	packets int
	load    float64 // of a core
	peer    *peer
	end     serverReport
	skipped uint64
}

func measure(b *testing.B, o serverOrder, d time.Duration) measurement {
	b.Helper()
	p := newPeer(b)
	o.Peer, o.Duration = p.addr(), d+time.Minute
	s := startServer(b, o)
	defer s.stop()
	p.aim(s.ports)
	p.run(runIn)
	p.forget()
	before, start := s.report(), time.Now()
	p.run(d)
	after := s.report()
	m := measurement{
		cpu: after.CPU - before.CPU, packets: p.got, peer: p, end: after,
		skipped: after.Stats.SkippedTicks - before.Stats.SkippedTicks,
	}
	m.load = m.cpu.Seconds() / time.Since(start).Seconds()
	if p.late > 20*time.Millisecond {
		b.Logf("%s: the parties were %v behind at worst: the machine is not quiet", o.Kind, p.late)
	}
	return m
}

func (l *limits) relay(b *testing.B, o serverOrder) (cost float64) {
	o.Legs = l.legs
	m := measure(b, o, *measured)
	cost = float64(m.cpu.Microseconds()) / float64(m.packets)
	b.ReportMetric(cost, "µs/packet")
	b.ReportMetric(100*m.load, "%core")
	b.ReportMetric(float64(m.packets)/float64(m.peer.sent)*100, "%back")
	b.ReportMetric(float64(m.peer.delay(50).Microseconds()), "µs-p50")
	b.ReportMetric(float64(m.peer.delay(99).Microseconds()), "µs-p99")
	b.ReportMetric(0, "ns/op")
	l.note(b, m)
	return cost
}

func (l *limits) note(b *testing.B, m measurement) {
	if m.end.Transport != "" {
		b.Logf("%s: %d legs, lowest %.2f packets/s, %d ticks skipped, %d threads, %d goroutines, %d MB",
			m.end.Transport, len(m.peer.legs), m.peer.lowest(), m.skipped, m.end.Threads, m.end.Goroutines, m.end.Memory>>20)
	}
}

func (l *limits) threeWay(b *testing.B, raw, steer bool) {
	limit := 150*l.one/1000 + arithmetic().Seconds()*1000
	o := serverOrder{Kind: "engine", Parties: 3, Legs: l.legs, Raw: raw, Steer: steer}
	m := measure(b, o, *measured)
	cost := m.cpu.Seconds() * 1000 / (measured.Seconds() * float64(l.legs/3))
	b.ReportMetric(cost, "ms/conference-s")
	b.ReportMetric(cost/limit, "×limit")
	b.ReportMetric(100*m.load, "%core")
	b.ReportMetric(0, "ns/op")
	l.note(b, m)
}

// arithmetic is the CPU time that the sound of a three-way call takes each second, done bare:
// three times decode, sum, and take out one's own and encode.
func arithmetic() time.Duration {
	var coded [3][frameSamples]byte
	var sound [3][frameSamples]int16
	var sum [frameSamples]int32
	for leg := range coded {
		for i := range coded[leg] {
			coded[leg][i] = byte(i*7 + leg*31)
		}
	}
	const rounds = 2000
	start := time.Now()
	for range rounds {
		clear(sum[:])
		for leg := range coded {
			codec.Decode(codec.PCMA, sound[leg][:], coded[leg][:])
			for i, x := range sound[leg] {
				sum[i] += int32(x)
			}
		}
		for leg := range coded {
			var out [frameSamples]int16
			for i, x := range sum {
				out[i] = int16(max(-32768, min(32767, x-int32(sound[leg][i]))))
			}
			codec.Encode(codec.PCMA, coded[leg][:], out[:])
		}
	}
	return 50 * time.Since(start) / rounds
}
