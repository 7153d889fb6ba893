package api

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/remote"
	"liandong/configs"
	"liandong/media/record"
	"liandong/routing/desk"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/ua/certtest"
)

// seats are two lines with a desk each, on a network each.
var seats = map[string]*desk.Seat{
	"1101": {User: "1101", Hotline: "110", Network: "police", Takes: true},
	"2101": {User: "2101", Hotline: "12345", Network: "gov", Takes: true},
}

func bordered(t testing.TB, grants ...configs.Grant) *Server {
	t.Helper()
	s := server(t, configs.API{Lang: "en", Grants: grants, Seats: seats, Hosts: []string{"switch.example.cn"}})
	s.act = func(string, string, verb.Verb) error { return nil }
	s.phones = func(user string) []netip.Addr {
		return map[string][]netip.Addr{"1101": {netip.MustParseAddr("10.1.0.21")},
			"2101": {netip.MustParseAddr("172.20.0.21")}}[user]
	}
	return s
}

// request is one as a phone, a program or a browser sends it. Headers stand in pairs; "Host" is the name asked for.
func request(s *Server, at configs.Listener, method, target, from string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr, r.Host = from+":4000", "172.20.0.10:8080"
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	r = r.WithContext(withConn(r.Context(), &conn{at: &listener{at: at, door: &s.door}}))
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return w.Code, string(body)
}

func from(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// Each role may do what is its own, at its lines, and nothing else.
func TestRoles(t *testing.T) {
	s := bordered(t,
		configs.Grant{Name: "admin", Role: configs.RoleAdmin, Token: desk.NewSecret("T-admin")},
		configs.Grant{Name: "police", Role: configs.RoleDesk, Token: desk.NewSecret("T-police"),
			Lines: []string{"110"}},
		configs.Grant{Name: "chief", Role: configs.RoleSupervisor, Token: desk.NewSecret("T-chief"),
			From: from("172.20.0.30/32"), Lines: []string{"12345"}},
		configs.Grant{Name: "prometheus", Role: configs.RoleMonitor, From: from("172.20.0.5/32")},
	)
	const press, keys = "/v1/calls/x/verbs/handover?user=", "/v1/keys/handover?user="
	for _, c := range []struct {
		name, method, target, from, token string
		want                              int
	}{
		{"an admin presses for everybody", "POST", press + "1101", "192.0.2.1", "T-admin", 200},
		{"an admin reads the figures", "GET", "/metrics", "192.0.2.1", "T-admin", 200},
		{"a desk presses for its line", "POST", press + "1101", "192.0.2.1", "T-police", 200},
		{"a desk presses for another line", "POST", press + "2101", "192.0.2.1", "T-police", 403},
		{"a desk presses for nobody's user", "POST", press + "9999", "192.0.2.1", "T-police", 403},
		{"a desk reads the figures", "GET", "/metrics", "192.0.2.1", "T-police", 403},
		{"a desk asks for a recording", "GET", "/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH", "192.0.2.1", "T-police",
			403},
		{"a supervisor asks for a recording there is not", "GET", "/v1/recordings/01M85E0AZ4S4V4M1T7Y1C8K3QH",
			"172.20.0.30", "T-chief", 404},
		{"a supervisor's token from elsewhere", "GET", "/v1/calls", "172.20.0.31", "T-chief", 403},
		{"a supervisor's address without the token", "GET", "/v1/calls", "172.20.0.30", "", 403},
		{"Prometheus reads the figures", "GET", "/metrics", "172.20.0.5", "", 200},
		{"Prometheus lists the calls", "GET", "/v1/calls", "172.20.0.5", "", 403},
		{"Prometheus presses", "POST", press + "1101", "172.20.0.5", "", 403},
		{"a phone presses its own key", "GET", keys + "1101", "10.1.0.21", "", 200},
		{"a phone presses another's key", "GET", keys + "2101", "10.1.0.21", "", 403},
		{"a phone lists the calls", "GET", "/v1/calls", "10.1.0.21", "", 403},
		{"a phone presses by POST", "POST", press + "1101", "10.1.0.21", "", 403},
		{"a phone with the token of its line", "GET", keys + "1101&token=T-police", "10.1.0.99", "", 200},
	} {
		if got, body := request(s, configs.Listener{}, c.method, c.target, c.from, "Authorization",
			"Bearer "+c.token); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got, body, c.want)
		}
	}
}

