package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// dueKey is a sorted set of the alarms to come: "stub event why", by the time in ms.
const dueKey = "liandong:due"

const (
	lookForDue = 500 * time.Millisecond // between two looks
	dueBatch   = 100
)

func member(stub string, a matter.Alarm) string { return stub + " " + string(a.Event) + " " + a.Why }

// schedule puts the alarms of a matter's new state in the place of those of the old one. Those that stay are not
// touched: what was raised is not raised again.
func (l *Ledger) schedule(ctx context.Context, stub string, was, is matter.Matter) error {
	old, now := l.cfg.Policy.Pending(was), l.cfg.Policy.Pending(is)
	pipe := l.link.Client().Pipeline()
	for _, a := range old {
		if !slices.ContainsFunc(now, same(a)) {
			pipe.ZRem(ctx, dueKey, member(stub, a))
		}
	}
	for _, a := range now {
		if !slices.ContainsFunc(old, same(a)) {
			pipe.ZAdd(ctx, dueKey, redis.Z{Score: float64(a.At.UnixMilli()), Member: member(stub, a)})
		}
	}
	index(ctx, pipe, was, is)
	if pipe.Len() == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("ledger: schedule: %w", err)
	}
	return nil
}

func same(a matter.Alarm) func(matter.Alarm) bool {
	return func(b matter.Alarm) bool { return a.Event == b.Event && a.Why == b.Why && a.At.Equal(b.At) }
}

// ring raises the alarms whose time has come.
func (l *Ledger) ring(ctx context.Context, now time.Time) error {
	if now.Before(l.ringAt) {
		return nil
	}
	l.ringAt = now.Add(lookForDue)
	for n := dueBatch; n == dueBatch; {
		list, err := l.link.Client().ZRangeByScoreWithScores(ctx, dueKey, &redis.ZRangeBy{
			Min: "-inf", Max: strconv.FormatInt(now.UnixMilli(), 10), Count: dueBatch,
		}).Result()
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		for _, z := range list {
			if !l.lease.good(time.Now()) {
				return errLease
			}
			if err := l.ringOne(ctx, now, z); err != nil {
				return err
			}
		}
		n = len(list)
	}
	return nil
}

// ringOne raises an alarm, if the matter still asks for it, and takes it off the list: in this order, so that one who
// dies in between leaves it to the next, whom the alarm's id keeps from raising it a second time.
func (l *Ledger) ringOne(ctx context.Context, now time.Time, z redis.Z) error {
	text, _ := z.Member.(string)
	words := strings.Fields(text)
	if len(words) != 3 {
		return l.unschedule(ctx, text)
	}
	p, err := l.open(ctx, words[0], "")
	if err != nil && !errors.Is(err, errUnfit) {
		return err
	}
	pending := l.cfg.Policy.Pending(p.Matter)
	i := slices.IndexFunc(pending, func(a matter.Alarm) bool { return member(words[0], a) == text })
	if i < 0 {
		return l.unschedule(ctx, text)
	}
	a := pending[i]
	if a.Event == ticket.Recheck { // comes every day
		a.At = time.UnixMilli(int64(z.Score))
		if err := l.raise(ctx, p.Matter, a, now); err != nil {
			return err
		}
		return l.move(ctx, text, l.cfg.Policy.NextRecheck(now.In(p.At.Location())))
	}
	if a.At.After(now) { // the policy is another one by now
		return l.move(ctx, text, a.At)
	}
	if err := l.raise(ctx, p.Matter, a, now); err != nil {
		return err
	}
	return l.unschedule(ctx, text)
}

func (l *Ledger) move(ctx context.Context, member string, at time.Time) error {
	if err := l.link.Client().ZAdd(ctx, dueKey, redis.Z{Score: float64(at.UnixMilli()),
		Member: member}).Err(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

func (l *Ledger) unschedule(ctx context.Context, member string) error {
	if err := l.link.Client().ZRem(ctx, dueKey, member).Err(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// raise writes an alarm to the line that takes the matter; one that somebody above should see also to the line that
// handed it over. It does not repeat who called: the stub says it.
func (l *Ledger) raise(ctx context.Context, m matter.Matter, a matter.Alarm, now time.Time) error {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", member(m.StubID, a), a.At.UnixMilli()))
	e := ticket.Entry{
		EventID: ticket.NewID(a.At, bytes.NewReader(sum[:])), StubID: m.StubID, Event: a.Event, At: now, From: m.From,
		To:   m.To,
		Mode: m.Mode, CallRef: m.CallRef, Reason: a.Why, CategoryCode: m.CategoryCode, Category: m.Category,
		Urgency: ticket.Urgency(m.Urgency), Place: m.Place, FirstFeedbackDue: m.FirstFeedbackDue, CloseDue: m.CloseDue,
	}
	lines := []string{m.Owner}
	if a.Event == ticket.Supervised && m.From != m.Owner && l.known(m.From) {
		lines = append(lines, m.From)
	}
	lines = slices.DeleteFunc(lines, func(h string) bool { return slices.Contains(l.cfg.Remote, h) })
	if len(lines) == 0 {
		return nil
	}
	for _, hotline := range lines {
		if err := l.post(ctx, hotline, e); err != nil {
			return err
		}
	}
	l.stats.alarms.Add(1)
	l.log.Info("ledger: alarm", "entry", e, "why", a.Why)
	return nil
}
