package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"liandong/routing/call"
	"liandong/routing/disclose"
	"liandong/routing/ledger"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// Matter is one as a supervisor of one of its lines sees it. It holds no caller's number.
type Matter struct {
	Stub      string       `json:"stub_id"`
	State     matter.State `json:"state"`
	From      string       `json:"from"`
	To        string       `json:"to"`
	Owner     string       `json:"owner"` // the line that takes it
	Mode      string       `json:"mode"`
	CallRef   string       `json:"call_ref,omitempty"`
	Urgency   string       `json:"urgency,omitempty"`
	Code      string       `json:"category_code,omitempty"`
	Category  string       `json:"category,omitempty"`
	Place     string       `json:"place,omitempty"`
	Title     string       `json:"title,omitempty"`
	TicketNo  string       `json:"peer_ticket_no,omitempty"`
	Unit      string       `json:"unit_name,omitempty"`
	Opened    time.Time    `json:"opened_at"`
	Due       *time.Time   `json:"due_at,omitempty"` // of its next step; nil: no clock runs
	Overdue   bool         `json:"overdue"`
	Supervise int          `json:"supervised"` // how often somebody above has asked after it
	Returns   int          `json:"returns"`
}

// History is a matter with what has been written of it, oldest first.
type History struct {
	Matter
	Passed []Passed `json:"passed"`
	Whole  bool     `json:"whole"` // false: too much was written since to look through all of it
}

// Passed is an entry, or an update of a ticket system.
type Passed struct {
	At     time.Time         `json:"at"`
	Line   string            `json:"line,omitempty"` // to whose stream it went; "": it came back
	Event  string            `json:"event"`
	Fields map[string]string `json:"fields"`
}

// told are the fields of an entry or an update that its history repeats: who called is none of them.
var told = []string{"mode", "result", "reason", "from_agent", "to_agent", "decided_owner", "decision_basis", "urgency",
	"category", "place", "title", "unit_name", "handler", "text", "reason_code", "due_at", "satisfaction",
	"peer_ticket_no"}

func matterOf(m matter.Matter, now time.Time) Matter {
	out := Matter{Stub: m.StubID, State: m.State, From: m.From, To: m.To, Owner: m.Owner, Mode: m.Mode,
		CallRef: m.CallRef, Urgency: m.Urgency, Code: m.CategoryCode, Category: m.Category, Place: m.Place,
		Title: m.Title, TicketNo: m.PeerTicketNo, Unit: m.UnitName, Opened: m.OpenedAt, Supervise: m.Supervised,
		Returns: m.Returns}
	if due := m.NextDue(); !due.IsZero() {
		out.Due, out.Overdue = &due, due.Before(now)
	}
	return out
}

// Matters are the open matters of some lines, nil: of all, the one that is due first first.
func (s *Server) Matters(ctx context.Context, of []string) ([]Matter, error) {
	var errs error
	found := map[string]Matter{}
	for id := range s.conf().Lines {
		if !lines(of).has(id) {
			continue
		}
		for _, one := range s.sw.Stores {
			list, err := one.Ledger.Open(ctx, id)
			errs = errors.Join(errs, err)
			for _, m := range list {
				if _, there := found[m.StubID]; !there || m.Owner == id { // the Redis of who takes it knows more
					found[m.StubID] = matterOf(m, s.now())
				}
			}
		}
	}
	list := make([]Matter, 0, len(found))
	for _, m := range found {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Matter) int {
		switch {
		case a.Due != nil && b.Due != nil:
			return cmp.Or(a.Due.Compare(*b.Due), strings.Compare(a.Stub, b.Stub))
		case a.Due == nil && b.Due == nil:
			return strings.Compare(a.Stub, b.Stub)
		case a.Due != nil:
			return -1
		}
		return 1
	})
	if len(list) > 0 {
		errs = nil // one Redis of two does not answer: what is known is shown
	}
	return list, errs
}

