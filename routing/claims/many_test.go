package claims

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// Thousands that wait at one switch are told in exchanges of which none keeps Redis from the others, and have the order
// in which they came; none stays there that has left.
func TestManyWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no", "--slowlog-log-slower-than", "200000")
	settled(server)
	const n = 3000
	a, b := start(t, server.URL(), "a", func([]string) {}), start(t, server.URL(), "b", func([]string) {})
	now := time.Now()
	at := func(i int) Waiter { // in no order of the names
		age := time.Duration(n-(i*7919)%n) * time.Millisecond
		return Waiter{Call: fmt.Sprint("c", i), Line: "110", Since: now.Add(-age)}
	}
	for i := range n {
		a.Queued(at(i))
	}
	eventually(t, "the other knows of all", func() bool { return b.Waiting("110") == n && a.Stats().Up })
	var calls []string
	came := map[string]float64{}
	raw := server.Do("HGETALL", waits).([]any)
	for i := 0; i < len(raw); i += 2 {
		_, text, _ := strings.Cut(raw[i+1].(string), `"came":"`)
		text, _, _ = strings.Cut(text, `"`)
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err, raw[i+1])
		}
		calls = append(calls, raw[i].(string))
		came[raw[i].(string)] = f
	}
	slices.SortFunc(calls, func(x, y string) int {
		if came[x] < came[y] {
			return -1
		}
		return 1
	})
	last := time.Time{}
	for _, call := range calls {
		i, _ := strconv.Atoi(call[1:])
		w := at(i)
		if w.Since.Before(last.Add(-slack)) {
			t.Fatalf("%s is behind one that came %v later", call, last.Sub(w.Since))
		}
		if w.Since.After(last) {
			last = w.Since
		}
	}
	for i := range n {
		a.Unqueued(fmt.Sprint("c", i))
	}
	eventually(t, "nobody waits", func() bool { return b.Waiting("110") == 0 && server.Do("HLEN", waits) == int64(0) })
	t.Logf("%v exchanges have kept Redis for more than 0.2 s", server.Do("SLOWLOG", "LEN"))
}

// No request has more of one kind than it may; the rest comes with those after it.
func TestRequestsAreBounded(t *testing.T) {
	m, st, now := newMachine(), newStore(), epoch
	for i := range 1000 {
		m.taken(fmt.Sprint(i), Waiter{})
		m.queued(Waiter{Call: fmt.Sprint("c", i), Line: "110", Since: now})
	}
	rounds := 0
	for more := true; more; rounds++ {
		r, some := m.change(now, now, false)
		if !some || len(r.Take) > most || len(r.Wait) > most || rounds > 10 {
			t.Fatalf("%d: %d seats, %d calls", rounds, len(r.Take), len(r.Wait))
		}
		m.told("a", r, st.run(now, "a", r))
		more = r.more
	}
	if len(st.held) != 1000 || len(st.waits) != 1000 || rounds != 5 {
		t.Errorf("%d rounds: %d seats, %d calls", rounds, len(st.held), len(st.waits))
	}
}

// While Redis is away calls that come and go leave nothing behind; what it was told before, it is told.
func TestLeftWhileAway(t *testing.T) {
	m, now := newMachine(), epoch
	m.queued(Waiter{Call: "known", Line: "110", Since: now})
	r, _ := m.change(now, now, true)
	m.told("a", r, newStore().run(now, "a", r))
	m.unqueued("known")
	for i := range 1000 {
		call := fmt.Sprint("c", i)
		m.queued(Waiter{Call: call, Line: "110", Since: now})
		r, _ := m.change(now, now, true)
		if i%2 == 0 {
			m.unqueued(call)
		}
		m.failed(r)
		m.unqueued(call)
	}
	if len(m.left) != 1 || !m.left["known"] || len(m.queue)+len(m.waits) > 0 {
		t.Errorf("%d are left, %d in the queue", len(m.left), len(m.queue))
	}
}

// A Redis that has lost all gives nobody a seat that another switch has: what was known counts until that can have said
// so, and who begins just then hears nothing until then.
func TestRedisLosesAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	settled(server)
	var has []string
	a, b := start(t, server.URL(), "a", func([]string) {}), start(t, server.URL(), "b", func([]string) {})
	for i := range 10 {
		seat := fmt.Sprint(1101 + i)
		if denied := wants(t, a, seat); len(denied) > 0 {
			t.Fatalf("denied %v", denied)
		}
		has = append(has, seat)
	}
	eventually(t, "the other knows", func() bool { return b.Stats().Others == 10 })
	for range 3 {
		server.Do("FLUSHALL")
		young := startAs(t, config(server.URL(), "young"))
		young.Taken("1101", Waiter{})
		for _, seat := range has {
			if denied := wants(t, b, seat); len(denied) == 0 {
				t.Fatalf("%s is the other's, too", seat)
			}
		}
		eventually(t, "Redis has them again", func() bool { return server.Do("HLEN", held) == int64(10) })
		for _, seat := range has {
			if by := server.Do("HGET", held, seat); by != "a" && seat != "1101" {
				t.Errorf("%s is %v's", seat, by)
			}
		}
		young.Stop()
		if a.Stats().Mine != 10 || b.Stats().Mine > 0 {
			t.Errorf("%+v %+v", a.Stats(), b.Stats())
		}
		server.Do("HSET", held, "1101", "a")
		time.Sleep(Lease + beat)
	}
}

