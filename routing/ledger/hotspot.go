package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/hotspot"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

//go:embed hotspot.lua
var hotspotText string

var hotspotScript = redis.NewScript(hotspotText)

// mostReports of one place or person are kept: more than any threshold.
const mostReports = 2000

// reported takes a matter's entry as a report by a person, and about the place that it brings.
func (l *Ledger) reported(ctx context.Context, before, after matter.Matter, e ticket.Entry) error {
	if matter.IsAlarm(e.Event) {
		return nil
	}
	if before.StubID == "" {
		if err := l.remember(ctx, after, e); err != nil {
			return err
		}
	}
	if key := hotspot.PersonKey(e); key != "" && before.StubID == "" {
		if err := l.report(ctx, hotspot.Person, key, after, e); err != nil {
			return err
		}
	}
	return l.moved(ctx, before, after, e.At)
}

// moved takes a matter whose place or category has become known, or is another one now, as a report about it.
func (l *Ledger) moved(ctx context.Context, before, after matter.Matter, at time.Time) error {
	was, is := hotspot.PlaceKey(before), hotspot.PlaceKey(after)
	if was == is {
		return nil
	}
	if was != "" {
		if err := l.link.Client().ZRem(ctx, was, reportOf(before)).Err(); err != nil {
			return fmt.Errorf("ledger: hotspot: %w", err)
		}
	}
	if is == "" {
		return nil
	}
	return l.report(ctx, hotspot.Place, is, after, ticket.Entry{Place: after.Place, At: at})
}

// reportOf is what counts as one report: the call, however many matters it has.
func reportOf(m matter.Matter) string { return cmp.Or(m.CallRef, m.StubID) }

// report notes a report, and raises what it makes a hotspot. of is what the entry says beside the matter: the place or
// who called.
func (l *Ledger) report(ctx context.Context, kind, key string, m matter.Matter, of ticket.Entry) error {
	windows := l.cfg.Hotspots.Windows(kind)
	if len(windows) == 0 {
		return nil
	}
	args := []any{reportOf(m), m.OpenedAt.UnixMilli(), hotspot.Kept.Milliseconds(), mostReports}
	for _, w := range windows {
		args = append(args, w.Name, w.Span.Milliseconds(), w.From)
	}
	answer, err := hotspotScript.Run(ctx, l.link.Client(), []string{key, key + ":raised"}, args...).StringSlice()
	if err != nil {
		return fmt.Errorf("ledger: hotspot: %w", err)
	}
	for window := range slices.Chunk(answer, 3) {
		if len(window) < 3 {
			break
		}
		if err := l.raiseHotspot(ctx, crossed{key, kind, window[0], window[1], window[2]}, m, of); err != nil {
			return err
		}
	}
	return nil
}

// crossed is a window whose number was reached, with the time in ms of the report that did.
type crossed struct{ key, kind, window, count, at string }

// id is the same whenever it is made, and whichever matter of the call it is made for.
func (c crossed) id() string {
	sum := sha256.Sum256([]byte(c.key + " " + c.window + " " + c.count + " " + c.at))
	ms, _ := strconv.ParseInt(c.at, 10, 64)
	return ticket.NewID(time.UnixMilli(ms), bytes.NewReader(sum[:]))
}

// raiseHotspot writes a hotspot to the line that takes the matter, once.
func (l *Ledger) raiseHotspot(ctx context.Context, c crossed, m matter.Matter, of ticket.Entry) error {
	e := ticket.Entry{
		EventID: c.id(), StubID: m.StubID, Event: ticket.Hotspot, At: of.At, From: m.From, To: m.To, Mode: m.Mode,
		CallRef: m.CallRef, CategoryCode: m.CategoryCode, Category: m.Category,
		Urgency: ticket.Urgency(m.Urgency), Place: m.Place, Hotspot: c.kind, HotspotWindow: c.window,
		HotspotCount: c.count,
	}
	if c.kind == hotspot.Person {
		e.CallerE164, e.CallerRaw, e.CallerStatus, e.CallerSource = of.CallerE164, of.CallerRaw, of.CallerStatus,
			of.CallerSource
	}
	if err := l.post(ctx, m.Owner, e); err != nil {
		return err
	}
	l.log.Info("ledger: hotspot", "entry", e, "hotspot", c.kind, "window", c.window, "count", c.count)
	return nil
}
