package exchange

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"liandong/routing/journal"
)

// BenchmarkCall is a citizen who is answered, handed over and talks on, with all signalling of the switch and of the
// phones, with and without a journal.
func BenchmarkCall(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprint("journal=", kept), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "journal"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			j, err := journal.Open(f)
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			calls, inputs := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				s := newSimulation(4, false)
				if kept {
					s.writes = func(e ...journal.Entry) { inputs++; j.Write(e...) }
				}
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
				calls++
			}
			if kept {
				st := j.Stats()
				b.ReportMetric(float64(inputs)/float64(calls), "records/call")
				b.ReportMetric(float64(st.Bytes)/float64(calls), "bytes/call")
				b.ReportMetric(float64(st.Busy.Microseconds())/float64(calls), "µs-in-journal/call")
			}
		})
	}
}