// A network's listener shows the lines of the network, whatever token is brought.
func TestListenerOfANetwork(t *testing.T) {
	s := bordered(t, configs.Grant{Name: "admin", Role: configs.RoleAdmin, Token: desk.NewSecret("T-admin")})
	police := configs.Listener{Network: "police", Lines: []string{"110"}}
	for _, c := range []struct {
		method, target, from string
		want                 int
	}{
		{"POST", "/v1/calls/x/verbs/handover?user=1101", "192.0.2.1", 200},
		{"POST", "/v1/calls/x/verbs/handover?user=2101", "192.0.2.1", 403},
		{"GET", "/v1/keys/handover?user=1101", "10.1.0.21", 200},
		{"GET", "/v1/keys/handover?user=2101", "172.20.0.21", 403},
		{"GET", "/metrics", "192.0.2.1", 403},
		{"GET", "/v1/calls", "192.0.2.1", 200},
	} {
		header := []string{"Authorization", "Bearer T-admin"}
		if strings.Contains(c.target, "keys") {
			header = nil
		}
		if got, body := request(s, police, c.method, c.target, c.from, header...); got != c.want {
			t.Errorf("%s %s from %s: %d %s, want %d", c.method, c.target, c.from, got, body, c.want)
		}
	}
}

// A page of another site presses nothing, however the browser asks.
func TestPagesFromElsewhere(t *testing.T) {
	s := bordered(t, configs.Grant{Name: "desks", Role: configs.RoleAdmin, From: from("172.20.0.30/32", "127.0.0.0/8")})
	const post, get = "/v1/calls/x/verbs/handover?user=1101", "/v1/keys/handover?user=1101"
	for _, c := range []struct {
		name, method, target, from string
		headers                    []string
		want                       int
	}{
		{"a program", "POST", post, "172.20.0.30", nil, 200},
		{"our own page", "POST", post, "172.20.0.30", []string{"Origin", "http://172.20.0.10:8080", "Sec-Fetch-Site",
			"same-origin"}, 200},
		{"another page", "POST", post, "172.20.0.30", []string{"Origin", "http://evil.example"}, 403},
		{"a page without an origin", "POST", post, "172.20.0.30", []string{"Origin", "null"}, 403},
		{"another page, by its fetch metadata", "POST", post, "172.20.0.30", []string{"Sec-Fetch-Site", "cross-site"},
			403},
		{"a page beside ours", "POST", post, "172.20.0.30", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a picture in a page, by GET", "GET", get, "172.20.0.30", nil, 403},
		{"a picture in a page on this machine", "GET", get, "127.0.0.1", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a program on this machine, by GET", "GET", get, "127.0.0.1", nil, 200},
		{"a page at the phone's address", "GET", get, "10.1.0.21", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a name that was made to lead here", "POST", post, "172.20.0.30",
			[]string{"Host", "evil.example", "Origin", "http://evil.example"}, 421},
		{"our own name", "POST", post, "172.20.0.30", []string{"Host", "Switch.example.cn:8080"}, 200},
		{"an IPv6 address", "POST", post, "172.20.0.30", []string{"Host", "[fd00::1]:8080"}, 200},
	} {
		if got, body := request(s, configs.Listener{}, c.method, c.target, c.from, c.headers...); got != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got, body, c.want)
		}
	}
}

