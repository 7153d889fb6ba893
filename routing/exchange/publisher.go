package exchange

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"liandong/sip/leg"
	"liandong/sip/notifier"
	"liandong/sip/ua"
)

// publisher tells the phones that have subscribed what they watch. It owns the
// [notifier.Server] and its one timer, so that all NOTIFYs leave in order. Who has
// something to tell calls changed, from any goroutine; what there is to tell is
// read when it is written.
type publisher struct {
	server   *notifier.Server
	wire     Transport
	versions *Versions
	log      *slog.Logger
	inbox    *inbox[telling]
	stop     chan struct{}
	wg       sync.WaitGroup
	pause    time.Time // after a panic: no timer acts before then
	stats    atomic.Pointer[notifier.Stats]

	mu    sync.Mutex
	dirty map[change]bool // guarded by mu; one entry a resource however often it changes
	wake  chan struct{}   // holds a token while something is dirty
}

// telling is anything that reaches the publisher.
type telling func(*notifier.Server, time.Time) notifier.Out

// change is a resource of an event package that is not as it was.
type change struct{ event, resource string }

// publisherRoom is how many messages of phones may wait. More are sent again.
const publisherRoom = 4096

func newPublisher(cfg notifier.Config, x *Exchange) *publisher {
	p := &publisher{
		wire: x.cfg.Wire, versions: x.cfg.Versions, log: x.log, inbox: newInbox[telling](publisherRoom), stop: make(chan struct{}),
		dirty: map[change]bool{}, wake: make(chan struct{}, 1),
	}
	cfg.Leg, cfg.Local, cfg.Floor = x.cfg.Leg, x.cfg.Wire.Local, p.versions.begin()
	p.server = notifier.New(cfg)
	p.stats.Store(&notifier.Stats{})
	p.wg.Go(p.run)
	return p
}

// incoming takes a SUBSCRIBE that begins something new. nil: no room.
func (p *publisher) incoming(user string, packet leg.Packet) ua.Sink {
	if !p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out { return s.Subscribe(now, user, packet) }, false) {
		return nil
	}
	return p
}

// Post takes a message of a subscription (ua.Sink).
func (p *publisher) Post(in ua.Inbound) bool {
	return p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
		if in.Err != nil {
			return s.Failed(now, in.Packet)
		}
		return s.Receive(now, in.Packet)
	}, in.Err != nil)
}

// moved says that a user's phones are where Locate says now.
func (p *publisher) moved(user string) {
	for _, b := range p.wire.Locate(user) {
		p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out { return s.Moved(now, user, b.Contact, b.Flow) }, false)
	}
}

// changed says that a resource of an event package is not as it was. It never
// blocks, and is not lost.
func (p *publisher) changed(event, resource string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[change{event, resource}] = true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *publisher) takeDirty() map[change]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	dirty := p.dirty
	p.dirty = map[change]bool{}
	return dirty
}

// run is the publisher's goroutine.
func (p *publisher) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if at, ok := p.server.Deadline(); ok {
			wait = max(time.Until(at), time.Until(p.pause), 0)
		}
		timer.Reset(wait)
		select {
		case <-p.inbox.ready:
			for _, do := range p.inbox.take() {
				p.do(do)
			}
		case <-p.wake:
			for c := range p.takeDirty() {
				p.do(func(s *notifier.Server, now time.Time) notifier.Out { return s.Changed(now, c.event, c.resource) })
			}
		case <-timer.C:
			p.do((*notifier.Server).Tick)
		case <-p.stop:
			return
		}
	}
}

// do runs one input and sends what comes of it. A Call-ID is let go before the
// answer leaves: what the phone sends upon it is the first of something new.
func (p *publisher) do(f telling) {
	defer func() {
		if r := recover(); r != nil {
			p.pause = time.Now().Add(pauseAfterPanic)
			p.log.Error("bug: what a subscriber sent was dropped", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	out := f(p.server, time.Now())
	for _, id := range out.Gone {
		p.wire.Unbind(id)
	}
	for _, packet := range out.Packets {
		p.wire.Send(packet)
	}
	p.versions.used(p.server.Top())
	stats := p.server.Stats()
	p.stats.Store(&stats)
}

// comeAgain is when phones are asked to subscribe anew once the switch has gone
// down: a restart is over by then.
const comeAgain = 5 * time.Second

// close tells the phones that the switch goes down, once; who misses it finds out
// by the next SUBSCRIBE.
func (p *publisher) close() {
	told := make(chan struct{})
	p.inbox.put(func(s *notifier.Server, now time.Time) notifier.Out {
		defer close(told)
		return s.Close(now, comeAgain)
	}, true)
	<-told
}

// end stops the goroutine and waits for it.
func (p *publisher) end() {
	p.inbox.close()
	close(p.stop)
	p.wg.Wait()
	p.versions.end()
}
