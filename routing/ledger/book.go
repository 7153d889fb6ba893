package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/matter"
)

//go:embed commit.lua
var commitText string

var commit = redis.NewScript(commitText)

// seenKey is where a matter's event ids are. The braces make it hash to the slot of the matter's own key.
func seenKey(stub string) string { return "{" + matter.Key(stub) + "}:seen" }

// page is a matter as it stands in the books.
type page struct {
	matter.Matter
	version string // "0": there is none
	seen    bool   // the event in question is on it already
}

// errUnfit says that a matter's key holds something else: no attempt will ever succeed.
var errUnfit = errors.New("ledger: the matter's key does not hold a matter")

// open reads a matter, and whether an event is on the books.
func (l *Ledger) open(ctx context.Context, stub, event string) (page, error) {
	pipe := l.link.Client().Pipeline()
	hash := pipe.HGetAll(ctx, matter.Key(stub))
	seen := pipe.SIsMember(ctx, seenKey(stub), event)
	if _, err := pipe.Exec(ctx); err != nil {
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			return page{}, errUnfit
		}
		return page{}, fmt.Errorf("ledger: %w", err)
	}
	if len(hash.Val()) == 0 {
		return page{version: "0", seen: seen.Val()}, nil
	}
	m, err := matter.Parse(hash.Val())
	if err != nil {
		return page{}, errors.Join(errUnfit, err)
	}
	return page{m, hash.Val()["version"], seen.Val()}, nil
}

// Matter reads the current state of a matter; false: there is none, or somebody else's key. Safe for use by several
// goroutines.
func (l *Ledger) Matter(ctx context.Context, stub string) (matter.Matter, bool, error) {
	ctx, cancel := l.cfg.Deadline(ctx)
	defer cancel()
	p, err := l.open(ctx, stub, "")
	if errors.Is(err, errUnfit) {
		return matter.Matter{}, false, nil
	}
	return p.Matter, p.version != "0" && p.StubID != "", err
}

// write commits a page with its event. false: it was changed meanwhile.
func (l *Ledger) write(ctx context.Context, p page, next matter.Matter, stub, event string) (bool, error) {
	args := []any{p.version, event, l.keep(next).Milliseconds()}
	for _, f := range next.Fields() {
		args = append(args, f)
	}
	done, err := commit.Run(ctx, l.link.Client(), []string{matter.Key(stub), seenKey(stub)}, args...).Int()
	if err != nil {
		return false, fmt.Errorf("ledger: %w", err)
	}
	return done == 1, nil
}

func (l *Ledger) keep(m matter.Matter) time.Duration {
	if m.Open() {
		return l.cfg.KeepOpen
	}
	return l.cfg.KeepClosed
}

// step is what an event makes of a matter, and what is to be done elsewhere for it: before the step is on the books, so
// that whoever does it again after a failure finds it undone; told must know by itself what it has done.
type step struct {
	take func(page) (matter.Matter, error)
	told func(before, after matter.Matter) error
}

// change makes a step of a matter: read, think, write, until nobody has written in between. An event that is on the
// books already changes nothing.
func (l *Ledger) change(ctx context.Context, stub, event string, s step) error {
	for range 10 {
		p, err := l.open(ctx, stub, event)
		switch {
		case err != nil:
			return err
		case p.seen: // whoever wrote it may have died before the clocks were set
			return l.schedule(ctx, stub, matter.Matter{}, p.Matter)
		}
		next, err := s.take(p)
		if err == nil {
			err = s.told(p.Matter, next)
		}
		if err != nil {
			return err
		}
		switch done, err := l.write(ctx, p, next, stub, event); {
		case err != nil:
			return err
		case done:
			return l.schedule(ctx, stub, p.Matter, next)
		}
	}
	return errors.New("ledger: a matter is changed all the time by somebody else")
}
