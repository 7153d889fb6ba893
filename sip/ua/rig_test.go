package ua

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/sip/leg"
)

// patience is generous: a test waits this long only when it is about to fail.
const patience = 20 * time.Second

// inbox is a Sink and a Handler that records everything.
type inbox struct {
	mu      sync.Mutex
	full    bool
	refuse  bool
	panics  bool
	hook    func(leg.Packet)
	instead Handler
	origins []Origin
	got     chan Inbound
}

func newInbox() *inbox { return &inbox{got: make(chan Inbound, 10000)} }

func (b *inbox) Incoming(o Origin, p leg.Packet) Sink {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.instead != nil {
		return b.instead.Incoming(o, p)
	}
	if b.panics {
		panic("a handler's mistake")
	}
	if b.refuse {
		return nil
	}
	if b.hook != nil {
		b.hook(p)
	}
	b.origins = append(b.origins, o)
	b.got <- Inbound{Packet: p}
	return b
}

func (b *inbox) Post(in Inbound) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return false
	}
	b.got <- in
	return true
}

func (b *inbox) set(f func(*inbox)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *inbox) next(t *testing.T) Inbound {
	t.Helper()
	select {
	case in := <-b.got:
		return in
	case <-time.After(patience):
		t.Fatal("nothing arrived at the sink")
		return Inbound{}
	}
}

func (b *inbox) empty(t *testing.T) {
	t.Helper()
	select {
	case in := <-b.got:
		t.Fatalf("arrived at the sink: %v %v", in.Packet.Msg, in.Err)
	default:
	}
}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is a UA on loopback: phones are at 127.0.0.1, the trunk "pstn" is 127.0.0.10.
type rig struct {
	*UA
	t     testing.TB
	inbox *inbox
	clock *clock
	said  *logged
}

// logged is what the rig has said in its log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

const trunkHost = "127.0.0.10"

func labConfig() Config {
	cfg := Default()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	cfg.Networks = map[string]Network{"lab": {UDP: loopback, TCP: loopback}}
	cfg.Trunks = map[string]Trunk{"pstn": {Network: "lab",
		Match: []netip.Prefix{netip.MustParsePrefix(trunkHost + "/32")}}}
	cfg.Users = map[string]User{
		"1101": {Password: "lab-1101", Network: "lab"},
		"1102": {Password: "lab-1102", Network: "lab"},
	}
	cfg.Realm, cfg.Secret, cfg.Strangers = "liandong.lab", []byte("a test's secret"), Forbid
	cfg.MaxRate, cfg.MaxBurst = 1_000_000, 1_000_000
	return cfg
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, inbox: newInbox(), clock: &clock{at: time.Unix(1_700_000_000, 0)}, said: &logged{}}
	cfg := labConfig()
	cfg.Now = r.clock.now
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.UA, err = New(cfg, r.inbox, r.said.logger()); err != nil {
		t.Fatal(err)
	}
	if err = r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func (r *rig) addr(transport string) netip.AddrPort {
	a, ok := r.Addr("lab", transport)
	if !ok {
		r.t.Fatal("no address for " + transport)
	}
	return a
}

// peer is a socket of somebody else.
type peer struct {
	t    testing.TB
	conn net.Conn
	buf  []byte
}

// udp makes a peer on host whose packets go to the rig.
func (r *rig) udp(host string) *peer {
	r.t.Helper()
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0))
	c, err := net.DialUDP("udp4", local, net.UDPAddrFromAddrPort(r.addr("udp")))
	if err != nil {
		r.t.Skipf("cannot bind %s on loopback: %v", host, err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return &peer{t: r.t, conn: c}
}

func (r *rig) tcp(host string) *peer {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}, Timeout: patience}
	c, err := d.Dial("tcp4", r.addr("tcp").String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return &peer{t: r.t, conn: c}
}

func (p *peer) port() int {
	_, port, _ := net.SplitHostPort(p.conn.LocalAddr().String())
	var n int
	_, _ = fmt.Sscan(port, &n)
	return n
}

func (p *peer) local() netip.AddrPort { return netip.MustParseAddrPort(p.conn.LocalAddr().String()) }

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// receive reads one message from either transport.
func (p *peer) receive() string {
	p.t.Helper()
	text, err := p.tryReceive()
	if err != nil {
		p.t.Fatal("no answer: ", err)
	}
	return text
}

// hungUp says whether the other side ends the connection, without a word.
func (p *peer) hungUp() bool {
	_, err := p.tryReceive()
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func (p *peer) tryReceive() (string, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 65535)
	if _, udp := p.conn.(*net.UDPConn); udp {
		n, err := p.conn.Read(b)
		return string(b[:n]), err
	}
	for {
		if end := bytes.Index(p.buf, []byte("\r\n\r\n")); end >= 0 {
			length, _ := contentLength(p.buf[:end])
			if len(p.buf) >= end+4+length {
				text := string(p.buf[:end+4+length])
				p.buf = p.buf[end+4+length:]
				return text, nil
			}
		}
		n, err := p.conn.Read(b)
		if err != nil {
			return "", err
		}
		p.buf = append(p.buf, b[:n]...)
	}
}

func (p *peer) ask(text string) string {
	p.t.Helper()
	p.send(text)
	return p.receive()
}

// request is a message to be changed by a test.
type request struct {
	method, uri, via, from, to, callID string
	cseq                               int
	more                               []string
	body                               string
}

var serial struct {
	sync.Mutex
	n int
}

func unique() int {
	serial.Lock()
	defer serial.Unlock()
	serial.n++
	return serial.n
}

func (p *peer) request(method, user string) *request {
	id := unique()
	return &request{
		method: method, uri: "sip:110@liandong.lab", cseq: 1,
		via: fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bK%d;rport", strings.ToUpper(p.conn.LocalAddr().Network()),
			p.conn.LocalAddr(), id),
		from: fmt.Sprintf("<sip:%s@liandong.lab>;tag=f%d", user, id), to: "<sip:110@liandong.lab>",
		callID: fmt.Sprintf("call-%d@test", id),
	}
}

func (r *request) with(lines ...string) *request {
	r.more = append(r.more, lines...)
	return r
}

func (r *request) String() string {
	lines := append([]string{
		r.method + " " + r.uri + " SIP/2.0", "Via: " + r.via, "Max-Forwards: 70", "From: " + r.from, "To: " + r.to,
		"Call-ID: " + r.callID, fmt.Sprintf("CSeq: %d %s", r.cseq, r.method),
	}, r.more...)
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)), "", r.body)
	return strings.Join(lines, "\r\n")
}

// code and field read answers by eye rather than by a parser, as some of them
// repeat what no parser would take.
func code(t testing.TB, text string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(text, "SIP/2.0 %d ", &n); err != nil || !strings.Contains(text, "\r\n\r\n") {
		t.Fatalf("answer is not SIP: %v\n%s", err, text)
	}
	return n
}

func field(t testing.TB, text, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\r\n"+name+": ")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

func wantCode(t testing.TB, text string, want int) {
	t.Helper()
	if got := code(t, text); got != want {
		t.Fatalf("answer %d, want %d\n%s", got, want, text)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	poll, deadline := time.NewTicker(time.Millisecond), time.After(patience)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("never happened: " + what)
		}
	}
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
