package sockettest

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Keeper keeps descriptors in memory: a socket.Keeper.
type Keeper struct {
	mu   sync.Mutex // guards held
	held map[string]int
}

// NewKeeper keeps nothing yet.
func NewKeeper() *Keeper { return &Keeper{held: map[string]int{}} }

// Take gives a copy of what is held under a name.
func (k *Keeper) Take(name string) (int, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fd, ok := k.held[name]
	if !ok {
		return 0, false
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return own, err == nil
}

// Hold keeps a copy.
func (k *Keeper) Hold(name string, fd int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[name], _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

// Drop closes what is held.
func (k *Keeper) Drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if fd, ok := k.held[name]; ok {
		_ = unix.Close(fd)
		delete(k.held, name)
	}
}

// Kept names all that is held.
func (k *Keeper) Kept(prefix string) (names []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.held {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Len is how many are held.
func (k *Keeper) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.held)
}
