package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Meta tells of a recording. It has no phone numbers: who called stands in the tickets, under
// the call_ref.
type Meta struct {
	Ref      string    `json:"ref"`
	CallRef  string    `json:"call_ref,omitempty"`
	Lines    []string  `json:"hotlines,omitempty"` // whose recording it is: who may hear it
	Channels []Channel `json:"channels,omitempty"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"` // zero: it goes on

	Pauses []Pause `json:"pauses,omitempty"`
	// supervisors who were in the call meanwhile, by whom and how
	Attended []Attendance `json:"supervisors,omitempty"`
	Gaps     []Gap        `json:"gaps,omitempty"`
	Dropped  uint64       `json:"dropped"` // packets that were not written because the disk was behind

	Interrupted bool   `json:"interrupted"`       // the switch ended in the middle; what was written is there
	Failure     string `json:"failure,omitempty"` // why it ended before its time

	Bytes  int64  `json:"bytes"`            // of the stored file
	SHA256 string `json:"sha256,omitempty"` // of the stored file, hexadecimal
	// of the WAV that it plays as; the same for a file that is not sealed
	WAVSHA256 string `json:"wav_sha256,omitempty"`
	KeyID     string `json:"key_id,omitempty"` // of the key that sealed it
}

// Channel is one party's part.
type Channel struct {
	Role      string `json:"role"`
	Packets   uint64 `json:"packets"`
	Misplaced uint64 `json:"misplaced"` // that came so late, or so far off, that they have no place
	Resyncs   uint64 `json:"resyncs"`   // how often the party's clock was set anew
}

// Pause is a stretch that was not recorded because somebody wanted it so.
type Pause struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// Attendance is how long a supervisor was in the call in one way.
type Attendance struct {
	User string    `json:"user"`
	Line string    `json:"hotline"`
	Mode string    `json:"mode"` // listen, whisper or join
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"` // zero: it goes on
}

// same says that both tell of one supervisor in one way.
func (a Attendance) same(b Attendance) bool {
	return a.User == b.User && a.Line == b.Line && a.Mode == b.Mode
}

// meta is what is known now. Owned as the writer's fields are.
func (r *Recording) meta() Meta {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := Meta{
		Ref: r.call.Ref, CallRef: r.call.CallRef, Lines: slices.Concat(r.call.Lines, r.lines), Started: r.began,
		Pauses: r.pauses, Attended: slices.Clone(r.attended), Gaps: r.gaps,
		Dropped: r.dropped.Load(), Failure: r.failure,
	}
	if !r.key.isZero() {
		m.KeyID = r.key.ID()
	}
	if r.finished {
		m.Ended = r.began.Add(time.Duration(r.ended.Load()))
		for i := range m.Attended {
			if m.Attended[i].To.IsZero() {
				m.Attended[i].To = m.Ended.Round(0)
			}
		}
	}
	for i, t := range r.line.tracks {
		m.Channels = append(m.Channels, Channel{r.call.Channels[i], t.packets, t.misplaced, t.resyncs})
	}
	return m
}

// readMeta reads a sidecar. The error is fs.ErrNotExist when there is none.
func readMeta(path string) (m Meta, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Meta{}, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return Meta{}, fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Base(path), err)
	}
	return m, nil
}

// writeMeta puts a sidecar in its place as a whole or not at all. durable: it is on the disk
// when writeMeta returns.
func writeMeta(path string, m Meta, durable bool) (err error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, filePerm)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err = os.Rename(temp, path); err != nil || !durable {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
