package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotFound says that there is no such recording, or no longer.
var ErrNotFound = errors.New("record: no such recording")

// Playback is a recording as a WAV file that can be read and sought in. Not for concurrent use.
// A read of a sealed recording that was tampered with gives ErrDamaged.
type Playback struct {
	*io.SectionReader
	Meta  Meta
	Whole bool // false: the file is shorter than it was when it was closed, or its end is missing

	file *os.File
}

// Close lets go of the file.
func (p *Playback) Close() error { return p.file.Close() }

// Meta tells of a recording. The error is ErrRef, ErrNotFound or ErrDamaged.
func (r *Recorder) Meta(ref string) (Meta, error) {
	e, err := entryOf(r.cfg.Dir, ref)
	if err != nil {
		return Meta{}, err
	}
	m, err := e.meta()
	if errors.Is(err, os.ErrNotExist) {
		return Meta{}, ErrNotFound
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.live[e.ref]; one != nil { // its file was made before the lines that came later
		m.Lines = one.whose()
	}
	return m, err
}

// Open plays a recording, also one that goes on: as much of it as there is now. The error is
// ErrRef, ErrNotFound, ErrNoKey or ErrDamaged.
func (r *Recorder) Open(ref string) (*Playback, error) {
	e, err := entryOf(r.cfg.Dir, ref)
	if err != nil {
		return nil, err
	}
	path := e.sound()
	if path == "" {
		return nil, ErrNotFound
	}
	m, err := e.meta()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return open(path, m, r.cfg.Keys)
}

func open(path string, m Meta, keys []Key) (*Playback, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotFound // deleted this moment
	}
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	p := &Playback{Meta: m, file: f}
	if err := p.read(path, keys); err != nil {
		_ = f.Close()
		return nil, err
	}
	return p, nil
}

func (p *Playback) read(path string, keys []Key) error {
	info, err := p.file.Stat()
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	size := info.Size()
	if strings.HasSuffix(path, extPlain) {
		p.Whole = p.Meta.Ended.IsZero() || size == p.Meta.Bytes
		return p.readPlain(size)
	}
	u, err := newUnsealed(p.file, size, keys)
	if err != nil {
		return err
	}
	if ref := strings.TrimSuffix(filepath.Base(path), extSealed); u.ref != ref {
		return fmt.Errorf("%w: the file of another recording, %q", ErrDamaged, u.ref)
	}
	p.Whole = p.Meta.Ended.IsZero() || size == p.Meta.Bytes && u.ended
	p.wav(u, u.channels, u.length())
	return nil
}

func (p *Playback) readPlain(size int64) error {
	h := make([]byte, wavHeader)
	if _, err := p.file.ReadAt(h, 0); err != nil {
		return fmt.Errorf("%w: it has no whole header", ErrDamaged)
	}
	channels, ok := channelsOf(h)
	if !ok {
		return fmt.Errorf("%w: the header is none of ours", ErrDamaged)
	}
	sound := (size - wavHeader) / int64(channels) * int64(channels)
	p.wav(io.NewSectionReader(p.file, wavHeader, sound), channels, sound)
	return nil
}

// wav puts a header before sound.
func (p *Playback) wav(sound io.ReaderAt, channels int, length int64) {
	p.SectionReader = io.NewSectionReader(&headed{header(channels, length), sound}, 0, wavHeader+length)
}

// headed is a header and what comes after it.
type headed struct {
	head []byte
	body io.ReaderAt
}

func (h *headed) ReadAt(b []byte, off int64) (n int, err error) {
	if off < int64(len(h.head)) {
		n = copy(b, h.head[off:])
		if n == len(b) {
			return n, nil
		}
		off += int64(n)
	}
	m, err := h.body.ReadAt(b[n:], off-int64(len(h.head)))
	return n + m, err
}
