package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// ErrKeyForm says that a text is no key.
var ErrKeyForm = errors.New("record: a key is 32 bytes, as 64 hexadecimal digits or in base64")

// Key seals recordings. It never prints itself, only its ID.
type Key struct{ secret [KeySize]byte }

// ParseKeys reads keys that stand behind one another, with space or line ends between: the
// first seals, the others only open what was sealed before. The error never quotes a key.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for i, word := range strings.Fields(text) {
		k, err := parseKey(word)
		if err != nil {
			return nil, fmt.Errorf("%w (number %d)", err, i+1)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w (it is empty)", ErrKeyForm)
	}
	return keys, nil
}

func parseKey(word string) (k Key, err error) {
	decode := base64.StdEncoding.DecodeString
	if len(word) == hex.EncodedLen(KeySize) {
		decode = hex.DecodeString
	}
	b, err := decode(word)
	if err != nil || len(b) != KeySize {
		return Key{}, ErrKeyForm
	}
	copy(k.secret[:], b)
	return k, nil
}

// ID names the key in files and metadata and tells nothing of it: 16 hexadecimal digits of a hash.
func (k Key) ID() string {
	sum := sha256.Sum256(append([]byte("liandong recording key id\n"), k.secret[:]...))
	return hex.EncodeToString(sum[:keyIDSize])
}

func (k Key) isZero() bool { return bytes.Equal(k.secret[:], make([]byte, KeySize)) }

// String is the ID.
func (k Key) String() string { return "key " + k.ID() }

// GoString is the ID too.
func (k Key) GoString() string { return k.String() }

// LogValue is the ID too.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// keyOf is the one of that id; zero: it is not among them.
func keyOf(keys []Key, id string) Key {
	for _, k := range keys {
		if k.ID() == id {
			return k
		}
	}
	return Key{}
}
