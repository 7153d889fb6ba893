package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Endings of the files.
const (
	spoolExt = ".spool"
	ackExt   = ".ack"
)

// Bounds of a folder, whoever else writes to it.
const (
	maxNames      = 20_000 // that are looked at in one pass
	maxQuarantine = 1000   // files that are kept for an admin
)

// Name is what a file is called: the hotline that its channel leads to, and its number.
type Name struct {
	Line   string
	Number uint64
	Ext    string
}

func (n Name) String() string { return fmt.Sprintf("%s-%012d%s", n.Line, n.Number, n.Ext) }

var nameForm = regexp.MustCompile(`^([0-9A-Za-z_-]{1,32})-([0-9]{12,19})(\.spool|\.ack)$`)

// parseName reads a name; only the one way of writing it will do.
func parseName(s string) (n Name, ok bool) {
	m := nameForm.FindStringSubmatch(s)
	if m == nil {
		return Name{}, false
	}
	number, err := strconv.ParseUint(m[2], 10, 64)
	n = Name{m[1], number, m[3]}
	return n, err == nil && n.String() == s
}

// write puts a file into a folder so that nobody ever sees a part of it under its name, and so that it survives a power
// cut. Hidden names are those of files that are being written.
func write(dir, name string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, ".writing-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// What is wrong with what lies in a folder.
var (
	errNoFile  = errors.New("spool: not a plain file")
	errTooLong = errors.New("spool: file is too long")
)

// readFile reads a plain file. No link is followed, and a pipe holds nobody up.
func readFile(dir, name string) (b []byte, at time.Time, err error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, at, errNoFile
	}
	if err != nil {
		return nil, at, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, at, err
	case !info.Mode().IsRegular():
		return nil, at, errNoFile
	case info.Size() > MaxFile:
		return nil, info.ModTime(), errTooLong
	}
	b, err = io.ReadAll(io.LimitReader(f, MaxFile+1))
	return b, info.ModTime(), err
}

// list gives the names in a folder that are not hidden, and those of ours in the order of their numbers.
func list(dir string) (ours []Name, others []string, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxNames)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	for _, s := range names {
		if n, ok := parseName(s); ok {
			ours = append(ours, n)
		} else if !strings.HasPrefix(s, ".") {
			others = append(others, s)
		}
	}
	slices.SortFunc(ours, func(a, b Name) int { return strings.Compare(a.String(), b.String()) })
	return ours, others, nil
}

// quarantine takes a file out of a folder, to where an admin can look at it, with the reason beside it. A link is
// removed and not followed; a folder stays where it is, as does what may not be moved.
func quarantine(dir, name, to, reason string, now time.Time) error {
	from := filepath.Join(dir, name)
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	kept := now.UTC().Format("20060102T150405.000") + "-" + strings.ToValidUTF8(name, "?")
	if len(kept) > 200 {
		kept = kept[:200]
	}
	switch {
	case info.IsDir():
		return fmt.Errorf("%w: a folder", errNoFile)
	case crowded(to):
		return os.Remove(from)
	case info.Mode().IsRegular():
		err = move(from, filepath.Join(to, kept))
	default:
		err = os.Remove(from)
	}
	return errors.Join(err, os.WriteFile(filepath.Join(to, kept+".reason"), []byte(reason+"\n"), 0o600))
}

// crowded says that there is no more room for what somebody puts into the folder.
func crowded(dir string) bool {
	names, err := os.ReadDir(dir)
	return err != nil || len(names) >= 2*maxQuarantine
}

// move renames, or copies to another file system as much as a file of ours may have.
func move(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, MaxFile))
	return errors.Join(err, os.WriteFile(to, b, 0o600), os.Remove(from))
}

// remove is no error when the file has gone.
func remove(dir string, n Name) error {
	if err := os.Remove(filepath.Join(dir, n.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
