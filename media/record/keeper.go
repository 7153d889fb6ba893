package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"liandong/media/aging"
)

// keeper looks after files that nobody writes to. Owned by its goroutine.
type keeper struct {
	*Recorder
	began time.Time
	aging aging.Clock // with the days found then
	at    time.Time   // by which they age, at the last sweep
}

// run works until the writer has ended and everything is closed.
func (k *keeper) run() {
	resumed := k.allResumed
	if !k.cfg.Resumes {
		resumed = nil
		k.mend()
		k.sweep()
	}
	syncs, sweeps := time.NewTicker(syncEvery), time.NewTicker(sweepEvery)
	defer syncs.Stop()
	defer sweeps.Stop()
	for {
		select {
		case <-resumed:
			resumed = nil
			k.mend()
			k.sweep()
		case <-k.toKeeper:
			k.closeEnded()
		case <-syncs.C:
			k.sync()
		case <-sweeps.C:
			k.sweep()
		case <-k.written:
			k.closeEnded()
			return
		}
	}
}

// closeEnded closes the recordings that the writer is done with.
func (k *keeper) closeEnded() {
	k.mu.Lock()
	ended := k.ended
	k.ended = nil
	k.mu.Unlock()
	for _, one := range ended {
		k.close(one)
		k.mu.Lock()
		delete(k.live, one.call.Ref)
		k.mu.Unlock()
	}
}

// close brings a recording to the disk for good: its sound first, then what says that it is
// whole.
func (k *keeper) close(one *Recording) {
	m := one.meta()
	k.count.dropped.Add(m.Dropped)
	if m.Failure != "" {
		k.count.failures.Add(1)
		k.log.Error("a recording ended before its time", "recording", m.Ref, "call", m.CallRef, "err", m.Failure)
	}
	if one.file != nil {
		if err := errors.Join(one.file.Sync(), one.file.Close()); err != nil {
			k.trouble("a recording may not be on the disk as a whole", m.Ref, err)
		}
	}
	e, err := entryOf(k.cfg.Dir, m.Ref)
	if err == nil {
		err = k.seal(e, m)
	}
	if err != nil {
		k.trouble("a recording could not be closed", m.Ref, err)
		return
	}
	k.count.closed.Add(1)
}

// seal hashes the sound and writes the metadata of a closed recording.
func (k *keeper) seal(e entry, m Meta) error {
	if path := e.sound(); path != "" {
		if err := k.hash(path, &m); err != nil {
			k.trouble("a recording could not be hashed", m.Ref, err)
		}
	}
	if err := writeMeta(e.path+extMeta, m, true); err != nil {
		return err
	}
	// The hash stands in the log too: who changes a file and its metadata has not changed this.
	k.log.Info("recording closed", "recording", m.Ref, "call", m.CallRef, "bytes", m.Bytes, "sha256", m.SHA256,
		"dropped", m.Dropped, "interrupted", m.Interrupted)
	return os.Remove(e.path + extOpen)
}

