package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"liandong/routing/link"
	"liandong/routing/ticket"
)

// SendConfig is what the sending end needs. Immutable.
type SendConfig struct {
	Link
	Tickets link.Config   // the Redis with the ticket stream of Line
	Updates []link.Config // the Redises in which updates are written, Tickets among them
}

// Sending is the sending end of a channel, at work. Its methods are for one goroutine.
type Sending struct {
	*hold
	core    Sender
	sources []*source
	late    int // overdue files when it was last told
}

// sendState is what survives of a Sender beside the kept files.
type sendState struct {
	Epoch string `json:"epoch"`
	Acked uint64 `json:"acknowledged"`
}

// NewSending takes up the work where it was left. Redis need not be there.
func NewSending(cfg SendConfig, log *slog.Logger) (*Sending, error) {
	h, err := cfg.take("out", log)
	if err != nil {
		return nil, err
	}
	s := &Sending{hold: h}
	if err := s.recall(time.Now()); err != nil {
		s.Close()
		return nil, err
	}
	for _, r := range cfg.Updates {
		one, err := newSource(cfg.Line, r, r == cfg.Tickets)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.sources = append(s.sources, one)
	}
	return s, nil
}

// Close ends the work.
func (s *Sending) Close() {
	for _, one := range s.sources {
		one.close()
	}
	s.release()
}

// recall reads the state and the files that are kept. Whether they were sent nobody knows: they are due.
func (s *Sending) recall(now time.Time) error {
	var was sendState
	known, err := s.load(&was)
	if err != nil {
		return err
	}
	if !known {
		was.Epoch = ticket.NewID(now, rand.Reader)
		if err := s.save(was); err != nil {
			return err
		}
	}
	s.core = Sender{Line: s.Line, Epoch: was.Epoch, Acked: was.Acked}
	names, _, err := list(s.own)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, n := range names {
		info, err := os.Stat(filepath.Join(s.own, n.String()))
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		if n.Number > was.Acked {
			s.core.Kept = append(s.core.Kept, Kept{Number: n.Number, First: info.ModTime()})
		} else if err := remove(s.own, n); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

// Pass does what there is to do, and says how many lines were packed. What has to do with files is done though Redis fails.
func (s *Sending) Pass(ctx context.Context, now time.Time) (int, error) {
	if err := errors.Join(s.acks(now), s.again(now)); err != nil {
		return 0, err
	}
	packed := 0
	var errs []error
	for _, one := range s.sources {
		if s.core.Full() {
			break
		}
		n, err := s.pack(ctx, one, now)
		packed += n
		errs = append(errs, err)
	}
	return packed, errors.Join(errs...)
}

// Waiting counts the files that are not acknowledged, and those that have been sent again often enough.
func (s *Sending) Waiting(now time.Time) (all, overdue int) {
	return len(s.core.Kept), s.core.Overdue(now)
}

// Trouble says that an admin is needed: files have not arrived after all attempts.
func (s *Sending) Trouble(now time.Time) error {
	if all, late := s.Waiting(now); late > 0 {
		return fmt.Errorf("spool: %d of %d files to %s are not acknowledged after all attempts", late, all, s.Line)
	}
	return nil
}

// Idle says that nothing is to be waited for: files come back when they come.
func (s *Sending) Idle() bool { return true }

// pack makes files of what a Redis has. It is acknowledged there when the files are on this side's disk.
func (s *Sending) pack(ctx context.Context, from *source, now time.Time) (int, error) {
	batch, err := from.collect(ctx, now)
	if err != nil {
		from.again()
		return 0, err
	}
	for rest := batch.lines; len(rest) > 0; {
		n := fits(rest)
		if err := s.send(s.core.Pack(rest[:n], now)); err != nil {
			from.again()
			return 0, err
		}
		rest = rest[n:]
	}
	return len(batch.lines), from.done(ctx, batch)
}

// fits says how many lines one file may have.
func fits(lines []Line) (n int) {
	size := 0
	for n < len(lines) && n < maxLines && (n == 0 || size < maxBytes) {
		for _, f := range lines[n].Fields {
			size += len(f) + 8
		}
		n++
	}
	return n
}

// send keeps a file and puts it on its way. One that could not be kept is taken back.
func (s *Sending) send(f File) error {
	n, b := Name{f.Line, f.Number, spoolExt}, f.Encode(s.Keys[0])
	if err := write(s.own, n.String(), b); err != nil {
		s.core.Kept = s.core.Kept[:len(s.core.Kept)-1]
		return fmt.Errorf("spool: keep: %w", err)
	}
	s.put(n, b)
	return nil
}

// put brings a file into the folder. Where that fails it is sent again like one that was lost.
func (s *Sending) put(n Name, b []byte) {
	if err := write(s.Send, n.String(), b); err != nil {
		s.log.Error("spool: file cannot be sent, it is kept", "file", n.String(), "err", err)
	}
}

// again sends what is due once more, and tells when somebody has to look after the way.
func (s *Sending) again(now time.Time) error {
	for _, number := range s.core.Due(now) {
		n := Name{s.Line, number, spoolExt}
		b, err := os.ReadFile(filepath.Join(s.own, n.String()))
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		s.put(n, b)
	}
	all, late := s.Waiting(now)
	switch {
	case late > 0 && s.late == 0:
		s.log.Error("spool: no acknowledgement after all attempts: is the way to the other side open?", "files", late, "waiting", all, "attempts", Times)
	case late == 0 && s.late > 0:
		s.log.Info("spool: everything overdue is acknowledged", "waiting", all)
	}
	s.late = late
	return nil
}

// acks takes in what has come back.
func (s *Sending) acks(now time.Time) error {
	names, _, err := list(s.Receive)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, n := range names {
		if n.Ext != ackExt || n.Line != s.Line {
			continue
		}
		f, ok := s.open(n, now)
		if !ok {
			continue
		}
		if err := s.acknowledged(f.Header); err != nil {
			return err
		}
		if err := remove(s.Receive, n); err != nil {
			s.log.Warn("spool: an acknowledgement cannot be removed", "file", n.String(), "err", err)
		}
	}
	return nil
}

func (s *Sending) acknowledged(h Header) error {
	gone := s.core.Take(h)
	if len(gone) == 0 {
		return nil
	}
	if err := s.save(sendState{s.core.Epoch, s.core.Acked}); err != nil { // first: numbers are never given twice
		return err
	}
	for _, number := range gone {
		n := Name{s.Line, number, spoolExt}
		if err := remove(s.own, n); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		if err := remove(s.Send, n); err != nil && !errors.Is(err, fs.ErrPermission) {
			s.log.Warn("spool: an acknowledged file cannot be removed", "file", n.String(), "err", err)
		}
	}
	return nil
}
