package claims

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link"
	"liandong/routing/link/redistest"
)

func config(url, node string) Config {
	cfg := Config{Config: link.Default(), Node: node, Changed: func([]string) {}, Now: time.Now,
		Learn: func([]Word) {}}
	cfg.URL = desk.NewSecret(url)
	return cfg
}

func start(t *testing.T, url, node string, changed func([]string)) *Claims {
	t.Helper()
	cfg := config(url, node)
	cfg.Changed = changed
	return startAs(t, cfg)
}

func startAs(t *testing.T, cfg Config) *Claims {
	t.Helper()
	c, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(c.Stop)
	return c
}

// settled has switches have been there for long: Redis knows all that they have.
func settled(server *redistest.Server) { server.Do("HSET", hears, "", "before 1") }

// wants takes seats whoever waits, and says which it is denied.
func wants(t *testing.T, c *Claims, seats ...string) []string {
	t.Helper()
	for _, seat := range seats {
		c.Taken(seat, Waiter{})
	}
	return denials(t, c, seats)
}

// denials are the seats that Redis denies, which are given back.
func denials(t *testing.T, c *Claims, seats []string) []string {
	t.Helper()
	answer := make(chan []string, 1)
	c.Ask(seats, func(denied []string) { answer <- denied })
	select {
	case denied := <-answer:
		for _, seat := range denied {
			c.Given(seat)
		}
		return denied
	case <-time.After(30 * time.Second):
		t.Fatal("nobody is told")
		return nil
	}
}

// holds says that another switch has a seat.
func holds(c *Claims, seat string) bool {
	_, held := c.HeldBy(seat)
	return held
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// Of two switches that want one seat one gets it, by a user of Redis that configs/redis/liandong.acl makes. What is
// given back, and what a dead switch had, the other gets; without Redis each goes by what it knows.
func TestRealRedis(t *testing.T) {
	t.Parallel()
	acl, err := os.ReadFile("../../configs/redis/liandong.acl")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t, "--appendonly", "no")
	settled(server)
	server.Do(append([]string{"ACL", "SETUSER"}, strings.Fields(string(acl))[1:]...)...)
	url, changed := "redis://liandong:change-me@"+server.Addr()+"/0", make(chan []string, 100)
	a := start(t, url, "a", func([]string) {})
	b := start(t, url, "b", func(seats []string) { changed <- seats })
	eventually(t, "both are there", func() bool { return a.Stats().Up && b.Stats().Up })
	if denied := wants(t, a, "1101", "1102"); len(denied) > 0 {
		t.Errorf("the first is denied %v", denied)
	}
	if denied := wants(t, b, "1101", "1103"); !slices.Equal(denied, []string{"1101"}) {
		t.Errorf("the second is denied %v", denied)
	}
	eventually(t, "it knows of both", func() bool { return holds(b, "1101") && holds(b, "1102") })
	if s := b.Stats(); s.Mine != 1 || s.Others != 2 || holds(b, "1103") {
		t.Errorf("%+v", s)
	}
	a.Given("1101")
	eventually(t, "given back", func() bool { return !holds(b, "1101") && len(changed) > 0 })
	if denied := wants(t, b, "1101"); len(denied) > 0 {
		t.Errorf("what is given back is denied")
	}

	a.Stop()
	began := time.Now()
	eventually(t, "a dead switch has no seats", func() bool { return !holds(b, "1102") })
	t.Logf("the seats of a dead switch are free after %v", time.Since(began).Round(10*time.Millisecond))
	if denied := wants(t, b, "1102"); len(denied) > 0 {
		t.Error("it is denied all the same")
	}

	c := start(t, url, "c", func([]string) {})
	eventually(t, "who comes knows whose they are", func() bool { return c.Stats().Others == 3 })
	server.Kill()
	eventually(t, "Redis is seen to be away", func() bool { return !c.Stats().Up })
	if denied := wants(t, c, "1109"); len(denied) > 0 {
		t.Errorf("without Redis %v is denied", denied)
	}
	eventually(t, "what was known is forgotten", func() bool { return c.Stats().Others == 0 })
}

// A switch that begins anew gives back what the calls of its last process had, and what arrives late does nothing.
func TestScript(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	settled(server)
	server.Do("HSET", held, "1101", "a", "1102", "gone")
	a := start(t, server.URL(), "a", func([]string) {})
	eventually(t, "given back", func() bool { return server.Do("HGET", held, "1101") == nil })
	if denied := wants(t, a, "1102"); len(denied) > 0 {
		t.Error("a switch without a lease has a seat")
	}
	text := `{"node":"a","process":"` + a.process + `","number":0,"lease":1000,"seen":0,"free":["1102"]}`
	late := server.Do("EVAL", claimText, "6", held, leases+"a", waits, keeps, hears, changes, text)
	if late != "{}" || server.Do("HGET", held, "1102") != "a" {
		t.Errorf("what was late has been done: %v", late)
	}
	ttl := server.Do("PTTL", leases+"a").(int64)
	if ttl <= 0 || ttl > Lease.Milliseconds() {
		t.Errorf("the lease lasts for %d ms", ttl)
	}
}
