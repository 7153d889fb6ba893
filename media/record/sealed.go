package record

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// A sealed file is a header and chunks, each sealed by itself with AES-256-GCM in the manner of
// STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its
// Nonce-Reuse Misuse-Resistance, 2015, §7):
//
//	header  magic 8 | key id 8 | ref 26 | channels 1 | salt 32
//	chunk   ciphertext | tag 16
//
// The sound is that of the WAV file without its header. Every chunk but the last holds block
// samples of each channel. The file's own key is made of the configured one and the salt by
// HKDF-SHA-256 (RFC 5869), so no two files share nonces. The nonce of a chunk is its number and
// a flag; the header is its additional data. Chunks can therefore be neither changed, moved nor
// swapped between files unnoticed, and a file without a last chunk has been cut.
const (
	sealedMagic  = "LDREC\x00\x00\x01"
	keyIDSize    = 8
	refSize      = 26
	saltSize     = 32
	sealedHeader = len(sealedMagic) + keyIDSize + refSize + 1 + saltSize
	tagSize      = 16
)

// The flag of a chunk. A mended last chunk is always empty, and has a flag of its own, so that
// no nonce is used for two texts when the one that should have been the last is torn.
const (
	chunkInner byte = iota
	chunkLast
	chunkMended
	chunkAnew // to chunkAnew+maxAnew-1: an inner one in the place of one that a crash has torn
)

const maxAnew = 16 // crashes of one recording, after which flags are used again

// The reasons for which a recording is not read.
var (
	ErrNoKey   = errors.New("record: sealed with a key that is not configured")
	ErrDamaged = errors.New("record: damaged or tampered with")
)

// envelope seals and opens the chunks of one file.
type envelope struct {
	header   []byte
	channels int
	ref      string
	aead     cipher.AEAD
}

// newEnvelope is that of a new file.
func newEnvelope(k Key, ref string, channels int) (*envelope, error) {
	id, err := hex.DecodeString(k.ID())
	if err != nil {
		return nil, err
	}
	h := append(append([]byte(sealedMagic), id...), ref...)
	h = append(h, byte(channels))
	h = append(h, make([]byte, saltSize)...)
	if _, err := rand.Read(h[len(h)-saltSize:]); err != nil {
		return nil, err
	}
	return envelopeOf(h, []Key{k})
}

// envelopeOf is that of a file with this header.
func envelopeOf(h []byte, keys []Key) (*envelope, error) {
	if len(h) != sealedHeader || string(h[:len(sealedMagic)]) != sealedMagic {
		return nil, fmt.Errorf("%w: not the header of a sealed recording", ErrDamaged)
	}
	id, rest := hex.EncodeToString(h[len(sealedMagic):][:keyIDSize]), h[len(sealedMagic)+keyIDSize:]
	e := &envelope{header: h, ref: string(rest[:refSize]), channels: int(rest[refSize])}
	if e.channels < 1 || e.channels > MaxChannels {
		return nil, fmt.Errorf("%w: %d channels", ErrDamaged, e.channels)
	}
	for _, k := range keys {
		if k.ID() == id {
			return e, e.unlock(k, rest[refSize+1:])
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoKey, id)
}

func (e *envelope) unlock(k Key, salt []byte) (err error) {
	e.aead, err = k.Seal("recording file", salt)
	return err
}

func nonce(number int64, flag byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 3, 12), uint64(number))
	return append(b, flag)
}

func (e *envelope) seal(dst []byte, number int64, flag byte, sound []byte) []byte {
	return e.aead.Seal(dst, nonce(number, flag), sound, e.header)
}

// keyID is that of the key that the file is sealed with.
func (e *envelope) keyID() string { return hex.EncodeToString(e.header[len(sealedMagic):][:keyIDSize]) }

// open appends the sound of a chunk to dst.
func (e *envelope) open(dst []byte, number int64, flag byte, chunk []byte) ([]byte, error) {
	sound, err := e.aead.Open(dst, nonce(number, flag), chunk, e.header)
	if err != nil {
		return nil, fmt.Errorf("%w: chunk %d", ErrDamaged, number)
	}
	return sound, nil
}

func (e *envelope) blockBytes() int64 { return int64(block * e.channels) }

// at is where a chunk begins.
func (e *envelope) at(number int64) int64 {
	return int64(sealedHeader) + number*(e.blockBytes()+tagSize)
}

// sealed writes a sealed file.
type sealed struct {
	*envelope
	file   file
	number int64 // of the next chunk
	done   int64 // bytes of the file that are written whole
	torn   int64 // the number of a chunk that a crash has torn; -1: none
	anew   byte  // and its flag
	rest   []byte
	coded  []byte
}

