package api

import (
	"net/http"

	"liandong/routing/claims"
	"liandong/routing/mirror"
	"liandong/routing/whereabouts"
)

// Cluster is the pair of machines that carry the switch by turns.
type Cluster interface {
	Words(lang string) string // how it stands, a line
	SwitchOver() error        // has the other machine go on with the calls; an error when it cannot
	Turn() uint64             // of this machine
	Stream() mirror.Stats     // to the other one
}

// cluster shows how the pair stands.
func (s *Server) cluster(w http.ResponseWriter, _ *http.Request) {
	s.lines(w, http.StatusOK, s.sw.Cluster.Words(s.langOf(w)))
}

// switchOver has the other machine go on with the calls.
func (s *Server) switchOver(w http.ResponseWriter, r *http.Request) {
	err := s.sw.Cluster.SwitchOver()
	s.audit.did(r, "the calls are given to the other machine", "err", err)
	if err != nil {
		s.lines(w, http.StatusConflict, err.Error(), s.sw.Cluster.Words(s.langOf(w)))
		return
	}
	s.lines(w, http.StatusAccepted, switchesOver.in(s.langOf(w)))
}

// streamed are the figures of the pair.
func streamed(c Cluster, to figures) {
	s := c.Stream()
	connected := 0.0
	if s.Connected {
		connected = 1
	}
	to.now("cluster_turn", "Number of the turn in which this machine carries the calls.", float64(c.Turn()))
	to.now("cluster_partner_connected", "1: the other machine is connected, and calls would outlive this one.",
		connected)
	to.now("cluster_lag_seconds", "Age of the oldest change that the other machine has not confirmed; 0: it has all.",
		s.Lag.Seconds())
	to.total("cluster_cuts_total", "Changes sent to the other machine, many at once.", float64(s.Cuts))
	to.total("cluster_whole_cuts_total", "Of them those that began anew.", float64(s.Wholes))
	to.total("cluster_bytes_total", "Bytes of them.", float64(s.Bytes))
	to.total("cluster_breaks_total", "Connections to the other machine that ended.", float64(s.Breaks))
}

// shared are the figures of registrations and seats that several switches know of.
func shared(s whereabouts.Stats, seats claims.Stats, to figures) {
	to.now("shared_registrations", "Phones registered, with this switch and others.", float64(s.Bindings))
	to.now("shared_registrations_up", "1 while Redis takes registrations and tells of those of other switches.",
		flag(s.Up))
	to.now("shared_registrations_lag_seconds",
		"Age of the oldest registration that Redis does not have yet; 0: it has all.", s.Lag.Seconds())
	to.total("shared_registrations_sent_total", "Registrations, and ends of them, that Redis was told of.",
		float64(s.Changes))
	to.total("shared_registrations_learnt_total", "Those that other switches have told of.", float64(s.Learnt))
	to.total("shared_registrations_exchanges_total", "Exchanges with Redis about them, each of many users.",
		float64(s.Exchanges))
	to.total("shared_registrations_failures_total", "Those that Redis has not answered.", float64(s.Failures))
	to.now("shared_seats_up", "1 while Redis says which switch has a seat.", flag(seats.Up))
	to.now("shared_seats_own", "Seats that calls of this switch have.", float64(seats.Mine))
	to.now("shared_seats_others", "Seats that other switches have.", float64(seats.Others))
	to.now("shared_waiting_others", "Calls that wait for a seat at other switches.", float64(seats.Waiting))
}
