package outbox

import (
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
	entries, bytes int64
	last           uint64
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
	err = walk(path, func(seq uint64, value []byte) error {
		if seq <= found.last || !sound(value) {
			return errDamaged
		}
		found.entries++
		found.bytes += int64(len(value))
		found.last = seq
		return nil
	})
	return found, err
}

// walk visits every entry of a closed file.
func walk(path string, visit func(seq uint64, value []byte) error) error {
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error { return visitAll(tx.Bucket(waiting), visit) })
	})
	return errors.Join(err, db.Close())
}

func visitAll(b *bbolt.Bucket, visit func(seq uint64, value []byte) error) error {
	if b == nil { // the process ended before its first commit
		return nil
	}
	return b.ForEach(func(k, v []byte) error {
		if len(k) != 8 {
			return errDamaged
		}
		return visit(binary.BigEndian.Uint64(k), v)
	})
}

// replace puts a damaged file aside, opens a new one and takes over what can be read.
func replace(path string, max int64, damage error, log *slog.Logger) (*disk, error) {
	aside, err := putAside(path)
	if err != nil {
		return nil, fmt.Errorf("outbox: %w, and cannot be put aside: %w", damage, err)
	}
	d, err := openFile(path, max, contents{})
	if err != nil {
		return nil, err
	}
	d.aside = aside
	damage = errors.Join(damage, d.salvage(aside))
	log.Error("outbox: file damaged, put aside, a new one is opened", "file", path, "put_aside", aside,
		"entries_taken_over", d.entries.Load(), "entries_unreadable", d.unreadable, "err", damage)
	return d, nil
}

// putAside renames the file. It never overwrites an earlier one.
func putAside(path string) (string, error) {
	stem := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	for n := 0; ; n++ {
		aside := fmt.Sprintf("%s-%d", stem, n)
		err := os.Link(path, aside) // unlike Rename it fails when there is such a file
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return aside, os.Rename(path, aside) // a file system without links
		}
		return aside, os.Remove(path)
	}
}

// salvage copies sound entries until the walk ends or can go no further. Those that had been shipped are seen to be
// so by the script that ships them.
func (d *disk) salvage(aside string) error {
	var group []*item
	err := walk(aside, func(_ uint64, value []byte) error {
		if !sound(value) {
			d.unreadable++
			return nil
		}
		if group = append(group, &item{body: append([]byte(nil), value...)}); len(group) < commitLimit {
			return nil
		}
		err := d.commit(group, nil)
		group = nil
		return err
	})
	return errors.Join(err, d.commit(group, nil))
}
