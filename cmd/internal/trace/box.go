package trace

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"liandong/media/record"
)

// ErrNoKey says that a file is sealed with a key that is not configured.
var ErrNoKey = errors.New("trace: sealed with a key that is not configured")

// box seals and opens the frames of one file, in order.
type box struct {
	aead   cipher.AEAD // nil: it is not sealed
	head   []byte
	number uint64 // of the frame
}

// openBox is that of a file with this header.
func openBox(head []byte, keys []record.Key) (box, error) {
	if len(head) != diskHeader || string(head[:len(diskMagic)]) != diskMagic {
		return box{}, errors.New("trace: not a file of calls' messages")
	}
	b := box{head: head}
	id, salt := head[len(diskMagic):][:keyIDSize], head[len(diskMagic)+keyIDSize:]
	if bytes.Equal(id, make([]byte, keyIDSize)) {
		return b, nil
	}
	i := slices.IndexFunc(keys, func(k record.Key) bool { return k.ID() == hex.EncodeToString(id) })
	if i < 0 {
		return box{}, fmt.Errorf("%w: %x", ErrNoKey, id)
	}
	var err error
	b.aead, err = keys[i].Seal(purpose, salt)
	return b, err
}

// overhead is what sealing adds.
func (b *box) overhead() int {
	if b.aead == nil {
		return 0
	}
	return b.aead.Overhead()
}

// nonce is that of the frame: no two of a file have one.
func (b *box) nonce() []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), b.number) }

// seal appends a text to the head of its frame.
func (b *box) seal(frame, text []byte) []byte {
	if b.aead == nil {
		return append(frame, text...)
	}
	about := slices.Concat(b.head, frame)
	frame = b.aead.Seal(frame, b.nonce(), text, about)
	b.number++
	return frame
}

func (b *box) open(frame, text []byte) ([]byte, error) {
	if b.aead == nil {
		return text, nil
	}
	return b.aead.Open(nil, b.nonce(), text, slices.Concat(b.head, frame))
}
