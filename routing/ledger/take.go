package ledger

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"liandong/routing/indicator"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// Why an update goes to the dead stream, beside the reasons of [matter.Step].
const (
	malformed     = "malformed"
	unknownMatter = "unknown_matter"
	unfit         = "unfit"
)

// entry takes in what a switch has written.
func (l *Ledger) entry(ctx context.Context, m outbox.Message) error {
	if m.Err != nil || m.Entry.Deliverable() != nil {
		l.log.Warn("ledger: not a ticket entry, passed over", "stream", m.Stream, "id", m.ID)
		return nil
	}
	line := strings.TrimPrefix(m.Stream, ticket.Prefix)
	err := l.change(ctx, m.Entry.StubID, m.Entry.EventID, step{
		take: func(p page) (matter.Matter, error) {
			if p.version == "0" && matter.IsAlarm(m.Entry.Event) {
				return matter.Matter{}, errNone // its hash is gone
			}
			return matter.Note(p.Matter, m.Entry, l.cfg.Policy), nil
		},
		told: func(before, after matter.Matter) error {
			if err := l.count(ctx, indicator.OfEntry(before, m.Entry, line, l.cfg.Kinds)); err != nil {
				return err
			}
			return l.reported(ctx, before, after, m.Entry)
		},
	})
	if errors.Is(err, errNone) {
		return l.count(ctx, indicator.OfEntry(matter.Matter{}, m.Entry, line, l.cfg.Kinds))
	}
	if errors.Is(err, errUnfit) {
		l.log.Error("ledger: the state of a matter cannot be kept", "stub", m.Entry.StubID, "err", err)
		return nil
	}
	return l.taken(err)
}

// taken counts what was taken in.
func (l *Ledger) taken(err error) error {
	if err == nil {
		l.stats.applied.Add(1)
	}
	return err
}

// update takes in what a ticket system has sent back.
func (l *Ledger) update(ctx context.Context, m outbox.Message) error {
	u, err := matter.ParseUpdate(m.Fields)
	if err != nil {
		return l.bury(ctx, m, malformed, strings.TrimPrefix(err.Error(), matter.ErrMalformed.Error()+": "))
	}
	err = l.step(ctx, m, u)
	if errors.Is(err, errNone) { // it may have been opened since the ticket streams were read
		if _, err := l.drain(ctx); err != nil {
			return err
		}
		err = l.step(ctx, m, u)
	}
	if errors.Is(err, errNone) {
		if passed, err := l.passOn(ctx, m, u); passed || err != nil {
			return err
		}
	}
	switch {
	case errors.Is(err, errNone):
		return l.bury(ctx, m, unknownMatter, "there is no matter with this stub_id, or it was closed too long ago")
	case errors.Is(err, errUnfit):
		return l.bury(ctx, m, unfit, "the key "+matter.Key(u.StubID)+" does not hold a matter of schema "+matter.Schema)
	case errors.Is(err, errRefused):
		return nil
	}
	return l.taken(err)
}

var (
	errNone    = errors.New("ledger: no such matter")
	errRefused = errors.New("ledger: step refused")
)

// step makes the step, or buries the update and notes its id, so that it cannot become possible by being read a second
// time: first the one, then the other, so that a node which dies in between leaves both to the next.
func (l *Ledger) step(ctx context.Context, m outbox.Message, u matter.Update) (err error) {
	var refused error
	take := func(p page) (matter.Matter, error) {
		if p.version == "0" {
			return matter.Matter{}, errNone
		}
		next, err := matter.Step(p.Matter, u, l.cfg.Policy)
		if r, ok := errors.AsType[matter.Refused](err); ok {
			refused = errRefused
			return next, l.bury(ctx, m, r.Reason, r.Detail)
		}
		return next, err
	}
	told := func(before, after matter.Matter) error {
		if refused != nil {
			return nil
		}
		if err := l.count(ctx, indicator.OfUpdate(before, after, u)); err != nil {
			return err
		}
		return l.moved(ctx, before, after, u.At)
	}
	err = l.change(ctx, u.StubID, u.EventID, step{take, told})
	return cmp.Or(err, refused)
}

// bury writes an update to the dead stream, once: reason, detail and source, then what it held.
func (l *Ledger) bury(ctx context.Context, m outbox.Message, reason, detail string) error {
	const most, long = 64, 16 << 10
	fields := []string{"reason", reason, "detail", detail, "source", m.Stream + " " + m.ID}
	names := slices.Sorted(maps.Keys(m.Fields))
	for _, name := range names[:min(len(names), most)] {
		shown := name
		if slices.Contains([]string{"reason", "detail", "source"}, name) {
			shown = "original_" + name
		}
		fields = append(fields, cut(shown, 64), cut(m.Fields[name], long))
	}
	if err := outbox.Append(ctx, l.link, l.cfg.Remember, Dead,
		outbox.Line{ID: m.Stream + " " + m.ID, Fields: fields}); err != nil {
		return err
	}
	l.stats.dead.Add(1)
	l.log.Warn("ledger: update refused", "reason", reason, "detail", detail, "id", m.ID)
	return nil
}

func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}
