package api

import (
	"net/http"
	"slices"
	"strings"

	"liandong/routing/exchange"
	"liandong/routing/verb"
)

// setAgent has a seat ready, or not ready: ?state=not_ready&reason=break.
func (s *Server) setAgent(w http.ResponseWriter, r *http.Request) {
	s.standAs(w, r, r.PathValue("user"), r.URL.Query().Get("state"))
}

func isAgentState(state string) bool { return state == verb.Ready || state == verb.NotReady }

// standAs has the seat of a user ready or not.
func (s *Server) standAs(w http.ResponseWriter, r *http.Request, user, state string) {
	reason := r.URL.Query().Get("reason")
	switch {
	case user == "":
		s.say(w, http.StatusBadRequest, noUser)
		return
	case !isAgentState(state):
		s.say(w, http.StatusBadRequest, noState)
		return
	case reason != "" && !slices.Contains(s.conf().Reasons, reason):
		s.say(w, http.StatusBadRequest, noReason, strings.Join(s.conf().Reasons, ", "))
		return
	case !s.mayPress(visitorOf(r), r, user):
		s.refuse(w, r, notYours)
		return
	}
	_, err := s.sw.Calls.SetAgent(user, exchange.AgentState(state), reason)
	s.audit.did(r, "a seat is set", "user", user, "state", state, "reason", reason, "err", err)
	if err != nil {
		s.say(w, http.StatusNotFound, noSeat)
		return
	}
	s.say(w, http.StatusOK, done)
}
