// Package api is the switch's HTTP side: health and metrics for whoever watches
// it, and the verbs for desk applications and for phones' action URLs.
package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/report"
	"liandong/cmd/internal/trace"
	"liandong/configs"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/claims"
	"liandong/routing/exchange"
	"liandong/routing/journal"
	"liandong/routing/ledger"
	"liandong/routing/matter"
	"liandong/routing/missed"
	"liandong/routing/outbox"
	"liandong/routing/push"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/routing/whereabouts"
	"liandong/sip/capture"
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
	Trunks  Trunks

	Missed *missed.Book // citizens whom nobody has served

	Audit *slog.Logger // what people do by HTTP

	Recordings *record.Recorder // nil: no line records
	Journal    *journal.Journal // nil: no call outlives the process

	Feed     *feed.Feed
	Traces   *trace.Book  // nil: nothing is kept of calls
	Homer    *capture.HEP // nil: no messages are sent to one
	Business *Business    // of the calls and tickets; nil: none is counted

	Indicators func(ctx context.Context, of Span) ([]report.Line, error) // of all lines; ErrDay: of no days

	Reload func() ([]configs.Change, error)   // reads the config again
	Values func(salt string) configs.Values   // what holds, secrets as digests
	Config func() (*configs.Config, *Reading) // what holds, and what the last reload came to; nil: there was none

	SelfTest func() map[string]bool // by line, whether its own calls are taken
	Process  func() keeper.Status
	Keeper   Keeper  // nil: the listener ends with the process
	Cluster  Cluster // nil: there is one machine
}

// Trunks are the neighbours, as the metrics tell of them.
type Trunks interface {
	Registrations() map[string]bool
	Stats() []trunk.TargetStats
}

// Keeper keeps the listener for the process that comes after this one, as package keeper explains it.
type Keeper interface {
	Take(name string) (fd int, ok bool)
	Hold(name string, fd int)
}

// Store is one Redis, as the metrics tell of it.
type Store struct {
	Name   string // "" when it is the only one
	Outbox *outbox.Outbox
	Ledger *ledger.Ledger
	Push   []*push.Pusher
	Shared *whereabouts.Whereabouts // other switches' phones; nil: nothing is shared
	Seats  *claims.Claims           // other switches' seats; nil: nothing is shared
}

// phones are the addresses where a user's phones are registered.
func (sw Switch) phones(user string) (all []netip.Addr) {
	for _, b := range sw.UA.Locate(user) {
		all = append(all, b.Flow.Remote.Addr().Unmap().WithZone(""))
	}
	return all
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
	cfg    atomic.Pointer[configs.API]
	sw     Switch
	log    *slog.Logger
	audit  audit
	mux    *http.ServeMux
	pages  http.Handler // the console; nil: there is none
	server http.Server
	door   door
	open   []*listener
	served sync.WaitGroup
	once   once
	given  given

	registered registered
	streams    atomic.Int64 // that are open
	days       days

	act    func(ref, user string, v verb.Verb) error
	attend func(ref string, e call.SupervisorAsked) error
	matter func(ctx context.Context, stub string) (matter.Matter, bool, error)
	caller func(ctx context.Context, stub string) (e ticket.Entry, known bool, err error)
	entry  func(ctx context.Context, stream, id string) (ticket.Entry, bool)
	phones func(user string) []netip.Addr // where a user's phone is registered
	newID  func(time.Time) string
	now    func() time.Time
}

// New makes a server that hears nothing yet. A zero Listen is off.
func New(cfg configs.API, sw Switch, log *slog.Logger) (*Server, error) {
	s := &Server{
		sw: sw, log: log, audit: audit{log: cmp.Or(sw.Audit, log)}, act: sw.Calls.Press, attend: sw.Calls.Supervise,
		matter: sw.matter, caller: sw.whoCalled,
		entry: sw.entry, phones: sw.phones,
		newID: ticket.NewIDs(rand.Reader).New, now: time.Now,
	}
	s.cfg.Store(&cfg)
	s.door = door{expected: s.expected, tokens: s.tokens}
	metrics, err := s.metrics()
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s.mux = http.NewServeMux()
	s.register()
	s.mux.Handle("GET /metrics", s.known(watch, promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}).ServeHTTP))
	s.server = http.Server{
		Handler: http.HandlerFunc(s.serve), ConnContext: withConn, ErrorLog: slog.NewLogLogger(log.Handler(),
			slog.LevelDebug),
		MaxHeaderBytes:    16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute,
	}
	return s, nil
}

// Pages is the console, which answers whatever comes by its listeners. It is given before Start.
func (s *Server) Pages(h http.Handler) { s.pages = h }

