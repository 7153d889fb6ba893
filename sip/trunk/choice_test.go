package trunk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded is for a keeper's goroutine and the test's at once.
func seeded(seed uint64) func() uint64 {
	var mu sync.Mutex
	source := rand.NewPCG(seed, 7)
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return source.Uint64()
	}
}

func at(host string, priority, weight int) Target {
	addr, _ := numeric(host)
	return Target{Host: host, Addr: addr, Priority: priority, Weight: weight}
}

// RFC 2782: "The priority of this target host. A client MUST attempt to contact
// the target host with the lowest-numbered priority it can reach; target hosts
// with the same priority SHOULD be tried in an order defined by the weight".
func TestShareFollowsWeight(t *testing.T) {
	var c Choice
	c.Set([]Target{at("10.0.0.9", 20, 100), at("10.0.0.1", 10, 60), at("10.0.0.2", 10, 30), at("10.0.0.3", 10, 10),
		at("10.0.0.4", 10, 0)})
	rnd, first := seeded(1), map[string]int{}
	const calls = 20000
	for range calls {
		order := c.Order(epoch, rnd)
		if len(order) != 5 || order[4].Host != "10.0.0.9" {
			t.Fatalf("the backup is not the last: %v", order)
		}
		first[order[0].Host]++
	}
	for host, share := range map[string]float64{"10.0.0.1": 0.6, "10.0.0.2": 0.3, "10.0.0.3": 0.1, "10.0.0.4": 0.01} {
		if got := float64(first[host]) / calls; got < share-0.02 || got > share+0.02 {
			t.Errorf("%s is first in %.3f of the calls, not in %.2f", host, got, share)
		}
	}
	if first["10.0.0.4"] == 0 {
		t.Error(`weight 0 "should have a very small chance of being selected", and has none`)
	}
}

// Whatever happens: every target is in each order just once, the good ones
// before the others, and by priority within both.
func TestOrderIsWhole(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var c Choice
		var all []Target
		for i := range 1 + r.IntN(6) {
			all = append(all, at(fmt.Sprintf("10.0.0.%d", i+1), r.IntN(3), r.IntN(4)))
		}
		c.Set(all)
		now := epoch
		for range 200 {
			now = now.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
			of, o := all[r.IntN(len(all))], Outcome{Code: []int{0, 200, 404, 408, 503}[r.IntN(5)]}
			if r.IntN(4) == 0 {
				o.RetryAfter = time.Duration(r.IntN(1000)) * time.Second
			}
			if r.IntN(2) == 0 {
				c.Pinged(now, of, o)
			} else {
				c.Called(now, of, o)
			}
			if !whole(c, now, c.Order(now, r.Uint64), all) {
				t.Fatalf("seed %d: %v", seed, c.Order(now, r.Uint64))
			}
		}
	}
}

func whole(c Choice, now time.Time, order, all []Target) bool {
	for i, t := range order {
		if i > 0 {
			p := order[i-1]
			switch {
			case c.Up(now, t) && !c.Up(now, p):
				return false
			case c.Up(now, t) == c.Up(now, p) && p.Priority > t.Priority:
				return false
			}
		}
		if !slices.Contains(all, t) || slices.Contains(order[:i], t) {
			return false
		}
	}
	return len(order) == len(all)
}

// Down after two pings that nobody answered, up after one answer, whatever it says.
func TestDownAndUp(t *testing.T) {
	a := at("10.0.0.1", 0, 1)
	var c Choice
	c.Set([]Target{a, at("10.0.0.2", 1, 1)})
	steps := []struct {
		code        int
		changed, up bool
	}{
		{200, false, true}, {0, false, true}, {405, false, true}, // the count begins anew
		{0, false, true}, {408, true, false}, {503, false, false}, {403, true, true}, {503, false, true},
		{0, true, false}, {404, true, true},
	}
	for i, s := range steps {
		if changed := c.Pinged(epoch, a, Outcome{Code: s.code}); changed != s.changed || c.Up(epoch, a) != s.up {
			t.Errorf("step %d, %d: changed %v, up %v", i, s.code, changed, c.Up(epoch, a))
		}
		if first := c.Order(epoch, seeded(1))[0]; (first == a) != s.up {
			t.Errorf("step %d: first is %v", i, first)
		}
	}
	if c.Pinged(epoch, at("10.9.9.9", 0, 1), Outcome{}) {
		t.Error("a target that is none of the trunk's changed it")
	}
}

// A call that failed has the next ones try another target first, for as long as
// a Retry-After says, within bounds; a target that answers has served its time.
func TestAvoidedForAWhile(t *testing.T) {
	a := at("10.0.0.1", 0, 1)
	for _, tt := range []struct {
		o    Outcome
		want time.Duration
	}{
		{Outcome{}, avoidFor},
		{Outcome{Code: 503}, avoidFor},
		{Outcome{Code: 503, RetryAfter: 7 * time.Second}, 7 * time.Second},
		{Outcome{Code: 503, RetryAfter: 240 * time.Hour}, avoidMost},
		{Outcome{Code: 486}, 0},
	} {
		var c Choice
		c.Set([]Target{a})
		c.Called(epoch, a, tt.o)
		if c.Up(epoch.Add(tt.want-1), a) && tt.want > 0 || !c.Up(epoch.Add(tt.want), a) {
			t.Errorf("%+v: not avoided for just %v", tt.o, tt.want)
		}
		c.Set([]Target{at("10.0.0.2", 0, 1), a}) // looked up anew
		if tt.want > 0 && c.Up(epoch, a) {
			t.Errorf("%+v: forgotten when the names were looked up again", tt.o)
		}
		if c.Called(epoch, a, Outcome{Code: 180}); !c.Up(epoch, a) {
			t.Errorf("%+v: avoided although it answers", tt.o)
		}
	}
}
