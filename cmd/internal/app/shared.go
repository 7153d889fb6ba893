package app

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/configs"
	"liandong/routing/claims"
	"liandong/routing/desk"
	"liandong/routing/exchange"
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
			Now: now,
			Changed: func(seats []string) {
				if !s.over.Load() {
					a.exchange.SeatsElsewhere(seats)
				}
			},
			Learn: func(news []claims.Word) {
				if !s.over.Load() {
					a.learnDesks(news)
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

// users says whose phones there are. moved are those that are told of in another Redis than before.
func (s *sharing) users(cfg *configs.Config) (moved []string) {
	if s == nil {
		return nil
	}
	var before map[string]shared
	if was := s.of.Load(); was != nil {
		before = *was
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
			if of[user] = s.all[i]; before[user].seats != known.seats {
				moved = append(moved, user)
			}
		}
	}
	s.of.Store(&of)
	return moved
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

// Taken and the methods after it are exchange.Shared.
func (s *sharing) Taken(seat string, by exchange.Waiter) {
	if c := s.at(seat).seats; c != nil {
		c.Taken(seat, waiter(by))
	}
}

func waiter(w exchange.Waiter) claims.Waiter {
	if w.Line == nil {
		return claims.Waiter{}
	}
	return claims.Waiter{Call: w.Call, Line: w.Line.ID, Since: w.Since, Last: w.Last, Tried: w.Tried}
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

// Bars says that another switch has a seat, or that it is kept for who waits there.
func (s *sharing) Bars(seat string) bool {
	c := s.at(seat).seats
	return c != nil && c.Bars(seat)
}

// line is where a line's seats are; nil: nowhere yet.
func (s *sharing) line(l *desk.Hotline) *claims.Claims {
	if len(l.Seats) == 0 {
		return nil
	}
	return s.at(l.Seats[0]).seats
}

// Queued says that a call waits.
func (s *sharing) Queued(w exchange.Waiter) {
	if c := s.line(w.Line); c != nil {
		c.Queued(waiter(w))
	}
}

// Unqueued says that it does not any more.
func (s *sharing) Unqueued(w exchange.Waiter) {
	for _, one := range s.all { // a reload may have moved its line since
		one.seats.Unqueued(w.Call)
	}
}

// Waiting counts the calls that wait for a line at other switches.
func (s *sharing) Waiting(l *desk.Hotline) int {
	if c := s.line(l); c != nil {
		return c.Waiting(l.ID)
	}
	return 0
}

// What is said of a desk: how it stands, and since when it is idle.
const (
	aboutAgent = "agent "
	aboutIdle  = "idle "
)

// Stands tells the others how a seat stands.
func (s *sharing) Stands(seat string, a exchange.Agent) {
	if c := s.at(seat).seats; c != nil {
		word := strings.TrimSpace(string(a.State) + " " + a.Reason)
		c.Say(claims.Word{About: aboutAgent + seat, Word: word, Since: a.Since, Over: a.Over, Until: a.Until})
	}
}

// Idle tells the others since when a seat is idle.
func (s *sharing) Idle(seat string, since time.Time) {
	if c := s.at(seat).seats; c != nil {
		c.Say(claims.Word{About: aboutIdle + seat, Since: since})
	}
}

// learnDesks takes what other switches say of desks.
func (a *App) learnDesks(news []claims.Word) {
	for _, w := range news {
		if seat, ok := strings.CutPrefix(w.About, aboutIdle); ok {
			a.exchange.Idle(seat, w.Since)
		} else if seat, ok := strings.CutPrefix(w.About, aboutAgent); ok {
			state, reason, _ := strings.Cut(w.Word, " ")
			switch of := exchange.AgentState(state); of {
			case exchange.Ready, exchange.NotReady, exchange.AfterCall:
				a.exchange.Stands(seat, exchange.Agent{State: of, Reason: reason, Since: w.Since, Over: w.Over,
					Until: w.Until})
			}
		}
	}
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
