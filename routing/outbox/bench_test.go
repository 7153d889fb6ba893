package outbox

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link/redistest"
)

// flood puts b.N entries, with up to inFlight of them not yet safe.
func flood(b *testing.B, o *Outbox, inFlight int) {
	turns, m := make(chan struct{}, inFlight), newMatter("110")
	for b.Loop() {
		turns <- struct{}{}
		o.Put(m.next(), func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-turns
		})
	}
	for range inFlight {
		turns <- struct{}{}
	}
}

// From Put to done, the disk alone: entries per second and per commit.
func BenchmarkPutDone(b *testing.B) {
	o, _ := open(b, config(b, "redis://127.0.0.1:1"))
	start := time.Now()
	flood(b, o, 1000)
	s := o.Stats()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "entries/s")
	b.ReportMetric(float64(s.Written)/float64(s.Commits), "entries/commit")
	b.ReportMetric(float64(s.Bytes)/float64(s.OnDisk), "B/entry")
}

// From Put to done, one after the other: the price of one commit.
func BenchmarkPutDoneAlone(b *testing.B) {
	o, _ := open(b, config(b, "redis://127.0.0.1:1"))
	flood(b, o, 1)
}

// From Put to the stream of a real redis-server, sustained; and what an entry takes there, with its id among those
// seen.
func BenchmarkPutShipped(b *testing.B) {
	server := redistest.Start(b, "--appendfsync", "everysec")
	cfg := config(b, server.URL())
	cfg.Keep = time.Second
	o, _ := open(b, cfg)
	start := time.Now()
	flood(b, o, 1000)
	eventually(b, "shipped", shipped(o))
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "entries/s")
	memory := int64(0)
	for _, key := range []string{stream110, seenKey(stream110)} {
		memory += server.Do("MEMORY", "USAGE", key, "SAMPLES", "0").(int64)
	}
	b.ReportMetric(float64(memory)/float64(b.N), "redis-B/entry")
}

// From Put until a consumer that waits in XREAD has the entry: median and 99th percentile.
func BenchmarkPutReadable(b *testing.B) {
	server := redistest.Start(b, "--appendfsync", "everysec")
	cfg := config(b, server.URL())
	cfg.Keep = time.Second
	o, _ := open(b, cfg)
	reader := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer reader.Close()
	m, last := newMatter("110"), "0"
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		o.Put(m.next(), nil)
		list, err := reader.XRead(b.Context(), &redis.XReadArgs{Streams: []string{stream110, last},
			Block: patience}).Result()
		if err != nil {
			b.Fatal(err)
		}
		last = list[0].Messages[0].ID
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkEncode(b *testing.B) {
	e := newMatter("110").next()
	b.ReportAllocs()
	for b.Loop() {
		encode(recordOf(e))
	}
}

func BenchmarkDecode(b *testing.B) {
	body := encode(recordOf(newMatter("110").next()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

// How long until everything is in the stream after Redis was away for ten minutes at 100 entries a second.
func BenchmarkRecovery(b *testing.B) {
	const backlog = 10 * 60 * 100
	for b.Loop() {
		b.StopTimer()
		server := redistest.Start(b, "--appendfsync", "everysec")
		cfg := config(b, server.URL())
		server.Kill()
		o, _ := open(b, cfg)
		l, m := newLedger(), []*matter{newMatter("110"), newMatter("12345")}
		for i := range backlog {
			l.put(o, m[i%2].next())
			if i%2000 == 1999 { // no more than memory holds
				eventually(b, "on disk", l.reached(i-1000))
			}
		}
		eventually(b, "on disk", l.reached(backlog))
		server.Restart()
		b.StartTimer()
		eventually(b, "shipped", shipped(o))
		b.StopTimer()
		exactly(b, cfg, backlog/2, stream110)
		exactly(b, cfg, backlog/2, stream12345)
		o.Stop()
		b.StartTimer()
	}
}
