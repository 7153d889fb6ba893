package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
	"liandong/sip/ua"
)

// renewPace is between two sessions that are offered again: all at once would look like a flood to a trunk.
const renewPace = 5 * time.Millisecond

// revival is a call that goes on in another process.
type revival struct {
	core   *Core
	record Record
}

// Restore goes on with the calls of the process before, and returns when all do. It is called once, when it is known
// where phones are and there are sockets to send by, and before the first message is read. Whoever talks hears again
// first; calls that are over, of which a busy switch has more than others, come after them. A call that cannot go on is
// given up alone: its parties are let go, its matter is told to the end, and what was stored of it is kept for whoever
// looks into it.
func (x *Exchange) Restore() {
	j := x.cfg.Journal
	if j == nil {
		return
	}
	x.tidyQuarantine()
	keys := x.keptKeys()
	over, on := split(j.All(journal.Call), isOver)
	revived := x.reviveAll(on, keys)
	onAllCores(len(revived), func(i int) {
		revived[i].core.mended(func() { revived[i].core.Sound(x.now()) })
	})
	revived = append(revived, x.reviveAll(over, keys)...)
	calls := map[string]revival{}
	for _, c := range revived {
		calls[c.record.Call.Ref] = c
	}
	x.dropKeys(keys, calls)
	letters := x.letters()
	occupy(calls, letters)
	var all sync.WaitGroup                        // until all do
	turns := make(chan struct{}, max(1, cores/2)) // the other cores are for the sound
	for ref, c := range calls {
		all.Add(1)
		a := x.actor(ref)
		a.pause = x.now().Add(patience)
		a.inbox.first(input{ask: func(core *Core) {
			defer all.Done()
			turns <- struct{}{}
			defer func() { <-turns }()
			a.pause = x.now().Add(patience)
			x.resume(core, c.record)
		}})
	}
	for _, l := range letters {
		x.deliver(l)
	}
	for _, a := range x.actors() {
		x.wg.Go(a.run)
	}
	x.restored.Store(uint64(len(calls)))
	x.subs.bind()
	all.Wait()
	if x.seats.alone() {
		x.seats.changeHands(nil) // what other switches had is theirs no more
	} else {
		x.seats.OfferAgain()
	}
	x.begin() // not before all lamps shine that did
}

// split divides entries by whether something is so.
func split(entries []journal.Entry, is func(journal.Entry) bool) (so, not []journal.Entry) {
	for _, e := range entries {
		if is(e) {
			so = append(so, e)
		} else {
			not = append(not, e)
		}
	}
	return so, not
}

// isOver says that what is stored is a call of which only farewells are left.
func isOver(e journal.Entry) bool {
	var r struct{ Call struct{ Phase call.Phase } }
	return snapshot.Decode(e.Value, &r) == nil && r.Call.Phase == call.Ended
}

// reviveAll makes calls of what is stored of them. Of one that cannot go on there is none.
func (x *Exchange) reviveAll(entries []journal.Entry, keys map[string][]keptKey) []revival {
	revived := make([]revival, len(entries))
	onAllCores(len(entries), func(i int) { revived[i] = x.revive(entries[i], keys[entries[i].Key]) })
	return slices.DeleteFunc(revived, func(c revival) bool { return c.core == nil })
}

// cores is how many threads can really run at once.
var cores = runtime.GOMAXPROCS(0)

// onAllCores does something n times, on as many goroutines as there are cores.
func onAllCores(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, cores) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}

// resume has a call go on. One that cannot is given up.
func (x *Exchange) resume(c *Core, r Record) {
	defer func() {
		if p := recover(); p != nil {
			x.log.Error("bug: a call cannot go on and is given up", "call", r.Call.Ref, "panic", fmt.Sprint(p), "stack",
				string(debug.Stack()))
			x.lost.Add(1)
			c.giveUp(x.now())
		}
	}()
	c.Resume(x.now(), r)
}

// giveUp ends the call where it stands: its matter is told to the end and everybody is let go.
func (c *Core) giveUp(now time.Time) {
	c.now, c.queue, c.acts = now, nil, nil
	c.tellLost(c.state)
	c.state = call.Call{Ref: c.state.Ref, Phase: call.Ended}
	for _, p := range c.parties {
		c.farewell(p)
	}
	c.release()
	c.settle()
}

