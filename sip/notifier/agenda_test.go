package notifier

import (
	"fmt"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// What a lamp costs, each phone that watches it told and having answered: the same however many watch it.
func BenchmarkWatched(b *testing.B) {
	if rebirth {
		b.Skip("the Server that is measured lives on")
	}
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.PerUser = 20000 })
			var all []*watcher
			for i := range n {
				w := r.watcher(fmt.Sprint(i), "110")
				w.send(w.text())
				all = append(all, w)
			}
			answer := func() {
				packets := r.sent
				r.sent = nil
				for _, p := range packets {
					if req, ok := p.Msg.(*gosip.Request); ok {
						res := finished(leg.Reply(leg.Packet{Msg: req, Flow: all[0].flow()}, 200, "", ""))
						r.server.Receive(r.now, leg.Packet{Msg: res, Flow: all[0].flow()})
						r.server.Deadline()
					}
				}
			}
			answer()
			notices := 0
			for b.Loop() {
				r.now = r.now.Add(5 * time.Second)
				r.server.Tick(r.now)
				out := r.server.Changed(r.now, "state", "110")
				r.sent = out.Packets
				notices += len(out.Packets)
				answer()
			}
			if notices != b.N*n {
				b.Fatalf("%d NOTIFYs for %d changes", notices, b.N)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(notices), "ns/NOTIFY")
		})
	}
}
