package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/indicator"
	"liandong/routing/link"
)

//go:embed count.lua
var countText string

var countScript = redis.NewScript(countText)

// countBatch is how many counts one call of the script takes: it stops the whole Redis while it runs.
const countBatch = 500

// count adds to the sums what has not been added before.
func (l *Ledger) count(ctx context.Context, list []indicator.Count) error {
	for len(list) > 0 {
		line := list[0].Line
		n := 1
		for n < len(list) && n < countBatch && list[n].Line == line {
			n++
		}
		if err := l.countLine(ctx, line, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// countLine adds to the sums of one line.
func (l *Ledger) countLine(ctx context.Context, line string, list []indicator.Count) error {
	keys := []string{indicator.SeenKey(line)}
	args := []any{l.cfg.Remember.Milliseconds()}
	position := func(key string, keep time.Duration) int {
		i := slices.Index(keys, key)
		if i < 0 {
			i, keys, args = len(keys), append(keys, key), append(args, keep.Milliseconds())
		}
		return i + 1
	}
	var rest []any
	var day, hour int
	var last time.Time
	for _, c := range list {
		if at := c.At.In(l.cfg.Zone); day == 0 || !sameHour(at, last) {
			last = at
			day, hour = position(indicator.DayKey(line, at), l.cfg.KeepDays),
				position(indicator.HourKey(line, at), l.cfg.KeepHours)
		}
		rest = append(rest, c.ID, day, hour, 2*len(c.Adds))
		for name, n := range c.Adds {
			rest = append(rest, name, n)
		}
	}
	ctx, cancel := l.cfg.Deadline(ctx)
	defer cancel()
	if err := countScript.Run(ctx, l.link.Client(), keys, append(args, rest...)...).Err(); err != nil {
		return fmt.Errorf("ledger: count: %w", err)
	}
	return nil
}

// sameHour says that two times of a zone are in the same hour by its clocks.
func sameHour(a, b time.Time) bool {
	return a.Hour() == b.Hour() && a.YearDay() == b.YearDay() && a.Year() == b.Year()
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

// Sums reads those under each of some keys of package indicator, in one round trip; there may be none.
func (i *Indicators) Sums(ctx context.Context, keys ...string) ([]indicator.Sums, error) {
	pipe := i.link.Client().Pipeline()
	answers := make([]*redis.MapStringStringCmd, len(keys))
	for n, key := range keys {
		answers[n] = pipe.HGetAll(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	list := make([]indicator.Sums, len(keys))
	for n, key := range keys {
		sums := indicator.Sums{}
		for name, v := range answers[n].Val() {
			var err error
			if sums[name], err = strconv.ParseInt(v, 10, 64); err != nil {
				return nil, errors.New("ledger: " + key + " does not hold sums")
			}
		}
		list[n] = sums
	}
	return list, nil
}
