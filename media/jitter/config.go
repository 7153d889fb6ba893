package jitter

import (
	"errors"
	"fmt"
	"time"
)

const (
	clockRate = 8000
	tick      = 20 * time.Millisecond
	frame     = int(clockRate * tick / time.Second) // bytes and clock ticks of a frame

	minDelay = 20 * time.Millisecond
	maxDepth = 500 * time.Millisecond
)

// Config is how long a buffer holds packets.
type Config struct {
	Delay time.Duration // between a packet's arrival and its turn, in a network that is steady
	Max   time.Duration // more is not held, but for long packets: the oldest is left out down to Delay
}

// Default suits phones on the networks of an authority.
func Default() Config { return Config{Delay: 40 * time.Millisecond, Max: 120 * time.Millisecond} }

// Validate reports every error of c, each with its key and what is allowed.
func (c Config) Validate() error {
	var errs []error
	if c.Delay < minDelay || c.Delay > c.Max || c.Delay%tick != 0 {
		errs = append(errs, fmt.Errorf("delay: %v is not allowed, a multiple of %v from %v up to max", c.Delay, tick, minDelay))
	}
	if c.Max < 2*minDelay || c.Max > maxDepth || c.Max%tick != 0 {
		errs = append(errs, fmt.Errorf("max: %v is not allowed, a multiple of %v from %v to %v", c.Max, tick, 2*minDelay, maxDepth))
	}
	return errors.Join(errs...)
}

func ticks(d time.Duration) uint32 { return uint32(d * clockRate / time.Second) }
