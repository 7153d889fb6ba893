package ledger

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

//go:embed trim.lua
var trimText string

var trimScript = redis.NewScript(trimText)

// trimEvery is the time between two looks at the length of the streams; trimMost what one call of the script takes off.
const (
	trimEvery = time.Minute
	trimMost  = 1000
)

// Trim says how long the streams may get. Immutable. Entries that one of Groups has yet to acknowledge stay in any
// case: also when there is no such group yet.
type Trim struct {
	Age     time.Duration // entries older than this may go; 0: none for their age
	Entries int64         // of more entries than this the oldest may go; 0: none for their number
	Groups  []string      // the consumer groups of the ticket systems, on the ticket streams

	Further map[string][]string // stream → groups of that one alone
}

func (t Trim) off() bool { return t.Age == 0 && t.Entries == 0 }

// trim shortens the streams, now and then. A stream that refuses is left alone until the next time.
func (l *Ledger) trim(ctx context.Context, now time.Time) {
	if l.cfg.Trim.off() || now.Before(l.trimAt) {
		return
	}
	l.trimAt = now.Add(trimEvery)
	for _, s := range l.streams() {
		l.trimOne(ctx, now, s, slices.Concat([]string{Group}, l.cfg.Trim.Groups, l.cfg.Trim.Further[s]))
	}
	l.trimOne(ctx, now, Updates, slices.Concat([]string{Group}, l.cfg.Trim.Further[Updates]))
	l.trimOne(ctx, now, Dead, nil)
}

// trimOne shortens a stream as far as it may be.
func (l *Ledger) trimOne(ctx context.Context, now time.Time, stream string, groups []string) {
	oldest := "0"
	if l.cfg.Trim.Age > 0 {
		oldest = strconv.FormatInt(now.Add(-l.cfg.Trim.Age).UnixMilli(), 10)
	}
	for gone := trimMost; gone >= trimMost && l.lease.good(time.Now()); {
		var holder string
		var err error
		if gone, holder, err = cutOff(ctx, l.link, stream, oldest, l.cfg.Trim, groups); err != nil {
			l.log.Warn("ledger: cannot trim", "stream", stream, "err", link.Plain(err))
			return
		}
		l.held(stream, holder)
	}
}

// held tells when a group begins to keep a stream from being trimmed, or is done with that.
func (l *Ledger) held(stream, group string) {
	if l.holders[stream] == group {
		return
	}
	l.holders[stream] = group
	if group != "" {
		l.log.Warn("ledger: stream grows, a group has not acknowledged its oldest entries", "stream", stream, "group",
			group)
	}
}

// cutOff runs the script once.
func cutOff(ctx context.Context, to *link.Link, stream, oldest string, t Trim, groups []string) (gone int,
	holder string, err error) {
	args := []any{oldest, t.Entries, t.Age.Milliseconds()}
	for _, g := range slices.Compact(groups) {
		args = append(args, g)
	}
	answer, err := trimScript.Run(ctx, to.Client(), []string{stream}, args...).Slice()
	if err != nil {
		return 0, "", fmt.Errorf("ledger: %w", err)
	}
	if len(answer) == 2 {
		n, _ := answer[0].(int64)
		gone = int(n)
		holder, _ = answer[1].(string)
	}
	return gone, holder, nil
}
