package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Link is what both channels between two switches share, as one side sees it. Immutable.
type Link struct {
	Line    string // the hotline at the far side
	Send    string // folder whose files come to the far side
	Receive string // folder where the far side's files come
	State   string // folder of this side alone
	Keys    Keys
}

// ErrBusy says that another process does this work.
var ErrBusy = errors.New("spool: another process does this already")

// settling is how long a file may be incomplete: whoever copies it may not have finished.
const settling = time.Minute

// hold is one process's hold on a link: the folders, and the lock on its part of the state.
type hold struct {
	Link
	own  string // State/out or State/in
	lock *os.File
	log  *slog.Logger

	rejected int             // files put aside
	stuck    map[string]bool // those that would not move, told once
}

// take makes the folders and locks this side's part of the state.
func (l Link) take(part string, log *slog.Logger) (*hold, error) {
	h := &hold{stuck: map[string]bool{}, Link: l, own: filepath.Join(l.State, l.Line, part),
		log: log.With("line", l.Line)}
	for _, dir := range []string{h.own, h.quarantine()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("spool: hotlines.%s.spool.state: %w", l.Line, err)
		}
	}
	// a gatekeeper's: not ours to make, where a mount may be missing
	for _, f := range []struct{ key, dir string }{{"send", l.Send}, {"receive", l.Receive}} {
		if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("spool: hotlines.%s.spool.%s: %s is not a folder; make or mount it", l.Line, f.key,
				f.dir)
		}
	}
	var err error
	if h.lock, err = os.OpenFile(filepath.Join(h.own, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := syscall.Flock(int(h.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		h.lock.Close()
		return nil, fmt.Errorf("%w (%s)", ErrBusy, h.own)
	}
	return h, nil
}

func (h *hold) release() { _ = h.lock.Close() } // and with it the lock

func (h *hold) quarantine() string { return filepath.Join(h.State, h.Line, "quarantine") }

const stateFile = "state.json"

// load reads what save has written; false: nothing yet.
func (h *hold) load(into any) (bool, error) {
	b, err := os.ReadFile(filepath.Join(h.own, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return false, fmt.Errorf("spool: the state in %s cannot be read: %w", h.own, err)
	}
	return true, nil
}

func (h *hold) save(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = write(h.own, stateFile, b)
	}
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// open reads a file that has come and checks it. What will never do goes to quarantine; what may not have come as a
// whole is left for now.
func (h *hold) open(n Name, now time.Time) (f File, ok bool) {
	b, at, err := readFile(h.Receive, n.String())
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, false
	}
	if err == nil {
		f, err = Decode(b, h.Keys)
	}
	if err == nil && (f.Line != n.Line || f.Number != n.Number) {
		err = fmt.Errorf("%w: the name is that of another file", ErrFormat)
	}
	switch {
	case err == nil:
		return f, true
	case errors.Is(err, ErrIncomplete) && now.Sub(at).Abs() < settling:
	case errors.Is(err, ErrIncomplete), errors.Is(err, ErrForged), errors.Is(err, ErrFormat), errors.Is(err, errNoFile),
		errors.Is(err, errTooLong):
		h.reject(n.String(), err.Error(), now)
	default:
		h.log.Warn("spool: file cannot be read", "file", n.String(), "err", err)
	}
	return File{}, false
}

// reject takes a file out of the way of the others.
func (h *hold) reject(name, reason string, now time.Time) {
	if err := quarantine(h.Receive, name, h.quarantine(), reason, now); err != nil {
		if !h.stuck[name] && len(h.stuck) < maxQuarantine {
			h.stuck[name] = true
			h.rejected++
			h.log.Error("spool: file refused, and it cannot be moved", "file", name, "reason", reason, "err", err)
		}
		return
	}
	h.rejected++
	h.log.Error("spool: file put aside", "file", name, "reason", reason, "folder", h.quarantine())
}
