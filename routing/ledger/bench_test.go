package ledger

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"liandong/routing/indicator"
	"liandong/routing/link/redistest"
	"liandong/routing/news"
)

// BenchmarkCallEvents counts the events of whole calls: what a call costs this process, in bytes, allocations and CPU.
func BenchmarkCallEvents(b *testing.B) {
	server := redistest.Start(b, "--appendonly", "no")
	cfg := config(server.Addr(), "a")
	cfg.Zone = china
	l, _ := start(b, cfg)
	sums, err := OpenIndicators(cfg.Config)
	if err != nil {
		b.Fatal(err)
	}
	defer sums.Close()
	now := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	var events [][]news.Fields
	for i := range b.N {
		events = append(events, eventsOf(fmt.Sprint("call-", i), now))
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := spent()
	for _, call := range events {
		for _, e := range call {
			l.Event(e)
		}
	}
	for n := int64(0); n < int64(b.N); time.Sleep(100 * time.Millisecond) {
		got, err := sums.Sums(b.Context(), indicator.DayKey("110", now))
		if err != nil {
			b.Fatal(err)
		}
		n = got[0][indicator.Calls]
	}
	b.ReportMetric(float64((spent()-before).Microseconds())/float64(b.N), "CPU-µs/call")
}

// eventsOf are those of a call that is answered and handed over.
func eventsOf(ref string, at time.Time) (list []news.Fields) {
	for _, event := range []string{"arrived", "answered", "key", "transferring", "answered", "ended"} {
		list = append(list, news.From(map[string]string{
			"event": event, "call_ref": ref, "hotline": "110", "at": at.Format(time.RFC3339Nano),
			"call_at":     at.Format(time.RFC3339Nano),
			"caller_e164": number, "agent": "1101", "detail": "handover",
		}))
	}
	return list
}

// spent is the CPU time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
