// Package records keeps lines in files, a file a day: what each call came to (call detail records), and what people
// have done (the audit trail). Files are only appended to.
//
// Nothing waits for the disk: lines go through a bounded queue, and what does not fit into it is counted and told.
package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/cmd/internal/object"
	"liandong/media/aging"
	"liandong/routing/news"
)

// Config says where the files are. Immutable.
type Config struct {
	Name string         // of the files: calls-2024-04-03.jsonl
	Dir  string         // it is made when there is none
	Days int            // older files are deleted; 0: none
	Zone *time.Location // by which days are counted
}

// QueueSize is how many lines may wait for the disk.
const QueueSize = 4096

const suffix = ".jsonl"

// Book writes lines until it is closed. Safe for use by several goroutines.
type Book struct {
	cfg  Config
	log  *slog.Logger
	in   chan line
	lost atomic.Uint64
	wg   sync.WaitGroup

	mu     sync.RWMutex
	closed bool // guarded by mu

	file    *os.File // owned by run; nil: none is open
	day     string   // owned by run; of the file
	failing bool     // owned by run
	told    uint64   // owned by run; lines lost that the log tells of

	began time.Time
	aging aging.Clock // owned by run; with the days found then
}

type line struct {
	at   time.Time
	text []byte
	kept func() // nil: nobody asks
}

// most lines are written before the disk is asked to keep them.
const most = 256

// Open makes the folder and begins to write.
func Open(cfg Config, log *slog.Logger) (*Book, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	b := &Book{cfg: cfg, log: log, in: make(chan line, QueueSize), began: time.Now()}
	files, _ := os.ReadDir(cfg.Dir) // a fault is told when files are deleted
	for _, f := range files {
		if day, ok := b.dayOf(f.Name()); ok {
			b.aging.Found = append(b.aging.Found, day)
		}
	}
	b.wg.Go(b.run)
	return b, nil
}

// Add keeps a line. It never waits. The fields are only read. kept is called once the line is on the disk; nil: nobody
// asks.
func (b *Book) Add(fields news.Fields, at time.Time, kept func()) {
	b.put(line{at, append(object.Of(fields), '\n'), kept})
}

// Write keeps a line as it is, such as one of [slog.JSONHandler]. It never waits.
func (b *Book) Write(text []byte) (int, error) {
	b.put(line{at: time.Now(), text: bytes.Clone(text)})
	return len(text), nil
}

func (b *Book) put(l line) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		b.lost.Add(1)
		return
	}
	select {
	case b.in <- l:
	default:
		b.lost.Add(1)
	}
}

// Close writes what waits. What is added later is lost.
func (b *Book) Close() {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if !closed {
		close(b.in)
	}
	b.wg.Wait()
}

func (b *Book) run() {
	for l := range b.in {
		b.keep(b.waiting(l))
	}
	b.shut()
}

// waiting are a line and those that wait behind it: one sync is for all of them.
func (b *Book) waiting(l line) []line {
	all := []line{l}
	for len(all) < most {
		select {
		case l, ok := <-b.in:
			if !ok {
				return all
			}
			all = append(all, l)
		default:
			return all
		}
	}
	return all
}

// keep brings lines to the disk, and says so.
func (b *Book) keep(all []line) {
	var written []line
	var err error
	for _, l := range all {
		if fault := b.write(l); fault != nil {
			err = fault
			b.lost.Add(1)
			b.shut()
			continue
		}
		written = append(written, l)
	}
	if fault := b.sync(); fault != nil {
		err = fault
		b.shut()
		written = nil
	}
	for _, l := range written {
		if l.kept != nil {
			l.kept()
		}
	}
	b.tell(err)
}

// sync has the disk keep what was written (fsync); a file that is closed was asked before.
func (b *Book) sync() error {
	if b.file == nil {
		return nil
	}
	return b.file.Sync()
}

// tell logs that the disk takes nothing, and that it does again.
func (b *Book) tell(err error) {
	lost := b.lost.Load()
	switch {
	case err != nil && !b.failing:
		b.log.Error("records: "+b.cfg.Name+" are not written down", "err", err)
	case err == nil && (b.failing || lost > b.told):
		b.log.Error("records: "+b.cfg.Name+" are written down again", "lost", lost-b.told)
		b.told = lost
	}
	b.failing = err != nil
}

// path is the file of a day.
func (b *Book) path(day string) string { return filepath.Join(b.cfg.Dir, b.cfg.Name+"-"+day+suffix) }

// write appends a line to the file of its day.
func (b *Book) write(l line) error {
	if day := l.at.In(b.cfg.Zone).Format(time.DateOnly); b.file == nil || day != b.day {
		b.shut()
		f, err := os.OpenFile(b.path(day), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		if err := whole(f); err != nil {
			return errors.Join(err, f.Close())
		}
		b.file, b.day = f, day
		b.tidy(l.at)
	}
	_, err := b.file.Write(l.text)
	return err
}

// whole ends a line that a process before has begun, so that the next one stands by itself.
func whole(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	r, err := os.Open(f.Name())
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = f.WriteString("\n")
	}
	return err
}

func (b *Book) shut() {
	if b.file != nil {
		_ = errors.Join(b.file.Sync(), b.file.Close()) // each line was written, or told as lost
		b.file = nil
	}
}

// lately is how much of a file's end is looked through for a line, in bytes.
const lately = 4 << 20

// Has says whether the file of a day has a line with a text, among the last ones.
func (b *Book) Has(text string, at time.Time) bool {
	f, err := os.Open(b.path(at.In(b.cfg.Zone).Format(time.DateOnly)))
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > lately {
		_, _ = f.Seek(-lately, io.SeekEnd) // if not: from the beginning
	}
	end, _ := io.ReadAll(io.LimitReader(f, lately)) // what can be read of it
	return bytes.Contains(end, []byte(text))
}

// tidy deletes files that are too old.
func (b *Book) tidy(now time.Time) {
	if b.cfg.Days == 0 {
		return
	}
	files, err := os.ReadDir(b.cfg.Dir)
	at := b.aging.At(now, time.Since(b.began))
	oldest := at.In(b.cfg.Zone).AddDate(0, 0, -b.cfg.Days).Format(time.DateOnly)
	for _, f := range files {
		day, ok := b.dayOf(f.Name())
		if !ok || day.Format(time.DateOnly) >= oldest {
			continue
		}
		if gone := os.Remove(filepath.Join(b.cfg.Dir, f.Name())); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		b.log.Warn("records: old files are not deleted", "err", err)
	}
}

// dayOf is the day of a file's name, if it is one of ours.
func (b *Book) dayOf(name string) (day time.Time, ok bool) {
	text, begins := strings.CutPrefix(name, b.cfg.Name+"-")
	text, ends := strings.CutSuffix(text, suffix)
	day, err := time.ParseInLocation(time.DateOnly, text, b.cfg.Zone)
	return day, begins && ends && err == nil
}
