package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	filePerm = 0o600
	dirPerm  = 0o700

	extPlain  = ".wav"
	extSealed = ".sealed"
	extOpen   = ".open" // metadata of a recording that goes on, or was left open by a crash
	extMeta   = ".json" // and of one that is closed

	dayForm  = "2006-01-02" // of a directory; UTC
	lockName = ".lock"
)

// ErrRef says that a text is no recording's ref.
var ErrRef = errors.New("record: not a ref: a ULID of 26 characters")

// ErrInUse says that another process records into the directory.
var ErrInUse = errors.New("record: the directory is in use by another process")

// file is what the writer needs of a file.
type file interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// entry is the place of one recording, without extensions.
type entry struct {
	ref  string
	at   time.Time // of the ref
	day  string
	path string
}

// entryOf finds the place of a ref, which has the day in it.
func entryOf(dir, ref string) (entry, error) {
	id, err := ulid.ParseStrict(ref)
	if err != nil {
		return entry{}, ErrRef
	}
	e := entry{ref: id.String(), at: ulid.Time(id.Time()).UTC()}
	e.day = e.at.Format(dayForm)
	e.path = filepath.Join(dir, e.day, e.ref)
	return e, nil
}

// sound is the file with the sound, whichever there is; "" none.
func (e entry) sound() string {
	for _, ext := range []string{extSealed, extPlain} {
		if exists(e.path + ext) {
			return e.path + ext
		}
	}
	return ""
}

// meta reads the sidecar, of a closed recording first.
func (e entry) meta() (Meta, error) {
	m, err := readMeta(e.path + extMeta)
	if errors.Is(err, os.ErrNotExist) {
		return readMeta(e.path + extOpen)
	}
	return m, err
}

// remove deletes everything of a recording.
func (e entry) remove() (err error) {
	for _, ext := range []string{extPlain, extSealed, extOpen, extOpen + ".tmp", extMeta, extMeta + ".tmp"} {
		if one := os.Remove(e.path + ext); one != nil && !errors.Is(one, os.ErrNotExist) {
			err = errors.Join(err, one)
		}
	}
	return err
}

func create(path string) (file, error) {
	if err := os.MkdirAll(filepath.Dir(path), dirPerm); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, filePerm)
}

// lock keeps a second switch from mending what the first one is writing. The kernel lets go of
// it when the process ends, however it ends.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	return f, nil
}

// fileSystem is how large the file system is on which the recordings are, in bytes.
func fileSystem(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Blocks) * int64(st.Bsize), nil
}

// days lists the directories of days, oldest first.
func days(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range all {
		if _, err := time.Parse(dayForm, d.Name()); err == nil && d.IsDir() {
			names = append(names, d.Name())
		}
	}
	return names, nil
}

// found is what the directory of a day has of one recording.
type found struct {
	entry
	bytes  int64 // of its sound
	closed bool  // there is metadata of a closed recording
}

// scan lists the recordings of a day, oldest first.
func scan(dir, day string) ([]found, error) {
	all, err := os.ReadDir(filepath.Join(dir, day))
	if err != nil {
		return nil, err
	}
	var list []found
	for _, d := range all {
		ref, ext, _ := strings.Cut(d.Name(), ".")
		e, err := entryOf(dir, ref)
		if err != nil || e.day != day || e.ref != ref {
			continue
		}
		if n := len(list); n == 0 || list[n-1].ref != ref {
			list = append(list, found{entry: e})
		}
		one := &list[len(list)-1]
		switch "." + ext {
		case extMeta:
			one.closed = true
		case extPlain, extSealed:
			if info, err := d.Info(); err == nil {
				one.bytes += info.Size()
			}
		}
	}
	return slices.Clip(list), nil
}
