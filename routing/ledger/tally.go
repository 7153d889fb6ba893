package ledger

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/indicator"
	"liandong/routing/link"
	"liandong/routing/news"
)

const (
	tallyEvery = time.Second
	tallyMost  = 1 << 16          // counts that wait for Redis; the oldest goes first
	tallyBack  = 15 * time.Second // of call events are counted again at the start
	tallyRead  = 20_000           // events, at most, in that
)

// tally is what this switch's call events count, on its way to Redis: there are many more of them than tickets, so they
// are counted where they arise, and brought to the sums once a second. Each count is known again by its id, so one that
// was on its way when a process ended is taken from the stream by the next, and counts once.
type tally struct {
	mu     sync.Mutex
	counts []indicator.Count // guarded by mu
	lost   uint64            // guarded by mu

	recalled bool // what a process before may have had on its way is counted; owned by run
	failing  bool // owned by run
}

// Event counts a call event of one of this Redis's lines; fields are not kept. It never waits. Safe for use by several
// goroutines.
func (l *Ledger) Event(fields news.Fields) {
	if slices.Contains(l.cfg.Hotlines, fields.Get("hotline")) {
		l.tally.add(indicator.OfCall(fields, l.cfg.Kinds)...)
	}
}

func (t *tally) add(list ...indicator.Count) {
	if len(list) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts = append(t.counts, list...)
	if over := len(t.counts) - tallyMost; over > 0 {
		t.counts = slices.Delete(t.counts, 0, over)
		t.lost += uint64(over)
	}
}

// take takes all that waits.
func (t *tally) take() []indicator.Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.counts
	t.counts = nil
	return list
}

// back puts what Redis did not take before what came since.
func (t *tally) back(list []indicator.Count) {
	newer := t.take()
	t.add(append(list, newer...)...)
}

// runTally brings counts to Redis until ctx ends, and then what is left.
func (l *Ledger) runTally(ctx context.Context) {
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), l.cfg.Timeout)
			defer cancel()
			_ = l.flush(last)
			return
		case <-tick.C:
		}
		err := l.flush(ctx)
		if err == nil {
			err = l.countOpen(ctx, time.Now())
		}
		switch {
		case ctx.Err() != nil:
		case err != nil && !l.tally.failing:
			l.log.Warn("ledger: call events are not counted, trying again", "err", link.Plain(err))
		case err == nil && l.tally.failing:
			l.log.Info("ledger: call events are counted again", slog.Uint64("lost", l.tally.losses()))
		}
		l.tally.failing = err != nil
	}
}

func (t *tally) losses() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// flush brings what waits to the sums.
func (l *Ledger) flush(ctx context.Context) error {
	if !l.tally.recalled {
		if err := l.recall(ctx); err != nil {
			return err
		}
		l.tally.recalled = true
	}
	list := l.tally.take()
	slices.SortStableFunc(list, func(a, b indicator.Count) int { return cmp.Compare(a.Line, b.Line) })
	for len(list) > 0 {
		n := min(len(list), countBatch)
		if err := l.count(ctx, list[:n]); err != nil {
			l.tally.back(list)
			return err
		}
		list = list[n:]
	}
	return nil
}

// recall counts the newest events of the stream: a process that ended may have written them without having counted
// them.
func (l *Ledger) recall(ctx context.Context) error {
	ctx, cancel := l.cfg.Deadline(ctx)
	defer cancel()
	client := l.link.Client()
	newest, err := client.XRevRangeN(ctx, Calls, "+", "-", 1).Result()
	switch {
	case redis.HasErrorPrefix(err, "NOPERM"): // a user of an earlier version has no right to that
		return nil
	case err != nil:
		return fmt.Errorf("ledger: %w", err)
	case len(newest) == 0:
		return nil
	}
	var ms int64
	if _, err := fmt.Sscanf(newest[0].ID, "%d-", &ms); err != nil {
		return nil
	}
	list, err := client.XRangeN(ctx, Calls, strconv.FormatInt(max(ms-tallyBack.Milliseconds(), 0), 10), "+",
		tallyRead).Result()
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, m := range list {
		fields := make(map[string]string, len(m.Values))
		for name, v := range m.Values {
			fields[name], _ = v.(string)
		}
		l.Event(news.From(fields))
	}
	return nil
}
