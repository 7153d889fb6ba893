package outbox

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// balance says what there is in the file. It stands in the file itself, written with each commit, and after the commit
// in a small file beside it: what is missing when the two do not agree with what can be read was acknowledged, and is
// lost. The file beside is not synced: after a power cut it may be older, and then says nothing.
type balance struct {
	file    uint64 // a number that the file was given when it was made
	tx      uint64 // the commit
	seq     uint64 // of the newest entry ever
	waiting uint64 // entries that wait for Redis
	kept    uint64
	oldest  uint64 // when the oldest of those that wait was made, in ms
	newest  uint64 // and the newest ever
	clock   uint64 // ms that the file has been open in all
}

const balanceSize = 8*8 + 4

// balancePath is the file beside.
func balancePath(path string) string { return path + ".balance" }

func (b balance) numbers() []uint64 {
	return []uint64{b.file, b.tx, b.seq, b.waiting, b.kept, b.oldest, b.newest, b.clock}
}

func (b balance) encode() []byte {
	out := make([]byte, 0, balanceSize)
	for _, n := range b.numbers() {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

func decodeBalance(b []byte) (balance, bool) {
	if len(b) != balanceSize || binary.BigEndian.Uint32(b[balanceSize-4:]) != crc32.Checksum(b[:balanceSize-4],
		castagnoli) {
		return balance{}, false
	}
	var n [8]uint64
	for i := range n {
		n[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return balance{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]}, true
}

// readBalance reads the file beside; one that cannot be read says nothing.
func readBalance(path string) (balance, bool) {
	b, err := os.ReadFile(balancePath(path))
	if err != nil {
		return balance{}, false
	}
	return decodeBalance(b)
}

// openBalance opens the file beside for writing. Without it the outbox works as well.
func openBalance(path string, log *slog.Logger) *os.File {
	f, err := os.OpenFile(balancePath(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		log.Warn("outbox: no file for the balance, a loss of the outbox file would not be told", "err", err)
		return nil
	}
	return f
}

func removeBalance(path string) error {
	if err := os.Remove(balancePath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// loss is what was acknowledged and is not there.
type loss struct {
	entries  int64
	from, to time.Time // when they were made
}

// missing compares what a balance says with what was found: by their number, since what was not there at all may have
// been anything, and the newest by the numbers that they were given. What had reached Redis is not lost.
func (b balance) missing(found contents) (l loss) {
	l.entries = max(int64(b.waiting)-found.waiting, 0)
	if found.balance.file == b.file {
		l.entries = max(l.entries, min(int64(b.waiting), int64(b.seq)-int64(found.last)))
	}
	if l.entries > 0 {
		l.from, l.to = time.UnixMilli(int64(b.oldest)), time.UnixMilli(int64(b.newest))
	}
	return l
}

// lost counts the entries that a file has lost: by the balance in it, or by the balance file beside it where that one
// is newer.
func lost(found contents, beside balance, known bool) loss {
	own := found.balance
	switch {
	case known && (own.file == 0 || own.file == beside.file) && beside.tx > own.tx:
		return beside.missing(found)
	case own.file != 0 && own.tx == found.tx: // else a program that knows no balance has written to it since
		return own.missing(found)
	}
	return loss{}
}

// tell logs a loss.
func (l loss) tell(log *slog.Logger, path string) {
	if l.entries > 0 {
		log.Error("outbox: entries that were on disk are not there any more, and may never have reached redis", "file",
			path,
			"entries", l.entries, "from", l.from, "to", l.to)
	}
}
