package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// OtherRedis is the way to lines whose Redis is another. What goes there waits on disk while that Redis is away, so
// that it holds nothing up here.
type OtherRedis interface {
	Stands(hotline string) bool                     // the line's streams are in another Redis
	Put(e ticket.Entry, done func(error))           // as outbox.Outbox.Put, to the line that the entry is addressed to
	Keeper(ctx context.Context, stub string) string // which other Redis keeps a matter, or may; "": none
	Forward(keeper, stream, stub string, l outbox.Line, done func(error))
}

// via is the field of an update that has come from the ledger of another Redis: it goes no further.
const via = "via"

// handOver is how long the disk of another Redis's outbox is waited for. What it did not say to have is tried again,
// and known again by its id.
const handOver = 5 * time.Second

// waited makes a call with done one that returns when it is done.
func waited(ctx context.Context, put func(done func(error))) error {
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	answer := make(chan error, 1)
	put(func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("ledger: %w", ctx.Err())
	}
}

// post writes an alarm to a line's stream, wherever that is.
func (l *Ledger) post(ctx context.Context, hotline string, e ticket.Entry) error {
	if l.cfg.OtherRedis != nil && !slices.Contains(l.cfg.Hotlines, hotline) && l.cfg.OtherRedis.Stands(hotline) {
		e.Address = hotline
		return waited(ctx, func(done func(error)) { l.cfg.OtherRedis.Put(e, done) })
	}
	return outbox.Append(ctx, l.link, l.cfg.Remember, ticket.StreamOf(hotline),
		outbox.Line{ID: e.EventID, Fields: e.Fields()})
}

// known says that alarms can reach a line.
func (l *Ledger) known(hotline string) bool {
	return slices.Contains(l.cfg.Hotlines, hotline) || l.cfg.OtherRedis != nil && l.cfg.OtherRedis.Stands(hotline)
}

// passOn brings an update to the ledger of the Redis that keeps its matter. false: no other does.
func (l *Ledger) passOn(ctx context.Context, m outbox.Message, u matter.Update) (bool, error) {
	if l.cfg.OtherRedis == nil || m.Fields[via] != "" {
		return false, nil
	}
	keeper := l.cfg.OtherRedis.Keeper(ctx, u.StubID)
	if keeper == "" {
		return false, nil
	}
	line := outbox.Line{ID: u.StubID + " " + u.EventID, Fields: []string{via, l.cfg.Node}}
	for _, name := range matter.UpdateFields() {
		if v := m.Fields[name]; v != "" {
			line.Fields = append(line.Fields, name, cut(v, 16<<10))
		}
	}
	return true, waited(ctx, func(done func(error)) { l.cfg.OtherRedis.Forward(keeper, Updates, u.StubID, line, done) })
}

// Keeps says whether this ledger's Redis has a matter. Safe for use by several goroutines.
func (l *Ledger) Keeps(ctx context.Context, stub string) (bool, error) {
	_, keeps, err := l.Matter(ctx, stub)
	return keeps, err
}
