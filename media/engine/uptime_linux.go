package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// machineUptime goes on through changes of the wall clock and suspension.
func machineUptime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
