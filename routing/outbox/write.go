package outbox

import (
	"time"
)

// commitLimit is how many entries and moves one commit takes at most. Whatever has gathered while the disk was
// busy with the last commit goes into the next: the slower the disk, the larger the group.
const commitLimit = 4096

// writer is the only one who writes to the disk. Owned by its goroutine.
type writer struct {
	o       *Outbox
	wait    backoff
	failing bool
	level   int // of the alarm, see watchRoom
	yielded bool
}

func newWriter(o *Outbox) *writer {
	return &writer{o: o, wait: backoff{min: 20 * time.Millisecond, max: o.cfg.Backoff}}
}

// run commits what is put until the outbox finishes, then what is left.
func (w *writer) run() {
	retry := time.NewTimer(0)
	defer retry.Stop()
	look := time.NewTicker(lookAtRoom)
	defer look.Stop()
	w.watchRoom()
	for {
		select {
		case <-look.C:
			w.watchRoom()
			w.yield()
			continue
		case <-w.o.finish:
			w.drain()
			return
		case <-w.o.queue.wake:
			if w.failing { // the disk gets its pause; what Redis has taken meanwhile is done
				w.settle(w.o.queue.takeLanded())
				continue
			}
		case <-retry.C:
		}
		if d := w.drain(); d > 0 {
			retry.Reset(d)
		}
	}
}

// drain commits until nothing is left, or until the disk fails: then it says how long to wait.
func (w *writer) drain() time.Duration {
	for {
		w.settle(w.o.queue.takeLanded())
		items, moves := w.o.queue.next(commitLimit)
		if len(items)+len(moves) == 0 {
			w.recovered()
			return 0
		}
		if err := w.commit(items, moves); err != nil {
			return w.failed(items, err)
		}
	}
}

// commit brings a group to disk in one transaction, or as much of it as there is room for.
func (w *writer) commit(items []*item, moves []move) error {
	o := w.o
	fit := o.disk.fit(items, moves)
	if err := o.disk.commit(items[:fit], moves); err != nil {
		return err
	}
	o.stats.commits.Add(1)
	o.stats.written.Add(uint64(fit))
	o.stats.unshipped.Add(int64(fit)) // before they leave the queue: Waiting never shows too little
	o.queue.written(fit, len(moves), o.disk.last())
	o.followed(moves)
	if fit > 0 {
		o.wake()
	}
	w.settle(items[:fit])
	if fit == 0 && len(items) > 0 {
		return ErrFull
	}
	return nil
}

// settle tells the owners that their entries are safe.
func (w *writer) settle(items []*item) {
	for _, it := range items {
		if it.done != nil {
			it.done(nil)
		}
	}
}

// failed keeps the entries in memory, from where the shipper may take them, and says when to try again.
func (w *writer) failed(items []*item, err error) time.Duration {
	text := err.Error()
	w.o.stats.diskErr.Store(&text)
	w.o.stats.diskErrors.Add(1)
	w.o.stats.diskUp.Store(false)
	if !w.failing {
		w.failing = true
		w.o.queue.fail(true)
		w.o.log.Error("outbox: disk fails, entries are held in memory", "err", err)
	}
	for _, it := range items {
		if !it.held {
			it.held = true
			w.o.log.Warn("outbox: entry held in memory", "entry", it.name)
		}
	}
	w.o.wake()
	return w.wait.next()
}

func (w *writer) recovered() {
	w.wait.reset()
	if !w.failing {
		return
	}
	w.failing = false
	w.o.queue.fail(false)
	w.o.stats.diskUp.Store(true)
	w.o.log.Info("outbox: disk is back, nothing is held in memory any more")
}
