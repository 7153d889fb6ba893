package api

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/media/engine"
	"liandong/routing/desk"
	"liandong/routing/exchange"
	"liandong/routing/ledger"
	"liandong/routing/missed"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// server is an API over the parts of a lab that take no calls.
func server(t testing.TB, cfg configs.API) *Server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	lab, err := configs.Lab(configs.Options{Set: []string{"outbox.path=" + filepath.Join(t.TempDir(), "outbox.db")}})
	if err != nil {
		t.Fatal(err)
	}
	sw := Switch{Business: NewBusiness()}
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
	sw.Config = func() (*configs.Config, *Reading) { return lab, nil }
	if sw.Engine, err = engine.New(lab.Engine(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sw.Engine.Stop)
	if sw.UA, err = ua.New(lab.UA(), nil, log); err != nil {
		t.Fatal(err)
	}
	sw.Missed = missed.NewBook(func(string, *missed.Call) {}, nil, time.Now)
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
	r.Host = "127.0.0.1:8080"
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

// loopback may do everything, as in the lab.
var loopback = configs.Grant{Name: "http.allow", Role: configs.RoleAdmin,
	From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

func TestWhoMayAsk(t *testing.T) {
	s := server(t, configs.API{Grants: []configs.Grant{{Role: configs.RoleAdmin, Token: desk.NewSecret("secret")},
		loopback}})
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
	s := server(t, configs.API{Grants: []configs.Grant{loopback}})
	var out bytes.Buffer
	s.audit.log = slog.New(slog.NewTextHandler(&out, nil))
	for _, path := range []string{"/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH",
		"/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH/meta"} {
		out.Reset()
		code, _ := ask(s, "GET", path, "127.0.0.1:1")
		if got := out.String(); code != http.StatusNotFound || strings.Contains(got, "is read") ||
			!strings.Contains(got, "level=WARN") {
			t.Errorf("%s: %d, log %q", path, code, got)
		}
	}
}

func TestVerbs(t *testing.T) {
	s := server(t, configs.API{Grants: []configs.Grant{loopback}})
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
	s := server(t, configs.API{Grants: []configs.Grant{loopback}})
	_, body := ask(s, "GET", "/metrics", friend)
	for _, want := range []string{"liandong_calls 0", "liandong_outbox_waiting 0", "liandong_media_ports_free 5000",
		"liandong_sip_registrations 0", "# HELP liandong_media_silences_total"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the metrics", want)
		}
	}
}

// Readiness says in words what is amiss: what keeps calls away, and what does not yet.
func TestReadySaysWhy(t *testing.T) {
	s := bordered(t, loopback)
	s.phones = func(user string) []netip.Addr {
		return map[string][]netip.Addr{"1101": {netip.MustParseAddr("10.1.0.21")}}[user]
	}
	if code, body := ask(s, "GET", "/readyz", friend); code != 200 || !strings.HasPrefix(body, "ready\n") ||
		!strings.Contains(body, "line 12345") || strings.Contains(body, "line 110") {
		t.Errorf("%d %s", code, body)
	}
	for accepts, want := range map[string]string{"zh-CN,zh;q=0.9": "就绪\n", "fr, en": "ready\n", "fr": "ready\n"} {
		if _, body := ask(s, "GET", "/readyz", friend, "Accept-Language", accepts); !strings.HasPrefix(body, want) {
			t.Errorf("%s: %s", accepts, body)
		}
	}
	if _, body := ask(s, "GET", "/v1/calls/x", friend, "Accept-Language", "zh"); !strings.Contains(body, "没有这通电话") {
		t.Error(body)
	}
}

// A line without a partner and a trunk that leads back to us are said by /readyz, as check does, in the language of the
// config; calls can be taken all the same. Where there is no such thing nothing is said.
func TestReadyAdvises(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		bad, err := configs.Parse("bad.yaml", []byte(`
networks: {lab: {sip: {udp: 127.0.0.1:5060}, rtp: {address: 127.0.0.1, ports: 20000-29999}}}
hotlines: {110: {numbers: [110]}}
phones: {1101: {hotline: 110, password: calm-heron-1101}}
trunks: {pstn: {match: [127.0.0.10], target: "127.0.0.1:5060"}}
`), configs.Options{Lang: lang})
		if err != nil {
			t.Fatal(err)
		}
		good, err := configs.Lab(configs.Options{Lang: lang})
		if err != nil {
			t.Fatal(err)
		}
		s := server(t, bad.API())
		code, body := ask(s, "GET", "/readyz", friend)
		checked := bad.Warnings().Error()
		for _, key := range []string{"hotlines.110: ", "trunks.pstn: "} {
			i := strings.Index(body, key)
			if i < 0 || code != 200 {
				t.Fatalf("%d %s does not name %s", code, body, key)
			}
			line, _, _ := strings.Cut(body[i:], "\n")
			if !strings.Contains(checked, line) {
				t.Errorf("%q is not what check says: %s", line, checked)
			}
		}
		s.SetConfig(good.API())
		if code, body := ask(s, "GET", "/readyz", friend); code != 200 || strings.Contains(body, "hotlines.") ||
			strings.Contains(body, "trunks.") {
			t.Errorf("of a good config: %d %s", code, body)
		}
	}
}

