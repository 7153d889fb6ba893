package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/keeper"
	"liandong/routing/link/redistest"
)

// spent is what switches and their Redis have used so far.
type spent struct {
	cpu              time.Duration // of all processes of all switches
	commands, bytes  float64       // of Redis, in and out
	journal, written float64       // bytes and records
}

// uses reads it. The processes are those that the switches had at the start.
func (e *edged) uses(b *testing.B, redis string) (s spent) {
	b.Helper()
	for _, n := range e.nodes {
		p := n.await(b, func(p keeper.Status) bool { return p.Worker != 0 && p.Spare != 0 })
		for _, pid := range []int{p.Keeper, p.Worker, p.Spare} {
			s.cpu += cpuOf(b, pid)
		}
		s.journal += n.metric(b, "liandong_journal_bytes_total")
		s.written += n.metric(b, "liandong_journal_writes_total")
	}
	for line := range strings.Lines(fmt.Sprint(ask(b, redis, "INFO", "all"))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var v float64
		switch name {
		case "total_net_input_bytes", "total_net_output_bytes":
			_, err := fmt.Sscanf(value, "%g", &v)
			must(b, err)
			s.bytes += v
		}
		if strings.HasPrefix(name, "cmdstat_") {
			_, err := fmt.Sscanf(value, "calls=%g", &v)
			must(b, err)
			s.commands += v
		}
	}
	return s
}

// cpuOf is what a process has had of the processors, in steps of 10 ms: proc(5).
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	must(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkClusterCall is what a call of half a second costs one to four switches that share registrations and
// seats, behind the shipped Kamailio: processor time of all of them together, commands of Redis (those within
// scripts, too) and bytes to and from it, journal. What they use while nobody calls is told by itself, for a second
// and a switch, and not counted to the calls. A third of the calls are handed over. One round is enough: -benchtime 1x.
func BenchmarkClusterCall(b *testing.B) {
	const seats, window = 6, 15 * time.Second
	for nodes := 1; nodes <= 4; nodes++ {
		b.Run(fmt.Sprint("nodes=", nodes), func(b *testing.B) {
			redis := redistest.Start(b, "--appendfsync", "everysec")
			set := append(crowdSeats(seats), "cluster.share=redis", "log.level=info")
			e := startEdged(b, nodes, redis.Addr(), set...)
			c := startCrowd(b, e, seats, 0, time.Millisecond)
			time.Sleep(2 * time.Second) // what is begun is done
			for b.Loop() {
				began, before := time.Now(), e.uses(b, redis.Addr())
				time.Sleep(window)
				idleFor, rested := time.Since(began).Seconds(), e.uses(b, redis.Addr())
				began = time.Now()
				c.comes(4)
				time.Sleep(window)
				c.stop(b, redis.Addr())
				busyFor, after := time.Since(began).Seconds(), e.uses(b, redis.Addr())
				calls := float64(c.done)
				each := func(idle, busy float64) float64 { return (busy - idle*busyFor/idleFor) / calls }
				ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
				b.ReportMetric(each(ms(rested.cpu-before.cpu), ms(after.cpu-rested.cpu)), "cpu-ms/call")
				b.ReportMetric(each(rested.commands-before.commands, after.commands-rested.commands),
					"redis-commands/call")
				b.ReportMetric(each(rested.bytes-before.bytes, after.bytes-rested.bytes), "redis-bytes/call")
				b.ReportMetric((after.journal-rested.journal)/calls, "journal-bytes/call")
				b.ReportMetric((after.written-rested.written)/calls, "journal-records/call")
				per := idleFor * float64(nodes)
				b.ReportMetric(ms(rested.cpu-before.cpu)/per, "idle-cpu-ms/s")
				b.ReportMetric((rested.commands-before.commands)/per, "idle-commands/s")
				b.ReportMetric((rested.bytes-before.bytes)/per, "idle-bytes/s")
				b.ReportMetric(calls, "calls")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
