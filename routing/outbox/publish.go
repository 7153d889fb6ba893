package outbox

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/routing/link"
	"liandong/routing/news"
)

const (
	publishRound = 256                  // call events that go in one round trip
	publishPace  = 2 * time.Millisecond // between two round trips; what comes alone goes at once
	publishAge   = 5 * time.Second      // later than this a screen that pops up is worse than none
)

// eventSender sends call events, best effort. An event whose delivery failed is not tried again: it would come late and
// perhaps twice. One for which there was not even a connection waits a moment for Redis to be back.
type eventSender struct {
	cfg  Config
	link *link.Link
	log  *slog.Logger
	wake chan struct{} // capacity 1

	mu     sync.Mutex
	events []callEvent // guarded by mu; at most cfg.Events, the oldest goes first
	over   bool        // guarded by mu: nobody takes them any more

	sent, dropped atomic.Uint64

	wait    backoff // owned by run
	command xadd    // owned by run
}

type callEvent struct {
	stream string
	fields news.Fields
	at     time.Time
}

func newEventSender(cfg Config, l *link.Link, log *slog.Logger) *eventSender {
	return &eventSender{cfg: cfg, link: l, log: log, wake: make(chan struct{}, 1),
		wait: backoff{min: 100 * time.Millisecond, max: cfg.Backoff}}
}

func (p *eventSender) publish(stream string, fields news.Fields) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		p.dropped.Add(1)
		return
	}
	if len(p.events) >= p.cfg.Events {
		p.events = slices.Delete(p.events, 0, 1)
		p.dropped.Add(1)
	}
	p.events = append(p.events, callEvent{stream, fields, time.Now()})
	nudge(p.wake)
}

// take removes the oldest events.
func (p *eventSender) take() []callEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.events), publishRound)
	events := slices.Clone(p.events[:n])
	p.events = slices.Delete(p.events, 0, n)
	return events
}

// run sends until ctx ends, and then what is left.
func (p *eventSender) run(ctx context.Context) {
	for p.waits(ctx) {
		p.sendAll(ctx)
	}
	for events := p.take(); len(events) > 0; events = p.take() {
		if err := p.send(events); err != nil && !link.Replied(err) {
			break
		}
	}
	p.giveUp()
}

// giveUp counts what is left at the end, and what is told after it.
func (p *eventSender) giveUp() {
	p.mu.Lock()
	left := len(p.events)
	p.events, p.over = nil, true
	p.mu.Unlock()
	if left > 0 {
		p.dropped.Add(uint64(left))
		p.log.Warn("outbox: call events dropped", "events", left, "err", "the end")
	}
}

// waits for events; false: ctx has ended.
func (p *eventSender) waits(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.wake:
		return true
	}
}

func (p *eventSender) sendAll(ctx context.Context) {
	for events := p.take(); len(events) > 0; events = p.take() {
		sent := p.send(events) == nil
		pause := publishPace
		switch {
		case !sent:
			pause = p.wait.next()
		case len(events) == publishRound:
			pause = 0 // more may come than would go
		}
		if sent {
			p.wait.reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// send gives the first error of the round. The end does not cut it short: whoever stops closes the link after a while.
func (p *eventSender) send(events []callEvent) error {
	ctx, cancel := p.cfg.Deadline(p.link.Context())
	defer cancel()
	pipe := p.link.Client().Pipeline()
	p.command.begin(events, p.cfg.EventsKept)
	for _, e := range events {
		_ = pipe.Process(ctx, p.command.of(ctx, e)) // which queues it
	}
	answers, err := pipe.Exec(ctx)
	p.command.end()
	if unsent(err) && p.back(events) {
		return err
	}
	sent := 0
	for _, a := range answers {
		if a.Err() == nil {
			sent++
		}
	}
	p.sent.Add(uint64(sent))
	p.dropped.Add(uint64(len(events) - sent))
	if err != nil {
		p.log.Warn("outbox: call events dropped", "events", len(events)-sent, "err", link.Plain(err))
	}
	return err
}

// unsent says that there was no connection by which anything could have been sent.
func unsent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// back puts events before those that came since, if they are fresh.
func (p *eventSender) back(events []callEvent) bool {
	if time.Since(events[0].at) > publishAge {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(events, p.events...)
	if over := len(p.events) - p.cfg.Events; over > 0 {
		p.events = slices.Delete(p.events, 0, over)
		p.dropped.Add(uint64(over))
	}
	return true
}
