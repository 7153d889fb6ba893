package keeper

import (
	"slices"

	"golang.org/x/sys/unix"
)

// held are the descriptors that are kept, by name. Owned by the keeper's loop.
type held map[string]int

// put keeps descriptors. One of the same name gives way.
func (h held) put(names []string, fds []int) {
	for i, name := range names {
		if old, ok := h[name]; ok {
			_ = unix.Close(old)
		}
		h[name] = fds[i]
	}
}

func (h held) drop(names []string) {
	for _, name := range names {
		if fd, ok := h[name]; ok {
			_ = unix.Close(fd)
			delete(h, name)
		}
	}
}

// messages hand all of it over, in a fixed order.
func (h held) messages() (list []message) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for part := range slices.Chunk(names, maxNames) {
		m := message{kind: hold, names: part}
		for _, name := range part {
			m.fds = append(m.fds, h[name])
		}
		list = append(list, m)
	}
	return list
}