func newSealed(f file, k Key, ref string, channels int) (*sealed, error) {
	e, err := newEnvelope(k, ref, channels)
	if err != nil {
		return nil, err
	}
	s := &sealed{envelope: e, file: f, torn: -1}
	return s, s.append(e.header)
}

func (s *sealed) append(b []byte) error {
	if _, err := s.file.WriteAt(b, s.done); err != nil {
		return err
	}
	s.done += int64(len(b))
	return nil
}

// write seals a block; one that is shorter is kept for the last chunk.
func (s *sealed) write(b []byte) error {
	switch {
	case s.number*s.blockBytes()+int64(len(b)) > maxSound:
		return errTooLong
	case int64(len(b)) < s.blockBytes():
		s.rest = append([]byte(nil), b...)
		return nil
	}
	flag := chunkInner
	if s.number == s.torn {
		flag = s.anew
	}
	s.coded = s.seal(s.coded[:0], s.number, flag, b)
	s.number++
	return s.append(s.coded)
}

func (s *sealed) end() error {
	return s.append(s.seal(nil, s.number, chunkLast, s.rest))
}

// abandon drops what a failed write left and closes the file behind what was before.
func (s *sealed) abandon() error {
	if err := s.file.Truncate(s.done); err != nil {
		return err
	}
	return s.append(s.seal(nil, (s.done-int64(sealedHeader))/(s.blockBytes()+tagSize), chunkMended, nil))
}

func (s *sealed) size() int64 { return s.done }

// unsealed reads the sound of a sealed file of size bytes. Not for concurrent use.
type unsealed struct {
	*envelope
	file   io.ReaderAt
	chunks int64 // inner ones
	last   []byte
	ended  bool // the last chunk is there
	mended bool // by another hand than the one that should have written it

	held  int64 // the chunk in sound; -1: none
	sound []byte
	coded []byte
}

func newUnsealed(f io.ReaderAt, size int64, keys []Key) (*unsealed, error) {
	h := make([]byte, sealedHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, fmt.Errorf("%w: it has no whole header", ErrDamaged)
	}
	e, err := envelopeOf(h, keys)
	if err != nil {
		return nil, err
	}
	u := &unsealed{envelope: e, file: f, held: -1}
	body, whole := size-int64(sealedHeader), e.blockBytes()+tagSize
	u.chunks = body / whole
	return u, u.readLast(body % whole)
}

// readLast finds out whether the file ends as it should: what lies behind the inner chunks is
// the last one, or torn.
func (u *unsealed) readLast(n int64) error {
	if n < tagSize {
		return nil
	}
	chunk := make([]byte, n)
	if _, err := u.file.ReadAt(chunk, u.at(u.chunks)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if sound, err := u.open(nil, u.chunks, chunkLast, chunk); err == nil {
		u.last, u.ended = sound, true
		return nil
	}
	_, err := u.open(nil, u.chunks, chunkMended, chunk)
	u.ended, u.mended = err == nil, err == nil
	return nil
}

func (u *unsealed) length() int64 { return u.chunks*u.blockBytes() + int64(len(u.last)) }

// ReadAt reads sound.
func (u *unsealed) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		if off >= u.length() {
			return n, io.EOF
		}
		chunk, err := u.chunk(off / u.blockBytes())
		if err != nil {
			return n, err
		}
		copied := copy(b[n:], chunk[off%u.blockBytes():])
		n, off = n+copied, off+int64(copied)
	}
	return n, nil
}

// openInner opens a chunk that is not the last one, under whatever flag it was sealed.
func (u *unsealed) openInner(number int64) (sound []byte, err error) {
	if sound, err = u.open(u.sound[:0], number, chunkInner, u.coded); err == nil {
		return sound, nil
	}
	for flag := chunkAnew; flag < chunkAnew+maxAnew; flag++ {
		if sound, err := u.open(u.sound[:0], number, flag, u.coded); err == nil {
			return sound, nil
		}
	}
	return nil, err
}

func (u *unsealed) chunk(number int64) ([]byte, error) {
	if number == u.chunks {
		return u.last, nil
	}
	if number == u.held {
		return u.sound, nil
	}
	u.held = -1
	if u.coded == nil {
		u.coded = make([]byte, u.blockBytes()+tagSize)
	}
	if _, err := u.file.ReadAt(u.coded, u.at(number)); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	sound, err := u.openInner(number)
	if err != nil {
		u.sound = nil
		return nil, err
	}
	u.sound, u.held = sound, number
	return sound, nil
}
