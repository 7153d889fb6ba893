package journal

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// region is a part of the file with the records of one time. When it is full the values that live are copied to
// another region, and only when all of them are there does that one count.
type region struct {
	off, size int64
	seq       uint64 // all its records have later ones
	gen       uint64 // the highest counts
}

func readRegion(b []byte) region {
	n := binary.LittleEndian.Uint64
	return region{off: int64(n(b)), size: int64(n(b[8:])), seq: n(b[16:]), gen: n(b[24:])}
}

func (r region) put(b []byte) {
	for i, v := range []uint64{uint64(r.off), uint64(r.size), r.seq, r.gen} {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
}

const (
	// reserved is how much of the address space the file may come to fill.
	reserved = 1 << 30
	// leastRegion is the smallest region, and what regions are multiples of.
	leastRegion = 1 << 20
	// spare is how many times the live values a new region holds.
	spare = 4
)

// move copies the live values to another region in which n bytes more have room.
func (j *Journal) move(n int64) error {
	to, err := j.findRegion(j.live + n + markSize)
	if err != nil {
		return err
	}
	all := j.living()
	from := j.at
	j.seq++
	first := j.seq
	j.at, j.tail = to, markSize
	clear(j.mem[to.off : to.off+markSize])
	for _, v := range all {
		e := Entry{Kind: v.kind, Key: v.key, Value: j.mem[v.at : v.at+v.n]}
		j.append([]Entry{e}, recordSize([]Entry{e}))
	}
	j.endRecords()
	to.gen = from.gen + 1
	j.at = to
	j.mark(first)
	head(j.mem).use(to)
	j.stats.Copies++
	return nil
}

// findRegion finds a region of which so many bytes are taken at once: before the one in use, or behind it.
func (j *Journal) findRegion(taken int64) (region, error) {
	err := ErrFull
	for _, size := range []int64{spare * taken, taken + taken/4} {
		size = max((size+leastRegion-1)/leastRegion*leastRegion, leastRegion)
		r := region{off: headSize, size: size, seq: j.seq}
		if headSize+size > j.at.off {
			r.off = max(j.at.off+j.at.size, headSize)
		}
		if r.off+size > reserved {
			continue
		}
		if err = j.grow(r.off + size); err == nil {
			return r, nil
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = errors.Join(ErrFull, err)
	}
	return region{}, err
}

// grow makes the file so long that no write into it can fail for want of room.
func (j *Journal) grow(size int64) error {
	if size <= j.size {
		return nil
	}
	if err := allocate(j.file, size); err != nil {
		return err
	}
	j.size = size
	return nil
}

// read takes the records of a region; false: there is none to be read.
func (j *Journal) read(r region) bool {
	if r.off < headSize || r.size <= 0 || r.off >= j.size || r.off+r.size > reserved {
		return false
	}
	if r.off+r.size > j.size { // the file was cut
		j.stats.Damaged++
		r.size = (j.size - r.off) / 8 * 8
	}
	j.at, j.seq, j.tail = r, r.seq, 0
	for at := int64(0); at+recordHead <= r.size; {
		n, seq, whole := openRecord(j.mem[r.off+at : r.off+r.size])
		switch {
		case n == 0 || seq <= j.seq: // not a record, or one from before
			at += 8
			continue
		case !whole:
			j.stats.Damaged++
		}
		j.seq = seq
		if whole {
			j.take(r.off+at+recordHead, r.off+at+n)
		}
		at += n
		j.tail = at
	}
	return true
}

// A region begins with a record about itself, which is sealed when all values are there: so it is found when the head
// cannot be read. Its only entry is of no other's kind; the value is what the head says of the region, and the clock.
const (
	regionMark Kind  = 255
	markValue        = 32 + atStamp - atBoot
	markSize   int64 = recordHead + entryHead + markValue
)

// mark seals the region in use.
func (j *Journal) mark(seq uint64) {
	b := j.mem[j.at.off : j.at.off+markSize]
	e := Entry{Kind: regionMark, Value: make([]byte, markValue)}
	j.at.put(e.Value)
	copy(e.Value[32:], head(j.mem).offset())
	sealRecord(b, len(e.AppendTo(b[recordHead:recordHead])), seq)
}

// marked are the regions that are sealed, and the clock of the newest.
func (j *Journal) marked() (list []region, clock []byte) {
	newest := uint64(0)
	for off := int64(headSize); off+markSize <= j.size; off += leastRegion {
		n, _, whole := openRecord(j.mem[off : off+markSize])
		if n != markSize || !whole {
			continue
		}
		e, _, ok := ReadEntry(j.mem[off+recordHead : off+markSize])
		if !ok || e.Kind != regionMark || len(e.Value) != markValue {
			continue
		}
		r := readRegion(e.Value)
		if r.off != off { // it was copied by a version that does not know it
			continue
		}
		if list = append(list, r); r.gen > newest {
			newest, clock = r.gen, e.Value[32:]
		}
	}
	return list, clock
}

// take notes the entries of a record.
func (j *Journal) take(from, to int64) {
	for from < to {
		e, n, ok := ReadEntry(j.mem[from:to])
		if !ok || e.Kind == regionMark {
			return
		}
		j.note(e, from+n-int64(len(e.Value)))
		from += n
	}
}

// endRecords makes sure that no record from before follows the last one.
func (j *Journal) endRecords() {
	if end := j.at.off + j.tail; j.tail+recordHead <= j.at.size {
		clear(j.mem[end : end+recordHead])
	}
}

// A record is
//
//	magic 4 | length of the body 4 | sequence 8 | CRC of the body 4 | CRC of these 20 bytes 4 | body | zeroes up to 8
//
// and its body entries of
//
//	kind 1 | gone 1 | length of the key 2 | length of the value 4 | key | value
//
// all little-endian. Sequences rise through the whole life of a journal, which tells a record from what was in its
// place before; the two CRCs are Castagnoli's, so that a damaged body does not hide the records behind it.
const (
	recordMagic = 0x314a4c7e
	recordHead  = 24
	entryHead   = 8
	longestKey  = 1<<16 - 1
)

func aligned(n int64) int64 { return (n + 7) &^ 7 }

func recordSize(entries []Entry) int64 {
	n := int64(recordHead)
	for _, e := range entries {
		n += entryHead + int64(len(e.Key)) + int64(len(e.Value))
	}
	return aligned(n)
}

// AppendTo appends an entry as it stands in a record.
func (e Entry) AppendTo(b []byte) []byte {
	gone := byte(0)
	if e.Gone {
		gone = 1
	}
	b = append(b, byte(e.Kind), gone)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.Key)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Value)))
	return append(append(b, e.Key...), e.Value...)
}

