package exchange

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/desk"
	"liandong/sip/ua"
)

// A tenth of max_calls is the emergency line's; a trunk has its own limit; a call that is over counts no more, although
// its farewell may have to be repeated.
func TestMaxCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		n := 0
		x := exchangeOf(w, func(c *Config) {
			c.Directory.MaxCalls, c.Directory.Emergency = 10, "110"
			c.Directory.Trunks["small"] = &desk.Trunk{Name: "small", Network: "lab", MaxCalls: 2}
			c.NewRef = func() string { n++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
		})
		defer x.Stop()
		small := ua.Origin{Network: pstn.Network, Trunk: "small"}
		for i, c := range []struct {
			origin ua.Origin
			number string
			room   bool
		}{
			{small, "12345", true}, {small, "12345", true}, {small, "12345", false}, {small, "110", true},
			{pstn, "12345", true}, {pstn, "12345", true}, {pstn, "12345", true}, {pstn, "12345", true},
			{pstn, "12345", true}, {pstn, "12345", true}, {pstn, "12345", false},
			{pstn, "110", true}, {pstn, "110", false},
		} {
			if a := x.open(c.origin, invite(t, c.number)); (a != nil) != c.room {
				t.Errorf("call %d, %s from %s: taken is %v", i, c.number, c.origin.Trunk, a != nil)
			}
		}
		synctest.Wait()
		x.end(0)
		time.Sleep(time.Second) // virtual: farewells wait for their answers
		synctest.Wait()
		if len(x.actors()) == 0 {
			t.Error("no farewell waits")
		}
		if x.open(small, invite(t, "12345")) == nil {
			t.Errorf("calls that are over take room: %+v", x.counted)
		}
		time.Sleep(5 * time.Minute) // virtual
		synctest.Wait()
		x.end(0)
		time.Sleep(5 * time.Minute) // virtual
		synctest.Wait()
		if c := x.counted; c.on != 0 || c.trunks["small"] != 0 || c.trunks["pstn"] != 0 || len(c.begun) != 0 {
			t.Errorf("%+v", c)
		}
	})
}
