package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"liandong/routing/indicator"
	"liandong/routing/link"
)

//go:embed count.lua
var countText string

var countScript = redis.NewScript(countText)

// eventBatch is how many call events are read at once: there are many more of them than tickets, and most count nothing.
const eventBatch = 500

// count adds to the sums what has not been added before.
func (l *Ledger) count(ctx context.Context, list []indicator.Count) error {
	for _, c := range list {
		at := c.At.In(l.cfg.Zone)
		keys := []string{indicator.DayKey(c.Line, at), indicator.HourKey(c.Line, at), indicator.SeenKey(c.Line)}
		args := []any{c.ID, l.cfg.Remember.Milliseconds(), l.cfg.KeepDays.Milliseconds(), l.cfg.KeepHours.Milliseconds()}
		for name, n := range c.Adds {
			args = append(args, name, n)
		}
		if err := countScript.Run(ctx, l.link.Client(), keys, args...).Err(); err != nil {
			return fmt.Errorf("ledger: count: %w", err)
		}
	}
	return nil
}

// follow counts call events, and says how many were read. Where each network has a Redis of its own an event may be in
// both: it counts where its line is.
func (l *Ledger) follow(ctx context.Context) (int, error) {
	list, err := l.read.Next(ctx, l.events, 0)
	for i, m := range list {
		if err != nil {
			return i, err
		}
		if slices.Contains(l.cfg.Hotlines, m.Fields["hotline"]) {
			err = l.count(ctx, indicator.OfCall(m.Fields, l.cfg.Kinds))
		}
	}
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return len(list), l.read.Ack(ctx, Group, list...)
}

// Indicators reads the sums of a line from a Redis.
type Indicators struct{ link *link.Link }

// OpenIndicators connects when first used.
func OpenIndicators(cfg link.Config) (*Indicators, error) {
	l, err := link.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Indicators{l}, nil
}

// Close ends the connection.
func (i *Indicators) Close() { i.link.Close() }

// Sums reads those under a key of package indicator; there may be none.
func (i *Indicators) Sums(ctx context.Context, key string) (indicator.Sums, error) {
	hash, err := i.link.Client().HGetAll(ctx, key).Result()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	sums := indicator.Sums{}
	for name, v := range hash {
		if sums[name], err = strconv.ParseInt(v, 10, 64); err != nil {
			return nil, errors.New("ledger: " + key + " does not hold sums")
		}
	}
	return sums, nil
}
