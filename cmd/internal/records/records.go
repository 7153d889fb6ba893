// Package records keeps what each call came to in files, a line each, a file a day: call detail records.
//
// Nothing waits for the disk: lines go through a bounded queue, and what does not fit into it is counted and told.
package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/aging"
)

// Config says where the files are. Immutable.
type Config struct {
	Dir  string         // it is made when there is none
	Days int            // older files are deleted; 0: none
	Zone *time.Location // by which days are counted
}

// Room is how many lines may wait for the disk.
const Room = 4096

const (
	prefix, suffix = "calls-", ".jsonl"
)

// Book writes lines until it is closed. Safe for use by several goroutines.
type Book struct {
	cfg  Config
	log  *slog.Logger
	in   chan line
	lost atomic.Uint64
	wg   sync.WaitGroup
	over sync.Once

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
}

// Open makes the folder and begins to write.
func Open(cfg Config, log *slog.Logger) (*Book, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	b := &Book{cfg: cfg, log: log, in: make(chan line, Room), began: time.Now()}
	files, _ := os.ReadDir(cfg.Dir) // a fault is told when files are deleted
	for _, f := range files {
		if day, ok := b.dayOf(f.Name()); ok {
			b.aging.Found = append(b.aging.Found, day)
		}
	}
	b.wg.Go(b.run)
	return b, nil
}

// Add keeps the record of a call that has ended. It never waits. The fields are only read.
func (b *Book) Add(fields map[string]string, at time.Time) {
	text, _ := json.Marshal(fields) // strings always fit
	select {
	case b.in <- line{at, append(text, '\n')}:
	default:
		b.lost.Add(1)
	}
}

// Close writes what waits. Nothing may be added any more.
func (b *Book) Close() {
	b.over.Do(func() { close(b.in) })
	b.wg.Wait()
}

func (b *Book) run() {
	for l := range b.in {
		err := b.write(l)
		if err != nil {
			b.lost.Add(1)
			b.shut()
		}
		lost := b.lost.Load()
		switch {
		case err != nil && !b.failing:
			b.log.Error("records: calls are not written down", "err", err)
		case err == nil && (b.failing || lost > b.told):
			b.log.Error("records: calls are written down again", "lost", lost-b.told)
			b.told = lost
		}
		b.failing = err != nil
	}
	b.shut()
}

// write appends a line to the file of its day.
func (b *Book) write(l line) error {
	if day := l.at.In(b.cfg.Zone).Format(time.DateOnly); b.file == nil || day != b.day {
		b.shut()
		f, err := os.OpenFile(filepath.Join(b.cfg.Dir, prefix+day+suffix), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
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
		_ = b.file.Close() // each line was written, or told as lost
		b.file = nil
	}
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
	text, begins := strings.CutPrefix(name, prefix)
	text, ends := strings.CutSuffix(text, suffix)
	day, err := time.ParseInLocation(time.DateOnly, text, b.cfg.Zone)
	return day, begins && ends && err == nil
}
