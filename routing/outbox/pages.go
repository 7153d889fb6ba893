package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.etcd.io/bbolt"
)

// tree reads the pages of a closed file by itself. bbolt, which wrote them, follows references without end where
// damage has made a circle of them, and ends at the first page that makes no sense; here every page is read once, and
// what lies beyond a damaged one is found too.
type tree struct {
	file     io.ReaderAt
	size     int64
	pageSize int64
	buckets  map[string][]byte // root page and sequence of each
	read     map[uint64]bool   // pages
	damage   error             // the first that was found
}

// Layout of bbolt's pages, in the byte order of the machine: a header of id, flags, count and overflow, then elements
// of 16 bytes, whose keys and values lie at a distance from their own beginning.
const (
	pageHeader  = 16
	element     = 16
	branchPage  = 0x01
	leafPage    = 0x02
	bucketValue = 16 // root page, sequence; a small bucket is a page that follows at once
)

// newTree reads where the buckets are.
func newTree(file io.ReaderAt, size int64, tx *bbolt.Tx) (*tree, error) {
	t := &tree{file: file, size: size, pageSize: int64(tx.DB().Info().PageSize), read: map[uint64]bool{},
		buckets: map[string][]byte{}}
	return t, t.below(uint64(tx.Cursor().Bucket().Root()), func(name, value []byte) error {
		t.buckets[string(name)] = value
		return nil
	})
}

// bucket visits the entries of one in the order of their keys. One that is not there is an empty one: the process ended
// before its first commit. Damage is noted and passed over; an error is the visitor's, or the disk's.
func (t *tree) bucket(name []byte, visit func(k, v []byte) error) error {
	value, there := t.buckets[string(name)]
	switch {
	case !there:
		return nil
	case len(value) < bucketValue:
		return t.damaged(fmt.Errorf("bucket %s has no root", name))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return t.below(root, visit)
	}
	return t.elements(value[bucketValue:], visit)
}

func (t *tree) below(id uint64, visit func(k, v []byte) error) error {
	page, err := t.page(id)
	if err != nil {
		return t.damaged(err)
	}
	return t.elements(page, visit)
}

// page is the whole of one, with what overflows it.
func (t *tree) page(id uint64) ([]byte, error) {
	if t.read[id] {
		return nil, fmt.Errorf("page %d is referred to twice", id)
	}
	t.read[id] = true
	pages := uint64(t.size / t.pageSize)
	if id >= pages {
		return nil, fmt.Errorf("page %d is beyond the end of the file", id)
	}
	header := make([]byte, pageHeader)
	if _, err := t.file.ReadAt(header, int64(id)*t.pageSize); err != nil {
		return nil, err
	}
	overflow := uint64(binary.NativeEndian.Uint32(header[12:]))
	if own := binary.NativeEndian.Uint64(header); own != id || id+overflow >= pages {
		return nil, fmt.Errorf("page %d says that it is page %d with %d more", id, own, overflow)
	}
	page := make([]byte, (1+int64(overflow))*t.pageSize)
	_, err := t.file.ReadAt(page, int64(id)*t.pageSize)
	return page, err
}

// elements visits the entries of a leaf page, and those below a branch page.
func (t *tree) elements(page []byte, visit func(k, v []byte) error) error {
	if len(page) < pageHeader {
		return t.damaged(errors.New("a bucket is shorter than its header"))
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != branchPage && flags != leafPage {
		return t.damaged(fmt.Errorf("a page of the kind %#x is among the entries", flags))
	}
	for i := range count {
		at := pageHeader + i*element
		if at+element > len(page) {
			return t.damaged(fmt.Errorf("%d entries on a page of %d bytes", count, len(page)))
		}
		e := page[at:]
		if flags == branchPage {
			if err := t.below(binary.NativeEndian.Uint64(e[8:]), visit); err != nil {
				return err
			}
			continue
		}
		pos, key := uint64(binary.NativeEndian.Uint32(e[4:])), uint64(binary.NativeEndian.Uint32(e[8:]))
		end := pos + key + uint64(binary.NativeEndian.Uint32(e[12:]))
		if end > uint64(len(e)) {
			return t.damaged(errors.New("an entry goes beyond its page"))
		}
		if err := visit(e[pos:pos+key:pos+key], e[pos+key:end:end]); err != nil {
			return err
		}
	}
	return nil
}

// damaged notes the first damage. A disk that cannot be read is none.
func (t *tree) damaged(err error) error {
	if !isDamage(err) {
		return err
	}
	if t.damage == nil {
		t.damage = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}
