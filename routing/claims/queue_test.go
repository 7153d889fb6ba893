package claims

import (
	"log/slog"
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
	settled(server)
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
	settled(server)
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

// What a person says of a desk counts before what came about by itself afterwards at a switch that did not know it,
// whichever of them Redis is told first.
func TestWordsOfPersons(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	all, now := map[string]*heard{}, time.Now()
	begin := func(node string, says ...Word) {
		h := &heard{all: map[string]Word{}}
		all[node] = h
		cfg := config(server.URL(), node)
		cfg.Learn = h.learn
		c, err := New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range says { // while it does not hear the others
			c.Say(w)
		}
		c.Start()
		t.Cleanup(c.Stop)
	}
	ago := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Second) }
	itself := func(about string, over int) Word {
		return Word{About: about, Word: "after_call", Since: ago(10), Over: ago(over), Until: now.Add(time.Hour)}
	}
	person := func(about string) Word { return Word{About: about, Word: "not_ready", Since: ago(20)} }
	begin("a", person("1"), person("2"), itself("3", 30), itself("4", 15),
		Word{About: "5", Word: "not_ready", Since: ago(20), Over: ago(25)})
	eventually(t, "all is said", func() bool { return server.Do("HLEN", hears) == int64(6) })
	begin("b", itself("1", 30), itself("2", 15), person("3"), person("4"), itself("5", 30))
	begin("c")
	for about, want := range map[string]string{"1": "not_ready", "2": "after_call", "3": "not_ready", "4": "after_call",
		"5": "after_call"} {
		eventually(t, about+" is "+want, func() bool { return all["c"].word(about).Word == want })
	}
	eventually(t, "a learns it", func() bool { return all["a"].word("3").Word == "not_ready" })
	eventually(t, "b learns it", func() bool { return all["b"].word("1").Word == "not_ready" })
	if w := all["c"].word("2"); w.Over.Sub(ago(15)).Abs() > time.Second {
		t.Errorf("over what has been said before it: %+v", w)
	}
	for about, node := range map[string]string{"2": "b", "4": "a"} {
		if w := all[node].word(about); w.Word != "" {
			t.Errorf("%s takes %+v, which its own has replaced", node, w)
		}
	}
}

// A word that Redis is yet to be told is not replaced by one that does not count before it, and is by one that does.
func TestUntoldWords(t *testing.T) {
	at := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
	person := func(n int) Word { return Word{About: "1", Word: "not_ready", Since: at(n)} }
	itself := func(n, over int) Word { return Word{About: "1", Word: "after_call", Since: at(n), Over: at(over)} }
	for _, c := range []struct {
		what       string
		mine, news Word
		learnt     bool
	}{
		{"an older one of a person", person(20), person(10), false},
		{"a newer one of a person", person(10), person(20), true},
		{"what came about without it", person(10), itself(20, 5), false},
		{"what came about with it", person(10), itself(20, 10), true},
		{"a person's that was not known", itself(20, 5), person(10), true},
		{"a person's that was", itself(20, 10), person(10), false},
		{"a later one of itself", itself(10, 5), itself(20, 8), true},
	} {
		w := newWords()
		w.say(c.mine)
		ms := func(at time.Time) *int64 { n := epoch.Add(time.Minute).Sub(at).Milliseconds(); return &n }
		s := said{About: "1", Word: c.news.Word, Age: *ms(c.news.Since)}
		if !c.news.Over.IsZero() {
			s.Over = ms(c.news.Over)
		}
		news := w.took(epoch.Add(time.Minute), request{Read: true}, reply{Said: []said{s}, Top: 1, Epoch: "e"})
		if len(news) > 0 != c.learnt {
			t.Errorf("%s: learnt %+v", c.what, news)
		}
	}
}