// History is a matter of some lines, nil: of all, with what has been written of it; false: there is none.
func (s *Server) History(ctx context.Context, of []string, stub string) (h History, ok bool, err error) {
	m, ok, err := s.matter(ctx, strings.ToUpper(stub))
	if !ok || !lines(of).any(m.From, m.To, m.Owner) {
		return h, false, err
	}
	h = History{Matter: matterOf(m, s.now()), Passed: []Passed{}, Whole: true}
	for _, one := range s.sw.Stores {
		list, whole, fault := one.Ledger.History(ctx, h.Stub)
		h.Whole = h.Whole && whole && fault == nil
		for _, p := range list {
			line, entry := strings.CutPrefix(p.Stream, ticket.Prefix)
			if !entry {
				line = ""
			} else if !lines(of).has(line) {
				continue
			}
			h.Passed = append(h.Passed, passedOf(p, line))
		}
	}
	slices.SortStableFunc(h.Passed, func(a, b Passed) int { return a.At.Compare(b.At) })
	return h, true, nil
}

func passedOf(p ledger.Passed, line string) Passed {
	out := Passed{At: p.At, Line: line, Event: p.Fields["event"], Fields: map[string]string{}}
	for _, name := range told {
		if v := p.Fields[name]; v != "" {
			out.Fields[name] = v
		}
	}
	return out
}

// earlier are the matters that the caller of a call had before, for the desk that has the call: those of its line, and
// only where it may see who calls.
func (s *Server) earlier(w http.ResponseWriter, r *http.Request) {
	v := visitorOf(r)
	c, ok := s.sw.Calls.Call(r.PathValue("id"))
	user := cmp.Or(v.own, r.URL.Query().Get("user"))
	line, own := seatOf(c, user)
	switch {
	case !ok || !v.lines.any(concerned(c)...):
		s.say(w, http.StatusNotFound, goneCall)
		return
	case !own || !s.mayPress(v, r, user):
		s.refuse(w, r, notYours)
		return
	}
	list := []Matter{}
	if (disclose.Caller{Number: c.Caller}).ToLine(s.conf().Lines[line], disclose.AnyNetwork) == "" || c.Caller.E164 == "" {
		s.Encode(w, list)
		return
	}
	list, err := s.before(r.Context(), line, c)
	if err != nil {
		s.say(w, http.StatusServiceUnavailable, noFigures)
		return
	}
	s.audit.did(r, "earlier matters of a caller are shown", "call", c.Ref, "user", user, "matters", len(list))
	s.Encode(w, list)
}

// before are the matters of a call's caller that a line has to do with, the newest first, without the call's own.
func (s *Server) before(ctx context.Context, line string, c call.Call) ([]Matter, error) {
	list, seen := []Matter{}, map[string]bool{}
	var errs error
	for _, one := range s.sw.Stores {
		some, err := one.Ledger.Earlier(ctx, line, c.Caller.E164)
		errs = errors.Join(errs, err)
		for _, m := range some {
			if m.CallRef == c.Ref || seen[m.StubID] || line != m.From && line != m.To && line != m.Owner {
				continue
			}
			seen[m.StubID] = true
			list = append(list, matterOf(m, s.now()))
		}
	}
	slices.SortFunc(list, func(a, b Matter) int { return b.Opened.Compare(a.Opened) })
	if len(list) > 0 {
		errs = nil // one Redis of two does not answer: what is known is shown
	}
	return list, errs
}

func (s *Server) matters(w http.ResponseWriter, r *http.Request) {
	list, err := s.Matters(r.Context(), visitorOf(r).lines)
	if err != nil {
		s.say(w, http.StatusServiceUnavailable, noFigures)
		return
	}
	s.Encode(w, list)
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	h, ok, err := s.History(r.Context(), visitorOf(r).lines, r.PathValue("stub"))
	switch {
	case ok:
		s.audit.did(r, "a matter is read", "stub", h.Stub)
		s.Encode(w, h)
	case err != nil:
		s.say(w, http.StatusServiceUnavailable, noFigures)
	default:
		s.say(w, http.StatusNotFound, goneMatter)
	}
}
