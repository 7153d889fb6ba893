package api

import (
	"net/http"

	"liandong/routing/category"
)

// Kind is a category as HTTP and the command line show it.
type Kind struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Owner    string   `json:"owner,omitempty"`
	Modes    []string `json:"modes,omitempty"` // how it should go over; none: any way
	Urgency  string   `json:"urgency,omitempty"`
	Keywords []string `json:"keywords,omitempty"`
	Answer   string   `json:"answer,omitempty"`
}

// Kinds prepares categories for printing as JSON.
func Kinds(list category.List) []Kind {
	kinds := make([]Kind, len(list))
	for i, c := range list {
		kinds[i] = Kind{c.Code, c.Name, c.Owner, c.Modes, string(c.Urgency), c.Keywords, c.Answer}
	}
	return kinds
}

// categories looks up who handles what: ?q=噪音, best match first; without it all.
func (s *Server) categories(w http.ResponseWriter, r *http.Request) {
	s.Encode(w, Kinds(s.conf().Categories.Find(r.URL.Query().Get("q"))))
}
