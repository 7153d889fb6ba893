package app

import (
	"log/slog"
	"sync/atomic"
	"time"

	"liandong/configs"
	"liandong/routing/whereabouts"
	"liandong/sip/location"
	"liandong/sip/ua"
)

// sharing is how this switch and others know of each other's phones, by the Redis of their lines. Immutable but for of.
type sharing struct {
	all []*whereabouts.Whereabouts // as the stores
	now func() time.Time
	of  atomic.Pointer[map[string]*whereabouts.Whereabouts] // by user
}

// openSharing makes the ways, if the config says so; wire is asked when they start.
func openSharing(cfg *configs.Config, now func() time.Time, wire func() *ua.UA, log *slog.Logger) (*sharing, error) {
	if !cfg.Shares() {
		return nil, nil
	}
	s := &sharing{now: now}
	for _, one := range cfg.Stores() {
		log := log
		if one.Name != "" {
			log = log.With("redis", one.Name)
		}
		w, err := whereabouts.New(whereabouts.Config{Config: one.Outbox.Config, Users: one.Users, Now: now,
			Known: func() []location.Binding { return wire().Shared() },
			Learn: func(news []location.News) { wire().Learn(news) }}, log)
		if err != nil {
			s.stop()
			return nil, err
		}
		s.all = append(s.all, w)
	}
	s.users(cfg)
	return s, nil
}

// users says whose phones there are.
func (s *sharing) users(cfg *configs.Config) {
	if s == nil {
		return
	}
	of := map[string]*whereabouts.Whereabouts{}
	for i, one := range cfg.Stores() {
		if i == len(s.all) {
			break // one more Redis, which the next start finds
		}
		for _, user := range one.Users {
			of[user] = s.all[i]
		}
		s.all[i].SetUsers(one.Users)
	}
	s.of.Store(&of)
}

// changed is a REGISTER that was accepted: all it changes is one user's.
func (s *sharing) changed(list []location.Binding) {
	if len(list) == 0 {
		return
	}
	if w := (*s.of.Load())[list[0].User]; w != nil {
		w.Changed(list)
	}
}

func (s *sharing) start() {
	if s != nil {
		for _, w := range s.all {
			w.Start()
		}
	}
}

func (s *sharing) stop() {
	if s != nil {
		for _, w := range s.all {
			w.Stop()
		}
	}
}

// store is the way by a Redis; nil: there is none.
func (s *sharing) store(i int) *whereabouts.Whereabouts {
	if s == nil || i >= len(s.all) {
		return nil
	}
	return s.all[i]
}
