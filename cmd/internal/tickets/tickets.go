// Package tickets prints the ticket entries of a switch as a ticket system would read them: from the Redis stream of
// each hotline.
package tickets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// Options say what to read. Without Group all entries there are get printed and Redis is left as it was; with it only
// those that the group has not acknowledged, and they are acknowledged once printed.
type Options struct {
	Redises []Redis
	Follow  bool // go on as entries arrive, until ctx ends
	Group   string
	Table   bool   // for people: columns with a head, in place of all fields of an entry on one line
	Lang    string // of the head and the note: zh or en
	// where it is noted that there is nothing, when reading has ended well; nil: it is not
	Notes io.Writer
}

// Redis is one Redis, and the hotlines whose streams are in it.
type Redis struct {
	Config   outbox.Config // its URL and Password
	Hotlines []string
}

const (
	consumer = "liandong-tickets"
	batch    = 100                    // entries of a stream at a time
	pause    = 200 * time.Millisecond // between two looks for new ones
)

// Print reads and prints until all is read, or with Follow until ctx ends or a Redis fails. Without Follow what one
// Redis has is printed though another fails.
func Print(ctx context.Context, out io.Writer, o Options) error {
	if o.Table {
		if err := head(out, o.Lang); err != nil {
			return fmt.Errorf("tickets: print: %w", err)
		}
	}
	if o.Follow {
		return follow(ctx, out, o)
	}
	var errs []error
	rows := &counted{w: out}
	for _, r := range o.Redises {
		errs = append(errs, printOne(ctx, rows, r, o))
	}
	err := errors.Join(errs...)
	if err == nil && rows.n == 0 && o.Notes != nil {
		note := "no ticket entries"
		if o.Lang == "zh" {
			note = "没有工单存根"
		}
		_, err = fmt.Fprintln(o.Notes, note)
	}
	return err
}

// counted counts what is written.
type counted struct {
	w io.Writer
	n int // bytes
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += n
	return n, err
}

// follow reads all Redises at once.
func follow(parent context.Context, out io.Writer, o Options) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var all sync.WaitGroup
	turns := &inTurn{w: out}
	for _, r := range o.Redises {
		all.Go(func() {
			if err := printOne(ctx, turns, r, o); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// inTurn lets several write whole lines.
type inTurn struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (t *inTurn) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(b)
}

func printOne(ctx context.Context, out io.Writer, redis Redis, o Options) error {
	r, err := outbox.NewReader(redis.Config)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	defer r.Close()
	s, err := open(ctx, r, redis.Hotlines, o)
	if err == nil {
		err = pour(ctx, out, s, o)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// source is where entries come from: next gives some that it has not given before, none when there are none now.
type source interface {
	next(ctx context.Context) ([]outbox.Message, error)
	printed(m outbox.Message) error
}

func open(ctx context.Context, r *outbox.Reader, hotlines []string, o Options) (source, error) {
	var streams []string
	for _, id := range hotlines {
		streams = append(streams, ticket.StreamOf(id))
	}
	if o.Group == "" {
		return &archive{r, streams, map[string]string{}}, nil
	}
	if !o.Follow { // joining makes the streams that do not exist: worth it only when we wait for them
		there, err := r.Streams(ctx)
		if err != nil {
			return nil, err
		}
		streams = slices.DeleteFunc(streams, func(s string) bool { return !slices.Contains(there, s) })
	}
	return &member{r, &outbox.Consumer{Group: o.Group, Name: consumer, Streams: streams, Count: batch}},
		r.MakeGroup(ctx, o.Group, streams...)
}

// archive reads the streams from their beginning, and writes nothing.
type archive struct {
	r       *outbox.Reader
	streams []string
	after   map[string]string // stream → the last id that was read
}

func (a *archive) next(ctx context.Context) (all []outbox.Message, err error) {
	for _, s := range a.streams {
		list, err := a.r.Range(ctx, s, a.after[s], batch)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			a.after[s] = list[len(list)-1].ID
		}
		all = append(all, list...)
	}
	return all, nil
}

func (a *archive) printed(outbox.Message) error { return nil }

// member reads as one of a group. What a run that was cut off did not acknowledge comes first.
type member struct {
	r *outbox.Reader
	c *outbox.Consumer
}

func (m *member) next(ctx context.Context) ([]outbox.Message, error) { return m.r.Next(ctx, m.c, 0) }

// printed acknowledges, also when the run has just been told to end.
func (m *member) printed(e outbox.Message) error {
	return m.r.Ack(context.Background(), m.c.Group, e)
}

// pour prints what the source has. An entry is done with only after it is printed: one that could not be comes again.
func pour(ctx context.Context, out io.Writer, s source, o Options) error {
	for {
		list, err := s.next(ctx)
		if err != nil {
			return err
		}
		for _, m := range list {
			if err := show(out, m, o.Table); err != nil {
				return fmt.Errorf("tickets: print: %w", err)
			}
			if err := s.printed(m); err != nil {
				return err
			}
		}
		switch {
		case len(list) > 0:
		case !o.Follow:
			return nil
		default:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
		}
	}
}

func show(out io.Writer, m outbox.Message, asTable bool) error {
	if asTable {
		return tableRow(out, m)
	}
	_, err := fmt.Fprintln(out, line(m))
	return err
}

// first are the fields a reader looks for; the rest follow by name.
var first = []string{"event", "stub_id", "at", "direction", "mode", "result", "caller_e164"}

func line(m outbox.Message) string {
	words := []string{m.Stream, m.ID}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(m.Fields)),
		func(k string) bool { return slices.Contains(first, k) })
	for _, k := range slices.Concat(first, rest) {
		if v, ok := m.Fields[k]; ok {
			words = append(words, k+"="+quoted(v))
		}
	}
	return strings.Join(words, " ")
}

// quoted keeps a value with spaces or control characters one word of one line.
func quoted(s string) string {
	odd := func(r rune) bool { return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) }
	if strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}
