package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/routing/ledger"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// ReceiveConfig is what the receiving end needs. Immutable.
type ReceiveConfig struct {
	Link
	Redises []ReceiveRedis
}

// ReceiveRedis is a Redis to which lines go, and the hotlines whose ticket streams are in it.
type ReceiveRedis struct {
	Outbox outbox.Config // its Path is not used: what was received waits in the link's state
	Here   []string      // hotlines that stand here: a channel leads to each
	Kept   []string      // hotlines whose matters are in this Redis, those of other switches too
}

// Receiving is the receiving end of the channels of a link, at work. Its methods are for one goroutine.
type Receiving struct {
	*hold
	channels map[string]*Receiver // by the hotline that it leads to
	redises  []ReceiveRedis
	boxes    []*outbox.Outbox    // of redises
	owed     map[string][]string // channel → epochs whose acknowledgement is to be written
	matches  matcher

	gap  map[string]time.Time // channel → when the file was made that waits for a missing one
	told map[string]bool      // of the gap
}

// missing is how long a file may be missing before it is told: it was sent again by then.
const missing = Again + 2*time.Minute

// NewReceiving takes up the work where it was left. Redis need not be there.
func NewReceiving(cfg ReceiveConfig, log *slog.Logger) (*Receiving, error) {
	h, err := cfg.take("in", log)
	if err != nil {
		return nil, err
	}
	r := &Receiving{
		hold: h, redises: cfg.Redises, channels: map[string]*Receiver{}, owed: map[string][]string{},
		gap: map[string]time.Time{}, told: map[string]bool{},
	}
	if _, err := h.load(&r.channels); err != nil {
		r.Close()
		return nil, err
	}
	for line, c := range r.channels { // what was taken and not acknowledged before
		if len(c.Taken) > 0 {
			r.owed[line] = []string{slices.Max(slices.Collect(maps.Keys(c.Taken)))}
		}
	}
	for i, one := range cfg.Redises {
		for _, line := range one.Here {
			if r.channels[line] == nil {
				r.channels[line] = &Receiver{Line: line}
			}
		}
		if err := r.open(i, one.Outbox, log); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// open opens what stands between the files and a Redis: lines are on disk before they are taken for received, and come
// to Redis from there, once and in order, whatever happens to it.
func (r *Receiving) open(i int, cfg outbox.Config, log *slog.Logger) error {
	cfg.Path = filepath.Join(r.own, "redis-"+strconv.Itoa(i)+".db")
	box, err := outbox.Open(cfg, log)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	box.Start()
	r.boxes = append(r.boxes, box)
	return r.matches.add(cfg.Config)
}

// Close ends the work.
func (r *Receiving) Close() {
	for _, box := range r.boxes {
		box.Stop()
	}
	r.matches.close()
	r.release()
}

// Pass takes in what has come, as long as Redis has all that was received before, and says how many files it was. What
// Redis has is acknowledged.
func (r *Receiving) Pass(ctx context.Context, now time.Time) (int, error) {
	if !r.settled() {
		return 0, nil
	}
	r.matches.look(ctx, now, r.log)
	names, others, err := list(r.Receive)
	if err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	taken, early := 0, map[string]bool{}
	for _, n := range names {
		if n.Ext == ackExt && n.Line != r.Line {
			r.reject(n.String(), "acknowledges nothing that was sent from here", now)
		}
		if n.Ext == ackExt || early[n.Line] {
			continue
		}
		took, waits, err := r.consider(ctx, n, now)
		if err != nil {
			return taken, err
		}
		early[n.Line] = waits
		if took {
			taken++
		}
	}
	r.strangers(others, now)
	r.gaps(early, now)
	return taken, r.acknowledge(now)
}

// settled says that Redis has all that was received.
func (r *Receiving) settled() bool {
	for _, box := range r.boxes {
		if box.Stats().Waiting > 0 {
			return false
		}
	}
	return true
}

// consider does with one file what is to be done with it. waits: it came early, and so did all of its channel after it.
func (r *Receiving) consider(ctx context.Context, n Name, now time.Time) (took, waits bool, err error) {
	f, ok := r.hold.open(n, now)
	if !ok {
		return false, false, nil
	}
	channel, ok := r.channels[f.Line]
	if !ok {
		r.reject(n.String(), "no hotline "+f.Line+" stands here", now)
		return false, false, nil
	}
	switch v := channel.Judge(f.Header, now); v {
	case Ahead:
		if _, ok := r.gap[f.Line]; !ok {
			r.gap[f.Line] = now
			if f.At.Before(now) {
				r.gap[f.Line] = f.At
			}
		}
		return false, true, nil
	case Foreign, Stale:
		r.reject(n.String(), string(v), now)
		return false, false, nil
	case Forked: // what was taken is acknowledged again: by its sum the sender sees that its state went back
		r.reject(n.String(), "other files of these numbers were taken before: the sender's state is an old copy", now)
		r.owe(f)
		return false, false, nil
	case Next:
		if err := r.accept(ctx, f); err != nil {
			return false, false, err
		}
		channel.Took(f)
		if err := r.save(r.channels); err != nil {
			return false, false, err
		}
		r.matches.note(f.Lines, now)
		took = true
	case Repeat:
	}
	r.owe(f)
	if err := remove(r.Receive, n); err != nil {
		r.log.Warn("spool: a file that was taken cannot be removed", "file", n.String(), "err", err)
	}
	return took, false, nil
}

// owe notes that the file's epoch is to be acknowledged.
func (r *Receiving) owe(f File) {
	if !slices.Contains(r.owed[f.Line], f.Epoch) {
		r.owed[f.Line] = append(r.owed[f.Line], f.Epoch)
	}
}

// accept brings a file's lines to disk, each before the Redis that it is for.
func (r *Receiving) accept(ctx context.Context, f File) error {
	answers := make(chan error, len(f.Lines))
	put := 0
	for _, l := range f.Lines {
		box, stream, fields := r.place(l)
		if box == nil {
			r.log.Warn("spool: a line for nobody here, passed over", "stub", l.Stub, "kind", l.Kind)
			continue
		}
		put++
		box.Forward(stream, l.Stub, outbox.Line{ID: l.ID, Fields: fields}, func(err error) { answers <- err })
	}
	var err error
	for range put {
		select {
		case e := <-answers:
			err = errors.Join(err, e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// place says where a line goes: an entry to the stream of a hotline that stands here, an update to the Redis that keeps
// its matter, marked so that it does not go back.
func (r *Receiving) place(l Line) (*outbox.Outbox, string, []string) {
	for i, one := range r.redises {
		switch {
		case l.Kind == Entry && slices.Contains(one.Here, l.Hotline):
			return r.boxes[i], ticket.StreamOf(l.Hotline), l.Fields
		case l.Kind == Update && slices.Contains(one.Kept, l.Hotline):
			return r.boxes[i], ledger.Updates, append(slices.Clone(l.Fields), via, viaSpool+r.Line)
		}
	}
	return nil, "", nil
}

// acknowledge says what has arrived, once Redis has it all.
func (r *Receiving) acknowledge(now time.Time) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(time.Second); len(r.owed) > 0 && !r.settled(); <-tick.C {
		if time.Now().After(until) { // the next pass finds it settled, or not
			return nil
		}
	}
	for line, list := range r.owed {
		for _, epoch := range list {
			f := r.channels[line].Ack(epoch, now)
			if err := write(r.Send, Name{line, f.Number, ackExt}.String(), f.Encode(r.Keys[0])); err != nil {
				return fmt.Errorf("spool: acknowledge: %w", err)
			}
		}
		delete(r.owed, line)
	}
	return nil
}

// strangers takes files away that are not called like ours, when nobody seems to be writing them any more.
func (r *Receiving) strangers(names []string, now time.Time) {
	for _, name := range names {
		_, at, err := readFile(r.Receive, name)
		if err == nil && now.Sub(at).Abs() < settling {
			continue
		}
		r.reject(name, "not the name of a spool file", now)
	}
}

// gaps tells of files that others wait for.
func (r *Receiving) gaps(early map[string]bool, now time.Time) {
	for _, line := range slices.Sorted(maps.Keys(r.channels)) {
		if !early[line] {
			delete(r.gap, line)
			delete(r.told, line)
			continue
		}
		if now.Sub(r.gap[line]).Abs() >= missing && !r.told[line] {
			r.told[line] = true
			r.log.Error("spool: a file is missing, those after it wait", "channel", line, "since", r.gap[line])
		}
	}
}

// Trouble says that an admin is needed: a file was put aside, a file is missing, or Redis has not taken what was
// received.
func (r *Receiving) Trouble(time.Time) error {
	switch {
	case r.rejected > 0:
		return fmt.Errorf("spool: %d files put aside in %s", r.rejected, r.quarantine())
	case len(r.told) > 0:
		return fmt.Errorf("spool: a file is missing in the channel to %s",
			strings.Join(slices.Sorted(maps.Keys(r.told)), ", "))
	case !r.Idle():
		return errors.New("spool: Redis has not taken all that was received, it waits on disk")
	}
	return nil
}

// Idle says that all that was received is in Redis, and acknowledged.
func (r *Receiving) Idle() bool { return len(r.owed) == 0 && r.settled() }
