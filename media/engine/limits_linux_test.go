package engine

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
)

// BenchmarkLimits compares the engine with what a machine can do at all: with bare loops that
// move the same packets between the same sockets and do nothing else.
//
//	L1   one socket for all legs, datagrams in batches
//	L2   a socket for each leg
//	relay/kernel   by its own CPU time and that of the program in the kernel, which works in the parties' time:
//	                what both come to is shown, too
//	three-way limit   150 packets of L1 and the bare arithmetic, each second
//
// Each server runs in a process on the first core, its CPU time is the process's; the parties
// are played from the second core. Run it on a quiet machine with
//
//	go test ./media/engine -run '^$' -bench Limits -benchtime 1x
func BenchmarkLimits(b *testing.B) {
	legs := 2 * *calls
	if legs == 0 {
		legs = loadedLegs(b)
	}
	cases := limitCases(legs)
	if *only != "" {
		cases = slices.DeleteFunc(cases, func(c *limitCase) bool {
			return c.per != nil &&
				!strings.HasPrefix(c.name, *only)
		})
	}
	for range *rounds { // in turn, so that what else the machine does falls on all alike
		for _, c := range cases {
			c.run(b)
		}
	}
	fmt.Printf("\n%d legs, %d rounds of %v each; medians:\n", legs, *rounds, *measured)
	for _, c := range cases {
		fmt.Println(c)
		if c.per != nil {
			b.ReportMetric(median(c.ratios), "×"+c.per.name+":"+c.name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMinute loads a core as much as it says and keeps it up for a minute: no tick is left
// out, and no party gets fewer packets than there are.
func BenchmarkMinute(b *testing.B) {
	legs := loadedLegs(b)
	for _, c := range []struct {
		name          string
		parties, legs int
	}{{"relay", 2, legs}, {"three-way", 3, legs * 4 / 5 / 3 * 3}} {
		m := measure(b, serverOrder{Kind: "engine", Parties: c.parties, Legs: c.legs}, time.Minute)
		fmt.Printf("%-10s %d legs, %.0f %% of a core for a minute: lowest leg %.2f packets/s, %d ticks skipped, %d of %d packets back\n",
			c.name, c.legs, 100*m.load, m.peer.lowest(), m.skipped, m.packets, m.peer.sent)
	}
	b.ReportMetric(0, "ns/op")
}

const (
	runIn    = time.Second
	settleIn = 4 * time.Second
	coreLoad = 0.7
)

var (
	measured = flag.Duration("measure", 2*time.Second, "how long each server of BenchmarkLimits is measured in a round")
	only     = flag.String("only", "", "of the engine's cases only those whose names begin so")
	calls    = flag.Int("calls", 0, "relayed calls of BenchmarkLimits; 0: as many as load a core to 70 %")
	rounds   = flag.Int("rounds", 5, "rounds of BenchmarkLimits")
)

// limitCase is one server and what it is measured against.
type limitCase struct {
	name   string
	order  serverOrder
	per    *limitCase
	costs  []float64 // µs of CPU for a packet in and out, of each round
	whole  []float64 // the same with the parties' own
	ratios []float64 // of the cost to that of per in the same round
	sound  []float64 // of L1: µs of CPU for the arithmetic of a frame of a three-way call, a packet
	last   measurement
}

func limitCases(legs int) []*limitCase {
	one := &limitCase{name: "L1", order: serverOrder{Kind: "L1", Parties: 2}}
	each := &limitCase{name: "L2", order: serverOrder{Kind: "L2", Parties: 2}}
	all := []*limitCase{one, each}
	for _, parties := range []int{2, 3} {
		for _, path := range []struct {
			name       string
			raw, steer bool
		}{{"plain", false, false}, {"raw", true, false}, {"raw+steered", true, true}} {
			c := &limitCase{name: "relay/" + path.name, per: each}
			if parties == 3 {
				c.name, c.per = "three-way/"+path.name, one
			}
			c.order = serverOrder{Kind: "engine", Parties: parties, Raw: path.raw, Steer: path.steer}
			all = append(all, c)
		}
	}
	// What the program costs is only known then.
	if known, _ := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled"); string(known) == "1\n" {
		all = append(all, &limitCase{name: "relay/kernel", per: each,
			order: serverOrder{Kind: "engine", Parties: 2, Raw: true, Steer: true, Kernel: true}})
	}
	for _, c := range all {
		c.order.Legs = legs
	}
	return all
}

func (c *limitCase) run(b *testing.B) {
	c.last = measure(b, c.order, *measured)
	cost := float64(c.last.cpu.Nanoseconds()) / 1000 / float64(c.last.packets)
	c.costs = append(c.costs, cost)
	c.whole = append(c.whole, float64((c.last.cpu+c.last.parties).Nanoseconds())/1000/float64(c.last.packets))
	switch round := len(c.costs) - 1; {
	case c.order.Kind == "L1":
		c.sound = append(c.sound, float64(arithmetic().Nanoseconds())/1000)
	case c.order.Parties == 3:
		c.ratios = append(c.ratios, cost/(c.per.costs[round]+c.per.sound[round]))
	case c.per != nil:
		c.ratios = append(c.ratios, cost/c.per.costs[round])
	}
}

// String is a line of the table.
func (c *limitCase) String() string {
	line := fmt.Sprintf("%-22s %6.2f µs a packet in and out (%.2f with the parties'), %4.1f %% of a core", c.name,
		median(c.costs), median(c.whole), 100*c.last.load)
	if c.order.Kernel {
		line += fmt.Sprintf(", %d of %d parties carried, %.2f µs of the last round in the program", c.last.end.Carried,
			c.order.Legs, float64(c.last.program.Nanoseconds())/1000/float64(c.last.packets))
	}
	if c.order.Parties == 3 {
		line += fmt.Sprintf(", %.2f ms a conference-second, %.2f × limit", 0.15*median(c.costs), median(c.ratios))
	} else if c.per != nil {
		line += fmt.Sprintf(", %.2f × L2", median(c.ratios))
	} else {
		return line
	}
	p, end := c.last.peer, c.last.end
	line += fmt.Sprintf("; %s, lowest leg %.1f/s, %d ticks skipped, %d threads, %d goroutines, %d KB a call",
		end.Transport, p.lowest(), c.last.skipped, end.Threads, end.Goroutines,
		(end.Memory-end.Empty)>>10*c.order.Parties/c.order.Legs)
	if c.order.Parties == 2 {
		line += fmt.Sprintf("; delay %v, 99 %% under %v", p.delay(50).Round(10*time.Microsecond),
			p.delay(99).Round(10*time.Microsecond))
	}
	return line
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

// loadedLegs finds how many relayed parties load a core to coreLoad.
func loadedLegs(b *testing.B) int {
	legs := 600
	for range 2 { // a packet costs less when there are more
		m := measure(b, serverOrder{Kind: "engine", Parties: 2, Legs: legs}, 2*time.Second)
		legs = int(float64(legs)*coreLoad/m.load) / 12 * 12 // by two and by three
	}
	return legs
}

// measurement is what one server did.
type measurement struct {
	cpu     time.Duration
	parties time.Duration // CPU of who plays them
	program time.Duration // of the CPU, in the kernel's program
	packets int
	load    float64 // of a core
	peer    *peer
	end     serverReport
	skipped uint64
}

func measure(b *testing.B, o serverOrder, d time.Duration) measurement {
	b.Helper()
	p := newPeer(b)
	p.stamps = o.Parties == 2
	o.Peer, o.Duration = p.addr(), d+time.Minute
	s := startServer(b, o)
	defer s.stop()
	p.aim(s.ports)
	p.run(runIn)
	if o.Kernel {
		p.run(settleIn) // until it has the parties
	}
	p.forget()
	before, own, start := s.report(), processTime(), time.Now()
	p.run(d)
	own = processTime() - own
	after := s.report()
	m := measurement{
		cpu: after.CPU - before.CPU, parties: own - (after.Programs - before.Programs), packets: p.got,
		program: after.Programs - before.Programs, peer: p, end: after, skipped: after.Skipped - before.Skipped,
	}
	m.load = m.cpu.Seconds() / time.Since(start).Seconds()
	if p.late > 20*time.Millisecond {
		b.Logf("%s: the parties were %v behind at worst: the machine is not quiet", o.Kind, p.late)
	}
	return m
}

// arithmetic is the CPU time of the sound of one party of a three-way call in a tick, done bare:
// decode, sum, take out one's own and encode.
func arithmetic() time.Duration {
	var coded [3][frameSamples]byte
	var sound [3][frameSamples]int16
	var sum [frameSamples]int32
	for leg := range coded {
		murmur(coded[leg][:], uint64(leg))
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
	return time.Since(start) / rounds / 3
}
