package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// store is the disk as writer and shipper see it.
type store interface {
	fit(items []*item, moves []move) int      // how many of the items there is room for
	commit(items []*item, moves []move) error // all or nothing, on disk when it returns
	// entries that wait, from a number on, until visit says no
	scan(from uint64, visit func(uint64, []byte) bool) error
	scanKept(from uint64, visit func(uint64, []byte) bool) error // those that are kept
	last() uint64                                                // number of the newest entry
	surplus() []move                                             // what has to go for want of room
	clock() uint64                                               // see disk.clock
	size() size
	close() error
}

// size is how much is in the file, and what became of its predecessor.
type size struct {
	entries, bytes  int64 // that wait
	kept, keptBytes int64
	room            int64 // bytes of entries that it can still take
	putAside        string
	lost            loss
	keptBy          map[string]newestKept // stream → the newest entry that was kept when the file was opened
}

// ErrBusy says that another process has the file open.
var ErrBusy = errors.New("outbox: file is in use by another process")

// The buckets: number, 8 bytes big-endian → record, or as move.go says; and the balance.
var (
	waitingBucket = []byte("waiting")
	keptBucket    = []byte("kept")
	aboutBucket   = []byte("about")
	balanceKey    = []byte("balance")
)

// disk is the bbolt file. commit is called by the writer only, the scans by the shipper only.
type disk struct {
	db  *bbolt.DB
	max int64

	bal    balance  // owned by the writer
	first  uint64   // number of the entry that bal.oldest is of; owned by the writer
	beside *os.File // holds bal too; nil: it cannot be written

	entries, bytes, kept, keptBytes atomic.Int64

	before time.Duration // how long the file had been open before; immutable
	opened time.Time     // immutable
	aside  string        // immutable, as the rest
	lost   loss
	keptBy map[string]newestKept
}

// openDisk opens the file, puts it aside when it is damaged, and takes over what can be read of it. What is missing is
// told.
func openDisk(path string, max int64, log *slog.Logger) (*disk, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	beside, known := readBalance(path)
	found, err := survey(path)
	var d *disk
	if err == nil {
		d, err = openFile(path, max, found)
	}
	if errors.Is(err, errDamaged) {
		d, found, err = replace(path, max, found, err, log)
	}
	if err != nil {
		return nil, err
	}
	d.lost = lost(found, beside, known)
	d.lost.tell(log, path)
	d.beside = openBalance(path, log)
	d.writeBeside()
	return d, nil
}

// openFile opens a file that has been surveyed, or a new one.
func openFile(path string, max int64, found contents) (*disk, error) {
	db, err := openBolt(path, false)
	if err != nil {
		return nil, err
	}
	d := &disk{db: db, max: max, bal: found.balance, opened: time.Now(), keptBy: found.keptBy}
	d.bal.seq, d.bal.waiting, d.bal.kept = found.last, uint64(found.waiting), uint64(found.kept)
	d.before = time.Duration(d.bal.clock) * time.Millisecond
	for d.bal.file == 0 {
		d.bal.file = rand.Uint64()
	}
	d.entries.Store(found.waiting)
	d.bytes.Store(found.bytes)
	d.kept.Store(found.kept)
	d.keptBytes.Store(found.keptBytes)
	err = guarded(func() error { return db.Update(d.prepare) })
	if err = errors.Join(err, syncFolder(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("outbox: %w", err), db.Close())
	}
	return d, nil
}

// prepare makes the buckets that there are not yet.
func (d *disk) prepare(tx *bbolt.Tx) error {
	for _, name := range [][]byte{waitingBucket, keptBucket, aboutBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return d.bal.put(tx)
}

func (b *balance) put(tx *bbolt.Tx) error {
	b.tx = uint64(tx.ID())
	return tx.Bucket(aboutBucket).Put(balanceKey, b.encode())
}

// lockPatience is for how long the file is waited for: a process that has left the calls to this one may keep it for as
// long as it still carries their sound.
const lockPatience = 4 * time.Second

// openBolt opens the file with its lock. bbolt panics on some kinds of damage.
func openBolt(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	options := bbolt.Options{
		Timeout: lockPatience, ReadOnly: readOnly,
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

// fit leaves out of account what is kept: that makes room, see writer.yield.
func (d *disk) fit(items []*item, moves []move) int {
	room := d.max - d.bytes.Load()
	for _, m := range moves {
		if m.kind != fromKept {
			room += int64(m.size)
		}
	}
	for i, it := range items {
		if room -= int64(len(it.body)); room < 0 {
			return i
		}
	}
	return len(items)
}

// clock is how long the file has been open in all its lives, in ms. What is kept ages by it: no clock on a wall that
// steps makes it older.
func (d *disk) clock() uint64 { return uint64((d.before + time.Since(d.opened)).Milliseconds()) }

// commit moves and appends in one transaction. bbolt syncs the file before it returns. Moves of entries that are not
// where they should be are passed over.
func (d *disk) commit(items []*item, moves []move) error {
	c := change{disk: d, bal: d.bal, first: d.first}
	err := guarded(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error { return c.make(tx, items, moves) })
	})
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	d.bal, d.first = c.bal, c.first
	d.entries.Store(int64(c.bal.waiting))
	d.kept.Store(int64(c.bal.kept))
	d.bytes.Add(c.bytes)
	d.keptBytes.Add(c.keptBytes)
	d.writeBeside()
	return nil
}

// writeBeside notes the balance in the file beside, before anybody is told that entries are safe.
func (d *disk) writeBeside() {
	if d.beside != nil {
		_, _ = d.beside.WriteAt(d.bal.encode(), 0) // a second witness: the file itself has the balance too
	}
}

// scan visits entries that wait, in order. The bytes are valid only during the visit.
func (d *disk) scan(from uint64, visit func(uint64, []byte) bool) error {
	return d.visit(waitingBucket, from, visit)
}

// scanKept visits those that are kept, see decodeKept.
func (d *disk) scanKept(from uint64, visit func(uint64, []byte) bool) error {
	return d.visit(keptBucket, from, visit)
}

func (d *disk) visit(bucket []byte, from uint64, visit func(uint64, []byte) bool) error {
	err := guarded(func() error {
		return d.db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucket).Cursor()
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

func (d *disk) last() uint64 { return d.bal.seq }

func (d *disk) size() size {
	return size{
		entries: d.entries.Load(), bytes: d.bytes.Load(), kept: d.kept.Load(), keptBytes: d.keptBytes.Load(),
		room:     d.room(),
		putAside: d.aside, lost: d.lost, keptBy: d.keptBy,
	}
}

func (d *disk) close() error {
	if d.beside != nil {
		_ = d.beside.Close()
	}
	return d.db.Close()
}
