// Package walltest sets the wall clock, for tests: only in what they read.
package walltest

import (
	"time"
	"unsafe"
)

// Steps are by how much a wall clock is set in tests.
var Steps = []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
	365 * 24 * time.Hour, -365 * 24 * time.Hour}

// Now is [time.Now] where the wall clock was set by whole seconds; its reading of the monotonic clock is as ever. What
// goes by that alone cannot tell the two apart; what stores, prints or converts the time can.
func Now(set time.Duration) time.Time {
	t := time.Now()
	// A time with a monotonic reading begins with 1 bit, 33 bits of seconds of the wall clock, 30 bits of nanoseconds.
	first := (*uint64)(unsafe.Pointer(&t))
	*first += uint64(set/time.Second) << 30
	return t
}
