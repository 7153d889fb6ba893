package whereabouts

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link"
	"liandong/routing/link/redistest"
	"liandong/sip/location"
)

// node is a switch that notes what it learns.
type node struct {
	*Whereabouts
	mu    sync.Mutex
	knows map[string]location.Binding // guarded by mu; by user and key
}

func start(t *testing.T, url, name string, own ...location.Binding) *node {
	t.Helper()
	n := &node{knows: map[string]location.Binding{}}
	cfg := Config{Config: link.Default(), Users: []string{"1101", "1102"}, Now: time.Now, Learn: n.learn,
		Known: func() []location.Binding { return own }}
	cfg.URL, cfg.Timeout = desk.NewSecret(url), 500*time.Millisecond
	var err error
	if n.Whereabouts, err = New(cfg, slog.New(slog.DiscardHandler).With("node", name)); err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(n.Stop)
	return n
}

func (n *node) learn(news []location.News) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range news {
		n.knows[one.Now.User+" "+one.Now.Key] = one.Now
	}
}

func (n *node) has(user, key string) location.Binding {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.knows[user+" "+key]
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func registered(node, user, key string, cseq uint32) location.Binding {
	return location.Binding{User: user, Key: key, CallID: "call of " + key, CSeq: cseq, Node: node, Since: time.Now(),
		Expires: time.Now().Add(time.Hour), Way: []byte("way\nby " + node)}
}

// What one switch accepts the other learns, as the user of Redis that configs/redis/liandong.acl makes. While Redis is
// away, and when it comes back with nothing, nobody waits and nothing is forgotten.
func TestRealRedis(t *testing.T) {
	t.Parallel()
	acl, err := os.ReadFile("../../configs/redis/liandong.acl")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t, "--appendonly", "no")
	allow := func() { server.Do(append([]string{"ACL", "SETUSER"}, strings.Fields(string(acl))[1:]...)...) }
	allow()
	url := "redis://liandong:change-me@" + server.Addr() + "/0"
	a := start(t, url, "a", registered("a", "1102", "from before", 1))
	b := start(t, url, "b")
	eventually(t, "what there was", func() bool { return b.has("1102", "from before").CSeq == 1 })
	sent := registered("a", "1101", "phone", 1)
	a.Changed([]location.Binding{sent})
	eventually(t, "learnt", func() bool { return b.has("1101", "phone").CSeq == 1 })
	got := b.has("1101", "phone")
	if !got.Same(sent) || got.Node != "a" || string(got.Way) != "way\nby a" || got.Gone ||
		got.Expires.After(sent.Expires.Add(time.Second)) || got.Expires.Before(sent.Expires.Add(-time.Minute)) {
		t.Errorf("%+v, want %+v", got, sent)
	}
	gone := registered("b", "1101", "phone", 2)
	gone.Gone = true
	b.Changed([]location.Binding{gone})
	eventually(t, "gone", func() bool { return a.has("1101", "phone").Gone })
	// an older REGISTER is refused, and the switch that had accepted it is told what counts
	late := registered("a", "1101", "phone", 1)
	a.Changed([]location.Binding{late})
	eventually(t, "refused", func() bool { return a.Stats().Lag == 0 && a.Stats().Learnt >= 2 })

	server.Kill()
	began := time.Now()
	a.Changed([]location.Binding{registered("a", "1101", "phone", 3)})
	b.Changed([]location.Binding{registered("b", "1102", "another", 1)})
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("somebody has waited for Redis: %v", d)
	}
	eventually(t, "it is seen to be away", func() bool { s := a.Stats(); return !s.Up && s.Lag > 0 && s.Failures > 0 })
	server.Restart()
	allow()
	eventually(t, "after its end", func() bool {
		return b.has("1101", "phone").CSeq == 3 && a.has("1102", "another").CSeq == 1
	})
	c := start(t, url, "c") // a switch that begins learns all, from a Redis that had lost it
	for _, key := range []string{"1101 phone", "1102 from before", "1102 another"} {
		user, key, _ := strings.Cut(key, " ")
		eventually(t, key, func() bool { return c.has(user, key).CSeq > 0 })
	}
	if s := c.Stats(); !s.Up || s.Bindings != 3 {
		t.Errorf("%+v", s)
	}
	if ttl := server.Do("PTTL", prefix+"1101").(int64); ttl < 3500_000 || ttl > 3600_000 {
		t.Errorf("the key lives for %d ms", ttl)
	}
}

