package exchange

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/routing/ticket"
	"liandong/sip/admission"
	"liandong/sip/ua"
)

// A citizen for whom there is no room is a missed call, once for all copies of the INVITE; a desk's own phone is none,
// nor who has dialled no line.
func TestTurnedAwayIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := &keptTickets{}
		x := exchangeOf(&fakeWire{sinks: map[string]ua.Sink{}}, func(c *Config) {
			c.Directory.MaxCalls, c.Tickets = 1, tickets
		})
		defer x.Stop()
		x.Incoming(pstn, invite(t, "110"))
		synctest.Wait()
		for range 3 {
			if x.Incoming(pstn, invite(t, "12345")) != nil {
				t.Fatal("there is room")
			}
		}
		x.Incoming(ua.Origin{Network: "lab", User: "1101"}, invite(t, "12345"))
		x.Incoming(pstn, invite(t, "999"))
		if n := len(tickets.all); n != 1 {
			t.Fatalf("%d entries", n)
		}
		e := tickets.last()
		if e.Event != ticket.Missed || e.Reason != ticket.Overload || e.To != "12345" || e.CallerE164 != "+8613812345678" {
			t.Errorf("%+v", e.Fields())
		}
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	})
}

// Who cannot call back is told why, and holds no seat.
func TestCallBackRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(c *Config) {
			n := 0
			c.NewRef = func() string { n++; return "call-" + string(rune('0'+n)) }
			c.Directory.MaxCalls = 1
		})
		defer x.Stop()
		wang := number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK}
		ask := func(change func(*Callback)) error {
			o := Callback{Seat: "1101", Hotline: "110", Citizen: wang, Stub: "01HTGTZ6CJRX90WDGAMG244Z4G"}
			change(&o)
			_, err := x.CallBack(o)
			synctest.Wait()
			return err
		}
		if err := ask(func(*Callback) {}); !errors.Is(err, ErrNoCallback) {
			t.Errorf("a line that does not call back: %v", err)
		}
		x.directory().Hotlines["110"].Callback = desk.Callback{Trunk: "pstn", Number: "110"}
		for what, c := range map[string]struct {
			change func(*Callback)
			want   error
		}{
			"a number abroad":         {func(o *Callback) { o.Citizen.E164 = "+97912345678" }, ErrNoCallback},
			"a number that is hidden": {func(o *Callback) { o.Citizen.Status = number.Restricted }, ErrNoCallback},
			"a short code":            {func(o *Callback) { o.Citizen.E164 = "119" }, ErrNoCallback},
			"no such line":            {func(o *Callback) { o.Hotline = "999" }, ErrNoCallback},
			"a phone that is not on":  {func(o *Callback) { o.Seat = "1102" }, ErrSeatAway},
		} {
			if err := ask(c.change); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := x.Stats().SeatsBusy; n != 0 {
			t.Errorf("%d seats are held", n)
		}
		if err := ask(func(*Callback) {}); err != nil {
			t.Fatal(err)
		}
		if m, ok := w.find("INVITE sip:1101@"); !ok || !strings.Contains(m, "From: <sip:13812345678@") {
			t.Errorf("the desk was sent %q", m)
		}
		if _, ok := w.find("INVITE sip:13812345678@"); ok {
			t.Error("the citizen was called before the desk has picked up")
		}
		if err := ask(func(*Callback) {}); !errors.Is(err, ErrSeatBusy) {
			t.Errorf("twice: %v", err)
		}
	})
}

// A desk that has been told that the switch is busy is not rung afterwards, nor is the citizen: it may have asked
// again, or another desk.
func TestCallBackTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, turns := &fakeWire{sinks: map[string]ua.Sink{}}, admission.NewTurns(1)
		x := exchangeOf(w, func(c *Config) { c.Turns = turns })
		defer x.Stop()
		x.directory().Hotlines["110"].Callback = desk.Callback{Trunk: "pstn", Number: "110"}
		o := Callback{Seat: "1101", Hotline: "110", Stub: "01HTGTZ6CJRX90WDGAMG244Z4G",
			Citizen: number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK}}
		if !turns.Try() {
			t.Fatal("somebody has the turn")
		}
		if ref, err := x.CallBack(o); !errors.Is(err, ErrBusy) || ref != "" {
			t.Errorf("%q %v", ref, err)
		}
		if n := x.Stats().SeatsBusy; n != 0 {
			t.Errorf("%d seats are held", n)
		}
		turns.Give()
		synctest.Wait()
		if _, ok := w.find("INVITE"); ok {
			t.Error("the desk is rung")
		}
		if n := len(x.actors()); n != 0 {
			t.Errorf("%d calls are left", n)
		}
		if ref, err := x.CallBack(o); err != nil || ref == "" {
			t.Errorf("again: %q %v", ref, err)
		}
		p := promise{began: make(chan bool, 1)} // the call has begun just then
		p.decided.Store(true)
		p.began <- true
		if !x.giveUpCallback(call.CallbackAsked{}, &p) {
			t.Error("a call that has begun is not told of")
		}
	})
}

// A bug at the very start of a callback holds neither who asks nor the seat: it may be tried again.
func TestCallBackPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bug := true
		x := exchangeOf(&fakeWire{sinks: map[string]ua.Sink{}}, func(c *Config) {
			newID, n := c.NewID, 0
			c.NewID = func(at time.Time) string {
				if bug {
					panic("a bug")
				}
				return newID(at)
			}
			c.NewRef = func() string { n++; return "call-" + strconv.Itoa(n) }
		})
		defer x.Stop()
		x.directory().Hotlines["110"].Callback = desk.Callback{Trunk: "pstn", Number: "110"}
		o := Callback{Seat: "1101", Hotline: "110", Stub: "01HTGTZ6CJRX90WDGAMG244Z4G",
			Citizen: number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK}}
		if ref, err := x.CallBack(o); !errors.Is(err, ErrBusy) || ref != "" {
			t.Errorf("%q %v", ref, err)
		}
		synctest.Wait()
		if s := x.Stats(); s.SeatsBusy != 0 || len(x.actors()) != 0 {
			t.Errorf("%d seats, %d calls are held", s.SeatsBusy, len(x.actors()))
		}
		bug = false
		if ref, err := x.CallBack(o); err != nil || ref != "call-2" {
			t.Errorf("again: %q %v", ref, err)
		}
	})
}
