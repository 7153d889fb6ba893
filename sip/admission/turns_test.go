package admission

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// at does something when there is a turn for it.
func at(t *Turns, w Want, f func()) {
	one := t.Turn(w)
	one.Ask()
	<-one.Came
	defer one.Give()
	f()
}

func TestTurnsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		var order []string
		at(turns, InCall, func() {
			for _, one := range []struct {
				name string
				want Want
			}{{"new 1", NewCall}, {"call 1", InCall}, {"new 2", NewCall}, {"call 2", InCall}} {
				go at(turns, one.want, func() { order = append(order, one.name) })
				synctest.Wait()
			}
		})
		synctest.Wait()
		if want := []string{"call 1", "call 2", "new 1", "new 2"}; !slices.Equal(order, want) {
			t.Errorf("%v", order)
		}
		if !turns.Try() || turns.Try() {
			t.Error("there is one turn")
		}
	})
}

func TestTurnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(3)
		var mu sync.Mutex
		now, most := 0, 0
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			now += n
			most = max(most, now)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				at(turns, InCall, func() {
					count(1)
					time.Sleep(time.Second)
					count(-1)
				})
			})
		}
		wg.Wait()
		if most != 3 {
			t.Errorf("%d at once", most)
		}
	})
}

// A turn that is given up is lost to nobody, come or not.
func TestTurnDropped(t *testing.T) {
	turns := NewTurns(1)
	first, second, third := turns.Turn(InCall), turns.Turn(NewCall), turns.Turn(NewCall)
	first.Ask()
	second.Ask()
	third.Ask()
	second.Drop()
	first.Drop()
	select {
	case <-third.Came:
	default:
		t.Fatal("the third has no turn")
	}
	third.Give()
	if !turns.Try() {
		t.Error("the turn is lost")
	}
}

func TestNoTurns(t *testing.T) {
	var turns *Turns
	at(turns, NewCall, func() {})
	one := turns.Turn(InCall)
	one.Ask()
	one.Drop()
	at(turns, InCall, func() {})
	if !turns.Try() {
		t.Error("without turns nobody waits")
	}
	turns.Give()
}
