package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// openKey is a sorted set of the open matters of a line, those that it handed over and those that it takes: stub ids by
// the time in ms at which the next step is due, +inf where no clock runs.
func openKey(hotline string) string { return "liandong:open:" + hotline }

// linesOf are the lines that an open matter concerns.
func linesOf(m matter.Matter) (list []string) {
	if m.StubID == "" || !m.Open() {
		return nil
	}
	for _, line := range []string{m.From, m.To, m.Owner} {
		if line != "" && !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}

// index keeps the sets of open matters as a matter's new state has it. Doing it twice does no harm: whoever wrote the
// state may have died before.
func index(ctx context.Context, pipe redis.Pipeliner, was, is matter.Matter) {
	now := linesOf(is)
	due := math.Inf(1)
	if at := is.NextDue(); !at.IsZero() {
		due = float64(at.UnixMilli())
	}
	for _, line := range now {
		pipe.ZAdd(ctx, openKey(line), redis.Z{Score: due, Member: is.StubID})
	}
	closed := linesOf(was)
	if !is.Open() {
		closed = append(closed, is.From, is.To, is.Owner)
	}
	for _, line := range closed {
		if line != "" && !slices.Contains(now, line) {
			pipe.ZRem(ctx, openKey(line), is.StubID)
		}
	}
}

// indexedKey says that the matters from before there were sets of open ones have been looked for.
const indexedKey = "liandong:open"

// indexAll looks once for open matters among those of which alarms are to come.
func (l *Ledger) indexAll(ctx context.Context) error {
	n, err := l.link.Client().ZCount(ctx, indexedKey, "-inf", "+inf").Result()
	if err != nil || n > 0 {
		return plain(err)
	}
	for from := int64(0); ; from += dueBatch {
		list, err := l.link.Client().ZRangeByScore(ctx, dueKey, &redis.ZRangeBy{Min: "-inf", Max: "+inf",
			Offset: from, Count: dueBatch}).Result()
		if err != nil {
			return plain(err)
		}
		pipe := l.link.Client().Pipeline()
		for _, member := range list {
			stub, _, _ := strings.Cut(member, " ")
			p, err := l.open(ctx, stub, "")
			if err != nil && !errors.Is(err, errUnfit) {
				return err
			}
			index(ctx, pipe, matter.Matter{}, p.Matter)
		}
		if len(list) < dueBatch {
			pipe.ZAdd(ctx, indexedKey, redis.Z{Member: "1"})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return plain(err)
		}
		if len(list) < dueBatch {
			return nil
		}
	}
}

func plain(err error) error {
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// hashes are the states of matters by their stubs, read at once.
func (l *Ledger) hashes(ctx context.Context, stubs []string) ([]*redis.MapStringStringCmd, error) {
	pipe := l.link.Client().Pipeline()
	list := make([]*redis.MapStringStringCmd, len(stubs))
	for i, stub := range stubs {
		list[i] = pipe.HGetAll(ctx, matter.Key(stub))
	}
	_, err := pipe.Exec(ctx)
	return list, plain(err)
}

// MaxOpen is how many open matters are listed at once.
const MaxOpen = 500

// Open lists the open matters of a line, the one that is due first first; those without a clock come last. Safe for use
// by several goroutines.
func (l *Ledger) Open(ctx context.Context, hotline string) (list []matter.Matter, err error) {
	ctx, cancel := l.cfg.Deadline(ctx)
	defer cancel()
	stubs, err := l.link.Client().ZRangeByScore(ctx, openKey(hotline), &redis.ZRangeBy{Min: "-inf", Max: "+inf",
		Count: MaxOpen}).Result()
	if err != nil || len(stubs) == 0 {
		return nil, plain(err)
	}
	hashes, err := l.hashes(ctx, stubs)
	if err != nil {
		return nil, err
	}
	var gone []any // hashes that have expired, or that are no matter's
	for i, hash := range hashes {
		if m, err := matter.Parse(hash.Val()); err == nil && m.StubID != "" {
			list = append(list, m)
		} else {
			gone = append(gone, stubs[i])
		}
	}
	if len(gone) > 0 {
		return list, plain(l.link.Client().ZRem(ctx, openKey(hotline), gone...).Err())
	}
	return list, nil
}

// Amount is how many matters of a line are open, and how many of them have missed a step's time.
type Amount struct{ Open, Overdue int64 }

// amountEvery is how often the open matters are counted.
const amountEvery = 5 * time.Second

// countOpen counts the open matters of each line.
func (l *Ledger) countOpen(ctx context.Context, now time.Time) error {
	if now.Sub(l.countedAt) < amountEvery {
		return nil
	}
	l.countedAt = now
	pipe := l.link.Client().Pipeline()
	until := strconv.FormatInt(now.UnixMilli(), 10)
	var open, overdue []*redis.IntCmd
	for _, line := range l.cfg.Hotlines {
		open = append(open, pipe.ZCount(ctx, openKey(line), "-inf", "+inf"))
		overdue = append(overdue, pipe.ZCount(ctx, openKey(line), "-inf", until))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return plain(err)
	}
	amounts := map[string]Amount{}
	for i, line := range l.cfg.Hotlines {
		amounts[line] = Amount{open[i].Val(), overdue[i].Val()}
	}
	l.stats.matters.Store(&amounts)
	return nil
}

// Passed is an entry or an update of a matter as it stands in its stream.
type Passed struct {
	At     time.Time // when Redis took it
	Stream string
	Fields map[string]string
}

// The way through a stream for a matter's history.
const (
	historyBatch = 1000
	historyPages = 50
)

// History is what has been written of a matter, oldest first: entries to the lines' streams, and what ticket systems
// sent back. Streams are trimmed: what is older than they are is not there any more. whole is false when so much was
// written since that the way to its end was given up. Safe for use by several goroutines.
func (l *Ledger) History(ctx context.Context, stub string) (list []Passed, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case l.histories <- struct{}{}:
		defer func() { <-l.histories }()
	case <-ctx.Done():
		return nil, false, plain(ctx.Err())
	}
	began := ticket.StubTime(stub)
	if began.IsZero() {
		return nil, true, nil
	}
	whole = true
	for _, stream := range append(l.streams(), Updates) {
		// Redis' clock may be behind ours, a little.
		from := strconv.FormatInt(began.Add(-time.Minute).UnixMilli(), 10)
		for n := 0; ; n++ {
			page, err := l.link.Client().XRangeN(ctx, stream, from, "+", historyBatch).Result()
			if err != nil {
				return nil, false, plain(err)
			}
			for _, m := range page {
				if p := passed(stream, m); strings.EqualFold(p.Fields["stub_id"], stub) {
					list = append(list, p)
				}
			}
			if len(page) < historyBatch {
				break
			}
			if n == historyPages {
				whole = false
				break
			}
			from = "(" + page[len(page)-1].ID
		}
	}
	slices.SortStableFunc(list, func(a, b Passed) int { return a.At.Compare(b.At) })
	return list, whole, nil
}

func passed(stream string, m redis.XMessage) Passed {
	p := Passed{Stream: stream, Fields: map[string]string{}}
	ms, _, _ := strings.Cut(m.ID, "-")
	if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
		p.At = time.UnixMilli(n)
	}
	for k, v := range m.Values {
		p.Fields[k], _ = v.(string)
	}
	return p
}
