package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/keeper"
)

// Health is how the switch does, for whoever looks after it.
type Health struct {
	Faults       []string        `json:"faults"`   // what keeps calls or their tickets away
	Warnings     []string        `json:"warnings"` // what is amiss and does not
	Trunks       []Neighbour     `json:"trunks"`
	Stores       []StoreHealth   `json:"stores"`
	Certificates []Certificate   `json:"certificates"`
	SelfTest     map[string]bool `json:"selftest"` // by line
	Process      keeper.Status   `json:"process"`
	Config       ConfigHealth    `json:"config"`
	Calls        uint64          `json:"calls"`
	Phones       int             `json:"phones"` // bindings
}

// ConfigHealth is what the switch goes by. Digests, and words of the file's content, are for those who may read the
// config anew.
type ConfigHealth struct {
	Read   time.Time `json:"read"`
	Files  []File    `json:"files"`
	Same   bool      `json:"same"`             // the files are as they were
	Reload *Reload   `json:"reload,omitempty"` // the last one; none: there was none since the process began
}

// File is one that the config was read from.
type File struct {
	Path    string    `json:"path"`
	Changed time.Time `json:"changed"`
	SHA256  string    `json:"sha256,omitempty"`
}

// Reload is what came of reading the config anew.
type Reload struct {
	At   time.Time `json:"at"`
	OK   bool      `json:"ok"`
	Says []string  `json:"says"`
}

// Neighbour is one target of a trunk.
type Neighbour struct {
	Trunk  string `json:"trunk"`
	Target string `json:"target"`
	Up     bool   `json:"up"`
}

// StoreHealth is how one Redis does, and the outbox before it.
type StoreHealth struct {
	Name     string `json:"name"`
	RedisUp  bool   `json:"redis_up"`
	DiskUp   bool   `json:"disk_up"`
	Waiting  int64  `json:"waiting"` // entries that Redis does not have yet
	Bytes    int64  `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
	// the part of max_bytes that the disk can still take: 1 when nothing waits and the file system has the room
	Free float64 `json:"free"`
}

// Certificate is that of a network's SIP.
type Certificate struct {
	Network string    `json:"network"`
	Expires time.Time `json:"expires"`
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	lang := s.langOf(w)
	calls, sockets := s.sw.Calls.Stats(), s.sw.UA.Stats()
	h := Health{
		Faults:   append([]string{}, s.faults(lang)...),
		Warnings: append([]string{}, s.warnings(lang)...),
		Trunks:   []Neighbour{}, Stores: []StoreHealth{}, Certificates: []Certificate{},
		SelfTest: s.sw.SelfTest(), Process: s.sw.Process(), Calls: calls.Live, Phones: sockets.Bindings,
	}
	for _, t := range s.sw.Trunks.Stats() {
		h.Trunks = append(h.Trunks, Neighbour(t))
	}
	slices.SortFunc(h.Trunks, func(a, b Neighbour) int { return strings.Compare(a.Trunk+a.Target, b.Trunk+b.Target) })
	for _, one := range s.sw.Stores {
		st := one.Outbox.Stats()
		h.Stores = append(h.Stores, StoreHealth{one.Name, st.RedisUp, st.DiskUp, st.Waiting, st.Bytes, st.MaxBytes,
			st.Free()})
	}
	for network, end := range sockets.Certificates {
		h.Certificates = append(h.Certificates, Certificate{network, end})
	}
	slices.SortFunc(h.Certificates, func(a, b Certificate) int { return strings.Compare(a.Network, b.Network) })
	_, rules := s.visitor(r, rule)
	h.Config = s.configHealth(lang, rules)
	if rules {
		h.Warnings = append(h.Warnings, s.checked(lang)...)
	} else {
		h.Warnings = append(h.Warnings, s.advice(lang)...)
	}
	s.Encode(w, h)
}

// configHealth is what the switch goes by, as whoever may read the config anew sees it, or not.
func (s *Server) configHealth(lang string, rules bool) ConfigHealth {
	cfg, last := s.sw.Config()
	files, read := cfg.Sources()
	h := ConfigHealth{Read: read, Files: []File{}, Same: cfg.Unchanged()}
	for _, f := range files {
		one := File{Path: f.Path, Changed: f.Changed}
		if rules {
			one.SHA256 = f.SHA256
		}
		h.Files = append(h.Files, one)
	}
	if last != nil {
		h.Reload = &Reload{At: last.At, OK: last.Err == nil, Says: []string{}}
	}
	if rules && last != nil {
		h.Reload.Says = last.in(lang)
	}
	return h
}

// checked is what check says of the config that holds, with its lines.
func (s *Server) checked(lang string) (all []string) {
	cfg, _ := s.sw.Config()
	for _, p := range cfg.Warnings().In(lang) {
		all = append(all, p.String())
	}
	return all
}

// story lists what is still known of a call, also of one that is over.
func (s *Server) story(w http.ResponseWriter, r *http.Request) {
	list := s.sw.Feed.Of(r.PathValue("id"), visitorOf(r).lines, visitorOf(r).supervises)
	if list == nil {
		list = []json.RawMessage{}
	}
	s.Encode(w, list)
}