// The script orders changes as location.Binding.After does, one by one, in any order and mixture.
func TestScriptKeepsOrder(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	cfg := Config{Config: link.Default(), Now: time.Now}
	cfg.URL = desk.NewSecret(server.URL())
	w, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	w.whole = true
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	for round := range 60 {
		user, want := fmt.Sprint("u", round), map[string]location.Binding{}
		ages := rng.Perm(100) // in minutes; none twice, since Redis takes them by its own clock
		for range 20 {
			item := location.Item{User: user}
			for range rng.IntN(3) {
				c := location.Binding{User: user, Key: fmt.Sprint("k", rng.IntN(2)), CallID: fmt.Sprint(rng.IntN(3)),
					CSeq: uint32(rng.IntN(4)), Gone: rng.IntN(3) == 0, Node: fmt.Sprint("n", rng.IntN(3)),
					Since: now.Add(-time.Duration(ages[0]) * time.Minute), Expires: now.Add(time.Hour)}
				ages = ages[1:]
				item.Changes = append(item.Changes, c)
				if had, ok := want[c.Key]; !ok || c.After(had, now) {
					want[c.Key] = c
				}
			}
			state := exchanged(t, w, now, item)
			if len(state) != len(want) {
				t.Fatalf("%+v, want %+v", state, want)
			}
			for _, got := range state {
				c := want[got.Key]
				if !got.Same(c) || got.Node != c.Node || got.Since.Sub(c.Since).Abs() > time.Minute/2 {
					t.Fatalf("%+v, want %+v", got, c)
				}
			}
		}
	}
	item := location.Item{User: "many"} // of whom there is no room for all
	for i := range 40 {
		c := registered("n", "many", fmt.Sprint(i), 1)
		c.Since = now.Add(time.Duration(i-40) * time.Minute)
		item.Changes = append(item.Changes, c)
	}
	state := exchanged(t, w, now, item)
	for _, b := range state {
		if b.Key == "0" || b.Key == "7" {
			t.Error("the oldest have not given way")
		}
	}
	if len(state) != location.Most {
		t.Errorf("%d are kept", len(state))
	}
	item = location.Item{User: "comes and goes"} // a softphone that leaves a mark with each connection
	for i := range 40 {
		c := registered("n", item.User, fmt.Sprint(i), 1)
		c.Since, c.Gone = now.Add(time.Duration(i-40)*time.Minute), i > 0
		item.Changes = append(item.Changes, c)
	}
	if state = exchanged(t, w, now, item); !slices.ContainsFunc(state, func(b location.Binding) bool {
		return b.Key == "0"
	}) {
		t.Error("a phone that answers has given way to those that are gone")
	}
	ancient := registered("n", "ancient", "k", 1) // a switch whose clock is ahead of Redis'
	ancient.Since = time.Unix(-1e9, 0)
	exchanged(t, w, now, location.Item{User: "ancient", Changes: []location.Binding{ancient}})
	if state = exchanged(t, w, now, location.Item{User: "ancient"}); len(state) != 1 {
		t.Errorf("a REGISTER of long ago is kept as %+v", state)
	}
	short := registered("n", "short", "k", 1)
	short.Expires = now.Add(-time.Minute) // of whom it is known too late
	exchanged(t, w, now, location.Item{User: "short", Changes: []location.Binding{short}})
	eventually(t, "what has ended is gone, key and all", func() bool {
		return len(exchanged(t, w, now, location.Item{User: "short"})) == 0 &&
			server.Do("EXISTS", prefix+"short").(int64) == 0
	})
}

func exchanged(t *testing.T, w *Whereabouts, now time.Time, item location.Item) []location.Binding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	state, err := stateOf(w.ask(ctx, now, []location.Item{item})[0], item.User, now)
	if err != nil {
		t.Fatal(err)
	}
	return state
}
