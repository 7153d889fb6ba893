package exchange

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"liandong/routing/journal"
	"liandong/routing/mirror"
)

// BenchmarkCall is a citizen who is answered, handed over and talks on, with all signalling of the switch and of the
// phones, with a journal and without one in turns, so that what else the machine does falls on both. The processors'
// time counts, garbage collection and all.
func BenchmarkCall(b *testing.B) {
	j := openJournal(b, filepath.Join(b.TempDir(), "journal"))
	records, rounds := 0, 0
	var plain, kept time.Duration
	for b.Loop() {
		rounds++
		plain += cpuTime(b, func() { oneCall(b, nil) })
		kept += cpuTime(b, func() {
			oneCall(b, func(e ...journal.Entry) { records++; j.Write(e...) })
		})
	}
	st, calls := j.Stats(), float64(rounds*callsAtOnce)
	b.ReportMetric(float64(plain.Microseconds())/calls, "µs-without/call")
	b.ReportMetric(float64(kept.Microseconds())/calls, "µs-with/call")
	b.ReportMetric(100*float64(kept-plain)/float64(plain), "%")
	b.ReportMetric(float64(records)/calls, "records/call")
	b.ReportMetric(float64(st.Bytes)/calls, "bytes/call")
	b.ReportMetric(float64(st.Busy.Microseconds())/calls, "µs-in-journal/call")
}

// BenchmarkStreamedCall is what the copy on a second machine adds to such a call, on both machines together: each write
// of the journal goes to the other one by itself, which is the most that it can cost.
func BenchmarkStreamedCall(b *testing.B) {
	ours := openJournal(b, filepath.Join(b.TempDir(), "ours"))
	theirs := openJournal(b, filepath.Join(b.TempDir(), "theirs"))
	at := netip.MustParseAddrPort("127.0.0.1:0")
	cfg := mirror.Config{Node: "n", Listen: at, Secret: "of two machines alone", Gather: time.Millisecond,
		Patience: 10 * time.Second, Log: slog.New(slog.DiscardHandler)}
	e, err := mirror.NewReceiver(cfg, func([]byte, func([]byte)) {})
	if err == nil {
		err = e.Start(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	defer e.Stop()
	e.Take(map[string]mirror.Sink{"calls": theirs})
	cfg.Partner = e.Addr()
	m, err := mirror.NewSender(cfg, func([]byte) {})
	if err != nil {
		b.Fatal(err)
	}
	m.Start()
	defer m.Stop()
	follower := ours.Follow(m.Wake)
	caught := func() {
		if err := m.Caught(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	var kept, streamed time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		m.Stream()
		kept += cpuTime(b, func() { oneCall(b, ours.Write) })
		m.Stream(mirror.Named{Name: "calls", Source: follower})
		caught()
		streamed += cpuTime(b, func() {
			oneCall(b, func(e ...journal.Entry) { ours.Write(e...); caught() })
		})
	}
	st, calls := m.Stats(), float64(rounds*callsAtOnce)
	b.ReportMetric(float64(kept.Microseconds())/calls, "µs-without/call")
	b.ReportMetric(float64(streamed.Microseconds())/calls, "µs-with/call")
	b.ReportMetric(float64(st.Bytes)/calls, "bytes/call")
	b.ReportMetric(float64(st.Cuts)/calls, "cuts/call")
}

const callsAtOnce = 20

// oneCall is that call, several times.
func oneCall(b *testing.B, writes func(...journal.Entry)) {
	for range callsAtOnce {
		s := newSimulation(4, false)
		s.writes = writes
		for i, user := range []string{"1101", "2101"} {
			s.addPhone(user, fmt.Sprintf("127.0.1.%d:5060", i+1)).does = func(l *line) { l.answer(time.Second) }
		}
		l := s.addPhone("13812345678", "127.0.0.10:5060").dial("110")
		s.after(5*time.Second, func() { s.phoneOf("1101").legs[0].press("*1") })
		s.after(20*time.Second, l.hangUp)
		s.run(time.Hour)
		if s.err != nil {
			b.Fatal(s.err)
		}
	}
}

// cpuTime is what f has had of the processors.
func cpuTime(b *testing.B, f func()) time.Duration {
	b.Helper()
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	began := used()
	f()
	return used() - began
}

// BenchmarkRestore is what a process that takes over does for each call before its parties hear again, with the garbage
// collector and without.
func BenchmarkRestore(b *testing.B) {
	var records [][]byte
	for _, what := range frozen {
		for _, e := range thawed(b, what).All(journal.Call) {
			records = append(records, e.Value)
		}
	}
	s := newSimulation(4, false)
	for _, percent := range []int{100, -1} {
		b.Run(fmt.Sprint("gc=", percent), func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(percent))
			b.ReportAllocs()
			var used time.Duration
			n := 0
			for b.Loop() {
				used += cpuTime(b, func() {
					for i := range 250 {
						r, err := ReadRecord(records[i%len(records)])
						if err == nil {
							_, err = RestoreCore(s.simCall().world(), s.dir, r)
						}
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
				})
				s.cores = nil
			}
			b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/call")
		})
	}
}