// hash reads the file back from the disk: what is hashed is what is there.
func (k *keeper) hash(path string, m *Meta) error {
	stored := sha256.New()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	m.Bytes, err = io.Copy(stored, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	m.SHA256 = sum(stored)
	played, err := open(path, *m, k.cfg.Keys)
	if err != nil {
		return err
	}
	wav := sha256.New()
	_, err = io.Copy(wav, played)
	m.WAVSHA256 = sum(wav)
	return errors.Join(err, played.Close())
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// sync brings files that grow to the disk, so that a power cut takes seconds, not minutes.
func (k *keeper) sync() {
	k.mu.Lock()
	var files []file
	for _, one := range k.live {
		if one.grows {
			files = append(files, one.file)
		}
	}
	k.mu.Unlock()
	for _, f := range files {
		_ = f.Sync() // a disk that fails tells the writer as well
	}
}

func (k *keeper) trouble(what, ref string, err error) {
	k.count.errors.Add(1)
	k.log.Error(what, "recording", ref, "err", err)
}

// mend closes what a crash left open, and counts what there is.
func (k *keeper) mend() {
	list, err := days(k.cfg.Dir)
	if err != nil {
		k.trouble("the recordings cannot be read", "", err)
	}
	for _, day := range list {
		all, err := scan(k.cfg.Dir, day)
		if err != nil {
			k.trouble("the recordings of a day cannot be read", "", err)
		}
		for _, f := range all {
			k.takeOver(f)
		}
	}
}

func (k *keeper) takeOver(f found) {
	k.mu.Lock()
	ours := k.live[f.ref] != nil
	k.mu.Unlock()
	switch {
	case ours:
	case f.closed:
		_ = os.Remove(f.path + extOpen) // the crash came between the two
		k.count.taken.Add(f.bytes)
	default:
		if err := k.mendOne(f.entry); err != nil {
			k.trouble("a recording that was left open cannot be mended", f.ref, err)
		}
		k.count.interrupted.Add(1)
		k.count.taken.Add(f.bytes)
	}
}

// mendOne gives an orphan its end and its metadata.
func (k *keeper) mendOne(e entry) error {
	m, err := readMeta(e.path + extOpen)
	if err != nil { // it was not begun for good
		m = Meta{Started: e.at}
	}
	m.Ref, m.Interrupted = e.ref, true
	path := e.sound()
	if path == "" {
		m.Failure, m.Ended = "there is no sound", m.Started
	} else {
		if err := mendSound(path, k.cfg.Keys); err != nil {
			m.Failure = err.Error()
		}
		m.Ended = lastChange(path)
	}
	if err := k.seal(e, m); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func lastChange(path string) time.Time {
	if info, err := os.Stat(path); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

// mendSound makes a file that stops anywhere one that ends behind the last sound that is whole.
func mendSound(path string, keys []Key) error {
	f, err := os.OpenFile(path, os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && strings.HasSuffix(path, extPlain) {
		err = mendPlain(f, info.Size())
	} else if err == nil {
		err = mendSealed(f, info.Size(), keys)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func mendPlain(f *os.File, size int64) error {
	h := make([]byte, wavHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return fmt.Errorf("%w: it has no whole header", ErrDamaged)
	}
	channels, ok := channelsOf(h)
	if !ok {
		return fmt.Errorf("%w: the header is none of ours", ErrDamaged)
	}
	p := plain{file: f, channels: channels}
	p.sound = (size - wavHeader) / int64(2*channels) * int64(2*channels) // as finish does
	return errors.Join(p.abandon(), p.promise())
}

func mendSealed(f *os.File, size int64, keys []Key) error {
	u, err := newUnsealed(f, size, keys)
	if err != nil || u.ended {
		return err
	}
	s := sealed{envelope: u.envelope, file: f, done: u.at(u.chunks)}
	return s.abandon()
}

// sweep deletes what is older than it may be, then the oldest while all take too much.
func (k *keeper) sweep() {
	k.measure()
	list, err := days(k.cfg.Dir)
	if err != nil {
		k.trouble("the recordings cannot be read", "", err)
		return
	}
	k.at = k.aging.At(k.disk.now(), time.Since(k.began))
	for _, day := range list {
		if !k.sweepDay(day) {
			return
		}
	}
}

// sweepDay deletes of one day what has to go. It is false when later days need no look.
func (k *keeper) sweepDay(day string) bool {
	if !k.tooFull() && !k.tooOld(day) {
		return false
	}
	all, err := scan(k.cfg.Dir, day)
	if err != nil {
		k.trouble("the recordings of a day cannot be read", "", err)
		return true
	}
	for _, f := range all {
		switch {
		case k.cfg.Days > 0 && f.at.Before(k.oldest()):
			k.remove(f, "age", &k.count.deletedAge)
		case k.tooFull():
			k.remove(f, "disk share", &k.count.deletedShare)
		}
	}
	if day < k.disk.now().UTC().Format(dayForm) {
		_ = os.Remove(filepath.Join(k.cfg.Dir, day)) // succeeds when it is empty
	}
	return true
}

// remove deletes a recording. One that goes on is left alone.
func (k *keeper) remove(f found, why string, count *atomic.Uint64) {
	if !f.closed {
		return
	}
	if err := f.entry.remove(); err != nil {
		k.trouble("a recording could not be deleted", f.ref, err)
		return
	}
	k.count.taken.Add(-f.bytes)
	count.Add(1)
	k.log.Info("recording deleted", "recording", f.ref, "for", why)
}

func (k *keeper) oldest() time.Time { return k.at.AddDate(0, 0, -k.cfg.Days) }

// tooOld says that a day may have recordings that are too old.
func (k *keeper) tooOld(day string) bool {
	return k.cfg.Days > 0 && day <= k.oldest().UTC().Format(dayForm)
}

func (k *keeper) tooFull() bool {
	limit := k.count.limit.Load()
	return limit > 0 && k.count.taken.Load() > limit
}

// measure asks how much the recordings may take.
func (k *keeper) measure() {
	size, err := k.disk.size(k.cfg.Dir)
	if err != nil {
		k.trouble("the size of the file system is not known", "", err)
		return
	}
	k.count.size.Store(size)
	k.count.limit.Store(size / 100 * int64(k.cfg.MaxShare))
}
