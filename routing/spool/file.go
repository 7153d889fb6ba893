// Package spool brings ticket entries and updates over a boundary that only files pass: numbered, signed files one way,
// signed acknowledgements the other. Between two switches of which each has a Redis of its own there are two channels,
// one each way; a channel is named after the hotline that it leads to.
//
// The files may be lost, come twice, late, in any order or in part, and somebody may put other files beside them. What
// comes out at the far end is each line once, and the lines in the order in which they were packed:
//
//   - [Sender] numbers the files, keeps each until it is acknowledged, sends it again every five minutes, and raises an
//     alarm after the fifth time.
//   - [Receiver] takes files in the order of their numbers; one that comes early waits for those before it.
//   - [File] is what they exchange, with HMAC-SHA256 (RFC 2104) over all of it.
//
// These three are pure: time and bytes are arguments. [Sending] and [Receiving] do the work with folders and Redis.
// Entries hold callers' numbers: they are in the files, never in a log line or an error.
package spool

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Format is the version of the files.
const Format = 1

// Bounds of a file.
const (
	MaxFile  = 4 << 20 // bytes
	maxLines = 200     // of those that are packed
	maxBytes = 1 << 20 // about

	maxFields = 512 // strings of one line: a script in Redis takes no more than some thousands
)

// What a file is.
const (
	Entries = "entries" // lines for the far side
	Ack     = "ack"     // everything up to Number has arrived
)

// What a line is.
const (
	Entry  = "entry"  // of the hotline's ticket stream
	Update = "update" // of a ticket system
)

// Why a file is not taken.
var (
	ErrIncomplete = errors.New("spool: file is not complete") // it may be on its way still
	ErrForged     = errors.New("spool: signature is not by any of our keys")
	ErrFormat     = errors.New("spool: not a spool file of this version")
)

// Header is the first line of a file, as JSON.
type Header struct {
	Format int    `json:"format"`
	Kind   string `json:"kind"`
	Line   string `json:"line"` // the hotline that the channel leads to
	// ULID; a sender that has lost its state begins a new one, with number 1
	Epoch    string `json:"epoch"`
	Number   uint64 `json:"number"`   // from 1, without gaps
	Previous uint64 `json:"previous"` // the number before
	// all up to here the sender knows to have arrived, when it sent this last
	Acknowledged uint64 `json:"acknowledged"`
	// see sum: of the file before; in an acknowledgement of that with Number. "": not known
	Digest string    `json:"digest"`
	Count  int       `json:"count"` // of lines
	At     time.Time `json:"at"`
}

// Line is one entry or update, as JSON in a line of its own.
type Line struct {
	Kind    string   `json:"kind"`
	Hotline string   `json:"hotline"` // whose ticket stream it is of; of an update, to which its matter went
	Stub    string   `json:"stub"`
	ID      string   `json:"id"`     // by which Redis knows it again
	Fields  []string `json:"fields"` // name, value, name, value …
}

// File is a header with its lines.
type File struct {
	Header
	Lines []Line
	sum   string // see sum; of files that were packed or read
}

// sum is by what a file is known: SHA-256, the first 16 bytes in hexadecimal, over all that stays the same when it is
// sent again. Since each file has that of the one before, two of the same number have the same sum only when
// all before them are the same, too.
func sum(h Header, lines []byte) string {
	b := fmt.Appendf(nil, "%s %s %d %s\n", h.Line, h.Epoch, h.Number, h.Digest)
	s := sha256.Sum256(append(b, lines...))
	return hex.EncodeToString(s[:16])
}

// trailer begins the last line: the key's name and the HMAC of everything before, both in hexadecimal.
const trailer = "hmac-sha256 "

// Encode prints and signs a file.
func (f File) Encode(k Key) []byte {
	f.Format, f.Count = Format, len(f.Lines)
	return sign(f.Header, text(f.Lines), k)
}

// text prints lines.
func text(lines []Line) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		_ = enc.Encode(l) // a Line has nothing that JSON could refuse, nor has a Header
	}
	return b.Bytes()
}

