package claims

import (
	"slices"
	"sync"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// asks takes seats for a call in its turn and says which it is denied, which it gives back.
func asks(t *testing.T, c *Claims, by Waiter, seats ...string) []string {
	t.Helper()
	for _, seat := range seats {
		c.Taken(seat, by)
	}
	return denials(t, c, seats)
}

// Who has come first is first, at whichever switch he waits: a seat is kept for him, but no longer than for a moment
// where his switch does not take it, and not at all when that has ended.
func TestPlaces(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	quiet := func([]string) {}
	a, b := start(t, server.URL(), "a", quiet), start(t, server.URL(), "b", quiet)
	now := time.Now()
	old := Waiter{Call: "old", Line: "110", Since: now.Add(-time.Minute), Tried: []string{"1103"}}
	young := Waiter{Call: "young", Line: "110", Since: now.Add(-time.Second)}
	older := Waiter{Call: "older", Line: "110", Since: now.Add(-time.Hour)}
	a.Queued(old)
	eventually(t, "the other knows", func() bool { return b.Waiting("110") == 1 })

	for _, c := range []struct {
		what   string
		by     Waiter
		seat   string
		denied bool
	}{
		{"who came later", young, "1101", true},
		{"who does not wait", Waiter{Call: "x", Line: "110", Since: now.Add(-time.Hour), Last: true}, "1101", true},
		{"who came earlier", older, "1101", false},
		{"a call of another line", Waiter{Call: "y", Line: "12345", Since: now}, "1102", false},
		{"for a seat that he has tried", young, "1103", false},
		{"whose turn is no matter", Waiter{}, "1104", false},
	} {
		if denied := asks(t, b, c.by, c.seat); (len(denied) > 0) != c.denied {
			t.Errorf("%s is denied %v", c.what, denied)
		}
	}
	if denied := asks(t, b, young, "1105", "1106"); !slices.Equal(denied, []string{"1105", "1106"}) ||
		!b.Bars("1105") || holds(b, "1105") {
		t.Errorf("denied %v, kept %t", denied, b.Bars("1105"))
	}
	if denied := asks(t, a, old, "1105"); len(denied) > 0 {
		t.Errorf("he himself is denied %v", denied)
	}
	a.Unqueued("old")
	eventually(t, "nothing is kept", func() bool { return !b.Bars("1106") && b.Waiting("110") == 0 })
	if denied := asks(t, b, young, "1106"); len(denied) > 0 {
		t.Errorf("when he has a seat, the next is denied %v", denied)
	}

	a.Queued(old)
	eventually(t, "he waits again", func() bool { return b.Waiting("110") == 1 })
	began := time.Now()
	asks(t, b, young, "1107")
	eventually(t, "it is kept for a moment", func() bool { return len(asks(t, b, young, "1107")) == 0 })
	if took := time.Since(began); took < Keep-Patience {
		t.Errorf("kept for %v", took)
	}
	b.Given("1107")
	if denied := asks(t, b, young, "1107"); len(denied) > 0 {
		t.Error("it is kept again for who has not taken it")
	}
	asks(t, b, young, "1108")
	a.Stop()
	began = time.Now()
	eventually(t, "nothing is kept for a switch that has ended", func() bool { return b.Waiting("110") == 0 })
	if denied := asks(t, b, young, "1108"); len(denied) > 0 {
		t.Errorf("denied %v", denied)
	}
	t.Logf("places of a dead switch are gone after %v", time.Since(began).Round(10*time.Millisecond))
}

// heard are the words that a switch has learnt.
type heard struct {
	mu  sync.Mutex
	all map[string]Word // guarded by mu
}

func (h *heard) learn(news []Word) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range news {
		h.all[w.About] = w
	}
}

func (h *heard) word(about string) Word {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[about]
}

// What one switch says of a desk the others learn, and who begins later; the latest counts, whoever says it and when; a
// Redis that has lost all is told again.
func TestWords(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	all := map[string]*heard{}
	begin := func(node string) *Claims {
		h := &heard{all: map[string]Word{}}
		all[node] = h
		cfg := config(server.URL(), node)
		cfg.Learn = h.learn
		return startAs(t, cfg)
	}
	a, b := begin("a"), begin("b")
	now := time.Now()
	a.Say(Word{About: "1101", Word: "after_call", Since: now.Add(-time.Minute), Until: now.Add(time.Minute)})
	eventually(t, "the other learns it", func() bool { return all["b"].word("1101").Word == "after_call" })
	if w := all["b"].word("1101"); now.Add(-time.Minute).Sub(w.Since).Abs() > time.Second ||
		now.Add(time.Minute).Sub(w.Until).Abs() > time.Second {
		t.Errorf("%+v", w)
	}
	b.Say(Word{About: "1101", Word: "ready", Since: now})
	eventually(t, "what the other says of it counts", func() bool { return all["a"].word("1101").Word == "ready" })
	a.Say(Word{About: "1101", Word: "old", Since: now.Add(-2 * time.Second)})
	a.Say(Word{About: "1102", Word: "break", Since: now})
	eventually(t, "the next is learnt", func() bool { return all["b"].word("1102").Word == "break" })
	if all["b"].word("1101").Word != "after_call" {
		t.Errorf("what was said before counts: %+v", all["b"].word("1101"))
	}
	server.Do("FLUSHALL")
	eventually(t, "Redis has it again", func() bool { return server.Do("HEXISTS", hears, "1102") == int64(1) })
	begin("c")
	eventually(t, "who begins later learns it", func() bool {
		return all["c"].word("1101").Word == "ready" && all["c"].word("1102").Word == "break"
	})
}
