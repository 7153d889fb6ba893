package console_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/phone"
	"liandong/configs"
)

const (
	password = "a long password"
	patience = time.Minute
)

// hashed is the password as the config has it: cheap, as the tests sign in often.
const hashed = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$HszwdJ7Dn5zS9b1Rd5ZOlhym1Ix0/f1RANtWQTh5YGI"

// rig is a switch with a console, its Redis, and phones.
type rig struct {
	*testing.T
	server, web netip.AddrPort
	redis       *miniredis.Miniredis
	app         *app.App
	log         *journal
}

// journal is what the switch logs. Guarded by mu.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// newRig starts a switch of the lab with a user of each role, all with the same password.
func newRig(t *testing.T, sets ...string) *rig {
	t.Helper()
	r := &rig{T: t, log: &journal{}}
	var err error
	if r.redis, err = miniredis.Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.redis.Close)
	r.server, r.web = freePort(t), freePort(t)
	dir := t.TempDir()
	set := []string{
		"networks.lab.sip.udp=" + r.server.String(), "networks.lab.sip.tcp=" + r.server.String(),
		"networks.lab.rtp.ports=" + ports(t),
		"redis.url=redis://" + r.redis.Addr() + "/0", "outbox.path=" + filepath.Join(dir, "outbox.db"),
		"http.listen=" + freePort(t).String(), "http.console=" + r.web.String(),
		"hotlines.110.no_answer=2m", "hotlines.12345.no_answer=2m",
		"phones.1101.name=王警官", "phones.2101.name=李话务员", "selftest.every=0s",
		`categories={"01": {name: 噪音扰民, owner: 12345, keywords: [噪音, 施工], answer: 请到城管窗口办理}, "02": {name: 邻里纠纷}}`,
	}
	for user, role := range map[string]string{
		"wang": "role: taker, phone: 1101", "li": "role: taker, phone: 2101", "guest": "role: taker, hotlines: [12345]",
		"chief": "role: supervisor, hotlines: [110]", "head": "role: supervisor, hotlines: [12345]",
		"boss": "role: manager", "eng": "role: engineer", "root": "role: admin",
	} {
		set = append(set, fmt.Sprintf("http.users.%s={%s, password: %q}", user, role, hashed))
	}
	cfg, err := configs.Lab(configs.Options{Set: append(set, sets...), Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	if r.app, err = app.New(cfg, nil, slog.New(slog.NewTextHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	if err := r.app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.app.Stop)
	return r
}

// given are the ports that freePort has given: the system would give one again.
var given sync.Map

// freePort is a port of loopback that is free for UDP and TCP.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			if _, twice := given.LoadOrStore(at, true); !twice {
				return at
			}
		}
	}
	t.Fatal("no port is free")
	return netip.AddrPort{}
}

// next counts the ranges of ports that the rigs of this process have for sound.
var next = struct {
	sync.Mutex
	n int
}{n: 24000}

func ports(t *testing.T) string {
	t.Helper()
	next.Lock()
	defer next.Unlock()
	next.n += 100
	return fmt.Sprintf("%d-%d", next.n, next.n+99)
}

// phone is one that is registered; without a user a citizen's.
func (r *rig) phone(user string, policy phone.Policy) *phone.Phone {
	r.Helper()
	cfg := phone.Config{Name: user, Server: r.server, Listen: netip.MustParseAddrPort("127.0.0.10:0"), Policy: policy}
	if user != "" {
		cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
		cfg.User, cfg.Password, cfg.Domain = user, "lab-"+user, "liandong.lab"
	}
	p, err := phone.New(cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(p.Close)
	if user != "" {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if err := p.Register(ctx); err != nil {
			r.Fatal(err)
		}
	}
	return p
}

// phoneAt is a citizen's at an address.
func (r *rig) phoneAt(at netip.AddrPort) *phone.Phone {
	r.Helper()
	p, err := phone.New(phone.Config{Name: "citizen", Server: r.server, Listen: at})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(p.Close)
	return p
}

// call has a citizen call a line.
func (r *rig) call(citizen *phone.Phone, line string) *phone.Call {
	r.Helper()
	c, err := citizen.Call(line, phone.CallOptions{From: "13812345678"})
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// reach waits until a call is so far.
func (r *rig) reach(c *phone.Call, s phone.State) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := c.WaitState(ctx, s); err != nil {
		r.Fatal(err)
	}
}

// presses has a desk press keys on its phone.
func (r *rig) presses(c *phone.Call, keys string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := c.SendDTMF(ctx, keys, phone.RFC4733); err != nil {
		r.Fatal(err)
	}
}

// until waits for something to become true.
func (r *rig) until(what string, ok func() bool) {
	r.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	r.Fatal("in vain: ", what)
}

// entries are the ticket entries for a line, their fields by name.
func (r *rig) entries(line string) (all []map[string]any) {
	r.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	defer client.Close()
	list, err := client.XRange(context.Background(), "liandong:tickets:"+line, "-", "+").Result()
	if err != nil {
		r.Fatal(err)
	}
	for _, m := range list {
		all = append(all, m.Values)
	}
	return all
}

// browser is a client with cookies, which goes where it is sent.
type browser struct {
	*rig
	http.Client
	csrf string
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.Fatal(err)
	}
	return &browser{rig: r, Client: http.Client{Jar: jar, Timeout: patience}}
}

// signIn signs in and keeps the page's token.
func (r *rig) signIn(user string) *browser {
	r.Helper()
	b := r.browser()
	status, body := b.send("POST", "/signin", url.Values{"user": {user}, "password": {password}})
	if status != http.StatusOK || !strings.Contains(body, user) {
		r.Fatalf("%s does not get in: %d %s", user, status, body)
	}
	b.csrf = token.FindStringSubmatch(body)[1]
	return b
}

var token = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

// send sends a request, with a form if there is one. Headers stand in pairs.
func (b *browser) send(method, path string, form url.Values, headers ...string) (int, string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, "http://"+b.web.String()+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := b.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		b.Fatal(err)
	}
	return res.StatusCode, string(body)
}