// serve lets the console answer what comes by its listeners.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if listenerOf(r).Console {
		s.pages.ServeHTTP(w, r)
		return
	}
	if lang := AcceptedLang(r); lang != "" {
		w = speaker{w, lang}
	}
	s.mux.ServeHTTP(w, r)
}

// metrics are all figures there are.
func (s *Server) metrics() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	all := []prometheus.Collector{
		gauges{s.sw}, seatGauge{s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(),
	}
	if s.sw.Business != nil {
		all = append(all, s.sw.Business)
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// buildInfo is 1, with what was built as labels.
func buildInfo() prometheus.Collector {
	version, revision := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, set := range info.Settings {
			if set.Key == "vcs.revision" {
				revision = set.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "liandong_build_info", Help: "1, with what was built as labels.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "go": runtime.Version()},
	}, func() float64 { return 1 })
}

// Start listens. No address to listen on is no error.
func (s *Server) Start() error {
	for _, at := range s.conf().Listen {
		l, err := s.listen(at)
		if err != nil {
			s.Stop()
			return fmt.Errorf("api: %s: %w", at.Key, err)
		}
		s.open = append(s.open, l)
	}
	for _, l := range s.open {
		s.served.Go(func() {
			if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("HTTP has stopped", "at", l.Addr(), "err", err)
			}
		})
	}
	return nil
}

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.stop(ctx)
}

// Leave ends it at once: another process answers at its addresses.
func (s *Server) Leave() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.stop(ctx)
}

func (s *Server) stop(ctx context.Context) {
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
	for _, l := range s.open {
		_ = l.Close() // those that were not served
	}
	s.served.Wait()
}

// SetConfig lets others in from now on; addresses stay.
func (s *Server) SetConfig(cfg configs.API) { s.cfg.Store(&cfg) }

// conf is what holds now.
func (s *Server) conf() *configs.API { return s.cfg.Load() }

// Shown is a call as the interface shows it, the number masked.
type Shown struct {
	ID      string    `json:"id"`
	Since   time.Time `json:"since"`
	Caller  string    `json:"caller"`
	Dialed  string    `json:"dialed"`
	Hotline string    `json:"hotline"`
	Phase   string    `json:"phase"`
	Desk    string    `json:"desk,omitempty"`
	Partner string    `json:"partner,omitempty"`
	Ringing []string  `json:"ringing,omitempty"` // the desks that are rung
	Lines   []string  `json:"lines"`             // that have to do with it
	Stub    string    `json:"stub,omitempty"`
	// who look after it: for supervisors alone
	Supervisors []Watcher `json:"supervisors,omitempty"`
}

func (s *Server) calls(w http.ResponseWriter, r *http.Request) {
	seen, list := visitorOf(r).lines, []Shown{}
	for _, c := range s.sw.Calls.Calls() {
		if seen.any(concerned(c)...) {
			list = append(list, show(c, visitorOf(r)))
		}
	}
	s.Encode(w, list)
}

// Encode answers with a value as JSON.
func (s *Server) Encode(w http.ResponseWriter, v any) { s.encodeAs(w, http.StatusOK, v) }

// encodeAs answers so with another status.
func (s *Server) encodeAs(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("a reader went away", "err", err)
	}
}

// concerned are the lines that have to do with a call: the one that was called first, that which seeks a desk, and
// those whose desks are in it.
func concerned(c call.Call) []string { return strings.Split(exchange.Lines(c), ",") }

func show(c call.Call, v visitor) Shown {
	out := Shown{ID: c.Ref, Since: c.At, Caller: c.Caller.String(), Dialed: c.Dialed, Hotline: c.Hotline,
		Phase: string(c.Phase), Lines: concerned(c), Supervisors: watchers(c, v)}
	if l, ok := c.Leg(c.Desk); ok {
		out.Desk = l.Agent()
	}
	if l, ok := c.Leg(c.Partner); ok {
		out.Partner = l.Agent()
	}
	for _, l := range c.Rung() {
		out.Ringing = append(out.Ringing, l.Agent())
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
	if !s.mayPress(visitorOf(r), r, user) {
		s.refuse(w, r, notYours)
		return
	}
	id := r.PathValue("id")
	act := func() error { return s.act(id, user, v) }
	err = s.once.do(s.now(), user, id+" "+v.String(), act)
	s.audit.did(r, "a key is pressed", "verb", v.String(), "user", user, "call", id, "err", err)
	switch {
	case err == nil:
		s.say(w, http.StatusOK, done)
	case errors.Is(err, exchange.ErrBusy):
		s.say(w, http.StatusServiceUnavailable, callBusy)
	default:
		s.say(w, http.StatusNotFound, noCall)
	}
}
