package exchange

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Versions makes the versions of what subscribers are told rise over restarts: some
// phones take a lower one for old news, and their lamps would be stuck. A file
// holds a number that no version has reached yet, and is written anew before one
// does. It also holds when the clock steps back; should the file be lost, the clock
// stands in for it. Owned by the subscriptions' goroutine.
type Versions struct {
	path  string
	log   *slog.Logger
	limit uint32 // in the file, or on its way there
	wg    sync.WaitGroup
	busy  atomic.Bool // a write is under way
}

// versionBlock is how many versions the file is ahead. A resource that changes
// every second needs a quarter of an hour for them.
const versionBlock = 1024

// versionEpoch is where the clock counts from: 31 bits, which is all that some
// phones have, last until 2093.
var versionEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// NewVersions reads the file; it need not exist. One that cannot be read is a
// warning: lamps are not worth a switch that does not start.
func NewVersions(path string, now time.Time, log *slog.Logger) *Versions {
	v := &Versions{path: path, log: log, limit: uint32(max(now.Sub(versionEpoch)/time.Second, 0))}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v
	}
	n, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err == nil && bad == nil {
		v.limit = max(v.limit, uint32(n))
		return v
	}
	log.Warn("the versions told so far are not known, the clock has to do", "file", path, "err", errors.Join(err, bad))
	return v
}

// begin is what all versions of this run are above. nil: 0.
func (v *Versions) begin() uint32 {
	if v == nil {
		return 0
	}
	floor := v.limit
	v.reserve(floor)
	return floor
}

// used says how high versions have risen.
func (v *Versions) used(top uint32) {
	if v != nil && top+versionBlock/2 > v.limit {
		v.reserve(top)
	}
}

// reserve writes the file, off the goroutine: a disk that is slow, or hangs, does not hold up
// lamps. While it hangs versions rise beyond what it has, and it is tried with each of them.
func (v *Versions) reserve(top uint32) {
	if !v.busy.CompareAndSwap(false, true) {
		return
	}
	v.limit = top + versionBlock
	text := strconv.FormatUint(uint64(v.limit), 10) + "\n"
	v.wg.Go(func() {
		defer v.busy.Store(false)
		if err := replaceFile(v.path, text); err != nil {
			v.log.Error("the versions of lamps are not on disk: after a restart some phones may show old lamps", "err",
				err)
		}
	})
}

// diskPatience is how long the end of the switch waits for a disk that may hang.
const diskPatience = 2 * time.Second

// end waits for the disk.
func (v *Versions) end() {
	if v == nil {
		return
	}
	written := make(chan struct{})
	go func() { v.wg.Wait(); close(written) }()
	select {
	case <-written:
	case <-time.After(diskPatience):
	}
}

// replaceFile writes a file whole or not at all, whatever happens meanwhile.
func replaceFile(path, text string) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	return nil
}
