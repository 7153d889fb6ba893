package spool

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"liandong/routing/link"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// near is how far apart a call and an entry of the far side may be that belong together.
const near = 120 * time.Second

// calls is the stream of call events.
const calls = "liandong:calls"

// Sight is what is known of a call or a matter that may be the same as another.
type Sight struct {
	Ref, Stub, Caller string
	At                time.Time
}

// Nearest finds the call of a matter among those that came here: by the caller's number, within two minutes, the one
// closest in time. It is for calls that came without User-to-User (RFC 7433).
func Nearest(matter Sight, arrived []Sight) (best Sight, ok bool) {
	for _, c := range arrived {
		apart := c.At.Sub(matter.At).Abs()
		if c.Caller == matter.Caller && matter.Caller != "" && apart <= near &&
			(!ok || apart < best.At.Sub(matter.At).Abs()) {
			best, ok = c, true
		}
	}
	return best, ok
}

// matcher looks for the calls of matters whose first entries have come, until two minutes after. Best effort.
type matcher struct {
	links  []*link.Link
	cfgs   []link.Config
	unseen []Sight
	next   time.Time // when to look again
}

const lookEvery = 2 * time.Second

func (m *matcher) add(cfg link.Config) error {
	l, err := link.New(cfg)
	if err == nil {
		m.links, m.cfgs = append(m.links, l), append(m.cfgs, cfg)
	}
	return err
}

func (m *matcher) close() {
	for _, l := range m.links {
		l.Close()
	}
}

// note remembers the matters that have just begun.
func (m *matcher) note(lines []Line, now time.Time) {
	const bound = 1000
	for _, l := range lines {
		if l.Kind != Entry || len(m.unseen) >= bound {
			continue
		}
		fields := map[string]string{}
		for i := 0; i+1 < len(l.Fields); i += 2 {
			fields[l.Fields[i]] = l.Fields[i+1]
		}
		e, err := ticket.Parse(fields)
		if err == nil && e.Event == ticket.Opened && e.Mode != ticket.TicketOnly && now.Sub(e.KeyAt) < near {
			m.unseen = append(m.unseen, Sight{Ref: e.CallRef, Stub: e.StubID, Caller: e.CallerE164, At: e.KeyAt})
		}
	}
}

// look tells of each matter whose call is found, with an event "matched" beside those of the call.
func (m *matcher) look(ctx context.Context, now time.Time, log *slog.Logger) {
	if len(m.unseen) == 0 || now.Before(m.next) {
		return
	}
	m.next = now.Add(lookEvery)
	var left []Sight
	for _, s := range m.unseen {
		if !m.find(ctx, s, now, log) && now.Sub(s.At) < near {
			left = append(left, s)
		}
	}
	m.unseen = left
}

func (m *matcher) find(ctx context.Context, s Sight, now time.Time, log *slog.Logger) bool {
	for i, l := range m.links {
		arrived, known, err := m.arrivals(ctx, i, s)
		if err != nil {
			log.Debug("spool: call events cannot be read", "err", link.Plain(err))
			return false
		}
		if known { // its call came with User-to-User
			return true
		}
		if c, ok := Nearest(s, arrived); ok {
			line := outbox.Line{ID: "matched " + s.Stub, Fields: []string{
				"event", "matched", "at", now.Format(time.RFC3339Nano), "call_ref", c.Ref, "stub_id", s.Stub,
				"peer_call_ref", s.Ref}}
			return outbox.Append(ctx, l, near*10, calls, line) == nil
		}
	}
	return false
}

// arrivals are the calls that came to a Redis's lines around a time. known: one of them has the matter's stub already.
func (m *matcher) arrivals(ctx context.Context, i int, s Sight) (list []Sight, known bool, err error) {
	ctx, cancel := m.cfgs[i].Deadline(ctx)
	defer cancel()
	id := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	events, err := m.links[i].Client().XRangeN(ctx, calls, id(s.At.Add(-near)), id(s.At.Add(near)), 10_000).Result()
	for _, e := range events {
		word := func(name string) string { v, _ := e.Values[name].(string); return v }
		known = known || word("stub_id") == s.Stub
		if at, err := time.Parse(time.RFC3339Nano, word("at")); err == nil && word("event") == "arrived" &&
			word("stub_id") == "" {
			list = append(list, Sight{Ref: word("call_ref"), Caller: word("caller_e164"), At: at})
		}
	}
	return list, known, err
}
