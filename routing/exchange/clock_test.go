package exchange

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/ua"
)

// keptTickets keeps what was written. Guarded by mu.
type keptTickets struct {
	mu  sync.Mutex
	all []ticket.Entry
}

func (k *keptTickets) Put(e ticket.Entry, done func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, e)
	done(nil)
}

func (k *keptTickets) last() ticket.Entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[len(k.all)-1]
}

// The wall clock is set, forward or back, while a phone rings, and again while the desk talks: the call's timers run as
// they did, and its entries have the times that the wall clock shows.
func TestWallClockIsSetUnderACall(t *testing.T) {
	for _, step := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
		365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var set time.Duration
			wall := func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(set) }
			steps := func() { mu.Lock(); defer mu.Unlock(); set += step }
			tickets := &keptTickets{}
			r := &rung{t: t, wire: &fakeWire{sinks: map[string]ua.Sink{}}}
			r.x = exchangeOf(r.wire, func(c *Config) { c.Clock, c.Tickets = journal.NewClock(wall), tickets })
			defer r.x.Stop()
			p := invite(t, "110")
			r.wire.Bind(p.CallID(), r.x.Incoming(pstn, p))
			synctest.Wait()
			r.rings()
			steps()
			time.Sleep(7 * time.Second)
			synctest.Wait()
			if _, gone := r.wire.find("CANCEL sip:1101@"); gone {
				t.Errorf("%v: the phone no longer rings after 7 s", step)
			}
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			if _, gone := r.wire.find("CANCEL sip:1101@"); !gone {
				t.Fatalf("%v: the phone still rings after 8 s", step)
			}
			time.Sleep(3 * time.Second) // it is rung again
			synctest.Wait()
			r.rings()
			r.answer(200)
			arrived := time.Now().Add(set - 11100*time.Millisecond)
			steps()
			if err := r.x.Press("", "1101", verb.Verb{Name: verb.Urgent}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			e := tickets.last()
			if now := wall(); !e.At.Equal(now) || !e.KeyAt.Equal(now) || !e.CallAt.Equal(arrived.Add(step)) {
				t.Errorf("%v: at %v the entry is of %v, the key of %v, the call of %v, not %v", step, now, e.At,
					e.KeyAt, e.CallAt, arrived.Add(step))
			}
			if c := r.x.Calls(); len(c) != 1 || !c[0].At.Equal(e.CallAt) {
				t.Errorf("%v: the list of calls has %+v", step, c)
			}
		})
	}
}
