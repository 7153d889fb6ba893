//go:build !linux

package uptime

import "time"

var began = time.Now()

// Now is the time of day when the process began, and steady from then on: nothing better is at hand.
func Now() time.Duration { return time.Duration(began.UnixNano()) + time.Since(began) }

// Boot is not known.
func Boot() (id [16]byte) { return id }
