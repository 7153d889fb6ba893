package exchange

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"liandong/sip/event"
	"liandong/sip/ua"
)

// What a lamp shows is what matters most of all that it is on by, whatever has come and gone before; who follows is
// told when it is another, and nothing is left of calls that are over.
func TestBestOfManyCalls(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	told := map[string]int{}
	l := NewLamps(func(lamp string) { told[lamp]++ })
	calls := map[string][]LampState{}
	states := []event.State{event.Early, event.Confirmed, event.Terminated}
	best := func(lamp string) (best LampState) {
		of := ""
		for ref, all := range calls {
			var own *LampState
			for i := range all {
				if all[i].Lamp == lamp && (own == nil || all[i].rank() < own.rank()) {
					own = &all[i]
				}
			}
			if own != nil && (of == "" || cmp.Or(cmp.Compare(own.rank(), best.rank()), own.At.Compare(best.At),
				cmp.Compare(ref, of)) < 0) {
				best, of = *own, ref
			}
		}
		return best
	}
	for range 5000 {
		ref := fmt.Sprint(rng.IntN(20))
		var show []LampState
		for range rng.IntN(4) {
			show = append(show, LampState{Lamp: fmt.Sprint("lamp", rng.IntN(3)), State: states[rng.IntN(3)],
				Calls: rng.IntN(2) == 0, CallID: []string{"", "id"}[rng.IntN(2)], At: time.Unix(rng.Int64N(5), 0)})
		}
		was := [3]LampState{best("lamp0"), best("lamp1"), best("lamp2")}
		calls[ref] = show
		clear(told)
		l.Show(ref, show)
		for i := range was {
			lamp := fmt.Sprint("lamp", i)
			is, _ := l.Best(lamp)
			if want := best(lamp); is != want || told[lamp] > 1 || (told[lamp] == 1) != (want != was[i]) {
				t.Fatalf("%s is %+v, want %+v; told %d times", lamp, is, want, told[lamp])
			}
		}
	}
	for ref := range calls {
		l.Show(ref, nil)
	}
	if len(l.on)+len(l.calls) > 0 {
		t.Errorf("%d lamps and %d calls are left", len(l.on), len(l.calls))
	}
}

// BenchmarkShow is a call that comes and goes on a line that has others.
func BenchmarkShow(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("calls=", n), func(b *testing.B) {
			l := NewLamps(func(string) {})
			at := func(i int) []LampState {
				return []LampState{{Lamp: lineLamp("110"), State: event.Early, At: time.Unix(int64(i), 0)}}
			}
			for i := range n {
				l.Show(fmt.Sprint(i), at(i))
			}
			b.ReportAllocs()
			for b.Loop() {
				l.Show("new", at(n/2))
				l.Show("new", nil)
			}
		})
	}
}

// Calls are found by whose phones they have to do with, for as long as they have.
func TestConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		refs := 0
		x := exchangeOf(w, func(c *Config) {
			c.NewRef = func() string { refs++; return fmt.Sprint("call", refs) }
		})
		defer x.Stop()
		for range 3 {
			x.Incoming(pstn, invite(t, "110"))
		}
		synctest.Wait()
		x.mu.Lock()
		rung := len(x.concerned)
		for user, all := range x.concerned {
			if len(all) != 1 {
				t.Errorf("%d calls have to do with %s", len(all), user)
			}
		}
		x.mu.Unlock()
		if rung == 0 {
			t.Fatal("no call has to do with any phone")
		}
		if n := len(x.Calls()); n != 3 {
			t.Errorf("%d calls are on, want 3", n)
		}
		x.Farewell(0)
		synctest.Wait()
		if n := len(x.Calls()); n != 0 {
			t.Errorf("%d calls are on, want none", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(x.concerned) > 0 || len(x.actors()) > 0 {
			t.Errorf("%d users and %d calls are left", len(x.concerned), len(x.actors()))
		}
	})
}