func sign(h Header, lines []byte, k Key) []byte {
	b, _ := json.Marshal(h)
	b = append(append(b, '\n'), lines...)
	return fmt.Appendf(b, "%s%s %s\n", trailer, k.name(), hex.EncodeToString(k.sum(b)))
}

// split takes a file of our own apart, whoever signed it.
func split(b []byte) (h Header, lines []byte, err error) {
	head := bytes.IndexByte(b, '\n') + 1
	tail := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n') + 1
	if head == 0 || tail < head {
		return h, nil, ErrIncomplete
	}
	if err := json.Unmarshal(b[:head], &h); err != nil {
		return h, nil, fmt.Errorf("%w: header", ErrFormat)
	}
	return h, b[head:tail], nil
}

// Decode checks the signature before it reads anything else.
func Decode(b []byte, keys Keys) (File, error) {
	cut := bytes.LastIndexByte(bytes.TrimSuffix(b, []byte("\n")), '\n') + 1
	last := b[cut:]
	if cut == 0 || !bytes.HasPrefix(last, []byte(trailer)) || !bytes.HasSuffix(last, []byte("\n")) {
		return File{}, ErrIncomplete
	}
	words := bytes.Fields(last)
	if len(words) != 3 || !keys.signed(b[:cut], string(words[1]), words[2]) {
		return File{}, ErrForged
	}
	return read(b[:cut])
}

func read(b []byte) (f File, err error) {
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	if err := json.Unmarshal(lines[0], &f.Header); err != nil {
		return File{}, fmt.Errorf("%w: header", ErrFormat)
	}
	if f.Format != Format || f.Count != len(lines)-1 || f.Kind != Entries && f.Kind != Ack {
		return File{}, fmt.Errorf("%w: format %d, %d of %d lines", ErrFormat, f.Format, len(lines)-1, f.Count)
	}
	f.sum = sum(f.Header, b[min(len(lines[0])+1, len(b)):])
	if f.Kind == Entries && (f.Number == 0 || f.Previous != f.Number-1 || f.Acknowledged > f.Previous) {
		return File{}, fmt.Errorf("%w: numbers", ErrFormat)
	}
	for i, text := range lines[1:] {
		var l Line
		if err := json.Unmarshal(text, &l); err != nil || len(l.Fields) == 0 || len(l.Fields) > maxFields ||
			len(l.Fields)%2 != 0 || l.ID == "" || l.Stub == "" {
			return File{}, fmt.Errorf("%w: line %d", ErrFormat, i+2)
		}
		f.Lines = append(f.Lines, l)
	}
	return f, nil
}

// Key signs files. It is 32 bytes that both sides have.
type Key [32]byte

// Keys are those that are believed; the first signs.
type Keys []Key

// ErrKey says what a key must look like, and never what was given.
var ErrKey = errors.New("spool: a key must be 32 bytes, in hexadecimal (64 digits) or base64")

// ParseKeys reads keys with spaces between.
func ParseKeys(text string) (keys Keys, err error) {
	for _, word := range strings.Fields(text) {
		b, err := hex.DecodeString(word)
		if err != nil {
			b, err = base64.StdEncoding.DecodeString(word)
		}
		if err != nil || len(b) != len(Key{}) {
			return nil, ErrKey
		}
		keys = append(keys, Key(b))
	}
	if len(keys) == 0 {
		return nil, ErrKey
	}
	return keys, nil
}

// String keeps a key from being printed.
func (k Key) String() string { return "spool.Key " + k.name() }

// GoString does so too.
func (k Key) GoString() string { return k.String() }

// sum is the HMAC (RFC 2104).
func (k Key) sum(b []byte) []byte {
	m := hmac.New(sha256.New, k[:])
	m.Write(b)
	return m.Sum(nil)
}

// name tells keys apart without telling them.
func (k Key) name() string {
	sum := sha256.Sum256(append([]byte("liandong spool key "), k[:]...))
	return hex.EncodeToString(sum[:4])
}

// signed compares in constant time.
func (keys Keys) signed(b []byte, name string, mac []byte) bool {
	got, err := hex.DecodeString(string(mac))
	for _, k := range keys {
		if err == nil && k.name() == name && hmac.Equal(got, k.sum(b)) {
			return true
		}
	}
	return false
}
