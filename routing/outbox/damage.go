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

// replace makes a new file of what can be read of a damaged one, and only when that is on disk puts the old one aside and
// the new one in its place: a process that is killed in between finds the damaged file again, and begins anew.
func replace(path string, max int64, damage error, log *slog.Logger) (*disk, error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("outbox: %w, and an unfinished copy cannot be removed: %w", damage, err)
	}
	d, err := openFile(fresh, max, contents{})
	if err != nil {
		return nil, err
	}
	damage = errors.Join(damage, d.salvage(path))
	if d.aside, err = swap(path, fresh); err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: %w, and cannot be put aside: %w", damage, err), d.close())
	}
	log.Error("outbox: file damaged, put aside, a new one is opened", "file", path, "put_aside", d.aside,
		"entries_taken_over", d.entries.Load(), "entries_unreadable", d.unreadable, "err", damage)
	return d, nil
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

// salvage copies sound entries until the walk ends or can go no further. Those that had been shipped are seen to be
// so by the script that ships them.
func (d *disk) salvage(damaged string) error {
	var group []*item
	err := walk(damaged, func(_ uint64, value []byte) error {
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
