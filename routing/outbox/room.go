package outbox

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Alarms are raised while there is still time to act: with the default limit, Redis away and one entry a second, the
// first comes about a week before the room is used up.
const (
	roomLow     = 0.5         // of max_bytes: logged as a warning
	roomScarce  = 0.2         // logged as an error
	roomSlack   = 0.05        // by so much it must rise before an alarm is over
	lookAtRoom  = time.Second // between two looks
	roomUnknown = 1 << 62
)

// room is how many bytes of entries the file can still take: what its limit leaves, or what the file system leaves
// where that is less. Pages of the file that hold nothing any more are used again.
func (d *disk) room() int64 {
	return max(0, min(d.max-d.bytes.Load(), freeBytes(filepath.Dir(d.db.Path()))+d.reusable()))
}

// Bounds of what is kept: it is a precaution, and what waits comes first.
const (
	keptShare  = 4 // of max_bytes: a quarter
	shortShare = 8 // less than this part of max_bytes is free in the file system and the file: what is kept goes
	yieldBytes = 4 << 20
)

// surplus are the oldest of the kept entries that have to go for want of room, some at a time.
func (d *disk) surplus() (moves []move) {
	over := d.keptBytes.Load() - d.max/keptShare
	if freeBytes(filepath.Dir(d.db.Path()))+d.reusable()-d.keptBytes.Load() < d.max/shortShare {
		over = max(over, min(d.keptBytes.Load(), yieldBytes))
	}
	if over <= 0 {
		return nil
	}
	_ = d.scanKept(0, func(seq uint64, value []byte) bool {
		m := move{seq: seq, size: len(value), kind: fromKept}
		moves = append(moves, m)
		over -= int64(m.size)
		return over > 0 && len(moves) < commitLimit
	})
	return moves
}

// yield takes them off the disk.
func (w *writer) yield() {
	moves := w.o.disk.surplus()
	if len(moves) == 0 || w.failing {
		return
	}
	if !w.yielded {
		w.yielded = true
		w.o.log.Warn("outbox: no room to keep entries for as long as they should be, the oldest that redis has confirmed go", "max_bytes", w.o.cfg.MaxBytes)
	}
	if err := w.o.disk.commit(nil, moves); err != nil {
		w.o.log.Warn("outbox: cannot make room", "err", err)
	}
}

func (d *disk) reusable() int64 {
	info, err := os.Stat(d.db.Path())
	if err != nil {
		return 0
	}
	return max(0, info.Size()-d.bytes.Load())
}

// freeBytes is what a process without privileges may still write there.
func freeBytes(folder string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil || fs.Bavail > roomUnknown/uint64(fs.Bsize) {
		return roomUnknown
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// level of an alarm: 0 none, 1 low, 2 scarce. It falls only when the room has risen by a margin above what raised it.
func level(was int, free float64) int {
	limits := [...]float64{1: roomLow, 2: roomScarce}
	for l := len(limits) - 1; l > 0; l-- {
		limit := limits[l]
		if l <= was {
			limit += roomSlack
		}
		if free < limit {
			return l
		}
	}
	return 0
}

// watchRoom tells when the room runs short, once per level, and when it is there again.
func (w *writer) watchRoom() {
	s := w.o.Stats()
	was := w.level
	w.level = level(was, s.Free())
	log := w.o.log.With("room_bytes", s.Room, "max_bytes", s.MaxBytes, "waiting", s.Waiting)
	switch {
	case w.level > was && w.level == 1:
		log.Warn("outbox: room for entries runs short")
	case w.level > was:
		log.Error("outbox: room for entries is nearly used up, entries will be lost")
	case w.level < was && w.level == 0:
		log.Info("outbox: there is room for entries again")
	}
}