// A desk adds to the stubs of its line; of others it does not learn that there are any.
func TestStubsOfOtherLines(t *testing.T) {
	s := bordered(t, configs.Grant{Name: "police", Role: configs.RoleDesk, From: from("10.1.0.0/16"),
		Lines: []string{"110"}})
	s.sw.Recent.Note(ticket.Entry{StubID: "01M85E0AZ1CD2HSYZ85ZB5PVQ2", From: "12345", To: "120"})
	r := httptest.NewRequest("POST", "/v1/stubs/01M85E0AZ1CD2HSYZ85ZB5PVQ2", strings.NewReader(`{"place":"x"}`))
	r.RemoteAddr, r.Host = "10.1.0.30:4000", "10.1.0.10"
	w := httptest.NewRecorder()
	if s.server.Handler.ServeHTTP(w, r); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Who is turned away has one line in the log, however often he knocks, and no token in it.
func TestRefusalsAreLogged(t *testing.T) {
	s := bordered(t, configs.Grant{Name: "admin", Role: configs.RoleAdmin, Token: desk.NewSecret("T-admin")})
	var out bytes.Buffer
	s.audit.log = slog.New(slog.NewTextHandler(&out, nil))
	for range 100 {
		request(s, configs.Listener{}, "GET", "/v1/calls?token=T-wrong", "192.0.2.1")
	}
	if got := out.String(); strings.Count(got, "with a wrong token") != 1 || strings.Contains(got, "T-wrong") ||
		!strings.Contains(got, "from=192.0.2.1:4000") {
		t.Error(got)
	}
	out.Reset()
	if code, _ := request(s, configs.Listener{}, "POST", "/v1/calls/x/verbs/handover?user=1101", "192.0.2.2",
		"Authorization", "Bearer T-admin"); code != 200 {
		t.Fatal(code)
	}
	if got := out.String(); !strings.Contains(got, "a key is pressed") || !strings.Contains(got, "by=admin") ||
		!strings.Contains(got, "user=1101") {
		t.Error(got)
	}
}

// listening is a server on a loopback address.
func listening(t *testing.T, s *Server) string {
	t.Helper()
	conf := *s.conf()
	conf.Listen = []configs.Listener{{Key: "http.listen", Address: netip.MustParseAddrPort("127.0.0.1:0")}}
	s.cfg.Store(&conf)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s.open[0].Addr().String()
}

func dial(t *testing.T, at, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// isClosed says that the other side closes within a time.
func isClosed(c net.Conn, within time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	timeout, ok := err.(net.Error)
	return err != nil && !(ok && timeout.Timeout())
}

func healthy(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
		t.Errorf("%v %v", res, err)
	}
}

// Who can be nobody is closed before he has said a word; a phone is let in as soon as it is registered.
func TestConnectionsOfStrangers(t *testing.T) {
	s := bordered(t, configs.Grant{Role: configs.RoleAdmin, From: from("127.0.0.1/32")})
	s.phones = func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.3")} }
	at := listening(t, s)
	healthy(t, dial(t, at, "127.0.0.1"))
	healthy(t, dial(t, at, "127.0.0.3"))
	if !isClosed(dial(t, at, "127.0.0.2"), 10*time.Second) {
		t.Error("a stranger is kept")
	}
}

// Where a token lets in from anywhere strangers may knock, but take neither the files of calls nor each other's place.
func TestStrangersAreBounded(t *testing.T) {
	s := bordered(t, configs.Grant{Role: configs.RoleAdmin, Token: desk.NewSecret("T-admin")})
	at := listening(t, s)
	first := dial(t, at, "127.0.0.2")
	waits := dial(t, at, "127.0.0.9")
	for range 2 * maxStrangers {
		dial(t, at, "127.0.0.2")
	}
	if !isClosed(first, 10*time.Second) {
		t.Error("the oldest of the many is kept")
	}
	healthy(t, waits)
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if len(s.door.strangers) > maxStrangers {
		t.Errorf("%d strangers", len(s.door.strangers))
	}
}

// With a certificate it is HTTPS, by the newest one; who asks in plain HTTP is told so.
func TestHTTPS(t *testing.T) {
	s := bordered(t, configs.Grant{Role: configs.RoleAdmin, From: from("127.0.0.1/32")})
	s.sw.Feed = feed.New(64, time.Unix(1, 0))
	authority := certtest.New(t)
	cert, key := authority.Pair("http", time.Now().Add(time.Hour), "127.0.0.1")
	conf := *s.conf()
	conf.Listen = []configs.Listener{{Key: "http.listen", Address: netip.MustParseAddrPort("127.0.0.1:0"),
		CertFile: cert, KeyFile: key}}
	s.cfg.Store(&conf)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool()}}}
	res, err := client.Get("https://" + s.open[0].Addr().String() + "/v1/calls")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v %v", res, err)
	}
	if res, err = client.Get("https://" + s.open[0].Addr().String() + "/v1/events"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for _, event := range []string{"event: hello", "event: arrived"} {
		for lines.Scan() && lines.Text() != event {
			continue
		}
		if lines.Text() != event {
			t.Errorf("%s does not come: %v", event, lines.Err())
		}
		s.sw.Feed.Call(news.Item{Event: "arrived", Fields: news.Fields{{Name: "hotline", Value: "110"}}})
	}
	s.sw.Feed.Close()
	res.Body.Close()
	sw, err := remote.Of(configs.API{Listen: []configs.Listener{{Address: s.open[0].Addr().(*net.TCPAddr).AddrPort(),
		CertFile: cert}}})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := sw.Ask(t.Context(), http.MethodGet, "/v1/calls", nil); err != nil || string(text) != "[]\n" {
		t.Errorf("%q %v", text, err)
	}
}

// A recording is there for the lines whose it is, and for no others.
func TestRecordingsOfOtherLines(t *testing.T) {
	s := bordered(t,
		configs.Grant{Name: "police", Role: configs.RoleSupervisor, From: from("10.1.0.30/32"), Lines: []string{"110"}},
		configs.Grant{Name: "gov", Role: configs.RoleSupervisor, From: from("172.20.0.30/32"),
			Lines: []string{"12345"}})
	r, err := record.New(record.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	s.sw.Recordings = r
	const ref = "01M85E0AZ4S4V4M1T7Y1C8K3QH"
	tape, err := r.Start(record.Call{Ref: ref, CallRef: "c", Channels: []string{"caller"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// its file is made by another goroutine
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := r.Meta(ref); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the recording has no metadata")
		}
	}
	tape.Concern("110")
	for _, path := range []string{"/v1/recordings/" + ref, "/v1/recordings/" + ref + "/meta"} {
		for who, want := range map[string]int{"10.1.0.30": 200, "172.20.0.30": 404} {
			if got, body := request(s, configs.Listener{}, "GET", path, who); got != want {
				t.Errorf("%s from %s: %d %s", path, who, got, body)
			}
		}
	}
}
