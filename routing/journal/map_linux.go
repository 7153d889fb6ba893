package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapped maps more than the file has as yet: as it grows, its new part is there.
func mapped(f *os.File, size int) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func unmapped(mem []byte) error { return unix.Munmap(mem) }

// allocate takes the room on the disk, or in memory, now: a hole would end the process when it is written to.
func allocate(f *os.File, size int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, size) }
