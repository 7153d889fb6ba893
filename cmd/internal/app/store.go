package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"liandong/cmd/internal/api"
	"liandong/configs"
	"liandong/routing/desk"
	"liandong/routing/ledger"
	"liandong/routing/news"
	"liandong/routing/outbox"
	"liandong/routing/push"
	"liandong/routing/ticket"
)

// store is one Redis with the outbox before it and the ledger in it.
type store struct {
	name   string
	in     []string // the networks whose lines are in it
	file   string   // of the outbox
	outbox *outbox.Outbox
	ledger *ledger.Ledger
	push   []*push.Pusher
}

// stores are the Redises of a switch. Each hotline's entries go to one of them.
type stores struct {
	all     []*store
	of      map[string]*store // hotline → its store
	former  []string          // outbox files of earlier configs
	log     *slog.Logger
	adopted sync.WaitGroup
	ships   bool
}

// openStores opens the outbox files and makes the ledgers. After an error what was opened is to be stopped all the
// same.
func openStores(cfg *configs.Config, log *slog.Logger) (*stores, error) {
	s := &stores{of: map[string]*store{}, former: cfg.FormerOutboxes(), log: log}
	list := cfg.Stores()
	for _, c := range list {
		log := log
		if c.Name != "" {
			log = log.With("redis", c.Name)
		}
		one := &store{name: c.Name, in: c.Networks, file: c.Outbox.Path}
		s.all = append(s.all, one)
		for _, id := range c.Hotlines {
			s.of[id] = one
		}
		var err error
		if one.outbox, err = outbox.Open(c.Outbox, log.With("part", "outbox")); err != nil {
			return s, fmt.Errorf("outbox.path: %w", err)
		}
		if len(list) > 1 {
			c.Ledger.OtherRedis = otherRedis{s, one}
		}
		if one.ledger, err = ledger.New(c.Ledger, log.With("part", "ledger")); err != nil {
			return s, err
		}
		leads := func() bool { return one.ledger.Stats().Leading }
		for _, p := range c.Push {
			pusher, err := push.New(p, leads, log.With("part", "push"))
			if err != nil {
				return s, err
			}
			one.push = append(one.push, pusher)
		}
	}
	return s, nil
}

func (s *stores) start() {
	s.ship()
	for _, one := range s.all {
		one.ledger.Start()
		for _, p := range one.push {
			p.Start()
		}
	}
	s.adopted.Go(s.adopt)
}

// ship brings to Redis what waits, and no more than that.
func (s *stores) ship() {
	if s.ships {
		return
	}
	s.ships = true
	for _, one := range s.all {
		one.outbox.Start()
	}
}

// adopt takes over what waits in the files of earlier configs. stop ends it: outboxes that are closed take nothing.
func (s *stores) adopt() {
	for _, file := range s.former {
		err := outbox.Adopt(file, func(stream string) *outbox.Outbox {
			return s.find(strings.TrimPrefix(stream,
				ticket.Prefix)).outbox
		}, s.log)
		if err != nil {
			s.log.Error("entries of a former outbox file are not taken over", "file", file, "err", err)
		}
	}
}

// stop ends the ledgers before the outboxes, to which they write, and all of a kind at once: a Redis may hang.
func (s *stores) stop() {
	var work, outboxes []func()
	for _, one := range s.all {
		for _, p := range one.push {
			work = append(work, p.Stop)
		}
		if one.ledger != nil {
			work = append(work, one.ledger.Stop)
		}
		if one.outbox != nil {
			outboxes = append(outboxes, one.outbox.Stop)
		}
	}
	atOnce(work)
	atOnce(outboxes)
	s.adopted.Wait()
}

// atOnce does all of these at the same time, and waits for them.
func atOnce(do []func()) {
	var all sync.WaitGroup
	for _, f := range do {
		all.Go(f)
	}
	all.Wait()
}

// find is the store of a hotline; for one that is not in the config any more the first.
func (s *stores) find(hotline string) *store {
	if one, ok := s.of[hotline]; ok {
		return one
	}
	return s.all[0]
}

// findStream is the store of a stream.
func (s *stores) findStream(stream string) *store {
	return s.find(strings.TrimPrefix(stream, ticket.Prefix))
}

// Put brings an entry to the outbox of the line that it is addressed to.
func (s *stores) Put(e ticket.Entry, done func(error)) {
	s.find(strings.TrimPrefix(e.Stream(), ticket.Prefix)).outbox.Put(e, done)
}

// publish sends a call event to where its line stands, and to where the desk sits whom it concerns: a partner's screen
// pops up with the call that is handed to it.
func (s *stores) publish(d *desk.Directory, fields news.Fields) {
	home := s.find(fields.Get("hotline"))
	if line, ok := d.At(fields.Get("agent")); ok && s.find(line.ID) != home {
		s.find(line.ID).outbox.Publish(CallEvents, fields)
	}
	home.ledger.Event(fields)
	home.outbox.Publish(CallEvents, fields)
}

// shown are the stores as the metrics tell of them.
func (s *stores) shown(shared *sharing) (list []api.Store) {
	for i, one := range s.all {
		list = append(list, api.Store{Name: one.name, Outbox: one.outbox, Ledger: one.ledger, Push: one.push,
			Shared: shared.by(i).phones, Seats: shared.by(i).seats})
	}
	return list
}

// otherRedis is the way from one store's ledger to the others.
type otherRedis struct {
	*stores
	home *store
}

// Stands says that a line's streams are in another Redis.
func (a otherRedis) Stands(hotline string) bool {
	one, ok := a.of[hotline]
	return ok && one != a.home
}

// Keeper finds the other store that keeps a matter. One that cannot be asked now may be it: what goes there waits, and
// its ledger says what it does not know.
func (a otherRedis) Keeper(ctx context.Context, stub string) (maybe string) {
	for _, one := range a.all {
		if one == a.home {
			continue
		}
		if !one.outbox.Stats().RedisUp {
			maybe = one.name
			continue
		}
		switch keeps, err := one.ledger.Keeps(ctx, stub); {
		case keeps:
			return one.name
		case err != nil:
			maybe = one.name
		}
	}
	return maybe
}

// Forward brings a line to a stream of another store.
func (a otherRedis) Forward(keeper, stream, stub string, l outbox.Line, done func(error)) {
	for _, one := range a.all {
		if one.name == keeper {
			one.outbox.Forward(stream, stub, l, done)
			return
		}
	}
	done(fmt.Errorf("app: no Redis %q", keeper))
}