// A place that Redis' clock makes too late by far is told again, and is right then.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	settled(server)
	a := start(t, server.URL(), "a", func([]string) {})
	now := time.Now()
	late := func(call string) string {
		return fmt.Sprintf(`{"node":"a","line":"110","came":"%d.000","since":%d}`, now.Add(time.Hour).UnixMilli(),
			now.UnixMilli())
	}
	server.Do("HSET", waits, "c1", late("c1"), "c2", late("c2"))
	a.Queued(Waiter{Call: "c1", Line: "110", Since: now.Add(-time.Minute)})
	a.Queued(Waiter{Call: "c2", Line: "110", Since: now.Add(-2 * time.Minute)})
	eventually(t, "c2 is a minute before c1", func() bool {
		var at [2]float64
		for i, call := range []string{"c1", "c2"} {
			text, _ := server.Do("HGET", waits, call).(string)
			_, text, _ = strings.Cut(text, `"came":"`)
			text, _, _ = strings.Cut(text, `"`)
			at[i], _ = strconv.ParseFloat(text, 64)
		}
		return at[1] > 0 && at[0]-at[1] > 59000 && at[0]-at[1] < 61000 && at[0] < float64(now.UnixMilli())
	})
}

// Redis' clock was set back after a person's word: what comes about by itself at the same switch later counts all the
// same.
func TestOwnWordsAfterClockSetBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	a, said := start(t, server.URL(), "a", func([]string) {}), time.Now().Add(-time.Hour)
	is := func(word string) func() bool {
		return func() bool {
			text, _ := server.Do("HGET", hears, "agent 1101").(string)
			return strings.Contains(text, `"`+word+`"`)
		}
	}
	a.Say(Word{About: "agent 1101", Word: "ready", Since: said})
	eventually(t, "it is told", is("ready"))
	text := server.Do("HGET", hears, "agent 1101").(string)
	before, rest, _ := strings.Cut(text, `"since":"`)
	number, rest, _ := strings.Cut(rest, `"`)
	since, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatal(err, text)
	}
	server.Do("HSET", hears, "agent 1101", fmt.Sprintf(`%s"since":"%d"%s`, before, since+5000, rest))
	a.Say(Word{About: "agent 1101", Word: "after_call", Since: time.Now(), Over: said})
	eventually(t, "it is told", is("after_call"))
}

// Twenty thousand words are told, and learnt by who begins later, in pages of which none keeps Redis from the others;
// each is told again in its turn, also what Redis has lost without a trace.
func TestManyWords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no", "--slowlog-log-slower-than", "100000")
	settled(server)
	const n = 20000
	a, now := start(t, server.URL(), "a", func([]string) {}), time.Now()
	for i := range n {
		a.Say(Word{About: fmt.Sprint("agent ", i), Word: "not_ready", Since: now.Add(-time.Hour)})
	}
	eventually(t, "Redis has all", func() bool { return server.Do("ZCARD", changes) == int64(n) })
	h := &heard{all: map[string]Word{}}
	cfg := config(server.URL(), "b")
	cfg.Learn = h.learn
	b := startAs(t, cfg)
	eventually(t, "who begins later learns all", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.all) == n
	})
	server.Do("HDEL", hears, "agent 7")
	server.Do("ZREM", changes, "agent 7")
	again := time.Now()
	eventually(t, "it is told again", func() bool { return server.Do("HEXISTS", hears, "agent 7") == int64(1) })
	t.Logf("told again after %v", time.Since(again).Round(time.Second))
	if !a.Stats().Up || !b.Stats().Up {
		t.Errorf("%+v %+v", a.Stats(), b.Stats())
	}
	t.Logf("%v exchanges have kept Redis for more than 0.1 s", server.Do("SLOWLOG", "LEN"))
}

// A page of words is no longer than it may be, and what a switch has read it is told of again in its turn: what it has
// missed comes so.
func TestWordsAreReadAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	settled(server)
	h := &heard{all: map[string]Word{}}
	cfg := config(server.URL(), "b")
	cfg.Learn = h.learn
	a, now := start(t, server.URL(), "a", func([]string) {}), time.Now()
	startAs(t, cfg)
	for i := range 100 {
		a.Say(Word{About: fmt.Sprint("agent ", i), Word: "not_ready", Since: now})
	}
	eventually(t, "all are learnt", func() bool {
		return h.word("agent 99").Word != "" && h.word("agent 50").Word != ""
	})
	word := fmt.Sprintf(`{"word":"ready","since":"%d","by":"c"}`, now.Add(time.Second).UnixMilli())
	server.Do("HSET", hears, "agent 50", word) // and no change has a new number
	eventually(t, "what was missed is learnt", func() bool { return h.word("agent 50").Word == "ready" })
}

// What others were known to have, a Redis that has lost it does not make free, before they can have said so again.
func TestWhatWasKnownCounts(t *testing.T) {
	m := newMachine()
	read := func(a reply) {
		r, _ := m.change(epoch, epoch, true)
		m.told("b", r, a)
	}
	read(reply{Whose: []string{"1101", "a", "1102", "a"}})
	read(reply{Lost: true, Whose: []string{"1102", "c"}})
	if m.other["1101"] != "a" || m.other["1102"] != "c" || !m.bars("1101") {
		t.Errorf("known are %v", m.other)
	}
	if read(reply{}); m.bars("1101") || m.bars("1102") {
		t.Errorf("they have %v for ever", m.other)
	}
}
