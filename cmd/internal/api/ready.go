package api

import (
	"maps"
	"net/http"
	"slices"
)

// ready says whether calls can be taken, and why not. Redis is not asked: calls do not need it. What is amiss and keeps
// no call away follows as warnings.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	lang := s.langOf(w)
	if faults := s.faults(lang); len(faults) > 0 {
		s.lines(w, http.StatusServiceUnavailable, faults...)
		return
	}
	s.lines(w, http.StatusOK, slices.Concat([]string{readyNow.in(lang)}, s.warnings(lang), s.advice(lang))...)
}

// advice is what check says of the config that holds: which calls will go wrong.
func (s *Server) advice(lang string) (all []string) {
	for _, p := range s.conf().Advice.In(lang) {
		all = append(all, p.Key+": "+p.Text)
	}
	return all
}

// faults are what keeps calls or their tickets away.
func (s *Server) faults(lang string) (all []string) {
	for _, one := range s.sw.Stores {
		switch {
		case one.Outbox.Stats().DiskUp:
		case one.Name == "":
			all = append(all, noDisk.in(lang))
		default:
			all = append(all, noDiskOf.in(lang, one.Name))
		}
	}
	if s.sw.Calls.Draining() {
		all = append(all, draining.in(lang))
	}
	return all
}

func (s *Server) warnings(lang string) (all []string) {
	if s.sw.Cluster != nil {
		all = append(all, s.sw.Cluster.Words(lang))
	}
	staffed := map[string]bool{}
	for user, seat := range s.conf().Seats {
		staffed[seat.Hotline] = staffed[seat.Hotline] || len(s.phones(user)) > 0
	}
	for _, line := range slices.Sorted(maps.Keys(staffed)) {
		if !staffed[line] {
			all = append(all, noSeatsOn.in(lang, line))
		}
	}
	for _, t := range s.sw.Trunks.Stats() {
		if !t.Up {
			all = append(all, trunkDown.in(lang, t.Trunk, t.Target))
		}
	}
	for _, one := range s.sw.Stores {
		if st := one.Outbox.Stats(); !st.RedisUp && (st.Waiting > 0 || st.RedisError != "") {
			all = append(all, redisDown.in(lang, st.Waiting))
		}
		if one.Shared != nil && !one.Shared.Stats().Up {
			all = append(all, notShared.in(lang))
		}
		if one.Seats != nil && !one.Seats.Stats().Up {
			all = append(all, seatsNotShared.in(lang))
		}
		for _, p := range one.Push {
			if !p.Stats().Up {
				all = append(all, webhookDown.in(lang, p.Name()))
			}
		}
	}
	return all
}
