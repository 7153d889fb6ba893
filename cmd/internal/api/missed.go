package api

import (
	"errors"
	"net/http"
	"time"

	"liandong/routing/exchange"
	"liandong/routing/missed"
)

// Missed is a citizen whom nobody has served, once or more often within an hour.
type Missed struct {
	ID       string    `json:"id"` // of the stub
	Hotline  string    `json:"hotline"`
	Caller   string    `json:"caller"` // masked
	State    string    `json:"state"`  // open, calling, called_back, reached
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Waited   int       `json:"waited_seconds"` // the longest
	Reason   string    `json:"reason"`         // abandoned, no_answer, overload, switch_lost, desk_lost
	By       string    `json:"by,omitempty"`   // the desk that calls, has called, or has answered
	At       time.Time `json:"at,omitzero"`    // when it began, or came to its end
	Result   string    `json:"result,omitempty"`
	Tries    int       `json:"tries"`
	Callable bool      `json:"callable"` // may be called back: the line does so, and there is a number of this country
}

// missedCalls lists those of one's lines, the newest first.
func (s *Server) missedCalls(w http.ResponseWriter, r *http.Request) {
	seen, list := visitorOf(r).lines, []Missed{}
	for _, c := range s.sw.Missed.List() {
		if seen.has(c.Hotline) {
			list = append(list, s.showMissed(c))
		}
	}
	s.Encode(w, list)
}

func (s *Server) showMissed(c missed.Call) Missed {
	return Missed{ID: c.ID, Hotline: c.Hotline, Caller: c.Citizen.String(), State: string(c.State), Count: c.Count,
		First: c.First, Last: c.Last, Waited: int(c.Waited / time.Second), Reason: c.Reason, By: c.By, At: c.At,
		Result: c.Result, Tries: c.Tries, Callable: s.callable(c)}
}

func (s *Server) callable(c missed.Call) bool {
	line, ok := s.conf().Lines[c.Hotline]
	if !ok {
		return false
	}
	_, ok = line.Callback.Dials(c.Citizen)
	return ok
}

// callBack has the switch call a citizen back for the desk of ?user=, whose phone rings first.
func (s *Server) callBack(w http.ResponseWriter, r *http.Request) {
	id, user := r.PathValue("id"), r.URL.Query().Get("user")
	c, ok := s.sw.Missed.Find(id)
	seat := s.conf().Seats[user]
	switch {
	case user == "":
		s.say(w, http.StatusBadRequest, noUser)
		return
	case !ok || !visitorOf(r).lines.has(c.Hotline):
		s.say(w, http.StatusNotFound, noMissed)
		return
	case !s.mayPress(visitorOf(r), r, user) || seat == nil || seat.Hotline != c.Hotline:
		s.refuse(w, r, notYours)
		return
	case s.conf().Lines[c.Hotline] == nil || s.conf().Lines[c.Hotline].Callback.Trunk == "":
		s.say(w, http.StatusConflict, noCallback, c.Hotline, c.Hotline)
		return
	case !s.callable(c):
		s.say(w, http.StatusConflict, noNumber)
		return
	}
	err := s.callsBack(id, user)
	s.audit.did(r, "a citizen is called back", "user", user, "stub", id, "err", err)
	s.calledBack(w, id, err)
}

// callsBack begins the call, unless somebody else has.
func (s *Server) callsBack(id, user string) error {
	c, err := s.sw.Missed.Begin(id, user, s.now())
	if err != nil {
		return err
	}
	ref, err := s.sw.Calls.CallBack(exchange.Callback{Seat: user, Hotline: c.Hotline, Citizen: c.Citizen, Stub: id})
	s.sw.Missed.Called(id, user, ref)
	return err
}

// calledBack answers what has come of it.
func (s *Server) calledBack(w http.ResponseWriter, id string, err error) {
	c, _ := s.sw.Missed.Find(id)
	switch {
	case err == nil:
		s.say(w, http.StatusOK, done)
	case errors.Is(err, missed.ErrCalling):
		s.say(w, http.StatusConflict, isCalling, c.By)
	case errors.Is(err, missed.ErrSettled):
		s.say(w, http.StatusConflict, isReached, c.By)
	case errors.Is(err, missed.ErrUnknown):
		s.say(w, http.StatusNotFound, noMissed)
	case errors.Is(err, exchange.ErrSeatBusy):
		s.say(w, http.StatusConflict, deskBusy)
	case errors.Is(err, exchange.ErrSeatAway):
		s.say(w, http.StatusConflict, deskAway)
	case errors.Is(err, exchange.ErrNoCallback):
		s.say(w, http.StatusConflict, noNumber)
	default:
		s.say(w, http.StatusServiceUnavailable, callBusy)
	}
}
