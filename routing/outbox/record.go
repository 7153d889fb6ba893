package outbox

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"time"

	"liandong/routing/ticket"
)

// ids are for entries that come without one.
var ids = ticket.NewIDs(rand.Reader)

// record is an entry as it lies on disk and goes to Redis: the file keeps what it was given even when a later version
// of the program knows other fields.
type record struct {
	stream, stub, id string
	fields           []string // name, value, name, value …
}

func recordOf(e ticket.Entry) record {
	return record{stream: e.Stream(), stub: e.StubID, id: e.EventID, fields: e.Fields()}
}

// LogValue names the record without saying what it holds.
func (r record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("stream", r.stream), slog.String("stub", r.stub), slog.String("event_id", r.id))
}

// errRecord says that bytes are not, or no longer, what was written.
var errRecord = errors.New("outbox: record damaged")

// The layout: one byte of version, four of CRC-32C over the rest, then texts, each with its length as uvarint before
// it: stream, stub, id, fields. bbolt has no sums over its data pages, hence ours.
const (
	layout = 1
	header = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encode(r record) []byte {
	size := header
	for _, s := range r.fields {
		size += len(s) + 2
	}
	b := make([]byte, header, size+len(r.stream)+len(r.stub)+len(r.id)+8)
	b = appendText(b, r.stream, r.stub, r.id)
	b = appendText(b, r.fields...)
	b[0] = layout
	seal(b)
	return b
}

func seal(b []byte) { binary.BigEndian.PutUint32(b[1:], crc32.Checksum(b[header:], castagnoli)) }

func appendText(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// sound says that the bytes are as they were written.
func sound(b []byte) bool {
	return len(b) > header && b[0] == layout && binary.BigEndian.Uint32(b[1:]) == crc32.Checksum(b[header:], castagnoli)
}

// decode reads a record. It keeps no reference to b.
func decode(b []byte) (record, error) {
	if !sound(b) {
		return record{}, errRecord
	}
	rest := string(b[header:])
	texts := make([]string, 0, 64)
	for rest != "" {
		n, w := uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return record{}, errRecord
		}
		texts, rest = append(texts, rest[w:w+int(n)]), rest[w+int(n):]
	}
	if len(texts) < 5 || len(texts)%2 == 0 {
		return record{}, errRecord
	}
	return record{stream: texts[0], stub: texts[1], id: texts[2], fields: texts[3:]}, nil
}

// headOf reads only the stream and the id of a sound record.
func headOf(b []byte) (stream, id string, err error) {
	if len(b) < header {
		return "", "", errRecord
	}
	var texts [3]string
	rest := b[header:]
	for i := range texts {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return "", "", errRecord
		}
		texts[i], rest = string(rest[w:w+int(n)]), rest[w+int(n):]
	}
	return texts[0], texts[2], nil
}

// at is when the entry was made, as its field says it; zero when it does not.
func (r record) at() time.Time {
	for i := 0; i+1 < len(r.fields); i += 2 {
		if r.fields[i] == "at" {
			t, _ := time.Parse(time.RFC3339Nano, r.fields[i+1])
			return t
		}
	}
	return time.Time{}
}

func uvarint(s string) (uint64, int) {
	head := s[:min(len(s), binary.MaxVarintLen64)]
	return binary.Uvarint([]byte(head))
}
