package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// whoCalled finds an entry of a stub that says who called: in a stream, or in an outbox file. With an error there may
// be one all the same.
func (sw Switch) whoCalled(ctx context.Context, stub string) (ticket.Entry, bool, error) {
	var faults []error
	for _, one := range sw.Stores {
		e, ok, err := one.Outbox.WhoCalled(ctx, stub)
		if ok {
			return e, true, nil
		}
		faults = append(faults, err)
	}
	return ticket.Entry{}, false, errors.Join(faults...)
}

// entry finds the entry of an event id in the stream that it was written to, or on its way there.
func (sw Switch) entry(ctx context.Context, stream, id string) (ticket.Entry, bool) {
	for _, one := range sw.Stores {
		if e, ok := one.Outbox.Find(ctx, stream, id); ok {
			return e, true
		}
	}
	return ticket.Entry{}, false
}

// baseOf is the newest entry of a stub as far as it is known: who called from one of its entries, the rest from the
// state of its matter. ★ fields that nobody knows any more say so, rather than nothing: danger is told all the same.
func baseOf(m matter.Matter, caller ticket.Entry, known bool) ticket.Entry {
	e := caller
	if !known {
		opened := m.OpenedAt
		if opened.IsZero() {
			opened = ticket.StubTime(m.StubID)
		}
		e = ticket.Entry{CallerStatus: "unavailable", Dialed: m.From, FromAgent: ticket.Unknown,
			CallAt: opened, KeyAt: opened}
	}
	if m.StubID == "" {
		return e
	}
	e.StubID, e.From, e.To, e.Mode, e.CallRef = m.StubID, m.From, m.To, m.Mode, m.CallRef
	if m.CategoryCode != "" {
		e.CategoryCode, e.Category = m.CategoryCode, m.Category
	}
	e.Urgency = ticket.Graver(e.Urgency, ticket.Urgency(m.Urgency))
	return e
}

// errOther: an id that a client has given to one addition stands on another.
var errOther = errors.New("api: the id was given to other content")

// mostGiven is how many ids of clients are remembered with what they stood for; of older ones the entry itself tells.
const mostGiven = 4096

// given remembers what the ids of clients stood for. Guarded by mu.
type given struct {
	mu    sync.Mutex
	what  map[string]ticket.Enrichment // by the entry's id
	order []string
}

// take notes what an id stands for, and says whether that is what it stood for before.
func (g *given) take(id string, x ticket.Enrichment) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if was, ok := g.what[id]; ok {
		return was == x
	}
	if g.what == nil {
		g.what = map[string]ticket.Enrichment{}
	}
	if len(g.order) >= mostGiven {
		delete(g.what, g.order[0])
		g.order = slices.Delete(g.order, 0, 1)
	}
	g.what[id] = x
	g.order = append(g.order, id)
	return true
}

// same says that an entry is what an addition made, as far as it shows: what the addition does not say the entry has
// from before, and urgency may have been graver.
func same(e ticket.Entry, x ticket.Enrichment) bool {
	text := func(a, b, field string) bool { return a == ticket.Clean(b, ticket.Limit(field)) }
	said := func(a, b string) bool { return b == "" || a == b }
	return text(e.Place, x.Place, "place") && text(e.RegionCode, x.RegionCode, "region_code") &&
		text(e.Title, x.Title, "title") &&
		text(e.Content, x.Content, "content") && said(e.CategoryCode, x.CategoryCode) &&
		said(string(e.Confidential), string(x.Confidential)) &&
		ticket.Graver(e.Urgency, x.Urgency) == e.Urgency
}

// fits says whether an id of a client may stand for an addition.
func (s *Server) fits(ctx context.Context, id, stream string, x ticket.Enrichment) error {
	if e, ok := s.entry(ctx, stream, id); ok && !same(e, x) || !s.given.take(id, x) {
		return errOther
	}
	return nil
}

// stubID is a stub's id as it was written: people and programs change the case of letters.
func stubID(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }
