package api

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"

	"liandong/configs"
)

// reload reads the config again. What is refused changes nothing; the answer says what is wrong, or what has changed.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	changes, err := s.sw.Reload()
	s.audit.did(r, "the config is read again", "err", err)
	lang := s.langOf(w)
	if problems, ok := errors.AsType[configs.Problems](err); ok {
		err = problems.In(lang)
	}
	if err != nil {
		s.lines(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.lines(w, http.StatusOK, configs.Told(changes, lang)...)
}

// Holding is what a switch goes by, for comparing.
type Holding struct {
	Salt   string         `json:"salt"` // of the digests of secrets
	Values configs.Values `json:"values"`
}

// config tells what holds now.
func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	salt := rand.Text()
	s.audit.did(r, "the config is read")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(Holding{salt, s.sw.Values(salt)}); err != nil {
		s.log.Debug("a reader of the config went away", "err", err)
	}
}
