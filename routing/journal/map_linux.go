package journal

import (
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// mapped maps more than the file has as yet: as it grows, its new part is there.
func mapped(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func unmapped(mem []byte) error { return unix.Munmap(mem) }

// allocate takes the room on the disk, or in memory, now: a hole would end the process when it is written to.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }

// booted is which start of the machine this is, and how long ago it was.
func booted() (boot uuid.UUID, since time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return boot, 0, false
	}
	var t unix.Timespec
	boot, err = uuid.Parse(strings.TrimSpace(string(text)))
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return boot, 0, false
	}
	return boot, time.Duration(t.Nano()), true
}
