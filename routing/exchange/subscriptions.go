package exchange

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"liandong/routing/journal"
	"liandong/sip/leg"
	"liandong/sip/notifier"
	"liandong/sip/snapshot"
	"liandong/sip/ua"
)

// subscriptions tells the phones that have subscribed what they watch. It owns the
// [notifier.Server] and its one timer, so that all NOTIFYs leave in order. Who has
// something to tell calls changed, from any goroutine; what there is to tell is
// read when it is written.
type subscriptions struct {
	server   *notifier.Server
	wire     Transport
	versions *Versions
	begun    atomic.Bool
	journal  *journal.Journal // nil: no subscription outlives the process
	restored []notifier.State // subscriptions of the process before
	log      *slog.Logger
	now      func() time.Time
	inbox    *inbox[telling]
	stop     chan struct{}
	wg       sync.WaitGroup
	pause    time.Time // after a panic: no timer acts before then
	kept     string    // what the input is kept as, see leg.Packet.Kept
	stats    atomic.Pointer[notifier.Stats]

	mu    sync.Mutex
	dirty map[change]bool // guarded by mu; one entry a resource however often it changes
	clean map[change]bool // guarded by mu; room for dirty, empty
	wake  chan struct{}   // holds a token while something is dirty
}

// telling is anything that reaches the subscriptions.
type telling func(*notifier.Server, time.Time) notifier.Out

// change is a resource of an event package that is not as it was.
type change struct {
	event, resource string
	over            bool // it is no more
}

// subscriptionsInbox is how many messages of phones may wait. More are sent again.
const subscriptionsInbox = 4096

func newSubscriptions(cfg notifier.Config, x *Exchange) *subscriptions {
	p := &subscriptions{
		wire: x.cfg.Wire, versions: x.cfg.Versions, journal: x.cfg.Journal, log: x.log, now: x.now,
		inbox: newInbox[telling](subscriptionsInbox), stop: make(chan struct{}),
		dirty: map[change]bool{}, clean: map[change]bool{}, wake: make(chan struct{}, 1),
	}
	cfg.Leg, cfg.Local, cfg.Floor = x.cfg.Leg, x.cfg.Wire.Local, p.versions.begin()
	p.server = notifier.Restore(cfg, p.stored())
	p.stats.Store(&notifier.Stats{})
	return p
}

// stored are the subscriptions of the process before.
func (p *subscriptions) stored() (all []notifier.State) {
	if p.journal == nil {
		return nil
	}
	for _, e := range p.journal.All(journal.Subscription) {
		var s notifier.State
		if err := snapshot.Decode(e.Value, &s); err != nil {
			p.log.Error("a subscription cannot go on", "err", err)
			p.journal.Delete(journal.Subscription, e.Key)
			continue
		}
		p.restored = append(p.restored, s)
		all = append(all, s)
	}
	return all
}

// bind takes the messages of the subscriptions that go on.
func (p *subscriptions) bind() {
	for _, s := range p.restored {
		p.wire.Bind(s.CallID(), p)
	}
}

// begin starts the goroutine.
func (p *subscriptions) begin() {
	p.restored = nil
	p.begun.Store(true)
	p.wg.Go(p.run)
}

// keep stores what has changed, before anybody is told.
func (p *subscriptions) keep(out notifier.Out) {
	if p.journal == nil {
		return
	}
	var all []journal.Entry
	for _, s := range out.Changed {
		b, err := snapshot.Encode(s)
		if err != nil {
			p.log.Error("bug: a subscription cannot be stored", "err", err)
			continue
		}
		all = append(all, journal.Entry{Kind: journal.Subscription, Key: s.CallID(), Value: b})
	}
	for _, id := range out.Gone {
		all = append(all, journal.Entry{Kind: journal.Subscription, Key: id, Gone: true})
	}
	if p.kept != "" {
		all, p.kept = append(all, journal.Entry{Kind: journal.Registration, Key: p.kept, Gone: true}), ""
	}
	if len(all) > 0 {
		p.journal.Write(all...)
	}
}

