package outbox

import (
	"encoding/binary"
)

// move is what becomes of an entry on disk once Redis has confirmed it.
type move struct {
	seq  uint64
	size int
	kind kind
	told string // of toKept: the id in the stream that Redis gave it; "": not known
}

type kind int

const (
	toKept   kind = iota // from the waiting to the kept; of a kept one: its told has changed
	fromWait             // away, without being kept
	fromKept             // away, for good
)

// kept is an entry that Redis has confirmed, and that stays on disk until Redis has it safely.
type kept struct {
	seq        uint64
	age        uint64 // when it was confirmed, in ms of the file's own clock: see disk.clock
	at         uint64 // the same by the clock on the wall
	told       string
	stream, id string
	size       int
}

// The value of a kept entry: age and at, 8 bytes each, told with its length in one byte before it, the record.
const keptHeader = 17

func encodeKept(age, at uint64, told string, body []byte) []byte {
	b := make([]byte, 0, keptHeader+len(told)+len(body))
	b = binary.BigEndian.AppendUint64(b, age)
	b = binary.BigEndian.AppendUint64(b, at)
	b = append(b, byte(len(told)))
	return append(append(b, told...), body...)
}

// bodyOf is the record of a kept entry's value.
func bodyOf(value []byte) ([]byte, error) {
	if len(value) < keptHeader || len(value) < keptHeader+int(value[keptHeader-1]) {
		return nil, errRecord
	}
	return value[keptHeader+int(value[keptHeader-1]):], nil
}

// decodeKept reads what a kept entry is, without its fields.
func decodeKept(seq uint64, value []byte) (k kept, err error) {
	body, err := bodyOf(value)
	if err != nil {
		return k, err
	}
	k = kept{
		seq: seq, age: binary.BigEndian.Uint64(value), at: binary.BigEndian.Uint64(value[8:]),
		told: string(value[keptHeader : len(value)-len(body)]), size: len(body),
	}
	k.stream, k.id, err = headOf(body)
	return k, err
}
