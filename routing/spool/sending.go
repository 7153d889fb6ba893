package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
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
	was     sendState // as it is on disk
	sure    bool      // that the state is no old copy, as far as Redis knows
	late    int       // overdue files when it was last told
}

// sendState is what survives of a Sender beside the kept files: also when it was that these were sent, since cron
// starts a process each time.
type sendState struct {
	Epoch string `json:"epoch"`
	Acked uint64 `json:"acknowledged"`
	Sum   string `json:"sum"`

	Read  []map[string]string `json:"read"`  // of each source: stream → all up to this id is in files
	Again bool                `json:"again"` // what came after that is to be read once more

	Sent map[uint64]sending `json:"sent,omitempty"` // of the files that are kept: number → when and how often
}

type sending struct {
	Last  time.Time `json:"last"`
	Times int       `json:"times"`
}

// NewSending takes up the work where it was left. Redis need not be there.
func NewSending(cfg SendConfig, log *slog.Logger) (*Sending, error) {
	h, err := cfg.take("out", log)
	if err != nil {
		return nil, err
	}
	s := &Sending{hold: h}
	for _, r := range cfg.Updates {
		one, err := newSource(cfg.Line, r, r == cfg.Tickets)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.sources = append(s.sources, one)
	}
	if err := s.recall(time.Now()); err != nil {
		s.Close()
		return nil, err
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

// recall reads the state and the files that are kept. One of which nobody knows whether it was sent is due.
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
	s.was, s.core = was, Sender{Line: s.Line, Epoch: was.Epoch, Acked: was.Acked, Sum: was.Sum}
	for i, one := range s.sources {
		one.upTo = map[string]string{}
		if i < len(was.Read) {
			maps.Copy(one.upTo, was.Read[i])
		}
	}
	names, _, err := list(s.own)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, n := range names {
		if n.Number > was.Acked {
			err = s.keep(n, now)
		} else {
			err = remove(s.own, n)
		}
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

// keep takes up a file that is not acknowledged. One of an epoch that was given up goes over to the new one.
func (s *Sending) keep(n Name, now time.Time) error {
	name := filepath.Join(s.own, n.String())
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	h, lines, err := split(b)
	if err != nil {
		return fmt.Errorf("%s: %w", n, err)
	}
	sent := s.was.Sent[n.Number]
	if h.Epoch != s.core.Epoch {
		sent = sending{}
		h.Previous, h.Digest = s.core.last()
		h.Epoch, h.Acknowledged, h.Number, h.At = s.core.Epoch, s.core.Acked, h.Previous+1, now
		if err := write(s.own, Name{n.Line, h.Number, n.Ext}.String(), sign(h, lines, s.Keys[0])); err != nil {
			return err
		}
		if h.Number != n.Number {
			if err := remove(s.own, n); err != nil {
				return err
			}
		}
	}
	s.core.Kept = append(s.core.Kept, Kept{Number: h.Number, Sum: sum(h, lines), Last: sent.Last, Times: sent.Times})
	return nil
}

// anew begins a new epoch with the files that are kept, and with what came to Redis since the state was written: it may
// be in files that are gone with the newer state. What has arrived already is known at the far side by its id. The
// state comes first: who dies in between finds in it to which epoch the files belong.
func (s *Sending) anew(now time.Time) error {
	if was := ticket.StubTime(s.core.Epoch); !now.After(was) { // a later epoch has a greater name
		now = was.Add(time.Millisecond)
	}
	s.log.Error("spool: the far side has taken other files of these numbers: was an old copy of the state put back? What came since is sent again, in a new epoch",
		"kept", len(s.core.Kept), "state", s.own)
	next := sendState{Epoch: ticket.NewID(now, rand.Reader), Acked: s.core.Acked, Sum: s.core.Sum, Read: s.was.Read,
		Again: true}
	if err := s.save(next); err != nil {
		return err
	}
	return s.recall(now)
}

// Pass does what there is to do, and says how many lines were packed. What has to do with files is done though Redis
// fails.
func (s *Sending) Pass(ctx context.Context, now time.Time) (int, error) {
	if err := errors.Join(s.acks(now), s.again(now)); err != nil {
		return 0, err
	}
	if err := s.doubt(ctx); err != nil {
		return 0, err
	}
	packed, err := s.repeat(ctx, now)
	if err != nil || s.was.Again {
		return packed, err
	}
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

// doubt asks Redis once whether more was read than the state knows of: then it is an old copy, or its writer died in
// between, and what came since is sent again. Files that only the newer state had are lost otherwise.
func (s *Sending) doubt(ctx context.Context) error {
	for i := 0; i < len(s.sources) && !s.sure; i++ {
		ahead, err := s.sources[i].ahead(ctx)
		if err != nil {
			return err
		}
		if ahead && !s.was.Again {
			s.log.Warn("spool: more was read from Redis than the state knows of; what came since is sent again",
				"state", s.own)
			if err := s.note(true); err != nil {
				return err
			}
		}
	}
	s.sure = true
	return nil
}

// repeat packs once more what came since the state was written, when that has turned out to be an old copy.
func (s *Sending) repeat(ctx context.Context, now time.Time) (packed int, err error) {
	if !s.was.Again {
		return 0, nil
	}
	for _, one := range s.sources {
		for !s.core.Full() {
			lines, more, err := one.earlier(ctx, now)
			if err != nil {
				return packed, err
			}
			if err := s.files(lines, now); err != nil {
				return packed, errors.Join(err, s.recall(now)) // and from the beginning
			}
			if packed += len(lines); !more {
				break
			}
		}
	}
	if s.core.Full() {
		return packed, nil
	}
	return packed, s.note(false)
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
	if err := s.files(batch.lines, now); err != nil {
		from.again()
		return 0, err
	}
	for _, m := range batch.read {
		from.upTo[m.Stream] = m.ID
	}
	if len(batch.read) > 0 {
		if err := s.note(s.was.Again); err != nil { // before Redis forgets them: see doubt
			from.again()
			return 0, err
		}
	}
	return len(batch.lines), from.done(ctx, batch)
}

// files makes files of lines.
func (s *Sending) files(lines []Line, now time.Time) error {
	for len(lines) > 0 {
		n := fits(lines)
		if err := s.send(s.core.Pack(lines[:n], now)); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
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
	due := s.core.Due(now)
	for _, number := range due {
		n := Name{s.Line, number, spoolExt}
		b, err := os.ReadFile(filepath.Join(s.own, n.String()))
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		h, lines, err := split(b)
		if err != nil {
			return fmt.Errorf("spool: %s: %w", n, err)
		}
		if now.Sub(h.At) > tooLate/2 { // not a recording of long ago
			h.At = now
		}
		h.Acknowledged = s.core.Acked // a far side that has lost its books does not wait for what is gone
		s.put(n, sign(h, lines, s.Keys[0]))
	}
	if len(due) > 0 {
		if err := s.note(s.was.Again); err != nil {
			return err
		}
	}
	all, late := s.Waiting(now)
	switch {
	case late > 0 && s.late == 0:
		s.log.Error("spool: no acknowledgement after all attempts: is the way to the other side open?", "files", late,
			"waiting", all, "attempts", Times)
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
		if err := s.acknowledged(f.Header, now); err != nil {
			return err
		}
		if err := remove(s.Receive, n); err != nil {
			s.log.Warn("spool: an acknowledgement cannot be removed", "file", n.String(), "err", err)
		}
	}
	return nil
}

// note writes the state. How far the streams were read stays as it was while they are read again.
func (s *Sending) note(again bool) error {
	next := sendState{Epoch: s.core.Epoch, Acked: s.core.Acked, Sum: s.core.Sum, Again: again, Read: s.was.Read,
		Sent: map[uint64]sending{}}
	for _, k := range s.core.Kept {
		next.Sent[k.Number] = sending{k.Last, k.Times}
	}
	if !again {
		next.Read = nil
		for _, one := range s.sources {
			next.Read = append(next.Read, maps.Clone(one.upTo))
		}
	}
	if err := s.save(next); err != nil {
		return err
	}
	s.was = next
	return nil
}

func (s *Sending) acknowledged(h Header, now time.Time) error {
	if s.core.Forked(h) {
		return s.anew(now)
	}
	gone := s.core.Take(h)
	if len(gone) == 0 {
		return nil
	}
	if err := s.note(s.was.Again); err != nil { // first: numbers are never given twice
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
