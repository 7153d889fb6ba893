// Package console is where people look at the switch with a browser: the wallboard, the calls, a call-taker's desk, the
// indicators, and how the switch does. It signs people in and shows pages; what the pages show and do they ask of the
// HTTP interface, whose roles and lines hold here too.
package console

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"liandong/cmd/internal/api"
	"liandong/configs"
)

//go:embed static
var static embed.FS

//go:embed pages
var pages embed.FS

// Server answers browsers.
type Server struct {
	cfg      atomic.Pointer[configs.API]
	api      *api.Server
	log      *slog.Logger
	trail    *slog.Logger // of what people do
	mux      *http.ServeMux
	pages    map[string]*template.Template
	files    string // the digest of all static files, by which browsers know them
	sessions sessions
	throttle throttle
	checking chan struct{} // a token for whoever has a password checked: it takes a core and much memory
	now      func() time.Time
}

// New makes a console before an interface. What people do goes to trail.
func New(cfg configs.API, to *api.Server, kept Kept, log, trail *slog.Logger) (*Server, error) {
	s := &Server{api: to, log: log, trail: trail, mux: http.NewServeMux(), checking: make(chan struct{}, 1),
		now: kept.Now}
	s.cfg.Store(&cfg)
	s.sessions.all, s.sessions.put = map[[sha256.Size]byte]*session{}, kept.Put
	if kept.All != nil {
		s.sessions.restore(kept.All)
	}
	var err error
	if s.pages, err = parse(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if s.files, err = digest(static); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s.mux.Handle("GET /static/{digest}/", s.static(http.FileServerFS(files)))
	s.mux.HandleFunc("GET /signin", s.signInPage)
	s.mux.HandleFunc("POST /signin", s.signIn)
	s.mux.Handle("POST /signout", s.signed(s.signOut))
	s.mux.Handle("POST /seat", s.signed(s.sit))
	s.mux.Handle("GET /{$}", s.signed(s.home))
	for _, p := range all {
		s.mux.Handle("GET /"+p.Name, s.signed(s.page(p)))
	}
	s.mux.Handle("GET /calls/{id}", s.signed(s.page(oneCall)))
	s.mux.Handle("GET /matters/{stub}", s.signed(s.history))
	s.mux.Handle("GET /calls/{id}/ladder", s.signed(s.ladder))
	s.mux.Handle("GET /calls/{id}/curves", s.signed(s.sound))
	s.mux.Handle("GET /indicators.csv", s.signed(s.table))
	s.mux.Handle("/v1/", s.signed(s.interfaced))
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return s, nil
}

// SetConfig lets others in from now on. Who is no user any more, or has another password, is signed out.
func (s *Server) SetConfig(cfg configs.API) { s.cfg.Store(&cfg) }

func (s *Server) conf() *configs.API { return s.cfg.Load() }

// digest is one of all files.
func digest(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		fmt.Fprintln(sum, path, len(b))
		sum.Write(b)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// policy is what a page may do: nothing but what comes from here (CSP Level 3). No script or style stands in a page.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServeHTTP answers who asks for the console by one of its names.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if secure(r) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if !s.api.Addressed(r) {
		s.audit(r, "refused at the console", "why", "the host is not known")
		http.Error(w, otherName.in(s.lang(r)), http.StatusMisdirectedRequest)
		return
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		s.audit(r, "refused at the console", "why", "a page of another site asks")
		http.Error(w, otherSite.in(s.lang(r)), http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func secure(r *http.Request) bool { return r.TLS != nil }

// static serves files that browsers may keep: with other files the address is another.
func (s *Server) static(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("digest") != s.files || strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.StripPrefix("/static/"+s.files, files).ServeHTTP(w, r)
	})
}

// visit is a request of somebody who has signed in.
type visit struct {
	session
	who   configs.Person
	token string
}

type visitKey struct{}

func visitOf(r *http.Request) visit {
	v, _ := r.Context().Value(visitKey{}).(visit)
	return v
}

// cookie is the name of the session's; by HTTPS one that no other host of the domain can set (RFC 6265bis §4.1.3.2).
func cookie(r *http.Request) string {
	if secure(r) {
		return "__Host-liandong"
	}
	return "liandong"
}

// signed lets in who has signed in. What changes something needs the page's own token besides.
func (s *Server) signed(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.visit(r)
		switch {
		case !ok && strings.HasPrefix(r.URL.Path, "/v1/"):
			http.Error(w, signInFirst.in(s.lang(r)), http.StatusUnauthorized)
		case !ok:
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
		case !safe(r) && !v.means(r):
			s.audit(r, "refused at the console", "why", "without the page's token", "user", v.name)
			http.Error(w, tooOld.in(s.lang(r)), http.StatusForbidden)
		default:
			api.Known(r)
			h(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
		}
	})
}

// safe requests change nothing (RFC 9110 §9.2.1).
func safe(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// means says that a request comes from a page that we have given to this session.
func (v visit) means(r *http.Request) bool {
	given := r.Header.Get("X-CSRF-Token")
	if given == "" {
		given = r.PostFormValue("csrf")
	}
	return same(given, v.csrf)
}

// visit finds who asks. A page that nobody has touched for a while asks all the same, and keeps nobody signed in.
func (s *Server) visit(r *http.Request) (visit, bool) {
	c, err := r.Cookie(cookie(r))
	if err != nil {
		return visit{}, false
	}
	active := r.Header.Get("X-Active") != "" || !strings.HasPrefix(r.URL.Path, "/v1/")
	return s.known(c.Value, active)
}

func (s *Server) known(token string, active bool) (visit, bool) {
	o, ok := s.sessions.find(token, s.now(), s.conf().Idle, active)
	if !ok {
		return visit{}, false
	}
	who, ok := s.person(o.name)
	if !ok || digestOf(who.Password.Reveal()) != o.password {
		s.sessions.end(token)
		return visit{}, false
	}
	if who.Phone != "" {
		o.seat = who.Phone
	}
	return visit{o, who, token}, true
}

func (s *Server) person(name string) (configs.Person, bool) {
	list := s.conf().People
	i := slices.IndexFunc(list, func(p configs.Person) bool { return p.Name == name })
	if i < 0 {
		return configs.Person{}, false
	}
	return list[i], true
}

// interfaced hands a request to the HTTP interface. Keys of phones' action URLs are not for browsers.
func (s *Server) interfaced(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v1/keys/") {
		http.NotFound(w, r)
		return
	}
	v := visitOf(r)
	who := s.signedAs(v)
	who.Lang = s.lang(r)
	s.api.Serve(w, r, who)
}

func (s *Server) signedAs(v visit) api.Signed {
	return api.Signed{Name: v.name, Role: v.who.Role, Lines: v.who.Lines, Seat: v.seat, On: func() bool {
		_, ok := s.known(v.token, false)
		return ok
	}}
}

// audit writes down what somebody has done at the console.
func (s *Server) audit(r *http.Request, what string, attrs ...any) {
	s.trail.Info(what, append(attrs, "from", r.RemoteAddr, "method", r.Method, "pattern", r.Pattern)...)
}

// source is the address that a request comes from, for counting.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return host
}
