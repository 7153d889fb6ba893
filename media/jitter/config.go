package jitter

import (
	"errors"
	"fmt"
	"time"
)

const (
	tick = 20 * time.Millisecond // between two calls of Pop's caller: what a packet must be early, beside the jitter

	leastMin = 20 * time.Millisecond
	mostMax  = 500 * time.Millisecond
)

// Config bounds how long sound waits for its turn after the fastest packets' arrival.
type Config struct {
	Min time.Duration // in a network that is steady
	Max time.Duration // in one that is not; what would wait longer is left out
}

// Default suits phones on the networks of an authority, and mobile ones.
func Default() Config { return Config{Min: 20 * time.Millisecond, Max: 120 * time.Millisecond} }

// Validate reports every error of c, each with its key and what is allowed.
func (c Config) Validate() error {
	var errs []error
	if c.Min < leastMin || c.Min > c.Max {
		errs = append(errs, fmt.Errorf("min: %v is not allowed, %v up to max", c.Min, leastMin))
	}
	if c.Max < 2*leastMin || c.Max > mostMax {
		errs = append(errs, fmt.Errorf("max: %v is not allowed, %v to %v", c.Max, 2*leastMin, mostMax))
	}
	return errors.Join(errs...)
}
