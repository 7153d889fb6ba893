package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"liandong/routing/link"
	"liandong/routing/ticket"
)

// maxBody is more than all fields at their longest, written with \u escapes.
const maxBody = 128 << 10

// onDisk is how long a request waits for the outbox to have its entries on disk.
const onDisk = 2 * time.Second

// errNoStub: no entry of such a stub was ever written.
var errNoStub = errors.New("api: no such stub")

// enriched is the answer to an addition that was taken.
type enriched struct {
	StubID  string `json:"stub_id"`
	EventID string `json:"event_id"`         // of the entry
	Stream  string `json:"stream"`           // where it comes
	Urgent  string `json:"urgent,omitempty"` // the emergency line's stream, when it is told as well
	Notice  string `json:"notice,omitempty"` // advice for the desk
}

// enrich adds to a stub what a desk application knows of the matter.
func (s *Server) enrich(w http.ResponseWriter, r *http.Request) {
	values, fault := s.object(w, r)
	if fault != "" {
		s.lines(w, http.StatusBadRequest, fault)
		return
	}
	values["event_id"] = either(values["event_id"], r.Header.Get("Idempotency-Key"))
	a, faults := s.read(values, s.langOf(w))
	if len(faults) > 0 {
		s.lines(w, http.StatusBadRequest, faults...)
		return
	}
	base, err := s.stub(r.Context(), stubID(r.PathValue("id")))
	if err == nil && !visitorOf(r).lines.any(base.From, base.To) {
		err = errNoStub // to others there is none
	}
	switch {
	case errors.Is(err, errNoStub):
		s.say(w, http.StatusNotFound, noStub)
		return
	case err != nil:
		s.log.Warn("a stub cannot be looked up", "err", link.Plain(err))
		w.Header().Set("Retry-After", "5")
		s.say(w, http.StatusServiceUnavailable, noRedis)
		return
	}
	s.add(w, r, base, a)
}

// either is a field or a header, whichever is given.
func either(a, b string) string {
	if strings.TrimSpace(a) != "" {
		return a
	}
	return b
}

// object reads a JSON object of strings.
func (s *Server) object(w http.ResponseWriter, r *http.Request) (values map[string]string, fault string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, longBody.in(s.langOf(w), maxBody)
	case err != nil || json.Unmarshal(body, &values) != nil || values == nil:
		return nil, notJSON.in(s.langOf(w))
	}
	return values, ""
}

const (
	stubPatience = 4 * time.Second // for what Redis knows of a stub: danger does not wait longer to be told
	stubPause    = 200 * time.Millisecond
)

// stub is the newest entry of a stub, or what Redis and the outbox still know of it. With Redis away only stubs of this
// switch's latest calls are known, and those of which an entry is in its outbox. Where Redis knows the matter and fails
// before it has told who called it is asked again for a while; danger whose caller is unknown is told then, and not
// refused.
func (s *Server) stub(ctx context.Context, id string) (ticket.Entry, error) {
	if ticket.StubTime(id).IsZero() {
		return ticket.Entry{}, errNoStub
	}
	if e, ok := s.sw.Recent.Find(id); ok {
		return e, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stubPatience)
	defer cancel()
	m, ok, err := s.matter(ctx, id)
	caller, known, fault := s.caller(ctx, id)
	for ok && fault != nil && ctx.Err() == nil {
		select {
		case <-time.After(stubPause):
			caller, known, fault = s.caller(ctx, id)
		case <-ctx.Done():
		}
	}
	if known || ok { // danger is told, even where Redis did not say in time who called
		return baseOf(m, caller, known), nil
	}
	if err = cmp.Or(err, fault); err != nil {
		return ticket.Entry{}, err
	}
	return ticket.Entry{}, errNoStub
}

// add writes the entries, and answers when they are on disk. A request that comes again with the same id writes entries
// of the same ids: they come once.
func (s *Server) add(w http.ResponseWriter, r *http.Request, base ticket.Entry, a addition) {
	now := s.now()
	id := s.newID(now)
	if a.id != "" {
		id = ticket.DerivedID(base.StubID, "client "+a.id)
	}
	e := base.Enrich(a.Enrichment, id, now)
	if a.id != "" && s.fits(r.Context(), id, e.Stream(), a.Enrichment) != nil {
		s.say(w, http.StatusConflict, otherText)
		return
	}
	answer := enriched{StubID: e.StubID, EventID: id, Stream: e.Stream(), Notice: s.notice(e, s.langOf(w))}
	entries := []ticket.Entry{e}
	if e.Urgency == ticket.Critical && base.Urgency != ticket.Critical && s.conf().Emergency != "" {
		alarm := e.Escalate(s.conf().Emergency)
		entries[0].DecidedOwner, entries[0].DecisionBasis = alarm.DecidedOwner, alarm.DecisionBasis
		entries, answer.Urgent = append(entries, alarm), alarm.Stream()
	}
	s.audit.did(r, "a stub is enriched", "entry", e)
	status, err := s.write(r.Context(), entries)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		s.say(w, http.StatusServiceUnavailable, noDisk)
		return
	}
	s.encodeAs(w, status, answer)
}

// write puts entries into the outbox: 200 when all are on disk, 202 when the disk takes its time and they wait in
// memory.
func (s *Server) write(ctx context.Context, entries []ticket.Entry) (status int, err error) {
	written := make(chan error, len(entries))
	for _, e := range entries {
		s.sw.Tickets.Put(e, func(err error) { written <- err })
	}
	late := time.NewTimer(onDisk)
	defer late.Stop()
	for range entries {
		select {
		case err := <-written:
			if err != nil {
				return 0, err
			}
		case <-late.C:
			return http.StatusAccepted, nil
		case <-ctx.Done():
			return http.StatusAccepted, nil
		}
	}
	return http.StatusOK, nil
}

// notice tells when a matter of this kind should have gone over in another way. It is advice: nothing is refused.
func (s *Server) notice(e ticket.Entry, lang string) string {
	kind, ok := s.conf().Categories.ByCode(e.CategoryCode)
	if !ok || kind.Allows(e.Mode) {
		return ""
	}
	return otherMode.in(lang, kind.Code, kind.Name, strings.Join(kind.Modes, ", "), e.Mode)
}
