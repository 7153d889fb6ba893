package api

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"liandong/routing/call"
	"liandong/routing/exchange"
)

// The refusals of what a supervisor asks for.
var (
	noAct = text{"no such act; allowed: %s", "没有这个操作；可用：%s"}
	noOwn = text{"user: name the supervisor's phone, as in ?user=1109", "缺少 user：请写明班长的话机，例如 ?user=1109"}

	notOwn = text{"not allowed: this is not your phone", "不允许：这不是您的话机"}

	refusals = []struct {
		is     error
		status int
		text   text
	}{
		{call.ErrStranger, http.StatusForbidden,
			text{"not allowed: the call is of no line whose calls this phone may look after",
				"不允许：通话不属于该话机可监听的热线"}},
		{call.ErrNoDesk, http.StatusConflict,
			text{"no desk of the line is there to hear a whisper, and nobody to join", "本线没有坐席在通话中，不能密语或强插"}},
		{call.ErrLines, http.StatusConflict,
			text{"the desk's phone mixes two lines itself and would pass the voice on: only listening is possible",
				"坐席话机正在自行混合两路，会把声音传出去，只能监听"}},
		{call.ErrNotOver, http.StatusConflict,
			text{"nobody was handed over in this call who could be taken back", "这通电话没有可收回的转接"}},
		{call.ErrNotHere, http.StatusConflict, text{"the supervisor is not in the call", "班长不在这通电话里"}},
		{call.ErrCrowd, http.StatusConflict, text{"so many supervisors are in the call already", "这通电话里的班长已满"}},
		{exchange.ErrNoPhone, http.StatusConflict,
			text{"the supervisor's phone is not registered", "班长的话机没有注册"}},
		{exchange.ErrPhoneBusy, http.StatusConflict,
			text{"the supervisor's phone is in a call", "班长的话机正在通话"}},
		{exchange.ErrBusy, http.StatusServiceUnavailable, callBusy},
		{exchange.ErrGone, http.StatusNotFound, goneCall},
		{call.ErrOver, http.StatusNotFound, goneCall},
	}
)

// supervise has a supervisor listen to a call, whisper, join, end it or leave it. His phone is rung if it is not in the
// call yet: the one of ?user=, or that of whoever has signed in.
func (s *Server) supervise(w http.ResponseWriter, r *http.Request) {
	v, act := visitorOf(r), call.Act(r.PathValue("act"))
	user := cmp.Or(r.URL.Query().Get("user"), v.phone)
	switch {
	case !slices.Contains(call.Acts, act):
		s.say(w, http.StatusBadRequest, noAct, call.Acts)
		return
	case user == "" && act.NeedsPhone(), user != "" && s.conf().Seats[user] == nil:
		s.say(w, http.StatusBadRequest, noOwn)
		return
	case v.phone != "" && user != v.phone:
		s.refuse(w, r, notOwn)
		return
	}
	id := r.PathValue("id")
	err := s.attend(id, call.SupervisorAsked{User: cmp.Or(user, v.name), Lines: s.allowed(v), Act: act})
	s.audit.did(r, "a supervisor asks", "act", act, "user", user, "call", id, "err", err)
	for _, no := range refusals {
		if errors.Is(err, no.is) {
			s.say(w, no.status, no.text)
			return
		}
	}
	if err != nil {
		s.say(w, http.StatusServiceUnavailable, callBusy)
		return
	}
	s.say(w, http.StatusOK, done)
}

// allowed are the lines whose calls a visitor may look after.
func (s *Server) allowed(v visitor) (ids []string) {
	for id := range s.conf().Lines {
		if v.lines.has(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Watcher is a supervisor in a call.
type Watcher struct {
	User string `json:"user"`
	Act  string `json:"act"`
	Up   bool   `json:"up"` // else his phone rings
}

// watchers are those of a visitor's lines: who may not look after calls sees none.
func watchers(c call.Call, v visitor) (list []Watcher) {
	for _, w := range c.Supervisors {
		if v.supervises && v.lines.has(w.Hotline) {
			list = append(list, Watcher{w.Seat, string(w.Act), w.Up})
		}
	}
	return list
}
