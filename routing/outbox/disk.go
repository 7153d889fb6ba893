package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// store is the disk as writer and shipper see it.
type store interface {
	fit(items []*item, deletes []gone) int                   // how many of the items there is room for
	commit(items []*item, deletes []gone) error              // all or nothing, on disk when it returns
	scan(from uint64, visit func(uint64, []byte) bool) error // entries from a number on, in order, until visit says no
	last() uint64                                            // number of the newest entry
	size() size
	close() error
}

// size is how much is in the file, and what became of its predecessor.
type size struct {
	entries, bytes int64
	room           int64 // bytes of entries that it can still take
	putAside       string
	unreadable     int64
}

// ErrBusy says that another process has the file open.
var ErrBusy = errors.New("outbox: file is in use by another process")

var waiting = []byte("waiting") // the bucket: number, 8 bytes big-endian → record

// disk is the bbolt file. commit is called by the writer only, scan by the shipper only.
type disk struct {
	db  *bbolt.DB
	max int64

	seq            uint64 // owned by the writer
	entries, bytes atomic.Int64
	aside          string // immutable
	unreadable     int64  // immutable
}

// openDisk opens the file, puts it aside when it is damaged, and takes over what can be read of it.
func openDisk(path string, max int64, log *slog.Logger) (*disk, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	found, err := survey(path)
	if errors.Is(err, errDamaged) {
		return replace(path, max, err, log)
	}
	if err != nil {
		return nil, err
	}
	return openFile(path, max, found)
}

// openFile opens a file that has been surveyed, or a new one.
func openFile(path string, max int64, found contents) (*disk, error) {
	db, err := openBolt(path, false)
	if err != nil {
		return nil, err
	}
	d := &disk{db: db, max: max, seq: found.last}
	d.entries.Store(found.entries)
	d.bytes.Store(found.bytes)
	err = guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(waiting)
			return err
		})
	})
	if err = errors.Join(err, syncFolder(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: %w", err), db.Close())
	}
	return d, nil
}

// openBolt opens the file with its lock. bbolt panics on some kinds of damage.
func openBolt(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	options := bbolt.Options{
		Timeout: time.Second, ReadOnly: readOnly,
		// The list of free pages is made anew from what survey has walked through, rather than believed: it has no
		// checksum, and a wrong one would overwrite entries.
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &options)
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrBusy, path)
	case errors.Is(err, errDamaged) && file != nil:
		_ = file.Close() // and with it the lock that the panic has left behind
	case isDamage(err):
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return db, nil
}

// syncFolder makes the file's name as durable as its contents.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func key(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func (d *disk) fit(items []*item, deletes []gone) int {
	room := d.max - d.bytes.Load()
	for _, g := range deletes {
		room += int64(g.size)
	}
	for i, it := range items {
		if room -= int64(len(it.body)); room < 0 {
			return i
		}
	}
	return len(items)
}

// commit deletes and appends in one transaction. bbolt syncs the file before it returns. Deletions come once each.
func (d *disk) commit(items []*item, deletes []gone) error {
	err := guarded(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error { return change(tx.Bucket(waiting), d.seq, items, deletes) })
	})
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	d.seq += uint64(len(items))
	for _, it := range items {
		d.bytes.Add(int64(len(it.body)))
	}
	for _, g := range deletes {
		d.bytes.Add(-int64(g.size))
	}
	d.entries.Add(int64(len(items) - len(deletes)))
	return nil
}

func change(b *bbolt.Bucket, seq uint64, items []*item, deletes []gone) error {
	b.FillPercent = 0.95 // entries are only ever appended
	for _, g := range deletes {
		if err := b.Delete(key(g.seq)); err != nil {
			return err
		}
	}
	for i, it := range items {
		if err := b.Put(key(seq+uint64(i)+1), it.body); err != nil {
			return err
		}
	}
	return nil
}

// scan visits entries in order. The bytes are valid only during the visit.
func (d *disk) scan(from uint64, visit func(uint64, []byte) bool) error {
	err := guarded(func() error {
		return d.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(waiting).Cursor()
			for k, v := c.Seek(key(from)); k != nil && visit(binary.BigEndian.Uint64(k), v); k, v = c.Next() {
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (d *disk) last() uint64 { return d.seq }

func (d *disk) size() size {
	return size{entries: d.entries.Load(), bytes: d.bytes.Load(), room: d.room(), putAside: d.aside, unreadable: d.unreadable}
}

func (d *disk) close() error { return d.db.Close() }
