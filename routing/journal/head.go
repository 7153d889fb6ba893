package journal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"liandong/media/uptime"
)

// head is the first page of the file:
//
//	 0  magic 16
//	16  format 8
//	24  epoch 8: how often the journal has been opened
//	32  two regions of 40: offset 8, size 8, sequence 8, generation 8, CRC of these 8
//	112 boot 16, the clock's offset from it 8, CRC of these 8
//	144 the clock at the last write 8, the wall clock then 8
type head []byte

const (
	headSize  = 4096
	headMagic = "liandong journal"
	format    = 1

	atEpoch, atRegions, regionSlot, atBoot, atStamp = 24, 32, 40, 112, 144
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, table) }

func blank(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

func (h head) ours() bool {
	return bytes.HasPrefix(h, []byte(headMagic)) && binary.LittleEndian.Uint64(h[16:]) == format
}

func (h head) init() {
	clear(h[:headSize])
	copy(h, headMagic)
	binary.LittleEndian.PutUint64(h[16:], format)
}

// epoch is shared with the process that had the journal before, and may have it still.
func (h head) epoch() *uint64 { return (*uint64)(unsafe.Pointer(&h[atEpoch])) }

func (h head) take() uint64 { return atomic.AddUint64(h.epoch(), 1) }

func (h head) mine(epoch uint64) bool { return atomic.LoadUint64(h.epoch()) == epoch }

func (h head) slot(i int) []byte { return h[atRegions+i*regionSlot:][:regionSlot] }

// regions are those that can be read; whole: these are all that were written down.
func (h head) regions() (list []region, whole bool) {
	whole = true
	for i := range 2 {
		b := h.slot(i)
		r := readRegion(b)
		switch {
		case binary.LittleEndian.Uint64(b[32:]) == uint64(checksum(b[:32])) && r.gen != 0:
			list = append(list, r)
		case !blank(b):
			whole = false
		}
	}
	return list, whole
}

// use makes a region the one that counts, in the place of the one before the last.
func (h head) use(r region) {
	b := h.slot(int(r.gen % 2))
	clear(b[32:])
	r.put(b)
	binary.LittleEndian.PutUint64(b[32:], uint64(checksum(b[:32])))
}

// clock goes on from where the one of the process before stands now.
func (h head) clock() *Clock {
	boot := uptime.Boot()
	b := h.offset()
	last := time.Unix(0, int64(binary.LittleEndian.Uint64(h[atStamp:])))
	wall := time.Unix(0, int64(binary.LittleEndian.Uint64(h[atStamp+8:])))
	now := time.Now().Round(0)
	switch {
	case !h.timed(): // the first
	case !blank(boot[:]) && bytes.Equal(b[:16], boot[:]):
		now = time.Unix(0, int64(binary.LittleEndian.Uint64(b[16:]))).Add(uptime.Now())
	case now.After(wall): // the machine has been off since
		now = last.Add(now.Sub(wall))
	default: // and its clock is not to be believed
		now = last
	}
	return h.goBy(now)
}

// repair has the head name the region in use, and no other that cannot be read.
func (h head) repair(r region) {
	list, whole := h.regions()
	if whole && slices.Contains(list, r) {
		return
	}
	h.use(r)
	clear(h.slot(int(1 - r.gen%2)))
}

// timed says that a process before has left its clock.
func (h head) timed() bool {
	b := h.offset()
	return binary.LittleEndian.Uint64(b[24:]) == uint64(checksum(b[:24]))
}

func (h head) offset() []byte { return h[atBoot:atStamp] }

// goBy has the clock stand at a time now.
func (h head) goBy(now time.Time) *Clock {
	boot := uptime.Boot()
	b := h.offset()
	copy(b, boot[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(now.Add(-uptime.Now()).UnixNano()))
	binary.LittleEndian.PutUint64(b[24:], uint64(checksum(b[:24])))
	return clockAt(now, time.Now)
}

// stamped is the clock at the last write; zero: there was none.
func (h head) stamped() time.Time {
	if at := int64(binary.LittleEndian.Uint64(h[atStamp:])); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// stamp says what time it is, for when the machine is started anew.
func (h head) stamp(c *Clock) {
	binary.LittleEndian.PutUint64(h[atStamp:], uint64(c.Now().UnixNano()))
	binary.LittleEndian.PutUint64(h[atStamp+8:], uint64(time.Now().UnixNano()))
}
