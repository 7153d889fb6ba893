package app

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"liandong/routing/journal"
)

// lockPatience is how long the process before may take to let go of the journal.
const lockPatience = 5 * time.Second

// openJournal takes over what the process before has kept of its calls. Its lock ends with this process: no two
// switches carry the same calls. It is a file in a tmpfs and no memfd: both are the same memory, but the file is found
// by its name, also when the keeper is gone.
func openJournal(path string) (*journal.Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := locked(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: another switch goes on with these calls: %w", path, err)
	}
	j, err := journal.Open(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return j, nil
}

func locked(f *os.File) error {
	for until := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(until) {
			return err
		}
	}
}