// hears notes a message that the journal keeps for no longer than until the input is stored.
func (p *subscriptions) hears(packet leg.Packet) { p.kept = packet.Kept }

// incoming takes a SUBSCRIBE that begins something new. nil: no room.
func (p *subscriptions) incoming(user string, packet leg.Packet) ua.Sink {
	if !p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
		p.hears(packet)
		return s.Subscribe(now, user, packet)
	}, usual) {
		return nil
	}
	return p
}

// Post takes a message of a subscription (ua.Sink).
func (p *subscriptions) Post(in ua.Inbound) bool {
	return p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
		if in.Err != nil {
			return s.Failed(now, in.Packet)
		}
		p.hears(in.Packet)
		return s.Receive(now, in.Packet)
	}, urgencyOf(in))
}

// moved says that a user's phones are where Locate says now.
func (p *subscriptions) moved(user string) {
	for _, b := range p.wire.Locate(user) {
		for _, contact := range append([]string{b.Contact}, b.Before...) {
			p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
				return s.Moved(now, user, contact,
					b.Flow)
			}, usual)
		}
	}
}

// changed says that a resource of an event package is not as it was. It never
// blocks, and is not lost.
func (p *subscriptions) changed(event, resource string) {
	p.tell(change{event: event, resource: resource})
}

func (p *subscriptions) tell(c change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[c] = true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *subscriptions) takeDirty() map[change]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	dirty := p.dirty
	p.dirty, p.clean = p.clean, nil
	return dirty
}

// giveBack takes the room of what is told for what will be dirty after the next. A map is as large as it ever was.
func (p *subscriptions) giveBack(told map[change]bool) {
	if len(told) > cleanRoom {
		told = map[change]bool{}
	}
	clear(told)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean = told
}

const cleanRoom = 64

// run is the subscriptions' goroutine.
func (p *subscriptions) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if at, ok := p.server.Deadline(); ok {
			now := p.now()
			wait = max(at.Sub(now), p.pause.Sub(now), 0)
		}
		timer.Reset(wait)
		select {
		case <-p.inbox.ready:
			for _, do := range p.inbox.take() {
				p.do(do)
			}
		case <-p.wake:
			dirty := p.takeDirty()
			for c := range dirty {
				p.do(func(s *notifier.Server, now time.Time) notifier.Out {
					if c.over {
						return s.Over(now, c.event, c.resource)
					}
					return s.Changed(now, c.event, c.resource)
				})
			}
			p.giveBack(dirty)
		case <-timer.C:
			p.do((*notifier.Server).Tick)
		case <-p.stop:
			return
		}
	}
}

// do runs one input and sends what comes of it. A Call-ID is let go before the
// answer leaves: what the phone sends upon it is the first of something new.
func (p *subscriptions) do(f telling) {
	defer func() {
		if r := recover(); r != nil {
			p.pause = p.now().Add(pauseAfterPanic)
			p.log.Error("bug: what a subscriber sent was dropped", "panic", fmt.Sprint(r), "stack",
				string(debug.Stack()))
		}
	}()
	out := f(p.server, p.now())
	p.keep(out)
	for _, id := range out.Gone {
		p.wire.Unbind(id, p)
	}
	for _, packet := range out.Packets {
		p.wire.Send(packet)
	}
	p.versions.used(p.server.Top())
	if stats := p.server.Stats(); stats != *p.stats.Load() {
		p.stats.Store(&stats)
	}
}

// comeAgain is when phones are asked to subscribe anew once the switch has gone
// down: a restart is over by then.
const comeAgain = 5 * time.Second

// close tells the phones that the switch goes down, once; who misses it finds out
// by the next SUBSCRIBE.
func (p *subscriptions) close() {
	if !p.begun.Load() {
		return
	}
	told := make(chan struct{})
	p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
		defer close(told)
		return s.Close(now, comeAgain)
	}, own)
	<-told
}

// end stops the goroutine and waits for it.
func (p *subscriptions) end() {
	p.inbox.close()
	close(p.stop)
	p.wg.Wait()
	p.versions.end()
}