// Texts that would paint over a terminal, forge a line of a log or turn the direction of what follows are refused.
func TestTextsWithoutControls(t *testing.T) {
	s := bordered(t, loopback)
	for _, text := range []string{"a\x1b[2Jb", "a\nb", "a\rb", "a\u202eb", "a\u2066b", "a\u200fb"} {
		if _, faults := s.read(map[string]string{"place": text}, "en"); len(faults) != 1 ||
			strings.Contains(faults[0], text) {
			t.Errorf("%q: %q", text, faults)
		}
	}
	if _, faults := s.read(map[string]string{"place": "裕华路 1 号（南门）"}, "en"); len(faults) != 0 {
		t.Error(faults)
	}
}

// A callback that cannot begin leaves the missed call to whoever asks next.
func TestCallBackNotBegun(t *testing.T) {
	s := server(t, configs.API{})
	s.sw.Missed.Take(ticket.Entry{EventID: "one", StubID: "stub", Event: ticket.Missed, At: time.Now(), To: "110"})
	if err := s.callsBack("stub", "1101"); !errors.Is(err, exchange.ErrNoCallback) {
		t.Error(err)
	}
	if c, _ := s.sw.Missed.Find("stub"); c.State != missed.Open {
		t.Errorf("%+v", c)
	}
}

// Days are read in the zone by which they are counted; what is none is told apart.
func TestDaysOfASpan(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 8*3600)
	now := time.Date(2024, 4, 3, 20, 0, 0, 0, time.UTC) // the 4th there
	for in, want := range map[Span]string{
		{}:                                       "2024-04-04 2024-04-04",
		{From: "2024-04-01"}:                     "2024-04-01 2024-04-01",
		{From: "2024-04-01", To: "2024-04-03"}:   "2024-04-01 2024-04-03",
		{From: "2024-01-01", To: "2024-12-31"}:   "2024-01-01 2024-12-31",
		{From: "2024-01-01", To: "2025-01-01"}:   "",
		{From: "2024-04-02", To: "2024-04-01"}:   "",
		{From: "2024-04-02", To: "tomorrow"}:     "",
		{From: "2024-02-30"}:                     "",
		{To: "2024-04-01"}:                       "",
		{From: "2024-04-01' --", To: "20240403"}: "",
	} {
		from, to, err := in.In(zone, now)
		got := ""
		if err == nil {
			got = from.Format(time.DateOnly) + " " + to.Format(time.DateOnly)
		}
		if got != want || err != nil && !errors.Is(err, ErrDay) || err == nil && from.Location() != zone {
			t.Errorf("%+v: %q %v, want %q", in, got, err, want)
		}
	}
}
