package exchange

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"liandong/sip/ua"
)

// A call in which nothing moves is left out of the list, which comes soon; while nothing is to move it is waited for.
func TestStuckCallIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var still atomic.Bool
		x := exchangeOf(&fakeWire{sinks: map[string]ua.Sink{}}, func(c *Config) {
			n := 0
			c.NewRef = func() string { n++; return "call-" + strconv.Itoa(n) }
			c.Still = still.Load
		})
		defer x.Stop()
		for range 3 {
			if x.Incoming(pstn, invite(t, "110")) == nil {
				t.Fatal("refused")
			}
		}
		synctest.Wait()
		if n := len(x.Calls()); n != 3 {
			t.Fatalf("%d calls", n)
		}
		stuck := make(chan struct{})
		x.actor("call-2").inbox.put(input{ask: func(*Core) { <-stuck }}, own)
		began := time.Now()
		if all := x.Calls(); len(all) != 2 || time.Since(began) != pressWait {
			t.Errorf("after %v %v", time.Since(began), all)
		}
		still.Store(true)
		time.AfterFunc(5*pressWait/2, func() { still.Store(false); close(stuck) })
		if all := x.Calls(); len(all) != 3 {
			t.Errorf("%v", all)
		}
	})
}
