package configs

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"liandong/routing/ledger"
	"liandong/routing/link"
	"liandong/routing/outbox"
	"liandong/routing/push"
)

// Store is one Redis with what belongs to it: the hotlines whose entries it holds, the outbox before it and the ledger
// that keeps the state of their matters in it.
type Store struct {
	Name     string   // of the networks that use it, joined by "+"; "" when it is the only one
	Networks []string // whose hotlines are in it
	Hotlines []string
	Users    []string // of their phones
	Outbox   outbox.Config
	Ledger   ledger.Config
	Push     []push.Config // who gets their entries by HTTP
}

// Stores are the Redises that hotlines use, in a fixed order. Each has an outbox file of its own, so that none waits
// for another, and an equal part of the room for entries.
func (c *Config) Stores() (stores []Store) {
	for _, name := range sorted(c.Networks) {
		lines := c.linesIn(name)
		if len(lines) == 0 {
			continue
		}
		r := c.redisOf(name)
		i := slices.IndexFunc(stores, func(s Store) bool { return c.redisOf(s.Networks[0]).same(r) })
		if i < 0 {
			i, stores = len(stores), append(stores, Store{})
		}
		stores[i].Networks = append(stores[i].Networks, name)
		stores[i].Hotlines = append(stores[i].Hotlines, lines...)
	}
	for i := range stores {
		c.furnish(&stores[i], len(stores))
	}
	return stores
}

// furnish makes the parts of a store, one of so many.
func (c *Config) furnish(s *Store, of int) {
	r := c.redisOf(s.Networks[0])
	slices.Sort(s.Hotlines)
	for _, user := range c.inOrder() {
		if slices.Contains(s.Hotlines, c.Phones[user].Hotline) {
			s.Users = append(s.Users, user)
		}
	}
	s.Outbox, s.Ledger = c.Outbox(), c.Ledger()
	s.Outbox.Config, s.Ledger.Config = r.link(), r.link()
	s.Ledger.Hotlines = s.Hotlines
	c.spooled(&s.Ledger)
	c.pushes(s)
	if of == 1 {
		return
	}
	s.Name = strings.Join(s.Networks, "+")
	s.Outbox.Path = c.outboxFile(s.Name)
	s.Outbox.MaxBytes /= int64(of)
	s.Outbox.MaxMemory /= int64(of)
}

// outboxFile is the file of a store where there are several: data/outbox.db is data/outbox.redis-police.db then.
func (c *Config) outboxFile(store string) string {
	ext := filepath.Ext(c.Store.Path)
	return strings.TrimSuffix(c.Store.Path, ext) + ".redis-" + store + ext
}

// FormerOutboxes are the files that earlier configs, with other Redises, have left behind: entries may wait in them.
func (c *Config) FormerOutboxes() []string {
	found, _ := filepath.Glob(c.outboxFile("*")) // its only error is a bad pattern
	if plain, _ := filepath.Glob(c.Store.Path); len(plain) > 0 {
		found = append(found, c.Store.Path)
	}
	for _, s := range c.Stores() {
		found = slices.DeleteFunc(found, func(f string) bool { return f == s.Outbox.Path })
	}
	return found
}

func (c *Config) linesIn(network string) (ids []string) {
	for _, id := range sorted(c.Hotlines) {
		if c.Hotlines[id].Network == network {
			ids = append(ids, id)
		}
	}
	return ids
}

// redisOf is the Redis that a network's hotlines use.
func (c *Config) redisOf(network string) Redis {
	if n, ok := c.Networks[network]; ok && !n.Redis.URL.IsZero() {
		return n.Redis
	}
	return c.Redis
}

// same says that two parts of the config name one Redis in the same words.
func (r Redis) same(o Redis) bool {
	r.tls, o.tls = nil, nil
	return r == o
}

func (r Redis) given() bool { return !r.same(Redis{}) }

func (r Redis) link() link.Config {
	l := link.Default()
	l.URL, l.Password, l.TLS = cmp.Or(r.URL, l.URL), r.Password, r.tls
	return l
}

// Frail says in words what a Redis of the config has said of itself.
func (c *Config) Frail(s Store, f outbox.Frailty) string {
	key := "redis.url"
	if n := c.Networks[s.Networks[0]]; !n.Redis.URL.IsZero() {
		key = join(join("networks", s.Networks[0]), key)
	}
	words := textRedisForgets
	if f == outbox.MayEvict {
		words = textRedisEvicts
	}
	return textWarning.of(words.of(key)).in(c.Lang)
}
