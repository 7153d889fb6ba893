package outbox

import (
	"errors"
	"fmt"
	"time"

	"liandong/routing/link"
)

// Config of an outbox. Immutable.
type Config struct {
	link.Config // where Redis is

	Path string // the file; its folder is made when missing

	MaxBytes  int64 // of entries on disk; the file itself may grow to about twice that
	MaxMemory int64 // bytes of entries that wait for the disk; further ones are dropped

	Backoff time.Duration // longest wait between attempts, to Redis and to a failing disk
	// Keep is how long an entry stays on disk after Redis has confirmed it, where nothing shows that Redis has it
	// safely; 0: not at all. Room for entries that wait goes first.
	Keep     time.Duration
	Remember time.Duration // how long Redis remembers which entries it has seen, see deliver.lua: longer than Keep

	Events     int   // call events that wait for Redis; the oldest is dropped for the newest
	EventsKept int64 // about how many call events a stream keeps
}

// Default is a Config for a Redis on this machine. Path and URL are to be set.
func Default() Config {
	return Config{
		Config: link.Default(), Path: "data/outbox.db",
		MaxBytes: 1 << 30, MaxMemory: 32 << 20,
		Backoff: 2 * time.Second,
		Keep:    7 * 24 * time.Hour, Remember: 14 * 24 * time.Hour,
		Events: 4096, EventsKept: 100_000,
	}
}

// Validate reports every error with its key.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("outbox: %s: %s", key, allowed))
		}
	}
	check(c.Path != "", "path", "must name a file")
	check(c.MaxBytes >= 1<<20, "max_bytes", "must be 1 MiB or more")
	check(c.MaxMemory >= 64<<10, "max_memory", "must be 64 KiB or more")
	check(c.Backoff >= time.Millisecond && c.Backoff <= time.Minute, "backoff", "must be 1ms to 1m")
	check(c.Keep >= 0 && c.Keep <= 90*24*time.Hour, "keep", "must be 0s to 2160h")
	check(c.Remember >= max(time.Hour, c.Keep), "remember", "must be 1h or more, and no less than keep")
	check(c.Events >= 1, "events", "must be 1 or more")
	check(c.EventsKept >= 1, "events_kept", "must be 1 or more")
	return errors.Join(append(errs, c.Config.Validate())...)
}
