package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// errDamaged says that the file is not what was written.
var errDamaged = errors.New("file damaged")

// contents is what a walk through a file has found.
type contents struct {
	waiting, bytes  int64
	kept, keptBytes int64
	last            uint64 // number of the newest entry ever
	tx              uint64 // the newest commit
	balance         balance
	keptBy          map[string]newestKept
	before          uint64 // the number looked at last; numbers rise
}

// newestKept is the newest entry that is kept for a stream, and how many there are.
type newestKept struct {
	id, told string
	entries  int
}

// guarded runs f and makes errors of its panics. bbolt maps the file into memory and panics on pages that make no
// sense; reading past the end of a truncated file is a fault, which the runtime turns into a panic on request.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

// isDamage tells what is wrong with the contents from what is wrong with the way to them: no rights, no such folder.
func isDamage(err error) bool {
	var path *fs.PathError
	var number syscall.Errno
	return err != nil && !errors.As(err, &path) && !errors.As(err, &number)
}

// survey walks through the whole file before anything is written to it. No file is an empty one.
func survey(path string) (found contents, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return contents{}, nil
	case err != nil:
		return contents{}, fmt.Errorf("outbox: %w", err)
	case !info.Mode().IsRegular():
		return contents{}, fmt.Errorf("outbox: %s is not a file", path)
	case info.Size() == 0:
		return contents{}, nil
	}
	return found, walk(path, &found)
}

// visitor is shown what is in a closed file, in this order.
type visitor interface {
	balanced(tx uint64, b balance)
	keeps(seq uint64, value []byte) error
	halfway()
	waits(seq uint64, record []byte) error
}

// walk visits every entry of a closed file.
func walk(path string, v visitor) error {
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guarded(func() error { return db.View(func(tx *bbolt.Tx) error { return visitAll(tx, path, v) }) })
	return errors.Join(err, db.Close())
}

func visitAll(tx *bbolt.Tx, path string, v visitor) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	t, err := newTree(file, info.Size(), tx)
	if err != nil {
		return err
	}
	var b balance
	err = t.bucket(aboutBucket, func(k, value []byte) error {
		if bytes.Equal(k, balanceKey) {
			b, _ = decodeBalance(value)
		}
		return nil
	})
	v.balanced(uint64(tx.ID()), b)
	err = errors.Join(err, t.bucket(keptBucket, numbered(v.keeps)))
	v.halfway()
	err = errors.Join(err, t.bucket(waitingBucket, numbered(v.waits)))
	return errors.Join(err, t.damage)
}

// numbered is a visitor of entries, whose keys are numbers.
func numbered(visit func(seq uint64, value []byte) error) func(k, v []byte) error {
	return func(k, v []byte) error {
		if len(k) != 8 {
			return errDamaged
		}
		return visit(seqOf(k), v)
	}
}

func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func (c *contents) balanced(tx uint64, b balance) {
	c.tx, c.balance, c.keptBy = tx, b, map[string]newestKept{}
	if b.tx == tx {
		c.last = b.seq
	}
}

func (c *contents) halfway() { c.before = 0 }

func (c *contents) waits(seq uint64, record []byte) error {
	if seq <= c.before || !sound(record) {
		return errDamaged
	}
	c.before = seq
	c.waiting++
	c.bytes += int64(len(record))
	c.last = max(c.last, seq)
	return nil
}

func (c *contents) keeps(seq uint64, value []byte) error {
	k, err := decodeKept(seq, value)
	if err != nil || seq <= c.before || !sound(value[len(value)-k.size:]) {
		return errDamaged
	}
	c.before = seq
	c.kept++
	c.keptBytes += int64(k.size)
	c.last = max(c.last, seq)
	c.keptBy[k.stream] = newestKept{id: k.id, told: k.told, entries: c.keptBy[k.stream].entries + 1}
	return nil
}

// replace makes a new file of what can be read of a damaged one, and only when that is on disk puts the old one aside
// and the new one in its place: a process that is killed in between finds the damaged file again, and begins anew.
func replace(path string, max int64, was contents, damage error, log *slog.Logger) (*disk, contents, error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, was, fmt.Errorf("outbox: %w, and an unfinished copy cannot be removed: %w", damage, err)
	}
	d, err := openFile(fresh, max, contents{})
	if err != nil {
		return nil, was, err
	}
	rescue := salvage{disk: d}
	damage = errors.Join(damage, rescue.from(path))
	if d.aside, err = swap(path, fresh); err != nil {
		return nil, was, errors.Join(fmt.Errorf("outbox: %w, and cannot be put aside: %w", damage, err), d.close())
	}
	log.Error("outbox: file damaged, put aside, a new one is opened", "file", path, "put_aside", d.aside,
		"entries_taken_over", d.entries.Load(), "entries_unreadable", rescue.unreadable, "err", damage)
	was.waiting = rescue.waiting
	return d, was, nil
}

// swap puts fresh in the place of path, which is kept under the name it returns. It never overwrites an earlier one.
func swap(path, fresh string) (aside string, err error) {
	stem := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	for n := 0; ; n++ {
		aside = fmt.Sprintf("%s-%d", stem, n)
		err = os.Link(path, aside) // unlike Rename it fails when there is such a file
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil { // a file system without links
		if err = os.Rename(path, aside); err != nil {
			return aside, err
		}
	}
	return aside, errors.Join(os.Rename(fresh, path), syncFolder(path))
}

// salvage copies each sound entry of a walk once. Those that had been shipped are seen to be so by
// the script that ships them.
type salvage struct {
	disk       *disk
	group      []*item
	waiting    int64 // entries that wait, of those that were copied
	unreadable int64
}

func (s *salvage) from(damaged string) error {
	err := walk(damaged, s)
	return errors.Join(err, s.flush())
}

func (s *salvage) balanced(uint64, balance) {}

func (s *salvage) halfway() {}

func (s *salvage) waits(_ uint64, record []byte) error {
	if !sound(record) {
		s.unreadable++
		return nil
	}
	s.waiting++
	return s.copy(record)
}

func (s *salvage) keeps(_ uint64, value []byte) error {
	record, err := bodyOf(value)
	if err != nil || !sound(record) {
		return nil // Redis has confirmed it
	}
	return s.copy(record)
}

func (s *salvage) copy(record []byte) error {
	if s.group = append(s.group, &item{body: append([]byte(nil), record...)}); len(s.group) < commitLimit {
		return nil
	}
	return s.flush()
}

func (s *salvage) flush() error {
	err := s.disk.commit(s.group, nil)
	s.group = nil
	return err
}