// ReadEntry reads the entry that b begins with, and says how many bytes it takes; its value is a part of b. False:
// there is none, or half of one.
func ReadEntry(b []byte) (e Entry, n int64, ok bool) {
	if len(b) < entryHead {
		return e, 0, false
	}
	key, value := int64(binary.LittleEndian.Uint16(b[2:])), int64(binary.LittleEndian.Uint32(b[4:]))
	n = entryHead + key + value
	if n > int64(len(b)) || b[0] == 0 { // the zeroes at the end
		return e, 0, false
	}
	return Entry{Kind: Kind(b[0]), Gone: b[1] != 0, Key: string(b[entryHead : entryHead+key]),
		Value: b[entryHead+key : n]}, n, true
}

// sealRecord writes the head of a record of which the body is there.
func sealRecord(b []byte, body int, seq uint64) {
	clear(b[recordHead+body:])
	binary.LittleEndian.PutUint32(b[4:], uint32(body))
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint32(b[16:], checksum(b[recordHead:recordHead+body]))
	binary.LittleEndian.PutUint32(b, recordMagic)
	binary.LittleEndian.PutUint32(b[20:], checksum(b[:20]))
}

// openRecord reads the head of a record: its length, 0 when it is none, and whether its body is whole.
func openRecord(b []byte) (n int64, seq uint64, whole bool) {
	if binary.LittleEndian.Uint32(b) != recordMagic || binary.LittleEndian.Uint32(b[20:]) != checksum(b[:20]) {
		return 0, 0, false
	}
	body := int64(binary.LittleEndian.Uint32(b[4:]))
	if n = aligned(recordHead + body); n > int64(len(b)) {
		return 0, 0, false
	}
	whole = checksum(b[recordHead:recordHead+body]) == binary.LittleEndian.Uint32(b[16:])
	return n, binary.LittleEndian.Uint64(b[8:]), whole
}
