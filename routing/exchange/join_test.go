package exchange

import (
	"testing"
	"testing/synctest"
	"time"

	"liandong/sip/ua"
)

// A desk on its way into a call that ends just then stays where it was, with its seat.
func TestLentToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		p := invite(t, "110")
		w.Bind(p.CallID(), x.Incoming(ua.Origin{Network: "lab", User: "2101"}, p))
		synctest.Wait()
		r := &rung{t: t, wire: w, x: x}
		r.invite, _ = w.find("INVITE sip:1101@")
		r.callID, r.ours = callIDIn.FindStringSubmatch(r.invite)[1], fromTag.FindStringSubmatch(r.invite)[1]
		r.answer(180)
		r.answer(200)
		lender := x.actors()[0]
		lender.inbox.put(input{letter: &Letter{From: "over", To: lender.ref,
			Claim: &claim{wish: wish{User: "2101"}, As: 5}}}, own)
		synctest.Wait()
		if ref, talks := x.seats.Talks("1101"); ref != lender.ref || !talks {
			t.Errorf("the seat is %q's, want %s's", ref, lender.ref)
		}
		lender.inbox.put(input{ask: func(c *Core) { c.End(time.Now(), 0) }}, own)
		synctest.Wait()
		if n := x.seats.Busy(); n != 0 {
			t.Errorf("%d seats are taken by nobody", n)
		}
	})
}
