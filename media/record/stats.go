package record

import "sync/atomic"

// counters are written by the writer and the keeper and read by anyone.
type counters struct {
	taken, size, limit atomic.Int64 // bytes: of all recordings, of the file system, that recordings may take (0: any)

	bytes, dropped, closed, failures, errors, interrupted, deletedAge, deletedShare atomic.Uint64
}

// Stats are figures for the metrics page.
type Stats struct {
	On           int     // recordings that go on
	Closed       uint64  // since the start, like all that follow but Share and Taken
	Bytes        uint64  // written
	Dropped      uint64  // packets of closed recordings for which the ring had no room
	Failures     uint64  // recordings that ended before their time: the disk is full or broken
	Errors       uint64  // other trouble with the disk
	Interrupted  uint64  // recordings that a crash had left open, mended
	DeletedAge   uint64  // recordings
	DeletedShare uint64  // recordings
	Taken        int64   // bytes of all recordings
	Share        float64 // of the file system that they take, 0 to 1
}

// Stats counts now.
func (r *Recorder) Stats() Stats {
	c := &r.count
	s := Stats{
		Closed: c.closed.Load(), Bytes: c.bytes.Load(), Dropped: c.dropped.Load(), Failures: c.failures.Load(),
		Errors:      c.errors.Load(),
		Interrupted: c.interrupted.Load(), DeletedAge: c.deletedAge.Load(), DeletedShare: c.deletedShare.Load(),
		Taken: c.taken.Load(),
	}
	r.mu.Lock()
	s.On = len(r.live)
	r.mu.Unlock()
	if size := c.size.Load(); size > 0 {
		s.Share = float64(s.Taken) / float64(size)
	}
	return s
}
