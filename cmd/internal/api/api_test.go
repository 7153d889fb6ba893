package api

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"liandong/configs"
	"liandong/media/engine"
	"liandong/routing/desk"
	"liandong/routing/exchange"
	"liandong/routing/ledger"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// server is an API over the parts of a lab that take no calls.
func server(t *testing.T, cfg configs.API) *Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	lab, err := configs.Lab(configs.Options{Set: []string{"outbox.path=" + filepath.Join(t.TempDir(), "outbox.db")}})
	if err != nil {
		t.Fatal(err)
	}
	var sw Switch
	var one Store
	if one.Outbox, err = outbox.Open(lab.Outbox(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Outbox.Stop)
	if one.Ledger, err = ledger.New(lab.Ledger(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Ledger.Stop)
	sw.Stores = []Store{one}
	if sw.Engine, err = engine.New(lab.Engine(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sw.Engine.Stop)
	if sw.UA, err = ua.New(lab.UA(), nil, log); err != nil {
		t.Fatal(err)
	}
	sw.Tickets, sw.Recent = one.Outbox, ticket.NewRecent(8)
	sw.Trunks = trunk.New(lab.Neighbours(), sw.UA, log)
	sw.Calls = exchange.New(exchange.Config{Directory: lab.Directory(), Wire: sw.UA}, log)
	t.Cleanup(sw.Calls.Stop)
	s, err := New(cfg, sw, log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request as if from an address and returns status and body.
func ask(s *Server, method, target, from string, header ...string) (int, string) {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = from
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body)
}

const (
	friend   = "127.0.0.1:4000"
	stranger = "192.0.2.1:4000"
)

func TestWhoMayAsk(t *testing.T) {
	s := server(t, configs.API{Token: desk.NewSecret("secret"), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, c := range []struct {
		name, target, from string
		header             []string
		want               int
	}{
		{"health is open", "/healthz", stranger, nil, http.StatusOK},
		{"readiness is open", "/readyz", stranger, nil, http.StatusOK},
		{"from the list", "/v1/calls", friend, nil, http.StatusOK},
		{"from the list over IPv6", "/v1/calls", "[::ffff:127.0.0.1]:4000", nil, http.StatusOK},
		{"a stranger", "/v1/calls", stranger, nil, http.StatusForbidden},
		{"a stranger reads no metrics", "/metrics", stranger, nil, http.StatusForbidden},
		{"with the token", "/v1/calls", stranger, []string{"Authorization", "Bearer secret"}, http.StatusOK},
		{"with the token in the URL, as phones send it", "/v1/calls?token=secret", stranger, nil, http.StatusOK},
		{"with a wrong token", "/v1/calls?token=secre", stranger, nil, http.StatusForbidden},
		{"with an empty token", "/v1/calls?token=", stranger, nil, http.StatusForbidden},
	} {
		if got, body := ask(s, "GET", c.target, c.from, c.header...); got != c.want {
			t.Errorf("%s: %d %s", c.name, got, body)
		}
	}
	if got, _ := ask(server(t, configs.API{}), "GET", "/v1/calls?token=", stranger); got != http.StatusForbidden {
		t.Error("without a configured token the empty one opens the door")
	}
}

func TestRecordingThatIsNotGivenIsNotLoggedAsRead(t *testing.T) {
	s := server(t, configs.API{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	var out bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&out, nil))
	for _, path := range []string{"/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH", "/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH/meta"} {
		out.Reset()
		code, _ := ask(s, "GET", path, "127.0.0.1:1")
		if got := out.String(); code != http.StatusNotFound || strings.Contains(got, "is read") || !strings.Contains(got, "level=WARN") {
			t.Errorf("%s: %d, log %q", path, code, got)
		}
	}
}

func TestVerbs(t *testing.T) {
	s := server(t, configs.API{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, c := range []struct {
		method, target string
		want           int
		say            string
	}{
		{"GET", "/v1/keys/fly?user=1101", http.StatusBadRequest, "allowed: handover"},
		{"GET", "/v1/keys/handover", http.StatusBadRequest, "?user=1101"},
		{"GET", "/v1/keys/category?user=1101", http.StatusBadRequest, "?code=NN"},
		{"GET", "/v1/keys/handover?user=1101", http.StatusNotFound, "in no call"},
		{"GET", "/v1/keys/category?user=1101&code=07", http.StatusNotFound, "in no call"},
		{"POST", "/v1/calls/x/verbs/handover?user=1101", http.StatusNotFound, "in no call"},
		{"GET", "/v1/calls/x/verbs/handover?user=1101", http.StatusMethodNotAllowed, ""},
	} {
		if got, body := ask(s, c.method, c.target, friend); got != c.want || !strings.Contains(body, c.say) {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.target, got, body, c.want, c.say)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := server(t, configs.API{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	_, body := ask(s, "GET", "/metrics", friend)
	for _, want := range []string{"liandong_calls 0", "liandong_outbox_waiting 0", "liandong_media_ports_free 5000", "liandong_sip_registrations 0", "# HELP liandong_media_silences_total"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
}
