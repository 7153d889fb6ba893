package api

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"liandong/configs"
)

// reload reads the config again. What is refused changes nothing; the answer says what is wrong, or what has changed.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	changes, err := s.sw.Reload()
	s.audit.did(r, "the config is read again", "err", err)
	status := http.StatusOK
	if err != nil {
		status = http.StatusUnprocessableEntity
	}
	s.lines(w, status, Reading{Changes: changes, Err: err}.in(s.langOf(w))...)
}

// Reading is what came of reading the config anew.
type Reading struct {
	At      time.Time
	Changes []configs.Change
	Err     error // why it was not taken
}

// in is it in words, a line each.
func (r Reading) in(lang string) []string {
	if problems, ok := errors.AsType[configs.Problems](r.Err); ok {
		return strings.Split(problems.In(lang).Error(), "\n")
	}
	if r.Err != nil {
		return []string{r.Err.Error()}
	}
	return configs.Told(r.Changes, lang)
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
	s.Encode(w, Holding{salt, s.sw.Values(salt)})
}
