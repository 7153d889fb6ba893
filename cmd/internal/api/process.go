package api

import "net/http"

// process shows who carries the calls, and who would.
func (s *Server) process(w http.ResponseWriter, _ *http.Request) { s.Encode(w, s.sw.Process()) }
