package api

import (
	"encoding/json"
	"net/http"
)

// process shows who carries the calls, and who would.
func (s *Server) process(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(s.sw.Process()); err != nil {
		s.log.Debug("a reader of the processes went away", "err", err)
	}
}
