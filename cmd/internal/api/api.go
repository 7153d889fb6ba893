// Package api is the switch's HTTP side: health and metrics for whoever watches
// it, and the verbs for desk applications and for phones' action URLs.
package api

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"liandong/configs"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/exchange"
	"liandong/routing/ledger"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// Switch is what the server shows and drives.
type Switch struct {
	Calls   *exchange.Exchange
	Tickets exchange.Tickets // takes the entries of calls, and what is added to them
	Recent  *ticket.Recent   // the stubs of late
	Stores  []Store
	Engine  *engine.Engine
	UA      *ua.UA
	Trunks  *trunk.Keeper

	Recordings *record.Recorder // nil: no line records
}

// Store is one Redis, as the metrics tell of it.
type Store struct {
	Name   string // "" when it is the only one
	Outbox *outbox.Outbox
	Ledger *ledger.Ledger
}

// matter finds the state of a matter in whichever Redis it is. While one does not answer it may be there.
func (sw Switch) matter(ctx context.Context, stub string) (m matter.Matter, ok bool, err error) {
	for _, one := range sw.Stores {
		found, ok, fault := one.Ledger.Matter(ctx, stub)
		if ok {
			return found, true, nil
		}
		err = errors.Join(err, fault)
	}
	return m, false, err
}

// Server answers HTTP between Start and Stop.
type Server struct {
	cfg    configs.API
	sw     Switch
	log    *slog.Logger
	server http.Server
	addr   net.Addr
	done   chan struct{}
	once   once

	act    func(ref, user string, v verb.Verb) error
	matter func(ctx context.Context, stub string) (matter.Matter, bool, error)
	newID  func(time.Time) string
	now    func() time.Time
}

// New makes a server that hears nothing yet. A zero Listen is off.
func New(cfg configs.API, sw Switch, log *slog.Logger) (*Server, error) {
	metrics := prometheus.NewRegistry()
	if err := metrics.Register(gauges{sw}); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s := &Server{cfg: cfg, sw: sw, log: log, done: make(chan struct{}), act: sw.Calls.Press, matter: sw.matter, newID: ticket.NewIDs(rand.Reader).New, now: time.Now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { s.say(w, http.StatusOK, done) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.known(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}).ServeHTTP))
	mux.Handle("GET /v1/calls", s.known(s.calls))
	mux.Handle("POST /v1/calls/{id}/verbs/{verb}", s.known(s.press))
	mux.Handle("GET /v1/keys/{verb}", s.known(s.press))
	mux.Handle("POST /v1/stubs/{id}", s.known(s.enrich))
	mux.Handle("GET /v1/categories", s.known(s.categories))
	mux.Handle("GET /v1/recordings/{ref}", s.known(s.recording))
	mux.Handle("GET /v1/recordings/{ref}/meta", s.known(s.recordingMeta))
	s.server = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

// Start listens. An empty Listen is no error.
func (s *Server) Start() error {
	if !s.cfg.Listen.IsValid() {
		close(s.done)
		return nil
	}
	l, err := net.Listen("tcp", s.cfg.Listen.String())
	if err != nil {
		return fmt.Errorf("api: http.listen: %w", err)
	}
	s.addr = l.Addr()
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP has stopped", "err", err)
		}
	}()
	return nil
}

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	if s.addr == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	<-s.done
}

// known lets in who is on the list or has the token.
func (s *Server) known(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.listed(r) && !s.hasToken(r) {
			s.say(w, http.StatusForbidden, notAllowed)
			return
		}
		h(w, r)
	})
}

func (s *Server) listed(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range s.cfg.Allow {
		if p.Contains(from.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func (s *Server) hasToken(r *http.Request) bool {
	given := r.URL.Query().Get("token")
	if bearer, ok := cutBearer(r.Header.Get("Authorization")); ok {
		given = bearer
	}
	return !s.cfg.Token.IsZero() && subtle.ConstantTimeCompare([]byte(given), []byte(s.cfg.Token.Reveal())) == 1
}

func cutBearer(v string) (string, bool) {
	const scheme = "Bearer "
	if len(v) > len(scheme) && v[:len(scheme)] == scheme {
		return v[len(scheme):], true
	}
	return "", false
}

// ready says whether calls can be taken. Redis is not asked: calls do not need
// it.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	for _, one := range s.sw.Stores {
		if !one.Outbox.Stats().DiskUp {
			s.say(w, http.StatusServiceUnavailable, noDisk)
			return
		}
	}
	s.say(w, http.StatusOK, readyNow)
}

// shown is a call as the interface shows it, the number masked.
type shown struct {
	ID      string    `json:"id"`
	Since   time.Time `json:"since"`
	Caller  string    `json:"caller"`
	Dialed  string    `json:"dialed"`
	Hotline string    `json:"hotline"`
	Phase   string    `json:"phase"`
	Desk    string    `json:"desk,omitempty"`
	Partner string    `json:"partner,omitempty"`
	Stub    string    `json:"stub,omitempty"`
}

func (s *Server) calls(w http.ResponseWriter, _ *http.Request) {
	list := []shown{}
	for _, c := range s.sw.Calls.Calls() {
		list = append(list, show(c))
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		s.log.Debug("a reader of the calls went away", "err", err)
	}
}

func show(c call.Call) shown {
	out := shown{ID: c.Ref, Since: c.At, Caller: c.Caller.String(), Dialed: c.Dialed, Hotline: c.Hotline, Phase: string(c.Phase)}
	if l, ok := c.Leg(c.Desk); ok {
		out.Desk = l.Agent()
	}
	if l, ok := c.Leg(c.Partner); ok {
		out.Partner = l.Agent()
	}
	if c.Matter != nil {
		out.Stub = c.Matter.Stub
	}
	return out
}

// press carries out a verb for ?user=1101, in the call named by the path or in
// whichever call the user is. category takes its number from ?code=.
func (s *Server) press(w http.ResponseWriter, r *http.Request) {
	text := r.PathValue("verb")
	if code := r.URL.Query().Get("code"); code != "" {
		text += " " + code
	}
	v, err := verb.Parse(text)
	if err != nil {
		s.say(w, http.StatusBadRequest, noVerb, verb.Allowed())
		return
	}
	user := r.URL.Query().Get("user")
	if user == "" {
		s.say(w, http.StatusBadRequest, noUser)
		return
	}
	id := r.PathValue("id")
	act := func() error { return s.act(id, user, v) }
	switch err := s.once.do(s.now(), user, id+" "+v.String(), act); {
	case err == nil:
		s.say(w, http.StatusOK, done)
	case errors.Is(err, exchange.ErrBusy):
		s.say(w, http.StatusServiceUnavailable, callBusy)
	default:
		s.say(w, http.StatusNotFound, noCall)
	}
}
