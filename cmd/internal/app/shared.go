package app

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/configs"
	"liandong/routing/claims"
	"liandong/routing/link"
	"liandong/routing/whereabouts"
	"liandong/sip/location"
)

// sharing is how this switch and others know of each other's phones and seats, by the Redis of their lines. Immutable
// but for of.
type sharing struct {
	all  []shared                          // as the stores
	of   atomic.Pointer[map[string]shared] // by user
	over atomic.Bool                       // what is learnt comes too late
}

// shared is what goes by one Redis.
type shared struct {
	name   string // of the store
	redis  link.Config
	users  []string // of a reload; written by it alone
	phones *whereabouts.Whereabouts
	seats  *claims.Claims
}

// openSharing makes the ways, if the config says so; the parts of a are asked when they start.
func (a *App) openSharing(cfg *configs.Config, now func() time.Time) error {
	if !cfg.Shares() {
		return nil
	}
	s := &sharing{}
	a.sharing = s
	for _, one := range cfg.Stores() {
		log := a.log.With("part", "cluster")
		if one.Name != "" {
			log = log.With("redis", one.Name)
		}
		phones, err := whereabouts.New(whereabouts.Config{Config: one.Outbox.Config, Users: one.Users, Now: now,
			Known: func() []location.Binding { return a.ua.Shared() },
			Learn: func(news []location.News) {
				if !s.over.Load() {
					a.ua.Learn(news)
				}
			}}, log)
		if err != nil {
			return err
		}
		seats, err := claims.New(claims.Config{Config: one.Outbox.Config, Node: cfg.Node + "/" + one.Name,
			Changed: func(seats []string) {
				if !s.over.Load() {
					a.exchange.SeatsElsewhere(seats)
				}
			}}, log)
		if err != nil {
			return err
		}
		s.all = append(s.all, shared{name: one.Name, redis: one.Outbox.Config, phones: phones, seats: seats})
	}
	s.users(cfg)
	return nil
}

// users says whose phones there are.
func (s *sharing) users(cfg *configs.Config) {
	if s == nil {
		return
	}
	of := map[string]shared{}
	stores := cfg.Stores()
	for i, known := range s.all { // another Redis, or another address of one, waits for the next start
		j := slices.IndexFunc(stores, func(one configs.Store) bool {
			return one.Outbox.URL == known.redis.URL && one.Outbox.Password == known.redis.Password
		})
		if j >= 0 {
			s.all[i].users = stores[j].Users
			known.phones.SetUsers(stores[j].Users)
		}
		for _, user := range s.all[i].users {
			of[user] = s.all[i]
		}
	}
	s.of.Store(&of)
}

// changed is a REGISTER that was accepted: all it changes is one user's.
func (s *sharing) changed(list []location.Binding) {
	if len(list) == 0 {
		return
	}
	if w := s.at(list[0].User).phones; w != nil {
		w.Changed(list)
	}
}

func (s *sharing) at(user string) shared { return (*s.of.Load())[user] }

// Taken, Given, Ask and HeldBy are exchange.Claims.
func (s *sharing) Taken(seat string) {
	if c := s.at(seat).seats; c != nil {
		c.Taken(seat)
	}
}

// Given is the end of Taken.
func (s *sharing) Given(seat string) {
	for _, one := range s.all { // a reload may have moved it since it was taken
		one.seats.Given(seat)
	}
}

// Ask is about the seats of one line, which are in one Redis.
func (s *sharing) Ask(seats []string, done func(denied []string)) {
	if c := s.at(seats[0]).seats; c != nil {
		c.Ask(seats, done)
		return
	}
	go done(nil) // its line is new, and in a Redis that the next start finds
}

// HeldBy is the other switch that has a seat.
func (s *sharing) HeldBy(seat string) (node string, held bool) {
	at := s.at(seat)
	if at.seats == nil {
		return "", false
	}
	node, held = at.seats.HeldBy(seat)
	return strings.TrimSuffix(node, "/"+at.name), held
}

// startSeats comes before any call can seek a desk: whoever asks is answered within a time.
func (s *sharing) startSeats() {
	if s != nil {
		for _, one := range s.all {
			one.seats.Start()
		}
	}
}

func (s *sharing) startPhones() {
	if s != nil {
		for _, one := range s.all {
			one.phones.Start()
		}
	}
}

// stop waits for a Redis that hangs no longer than for the stores: nobody hears SIP meanwhile.
func (s *sharing) stop() {
	if s == nil {
		return
	}
	var all sync.WaitGroup
	for _, one := range s.all {
		all.Go(one.phones.Stop)
		all.Go(one.seats.Stop)
	}
	stopped := make(chan struct{})
	go func() { all.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(mostStopping):
	}
	s.over.Store(true)
}

// by is what goes by a Redis; nothing where nothing is shared.
func (s *sharing) by(i int) shared {
	if s == nil || i >= len(s.all) {
		return shared{}
	}
	return s.all[i]
}
