package uptime

import (
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Now is for how long the machine has run; zero: that is not known.
func Now() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Boot is which start of the machine this is (random(4), boot_id); zero: that is not known.
var Boot = sync.OnceValue(func() (id [16]byte) {
	if text, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		id, _ = uuid.Parse(strings.TrimSpace(string(text)))
	}
	return id
})
