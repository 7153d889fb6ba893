package api

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"liandong/cmd/internal/trace"
	"liandong/sip/capture"
)

// trace shows a call's messages and events as a ladder, also of one that is over.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	seen, lost, ok := s.traced(r)
	if !ok {
		s.say(w, http.StatusNotFound, noTrace)
		return
	}
	s.audit.did(r, "the messages of a call are read", "call", r.PathValue("id"))
	s.unhurried(w, len(seen))
	s.Encode(w, trace.Of(r.PathValue("id"), seen, lost))
}

// tracePcap gives them as a capture file.
func (s *Server) tracePcap(w http.ResponseWriter, r *http.Request) {
	ref, v := r.PathValue("id"), visitorOf(r)
	all, _ := s.sw.Traces.Of(ref)
	seen, sound, ok := s.eyes(v, listenerOf(r).Network).SeeAll(ref, all, s.sw.Traces.RTP(ref))
	if !ok {
		s.say(w, http.StatusNotFound, noTrace)
		return
	}
	s.audit.did(r, "the messages of a call are exported", "call", ref, "rtp", len(sound))
	var file bytes.Buffer
	_ = capture.WritePcap(&file, trace.Messages(seen), sound) // a buffer takes all
	h := w.Header()
	h.Set("Content-Type", pcapType)
	h.Set("Content-Disposition", `attachment; filename="liandong.pcapng"`)
	h.Set("Cache-Control", "no-store")
	s.unhurried(w, len(seen))
	_, _ = file.WriteTo(w) // the reader may be gone
}

const pcapType = "application/x-pcapng"

// unhurried gives a long answer time.
func (s *Server) unhurried(w http.ResponseWriter, entries int) {
	deadline := time.Now().Add(10*time.Second + time.Duration(entries)*10*time.Millisecond)
	_ = http.NewResponseController(w).SetWriteDeadline(deadline) // where there is none, none need be moved
}

// traced is what a visitor may see of a call.
func (s *Server) traced(r *http.Request) (seen []capture.Entry, lost int, ok bool) {
	at := listenerOf(r)
	return s.look(r.PathValue("id"), visitorOf(r), at.Network)
}

// Ladder is a call's story as somebody who has signed in may see it; false: there is none.
func (s *Server) Ladder(ref string, who Signed) (trace.Ladder, bool) {
	seen, lost, ok := s.look(ref, who.visitor(), "")
	if !ok {
		return trace.Ladder{}, false
	}
	return trace.Of(ref, seen, lost), true
}

func (s *Server) look(ref string, v visitor, network string) (seen []capture.Entry, lost int, ok bool) {
	all, lost := s.sw.Traces.Of(ref)
	seen, ok = s.eyes(v, network).See(ref, all)
	return seen, lost, ok
}

// eyes are what a visitor may see, by the listener of a network or another one.
func (s *Server) eyes(v visitor, network string) trace.Eyes {
	return trace.Eyes{Lines: v.lines, Networks: s.networks(v.lines, network), Attends: v.supervises}
}

// sniff keeps the headers of a call's RTP packets from now on.
func (s *Server) sniff(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("id")
	c, ok := s.sw.Calls.Call(ref)
	if !ok || !visitorOf(r).lines.any(concerned(c)...) {
		s.say(w, http.StatusNotFound, goneCall)
		return
	}
	if s.sw.Traces == nil {
		s.say(w, http.StatusConflict, noTraces)
		return
	}
	heads, last := s.sw.Traces.Sniff(ref)
	if heads != nil && !s.sw.Calls.Sniff(ref, heads) {
		s.sw.Traces.Unsniff(ref)
		s.say(w, http.StatusNotFound, goneCall)
		return
	}
	if last != "" {
		s.sw.Calls.Sniff(last, nil)
	}
	s.audit.did(r, "the RTP headers of a call are kept", "call", ref)
	s.say(w, http.StatusOK, done)
}

// networks are those whose addresses may be seen: by a network's own listener that one, and else those of the lines.
// nil: all.
func (s *Server) networks(of lines, network string) []string {
	switch {
	case network != "":
		return []string{network}
	case of == nil:
		return nil
	}
	own := []string{}
	for _, id := range of {
		if line, ok := s.conf().Lines[id]; ok && !slices.Contains(own, line.Network) {
			own = append(own, line.Network)
		}
	}
	return own
}
