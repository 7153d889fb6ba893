package spool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"liandong/routing/ledger"
	"liandong/routing/link"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// Group is the consumer group by which the spool of a line reads.
func Group(line string) string { return "spool-" + line }

const (
	via      = "via"    // field of an update that has come from elsewhere
	viaSpool = "spool:" // begins its value when it came by files: it does not go back
	most     = 1000     // lines of one batch, about
	patience = 10 * time.Second
)

// source is one Redis as the sending end reads it. Owned by its Sending.
type source struct {
	line    string
	cfg     link.Config
	tickets bool // the line's stream is here
	link    *link.Link
	read    *outbox.Reader

	upTo             map[string]string    // stream → all up to this id is in files
	entries, updates *outbox.Consumer     // nil: to be read from what is not acknowledged
	held             map[string]time.Time // update whose matter is not known yet → since when
}

func newSource(line string, cfg link.Config, tickets bool) (*source, error) {
	l, err := link.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	read, err := outbox.NewReader(outbox.Config{Config: cfg})
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &source{line: line, cfg: cfg, tickets: tickets, link: l, read: read, held: map[string]time.Time{}}, nil
}

func (s *source) close() {
	s.read.Close()
	s.link.Close()
}

// again: everything that is not acknowledged is to be read anew.
func (s *source) again() { s.entries, s.updates = nil, nil }

func (s *source) makeGroup(ctx context.Context) error {
	if s.updates != nil {
		return nil
	}
	streams := []string{ledger.Updates}
	if s.tickets {
		streams = append(streams, ticket.StreamOf(s.line))
	}
	if err := s.read.MakeGroup(ctx, Group(s.line), streams...); err != nil {
		return err
	}
	s.entries = &outbox.Consumer{Group: Group(s.line), Name: "spool", Streams: streams[1:], Count: 100}
	s.updates = &outbox.Consumer{Group: Group(s.line), Name: "spool", Streams: streams[:1], Count: 100}
	return nil
}

// batch is what was read, and the lines that it makes.
type batch struct {
	read  []outbox.Message
	lines []Line
}

// collect reads updates first and all entries that there are by then, and puts the entries before the updates: an
// update never comes to the far side before what it is about.
func (s *source) collect(ctx context.Context, now time.Time) (b batch, err error) {
	if err := s.makeGroup(ctx); err != nil {
		return b, err
	}
	updates, err := s.read.Next(ctx, s.updates, 0)
	if err != nil {
		return b, err
	}
	for s.tickets {
		list, err := s.read.Next(ctx, s.entries, 0)
		if err != nil {
			return b, err
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			b.entry(s.line, m)
		}
		if len(b.lines) >= most { // the updates come after the rest
			s.updates = nil
			return b, nil
		}
	}
	for _, m := range updates {
		known, err := s.update(ctx, &b, m, now)
		if err != nil {
			return b, err
		}
		if !known { // and those after it may be about the same matter
			s.updates = nil
			break
		}
	}
	return b, nil
}

// done acknowledges what was read.
func (s *source) done(ctx context.Context, b batch) error {
	if len(b.read) == 0 {
		return nil
	}
	if err := s.read.Ack(ctx, Group(s.line), b.read...); err != nil {
		s.again()
		return err
	}
	return nil
}

// streams are those that are read, entries first.
func (s *source) streams() []string {
	if s.tickets {
		return []string{ticket.StreamOf(s.line), ledger.Updates}
	}
	return []string{ledger.Updates}
}

// ahead says that the group was given more than what is known to be in files.
func (s *source) ahead(ctx context.Context) (bool, error) {
	if err := s.makeGroup(ctx); err != nil {
		return false, err
	}
	ctx, cancel := s.cfg.Deadline(ctx)
	defer cancel()
	for _, stream := range s.streams() {
		groups, err := s.link.Client().XInfoGroups(ctx, stream).Result()
		if err != nil {
			return false, fmt.Errorf("spool: %w", err)
		}
		for _, g := range groups {
			if g.Name == Group(s.line) && later(g.LastDeliveredID, s.upTo[stream]) {
				return true, nil
			}
		}
	}
	return false, nil
}

// later compares ids of a stream: milliseconds and a number, with a hyphen between. "" is before all.
func later(a, b string) bool {
	var ms, n [2]uint64
	for i, id := range []string{a, b} {
		_, _ = fmt.Sscanf(id, "%d-%d", &ms[i], &n[i])
	}
	return ms[0] > ms[1] || ms[0] == ms[1] && n[0] > n[1]
}

// earlier reads once more what came after upTo, whether it was acknowledged or not: all entries, then the updates.
// more: there may be more.
func (s *source) earlier(ctx context.Context, now time.Time) (lines []Line, more bool, err error) {
	for _, stream := range s.streams() {
		list, err := s.read.Range(ctx, stream, s.upTo[stream], most)
		var b batch
		for i := 0; i < len(list) && err == nil; i++ {
			if stream == ledger.Updates {
				_, err = s.update(ctx, &b, list[i], now) // what is not known yet is read by the group, in time
				delete(s.held, list[i].ID)
			} else {
				b.entry(s.line, list[i])
			}
		}
		if err != nil {
			return nil, false, err
		}
		if len(list) > 0 {
			s.upTo[stream] = list[len(list)-1].ID
			return b.lines, true, nil
		}
	}
	return nil, false, nil
}

func (b *batch) entry(line string, m outbox.Message) {
	b.read = append(b.read, m)
	if m.Err == nil && m.Entry.Deliverable() == nil {
		b.lines = append(b.lines, Line{Kind: Entry, Hotline: line, Stub: m.Entry.StubID, ID: m.Entry.EventID,
			Fields: flat(m.Fields)})
	}
}

// update takes what a ticket system here has said of a matter that the far side has, too. false: it is not known yet
// whether it has.
func (s *source) update(ctx context.Context, b *batch, m outbox.Message, now time.Time) (bool, error) {
	u, err := matter.ParseUpdate(m.Fields)
	if err != nil || strings.HasPrefix(m.Fields[via], viaSpool) {
		b.read = append(b.read, m)
		return true, nil
	}
	from, to, err := s.parties(ctx, u.StubID)
	if err != nil {
		return false, err
	}
	if from == "" && to == "" {
		since, waits := s.held[m.ID]
		if !waits {
			s.held[m.ID] = now
		}
		if !waits || now.Sub(since) < patience {
			return false, nil
		}
	}
	delete(s.held, m.ID)
	b.read = append(b.read, m)
	if from == s.line || to == s.line {
		b.lines = append(b.lines, Line{Kind: Update, Hotline: to, Stub: u.StubID, ID: u.StubID + " " + u.EventID,
			Fields: flat(m.Fields)})
	}
	return true, nil
}

// parties are the hotlines of a matter, as the ledger keeps it.
func (s *source) parties(ctx context.Context, stub string) (from, to string, err error) {
	ctx, cancel := s.cfg.Deadline(ctx)
	defer cancel()
	hash, err := s.link.Client().HGetAll(ctx, matter.Key(stub)).Result()
	if err != nil && link.Replied(err) {
		return "", "", nil // somebody else's key
	}
	if err != nil {
		return "", "", fmt.Errorf("spool: %w", err)
	}
	return hash["from"], hash["to"], nil
}

func flat(fields map[string]string) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != via {
			list = append(list, name, fields[name])
		}
	}
	return list
}
