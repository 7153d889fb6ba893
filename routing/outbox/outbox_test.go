package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/link"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

func TestPutShips(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	a, b, l := newMatter("12345"), newMatter("110"), newLedger()
	for range 1500 { // more than one round trip takes
		l.put(o, a.next())
		l.put(o, b.next())
	}
	eventually(t, "all on disk", l.reached(3000))
	eventually(t, "all shipped", shipped(o))
	exactly(t, cfg, 1500, stream110)
	exactly(t, cfg, 1500, stream12345)
	eventually(t, "the disk is empty", func() bool { s := o.Stats(); return s.OnDisk == 0 && s.Bytes == 0 })
	if s := o.Stats(); s.Written != 3000 || s.Shipped != 3000 || s.Dropped != 0 || s.Imperfect != 0 || !s.RedisUp ||
		!s.DiskUp {
		t.Errorf("%+v", s)
	}
}

func TestPutFillsIn(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	e := newMatter("110").next()
	e.EventID, e.At = "", time.Time{}
	o.Put(e, nil)
	eventually(t, "shipped", func() bool { return o.Stats().Shipped == 1 })
	if got := read(t, cfg, stream110)[0].Entry; got.Validate() != nil {
		t.Error(got.Validate())
	}
}

// An entry with a fault goes all the same; one that cannot be sent is refused, loudly.
func TestPutFaulty(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, j := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	faulty, hopeless := m.next(), m.next()
	faulty.CallerStatus = "13812345678"
	hopeless.StubID = ""
	l.put(o, faulty)
	l.put(o, hopeless)
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 1, stream110)
	if s := o.Stats(); s.Imperfect != 1 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	if _, failed := l.count(); failed != 1 || !errors.Is(l.errs[0], ErrEntry) {
		t.Errorf("%v", l.errs)
	}
	for _, want := range []string{"caller_status: must be one of", "stub_id: must be a ULID"} {
		if !strings.Contains(j.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestPutAfterStop(t *testing.T) {
	o, _ := open(t, config(t, "redis://127.0.0.1:1"))
	o.Stop()
	var got error
	o.Put(newMatter("110").next(), func(err error) { got = err })
	if !errors.Is(got, ErrClosed) {
		t.Error(got)
	}
}

// Stop brings everything to disk; the next Start ships it.
func TestStopAndReopen(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	mini.Close()
	o, _ := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	for range 100 {
		l.put(o, m.next())
	}
	o.Stop()
	if safe, failed := l.count(); safe != 100 || failed != 0 {
		t.Fatalf("%d safe, %d failed", safe, failed)
	}
	if err := mini.Restart(); err != nil {
		t.Fatal(err)
	}
	o, _ = open(t, cfg)
	for range 10 {
		l.put(o, m.next())
	}
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 110, stream110)
}

// What Redis says when it cannot take entries for now. Entries wait, and follow.
func TestRedisRefuses(t *testing.T) {
	for _, reply := range []string{
		"READONLY You can't write against a read only replica.",
		"LOADING Redis is loading the dataset in memory",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"CLUSTERDOWN The cluster is down",
		"NOREPLICAS Not enough good replicas to write.",
		"NOAUTH Authentication required.",
		"BUSY Redis is busy running a script.",
		"MISCONF Errors writing to the AOF file",
		"ERR 13812345678",
	} {
		t.Run(strings.Fields(reply)[0], func(t *testing.T) {
			mini := miniredis.RunT(t)
			cfg := config(t, "redis://"+mini.Addr())
			o, j := open(t, cfg)
			l, m := newLedger(), newMatter("110")
			l.put(o, m.next())
			eventually(t, "shipped", func() bool { return o.Stats().Shipped == 1 })
			mini.SetError(reply)
			for range 10 {
				l.put(o, m.next())
			}
			eventually(t, "on disk", l.reached(11))
			eventually(t, "told", j.has("they wait"))
			if s := o.Stats(); s.Waiting != 10 || s.RedisUp || s.RedisError == "" {
				t.Errorf("%+v", s)
			}
			mini.SetError("")
			eventually(t, "shipped", shipped(o))
			exactly(t, cfg, 11, stream110)
		})
	}
}

// Redis goes away and comes back with what it had.
func TestRedisGone(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	for range 5 {
		l.put(o, m.next())
		eventually(t, "shipped", shipped(o))
		mini.Close()
		for range 10 {
			l.put(o, m.next())
		}
		eventually(t, "away", func() bool { return !o.Stats().RedisUp })
		if err := mini.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 55, stream110)
}

// A Redis that has never heard of the script is told it.
func TestScriptForgotten(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	m := newMatter("110")
	for range 3 {
		o.Put(m.next(), nil)
		eventually(t, "shipped", shipped(o))
		if err := o.link.Client().ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	exactly(t, cfg, 3, stream110)
}

// One stream refuses entries: others go on, but not for stubs that have an entry waiting for the first.
func TestOneStreamRefuses(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	if err := mini.Set(stream110, "an admin's mistake"); err != nil {
		t.Fatal(err)
	}
	o, j := open(t, cfg)
	stuck, free := newMatter("110"), newMatter("12345")
	o.Put(stuck.next(), nil)
	second := stuck.next()
	second.Address = "12345"
	o.Put(second, nil)
	for range 2000 {
		o.Put(free.next(), nil)
	}
	eventually(t, "the free stub is shipped", func() bool {
		s := o.Stats()
		return s.Written == 2002 &&
			s.Waiting == 2
	})
	eventually(t, "told", j.has("stream="+stream110))
	exactly(t, cfg, 2000, stream12345)
	mini.Del(stream110)
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 1, stream110)
	if n := len(read(t, cfg, stream12345)); n != 2001 {
		t.Errorf("%d entries", n)
	}
}

// A stub whose entries alternate between streams keeps their order over both, also across a lost connection.
func TestOrderOverStreams(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	m := newMatter("110")
	var put []ticket.Entry
	for i := range 50 {
		e := m.next()
		e.Address = []string{"110", "12345"}[i%2]
		put = append(put, e)
		o.Put(e, nil)
	}
	eventually(t, "shipped", shipped(o))
	if n := len(read(t, cfg, stream110)) + len(read(t, cfg, stream12345)); n != len(put) {
		t.Fatalf("%d entries, want %d", n, len(put))
	}
}

// Redis loses what it had confirmed (a replica that lagged takes over): it is sent again, before anything newer.
func TestRedisLosesEntries(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	cfg.Keep = time.Hour
	o, j := open(t, cfg)
	m := newMatter("110")
	for range 600 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))
	mini.FlushAll()
	o.Put(m.next(), nil)
	eventually(t, "revived", func() bool { return o.Stats().Revived == 600 })
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 601, stream110)
	eventually(t, "told", j.has("sent again"))
}

// The same with nothing newer: before an entry leaves the disk Redis is asked whether it still has it.
func TestRedisLosesEntriesWhileIdle(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	cfg.Keep = 200 * time.Millisecond
	o, _ := open(t, cfg)
	m := newMatter("110")
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	mini.FlushAll()
	eventually(t, "revived", func() bool { s := o.Stats(); return s.Revived == 1 && s.Shipped == 2 })
	eventually(t, "it leaves in the end", func() bool { return o.Stats().OnDisk == 0 })
	exactly(t, cfg, 1, stream110)
}

// Redis remembers ids for a time, not for ever; the newest ten thousand in any case.
func TestSeenIsTrimmed(t *testing.T) {
	mini := miniredis.RunT(t)
	start := time.Now()
	mini.SetTime(start)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	m := newMatter("110")
	for range 100 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))
	mini.SetTime(start.Add(cfg.Remember - time.Second))
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	if seen, _ := mini.ZMembers(seenKey(stream110)); len(seen) != 101 {
		t.Errorf("%d ids are remembered, want 101", len(seen))
	}
	mini.SetTime(start.Add(cfg.Remember + time.Second))
	for range 60 { // a few at a time
		o.Put(m.next(), nil)
		eventually(t, "shipped", shipped(o))
	}
	if seen, _ := mini.ZMembers(seenKey(stream110)); len(seen) != 161 {
		t.Errorf("%d ids are remembered, want 161", len(seen))
	}
	for i := range 10_000 {
		if _, err := mini.ZAdd(seenKey(stream110), float64(start.UnixMilli()), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	if seen, _ := mini.ZMembers(seenKey(stream110)); len(seen) != 10_152 {
		t.Errorf("%d ids are remembered, want 10152", len(seen))
	}
	exactly(t, cfg, 162, stream110)
}

// The clock of Redis steps to another month and back, between a delivery and its repetition: the ids are still known.
func TestSeenOutlivesClockSteps(t *testing.T) {
	for _, step := range []time.Duration{30 * 24 * time.Hour, -6 * 24 * time.Hour} {
		mini := miniredis.RunT(t)
		start := time.Now()
		mini.SetTime(start)
		cfg := config(t, "redis://"+mini.Addr())
		cfg.Keep = time.Hour
		o, _ := open(t, cfg)
		m := newMatter("110")
		for range 20 {
			o.Put(m.next(), nil)
		}
		eventually(t, "shipped", shipped(o))
		mini.SetTime(start.Add(step))
		o.Put(m.next(), nil)
		eventually(t, "shipped", shipped(o))
		mini.SetTime(start.Add(2 * 24 * time.Hour))
		for range 10 {
			o.Put(m.next(), nil)
			eventually(t, "shipped", shipped(o))
		}
		if seen, _ := mini.ZMembers(seenKey(stream110)); len(seen) != 31 {
			t.Errorf("after a step of %v %d ids are remembered, want 31", step, len(seen))
		}
	}
}

func TestPublish(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	cfg.Events = 10
	j, log := newJournal(t)
	o, err := Open(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 { // before Start: nobody takes them
		o.Publish("liandong:calls", news.From(map[string]string{"n": string(rune('a' + i)), "caller": "13812345678"}))
	}
	o.Start()
	t.Cleanup(o.Stop)
	eventually(t, "sent", func() bool { return o.Stats().EventsSent == 10 })
	if s := o.Stats(); s.EventsDropped != 15 {
		t.Errorf("%d dropped, want 15", s.EventsDropped)
	}
	list := read(t, cfg, "liandong:calls")
	if len(list) != 10 || list[0].Fields["n"] != "p" || list[9].Fields["n"] != "y" {
		t.Errorf("%v", list)
	}
	mini.SetError("ERR 13812345678")
	o.Publish("liandong:calls", news.From(map[string]string{"n": "z"}))
	eventually(t, "dropped", func() bool { return o.Stats().EventsDropped == 16 })
	eventually(t, "told", j.has("call events dropped"))
}

// What was told just before the end is sent, too, in as many rounds as it takes.
func TestPublishBeforeStop(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	l, err := link.New(cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	over, end := context.WithCancel(t.Context())
	end()
	for i := range 10 { // whether it is woken first, or ended, is left to chance
		p := newEventSender(cfg, l, slog.New(slog.DiscardHandler))
		for range 3 * publishRound / 2 {
			p.publish("liandong:calls", news.From(map[string]string{"n": "1"}))
		}
		p.run(over)
		if n := p.sent.Load(); n != 3*publishRound/2 || p.dropped.Load() != 0 {
			t.Fatalf("%d: %d events are sent, %d dropped", i, n, p.dropped.Load())
		}
	}
	p := newEventSender(cfg, l, slog.New(slog.DiscardHandler))
	for range 2*publishRound + 1 {
		p.publish("liandong:calls", news.From(map[string]string{"n": "1"}))
	}
	l.Close()
	p.run(over)
	p.publish("liandong:calls", news.From(map[string]string{"n": "1"}))
	if n := p.dropped.Load(); n != 2*publishRound+2 {
		t.Errorf("%d events are dropped of %d that cannot be sent any more", n, 2*publishRound+2)
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	var none Config
	for _, key := range []string{"path", "max_bytes", "max_memory", "backoff", "remember", "events", "events_kept"} {
		if err := none.Validate(); !strings.Contains(err.Error(), "outbox: "+key+": must") {
			t.Errorf("%s is not reported: %v", key, err)
		}
	}
}
