package journal

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A copy that takes one cut after the other has what the journal has, whenever the cuts are taken, and nothing by half:
// two values that are always written together are always the same in the copy.
func TestCopyFollows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	from, to := opened(t, memory(t, 0)), opened(t, memory(t, 0))
	from.Put(Seat, "before", []byte("is there"))
	to.Put(Call, "stale", []byte("of another time"))
	f := from.Follow(func() {})
	defer f.Stop()
	for i := range 4000 {
		twin := []byte(fmt.Sprint(i))
		key := fmt.Sprint(rng.IntN(50))
		from.Write(Entry{Kind: Call, Key: key, Value: bytes.Repeat(twin, 200)},
			Entry{Kind: Letter, Key: key, Value: bytes.Repeat(twin, 200)})
		if rng.IntN(3) == 0 {
			key := fmt.Sprint(rng.IntN(50))
			from.Write(Entry{Kind: Call, Key: key, Gone: true}, Entry{Kind: Letter, Key: key, Gone: true})
		}
		if rng.IntN(7) != 0 {
			continue
		}
		if rng.IntN(20) == 0 {
			f.Again() // the connection broke
		}
		follow(t, f, to)
		if a, b := values(to, Call), values(to, Letter); !maps.Equal(a, b) {
			t.Fatalf("after %d writes the copy has half of one", i)
		}
	}
	follow(t, f, to)
	for _, k := range []Kind{Call, Letter, Seat} {
		if got, want := to.All(k), from.All(k); !slices.EqualFunc(got, want, same) {
			t.Errorf("kind %d: the copy has %d values, the journal %d, or not in their order", k, len(got), len(want))
		}
	}
	if from.Stats().Copies < 2 {
		t.Error("the regions have never changed meanwhile")
	}
}

func same(a, b Entry) bool {
	return a.Kind == b.Kind && a.Key == b.Key && bytes.Equal(a.Value, b.Value)
}

func follow(t *testing.T, f *Follower, to *Journal) {
	t.Helper()
	c, err := f.Take()
	if err == nil {
		err = to.Apply(c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A follower that nobody asks holds each key once, whatever is written.
func TestFollowerIsBounded(t *testing.T) {
	j := opened(t, memory(t, 0))
	woken := 0
	f := j.Follow(func() { woken++ })
	follow(t, f, opened(t, memory(t, 0)))
	for i := range 10_000 {
		j.Put(Call, fmt.Sprint(i%10), bytes.Repeat([]byte{1}, 1000))
	}
	if len(f.dirty) != 10 {
		t.Errorf("%d keys are held", len(f.dirty))
	}
	c, err := f.Take()
	if err != nil || c.Whole || len(c.Entries) != 10 {
		t.Errorf("whole %v, %d entries, %v", c.Whole, len(c.Entries), err)
	}
	if c, _ := f.Take(); len(c.Entries) != 0 || c.Whole {
		t.Errorf("%d entries are new", len(c.Entries))
	}
	f.Stop()
	j.Put(Call, "later", nil)
	if len(f.dirty) != 0 || woken != 10_000 {
		t.Error("it goes on after it was stopped")
	}
}

// The copy goes by the clock of the journal that it is a copy of, and so does who opens it.
func TestCopyGoesByTheOthersClock(t *testing.T) {
	from, file := opened(t, memory(t, 0)), memory(t, 0)
	from.clock = clockAt(time.Now().Add(-time.Hour), time.Now)
	to := opened(t, file)
	from.Put(Call, "a", nil)
	follow(t, from.Follow(func() {}), to)
	if d := from.Clock().Now().Sub(to.Clock().Now()).Abs(); d > time.Minute {
		t.Errorf("the copy's clock is off by %v", d)
	}
	if d := from.Clock().Now().Sub(opened(t, file).Clock().Now()).Abs(); d > time.Minute {
		t.Errorf("the next one's clock is off by %v", d)
	}
}