// revive makes a call of what is stored of it, with the keys that were pressed and not taken, or gives it up: then
// there is no core.
func (x *Exchange) revive(e journal.Entry, keys []keptKey) (c revival) {
	var r Record
	var a *actor
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			x.log.Error("bug: a call cannot go on", "call", e.Key, "stack", string(debug.Stack()))
		}
		if err != nil && a != nil { // nobody comes for the turn that its keys have asked for
			a.inbox.close()
			a.inbox.leave()
		}
		if err != nil {
			x.log.Error("a call cannot go on and is given up", "call", e.Key, "err", err)
			x.giveUp(e, r)
		}
	}()
	if r, err = ReadRecord(e.Value); err != nil {
		return revival{}
	}
	a = &actor{inbox: x.inbox(), ex: x, ref: r.Call.Ref, user: r.Origin.User, trunk: r.Origin.Trunk,
		began: true}
	legs := r.sounds()
	for _, k := range keys { // before any that is pressed from now on
		k.known(legs)
		a.inbox.put(input{sound: k.DigitReceived, kept: k.name}, own)
	}
	media, err := x.cfg.Restored(a.ref, a.sound, legs)
	if err != nil {
		return revival{}
	}
	if a.core, err = RestoreCore(x.world(a, media), x.directory(), r); err != nil {
		media.Close()
		return revival{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.enter(a)
	return revival{a.core, r}
}

// letters are those that were on their way.
func (x *Exchange) letters() (all []Letter) {
	for _, e := range x.cfg.Journal.All(journal.Letter) {
		l, err := readLetter(e.Value)
		if err != nil {
			x.log.Error("a letter between two calls cannot be read", "err", err)
			x.cfg.Journal.Delete(journal.Letter, e.Key)
			continue
		}
		all = append(all, l)
	}
	return all
}

// deliver brings on a letter that was on its way.
func (x *Exchange) deliver(l Letter) {
	if x.post(l) {
		return
	}
	if from := x.actor(l.From); from != nil {
		from.inbox.put(input{ask: func(c *Core) { c.Returned(x.now(), l) }}, own)
		return
	}
	if p := l.party(); p != nil { // between two calls that are over
		x.farewell(Record{Call: call.Call{Ref: l.ID}, Origin: ua.Origin{Network: p.Network}, Parties: []*party{p}})
	}
	x.cfg.Journal.Delete(journal.Letter, l.ID)
}

// giveUp ends a call that cannot go on, as far as it can be read. What is stored of it stays until its end is stored
// in its place: a process that dies in between leaves that to the next.
func (x *Exchange) giveUp(e journal.Entry, r Record) {
	x.lost.Add(1)
	x.quarantine(e)
	if r.Call.Ref == "" || !x.farewell(r) {
		x.cfg.Journal.Delete(journal.Call, e.Key)
	}
}

// A call that could not be restored is kept for a week, and of more the newest.
const (
	quarantineFor  = 7 * 24 * time.Hour
	maxQuarantined = 20
)

// quarantine keeps a call for whoever looks into it, by when that was and its reference.
func (x *Exchange) quarantine(e journal.Entry) {
	x.cfg.Journal.Put(journal.Quarantine, x.now().UTC().Format(time.RFC3339)+" "+e.Key, e.Value)
	x.tidyQuarantine()
}

func (x *Exchange) tidyQuarantine() {
	all := x.cfg.Journal.All(journal.Quarantine) // the newest last
	for i, e := range all {
		text, _, _ := strings.Cut(e.Key, " ")
		at, err := time.Parse(time.RFC3339, text)
		if i < len(all)-maxQuarantined || err == nil && x.now().Sub(at) > quarantineFor {
			x.cfg.Journal.Delete(journal.Quarantine, e.Key)
		}
	}
}

// farewell releases the parties of a call that cannot be continued, and closes its matter; false: it could not.
func (x *Exchange) farewell(r Record) bool {
	a := &actor{inbox: x.inbox(), ex: x, ref: r.Call.Ref, user: r.Origin.User, trunk: r.Origin.Trunk,
		began: true}
	core, err := lostCore(x.world(a, nowhere{}), x.directory(), r, a.guard)
	if err != nil {
		x.log.Error("the parties of a call cannot be let go", "call", r.Call.Ref, "err", err)
		return false
	}
	a.core = core
	x.enter(a)
	a.inbox.put(input{ask: func(c *Core) { c.depart(x.now(), r) }}, own)
	return true
}

// lostCore restores a call only to end it, without the parties whose leg cannot be restored. guard keeps the failure
// of one from the others.
func lostCore(world World, dir *desk.Directory, r Record, guard func(func())) (*Core, error) {
	c, err := RestoreCore(world, dir, r.over())
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Concat(r.Parties, r.Lent) {
		guard(func() { c.adopt(p) })
	}
	return c, nil
}

// over is what is left of a call that does not go on.
func (r Record) over() Record {
	return Record{Call: call.Call{Ref: r.Call.Ref, Phase: call.Ended}, Origin: r.Origin}
}

// depart ends a call that does not go on.
func (c *Core) depart(now time.Time, r Record) {
	c.now = now
	for _, e := range r.Entries { // which may not have been handed on
		c.later(act{entry: &e})
	}
	c.tellLost(r.Call)
	c.release()
	c.Resume(now, r.over())
}

// adopt takes the leg of a party of a call that is over.
func (c *Core) adopt(p *party) {
	if err := p.read(); err != nil {
		c.world.Log.Error("a party cannot be let go", "err", err)
		return
	}
	if c.revive(p); p.leg == nil {
		return
	}
	p.Media, p.Seat, p.Lender, p.Gone = false, "", lender{}, true
	c.parties = append(c.parties, p)
	c.world.Wire.Bind(p.leg.CallID())
}

// release lets all parties go.
func (c *Core) release() {
	for _, p := range c.parties {
		c.command(p, leg.End{Fields: c.reason(p.ID, call.Failure)})
	}
}

// nowhere is the sound of a call that is given up.
type nowhere struct{}

func (nowhere) Open(engine.LegID, string) (netip.AddrPort, error) { return netip.AddrPort{}, errOver }
func (nowhere) Do(engine.Command)                                 {}
func (nowhere) Close()                                            {}

var errOver = errors.New("exchange: the call is over")

// sounds are the legs that have a port in the media engine.
func (r Record) sounds() (all []engine.LegState) {
	for _, p := range slices.Concat(r.Parties, r.Lent) {
		if !p.Media {
			continue
		}
		s := engine.LegState{ID: engine.LegID(p.ID), Network: p.Network, Port: p.Addr.Port()}
		if p.Sound != nil {
			s = *p.Sound
		}
		if p.Stream != nil {
			s.Stream = *p.Stream
		}
		all = append(all, s)
	}
	return all
}

// sounded notes how the sound of a leg stands.
func (c *Core) sounded(s engine.LegState) {
	for _, p := range slices.Concat(c.parties, c.lentOut) {
		if p.ID == call.LegID(s.ID) && p.Media {
			s.Stream = engine.Stream{} // it is the party's
			p.Sound = &s
		}
	}
}

// occupy gives calls and the letters between them back what they share, before any of them goes on: a phone that is
// in one call is not free for another, and what comes for a party finds the call that knows where it is.
func occupy(calls map[string]revival, letters []Letter) {
	for _, c := range byClaim(calls) {
		c.core.Occupy()
	}
	for _, l := range letters {
		p, holder := l.party(), l.From
		if p == nil || p.kept == nil {
			continue
		}
		c, ok := calls[l.From]
		if !ok {
			if c, ok = calls[l.To]; !ok {
				continue
			}
		}
		if l.Loan != nil {
			holder = l.To
		}
		c.core.world.Wire.Bind(p.kept.Name)
		c.core.world.Seats.Hold(holder, p.Seat, p.Seat != "", true)
	}
}

// byClaim puts the call last that keeps a seat which several calls claim: a call in which a desk has had the caller
// comes after one that only rings; of equal ones the newest comes last.
func byClaim(calls map[string]revival) []revival {
	return slices.SortedFunc(maps.Values(calls), func(a, b revival) int {
		x, y := &a.record.Call, &b.record.Call
		if x.Met != y.Met {
			return map[bool]int{false: -1, true: 1}[x.Met]
		}
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Ref, y.Ref))
	})
}

// party is who is on the way in a letter.
func (l Letter) party() *party {
	switch {
	case l.Loan != nil:
		return l.Loan.Who
	case l.Back != nil:
		return l.Back.Who
	}
	return nil
}
