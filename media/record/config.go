package record

import (
	"errors"
	"fmt"
)

// Config of a recorder. Immutable.
type Config struct {
	Dir  string // made when missing; no other process may record there
	Days int    // recordings older than this are deleted; 0: none for its age
	// percent of the file system that all recordings may take; above it the oldest are deleted; 0: no limit
	MaxShare int

	// Resumes says that recordings of the process before go on: what is left open is mended only after
	// [Recorder.Resumed].
	Resumes bool

	// Keys open sealed recordings, and the first of them seals new ones. None: files are plain WAV.
	Keys []Key
}

const maxDays = 36500

// Validate reports every error with its key.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("record: %s: %s", key, allowed))
		}
	}
	check(c.Dir != "", "dir", "must name a directory")
	check(c.Days >= 0 && c.Days <= maxDays, "days", fmt.Sprintf("must be 0 (for ever) to %d", maxDays))
	check(c.MaxShare >= 0 && c.MaxShare <= 100, "max_share", "must be 0 (no limit) to 100 percent")
	seen := map[string]bool{}
	for _, k := range c.Keys {
		check(!k.isZero(), "key", "must not be all zeros")
		check(!seen[k.ID()], "key", "is there twice: "+k.ID())
		seen[k.ID()] = true
	}
	return errors.Join(errs...)
}
