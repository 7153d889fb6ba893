//go:build unix

package exchange

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A disk that hangs holds up nobody who tells lamps, nor the end of the switch for long.
func TestVersionsOnADiskThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lamps")
	if err := syscall.Mkfifo(path+".new", 0o600); err != nil { // opening it waits for a reader
		t.Fatal(err)
	}
	v := NewVersions(path, time.Now(), slog.New(slog.DiscardHandler))
	done := make(chan struct{})
	go func() {
		defer close(done)
		top := v.begin()
		for range 4 * versionBlock {
			top++
			v.used(top)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("whoever tells of a lamp waits for the disk")
	}
	v.end()
	if f, err := os.OpenFile(path+".new", os.O_RDWR, 0); err == nil { // let the writer go
		defer f.Close()
	}
	v.wg.Wait()
}
