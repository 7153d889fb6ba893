package ua

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"liandong/sip/leg"
	"liandong/sip/ua/certtest"
)

// secureRig is a rig whose network has TLS as well, by a certificate for 127.0.0.1.
func secureRig(t *testing.T, a *certtest.Authority, change func(*Config)) *rig {
	t.Helper()
	return newRig(t, func(c *Config) {
		n := c.Networks["lab"]
		n.TLS.Listen = netip.MustParseAddrPort("127.0.0.1:0")
		n.TLS.CertFile, n.TLS.KeyFile = a.Pair("switch", time.Now().Add(time.Hour), "127.0.0.1")
		c.Networks["lab"] = n
		if change != nil {
			change(c)
		}
	})
}

// dialTLS connects from host, and handshakes.
func (r *rig) dialTLS(host string, c *tls.Config) (*tls.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}, Timeout: patience}
	return tls.DialWithDialer(&d, "tcp4", r.addr("tls").String(), c)
}

func (r *rig) tls(host string, c *tls.Config) *peer {
	r.t.Helper()
	conn, err := r.dialTLS(host, c)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: r.t, conn: conn}
}

// shown is the serial number of the certificate that a new connection is shown.
func (r *rig) shown(a *certtest.Authority) string {
	r.t.Helper()
	conn, err := r.dialTLS("127.0.0.1", &tls.Config{RootCAs: a.Pool()})
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func secured(p *phone) string {
	return "Contact: <sip:1101@" + p.conn.LocalAddr().String() + ";transport=tls>"
}

// A phone that registered by TLS is called by the connection it made, and when
// that is gone it is not reached at all: nothing is said in the open.
func TestPhoneIsReachedByItsTLSConnectionOnly(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, nil)
	p := newPhone(r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()}), "1101", "SHA-256")
	wantCode(t, p.register(secured(p)), 200)
	live := r.Locate("1101")
	if len(live) != 1 || live[0].Flow.Transport != "tls" || live[0].Flow.Remote != p.local() {
		t.Fatalf("%+v", live)
	}
	req := outbound(t, "secure", "")
	r.Send(leg.Packet{Msg: req, Flow: live[0].Flow})
	if got := p.receive(); got != req.String() {
		t.Errorf("sent:\n%s", got)
	}
	open, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.local().Addr(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	_ = p.conn.Close()
	eventually(t, "the binding goes with the connection", func() bool { return len(r.Locate("1101")) == 0 })
	flow := live[0].Flow
	flow.Remote = unmap(open.Addr().(*net.TCPAddr).AddrPort())
	r.Bind("gone", r.inbox)
	r.Send(leg.Packet{Msg: outbound(t, "gone", ""), Flow: flow})
	if in := r.inbox.next(t); !errors.Is(in.Err, ErrUnreachable) {
		t.Errorf("%v", in.Err)
	}
	if n := r.conns.size(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestLocateNamesTLSFirst(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, nil)
	safe := newPhone(r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()}), "1101", "SHA-256")
	wantCode(t, safe.register(secured(safe)), 200)
	plain := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	wantCode(t, plain.register(plain.contact(), "User-Agent: another"), 200)
	if live := r.Locate("1101"); len(live) != 2 || live[0].Flow.Transport != "tls" {
		t.Errorf("%+v", live)
	}
	wantCode(t, plain.register(plain.contact()), 200)
	if live := r.Locate("1101"); len(live) != 1 || live[0].Flow.Transport != "tls" {
		t.Errorf("one phone by two transports: %+v", live)
	}
}

func TestTransportPolicyOfAPhone(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, func(c *Config) {
		c.Users["1101"] = User{Password: "lab-1101", Network: "lab", TLS: Required}
		c.Users["1102"] = User{Password: "lab-1102", Network: "lab", TLS: Off}
	})
	secure := func() *peer { return r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()}) }
	for _, method := range []string{"REGISTER", "INVITE"} {
		// No challenge: the digest of a password is not asked for where it can be overheard.
		refusal := r.udp("127.0.0.1").ask(newPhone(r.udp("127.0.0.1"), "1101", "MD5").bare(method).String())
		wantCode(t, refusal, 403)
		if !strings.Contains(field(t, refusal, "Warning"), "399 ") {
			t.Errorf("the phone is not told why\n%s", refusal)
		}
	}
	wantCode(t, newPhone(secure(), "1101", "MD5").register(), 200)
	wantCode(t, newPhone(r.udp("127.0.0.1"), "1102", "MD5").register(), 200)
	p := newPhone(secure(), "1102", "MD5")
	wantCode(t, p.ask(p.bare("REGISTER").String()), 403)
}

// RFC 5630 §5.1.1.1: a sips Contact is registered over TLS.
func TestSipsContactNeedsTLS(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, nil)
	plain := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, plain.register("Contact: <sips:1101@127.0.0.1:5061>"), 400)
	safe := newPhone(r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()}), "1101", "MD5")
	wantCode(t, safe.register("Contact: <sips:1101@127.0.0.1:5061>"), 200)
}

func TestCertificateIsReadAnew(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	r := secureRig(t, a, nil)
	old := r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()})
	phone := newPhone(old, "1101", "MD5")
	wantCode(t, phone.register(secured(phone)), 200)
	first := r.shown(a)
	certFile, keyFile := a.Pair("switch", time.Now().Add(2*time.Hour), "127.0.0.1") // in the place of the first
	eventually(t, "a new handshake is shown the new certificate", func() bool { return r.shown(a) != first })
	second := r.shown(a)
	phone.challenge = ""
	wantCode(t, phone.register(secured(phone)), 200) // the old connection goes on

	if err := os.WriteFile(certFile, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that the new file is broken",
		func() bool { return r.said.has("cannot be read, what there was stays in use") })
	if got := r.shown(a); got != second {
		t.Error("a broken file took the place of a good certificate")
	}
	if r.said.has("PRIVATE KEY") || !r.said.has(keyFile) {
		t.Error("the log has to name the files, and nothing that is in them")
	}
	a.Pair("switch", time.Now().Add(3*time.Hour), "127.0.0.1")
	eventually(t, "a mended file is taken", func() bool { return r.shown(a) != second })
	if end := r.Stats().Certificates["lab"]; time.Until(end) < 2*time.Hour {
		t.Errorf("expiry %v", end)
	}
}

func TestExpiryIsLogged(t *testing.T) {
	a := certtest.New(t)
	for after, want := range map[time.Duration]string{-time.Minute: "has expired", 10 * 24 * time.Hour: "expires soon",
		60 * 24 * time.Hour: ""} {
		l := &logged{}
		k := newKeyring(Config{Networks: map[string]Network{"lab": func() (n Network) {
			n.TLS.Listen = netip.MustParseAddrPort("127.0.0.1:0")
			n.TLS.CertFile, n.TLS.KeyFile = a.Pair("expiry", time.Now().Add(after), "127.0.0.1")
			return n
		}()}}, l.logger())
		if err := k.look(time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := l.has("certificate"); got != (want != "") || !l.has(want) {
			t.Errorf("%v before the end: log %q", after, l.text.String())
		}
		before := l.text.Len()
		if _ = k.look(time.Now()); l.text.Len() != before {
			t.Error("repeated within the day")
		}
		if _ = k.look(time.Now().Add(25 * time.Hour)); want != "" && l.text.Len() == before {
			t.Error("not repeated the next day")
		}
	}
}

// trunkServer is a trunk that takes TLS connections at trunkHost.
func trunkServer(t *testing.T, c *tls.Config) (net.Listener, netip.AddrPort) {
	t.Helper()
	l, err := tls.Listen("tcp4", trunkHost+":0", c)
	if err != nil {
		t.Skipf("cannot bind %s on loopback: %v", trunkHost, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, unmap(l.Addr().(*net.TCPAddr).AddrPort())
}

func trunkTo(to netip.AddrPort, a *certtest.Authority, name string) func(*Config) {
	return func(c *Config) {
		c.Trunks["pstn"] = Trunk{
			Network: "lab", Match: []netip.Prefix{netip.MustParsePrefix(trunkHost + "/32")},
			Targets: []string{to.String()}, Transport: "tls", CAFile: a.File(), ServerName: name,
		}
	}
}

func TestTrunkIsCalledByTLS(t *testing.T) {
	a := certtest.New(t)
	l, at := trunkServer(t, &tls.Config{Certificates: []tls.Certificate{a.Certificate(trunkHost)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool()})
	r := secureRig(t, a, trunkTo(at, a, ""))
	for _, id := range []string{"one", "two"} { // by one connection
		r.Send(leg.Packet{Msg: outbound(t, id, ""), Flow: flowTo("tls", netip.AddrPort{}), Target: at.String()})
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: conn}
	for _, id := range []string{"one", "two"} {
		if got := p.receive(); field(t, got, "Call-ID") != id {
			t.Errorf("want the message of %s, got\n%s", id, got)
		}
	}
}

// RFC 5922 §7.4: a trunk with another name, or of an authority that nobody
// knows, is not spoken to, and the log says what is wrong with it.
func TestTrunkWithAWrongCertificate(t *testing.T) {
	a, other := certtest.New(t), certtest.New(t)
	for _, tt := range []struct {
		what, name string
		shows      tls.Certificate
		log        string
	}{
		{"another authority", "", other.Certificate(trunkHost), "unknown authority"},
		{"another address", "", a.Certificate("127.0.0.11"), "not 127.0.0.10"},
		{"another name", "pbx.example.cn", a.Certificate("sip.example.cn"), "not pbx.example.cn"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			l, at := trunkServer(t, &tls.Config{Certificates: []tls.Certificate{tt.shows}})
			r := secureRig(t, a, trunkTo(at, a, tt.name))
			r.Bind("call", r.inbox)
			go func() {
				if c, err := l.Accept(); err == nil {
					_ = c.(*tls.Conn).Handshake()
					_ = c.Close()
				}
			}()
			r.Send(leg.Packet{Msg: outbound(t, "call", ""), Flow: flowTo("tls", at)})
			if in := r.inbox.next(t); !errors.Is(in.Err, ErrUnreachable) {
				t.Errorf("%v", in.Err)
			}
			if !r.said.has(tt.log) || !r.said.has("trunk=pstn") {
				t.Errorf("the log does not say %q:\n%s", tt.log, r.said.text.String())
			}
		})
	}
}

// A trunk is known by its address, which anybody may claim; by TLS with an
// authority it is known by its certificate too.
func TestTrunkShowsACertificate(t *testing.T) {
	a, other := certtest.New(t), certtest.New(t)
	r := secureRig(t, a, func(c *Config) {
		n := c.Networks["lab"]
		n.TLS.ClientCA = a.File()
		c.Networks["lab"] = n
	})
	own := a.Certificate("pbx.example.cn")
	p := r.tls(trunkHost, &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{own}})
	p.send(p.request("INVITE", "13812345678").String())
	if in := r.inbox.next(t); in.Packet.Flow.Transport != "tls" {
		t.Errorf("%+v", in.Packet.Flow)
	}
	for _, certs := range [][]tls.Certificate{nil, {other.Certificate("pbx.example.cn")}} {
		// TLS 1.3: the client learns of the refusal when it reads.
		c, err := r.dialTLS(trunkHost, &tls.Config{RootCAs: a.Pool(), Certificates: certs})
		if err == nil {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a trunk without a good certificate is taken: %v", err)
		}
	}
	phone := newPhone(r.tls("127.0.0.1", &tls.Config{RootCAs: a.Pool()}), "1101", "MD5")
	wantCode(t, phone.register(secured(phone)), 200) // a phone proves who it is by its password
}

// Whoever forges a trunk's address on UDP is nobody when the trunk speaks TLS.
func TestTLSTrunkIsNotKnownInTheOpen(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, trunkTo(netip.MustParseAddrPort(trunkHost+":5061"), a, ""))
	p := r.udp(trunkHost)
	wantCode(t, p.ask(p.request("INVITE", "13812345678").String()), 401) // as if it were a phone
	r.inbox.empty(t)
}

// Nor does a Contact of ours that somebody has got to know make a call in the open one of a trunk by TLS.
func TestContactAtATLSTrunkIsNotKnownInTheOpen(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, func(c *Config) {
		trunkTo(netip.MustParseAddrPort(trunkHost+":5061"), a, "")(c)
		one := c.Trunks["pstn"]
		one.Contact = "r0123456789"
		c.Trunks["pstn"] = one
	})
	invite := func(p *peer) string {
		text := p.request("INVITE", "13812345678").String()
		line, rest, _ := strings.Cut(text, "\r\n")
		_, host, _ := strings.Cut(strings.Fields(line)[1], "@")
		return "INVITE sip:r0123456789@" + host + " SIP/2.0\r\n" + rest
	}
	open := r.udp("127.0.0.77")
	wantCode(t, open.ask(invite(open)), 401)
	r.inbox.empty(t)
	safe := r.tls("127.0.0.77", &tls.Config{RootCAs: a.Pool()})
	safe.send(invite(safe))
	r.inbox.next(t)
	if o := r.inbox.origins; len(o) != 1 || o[0].Trunk != "pstn" {
		t.Errorf("origins %+v", o)
	}
}

func TestHandshakeIsBounded(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, func(c *Config) { c.DialTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp4", r.addr("tls").String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := (&peer{t: t, conn: c}); !p.hungUp() {
		t.Error("who says nothing keeps a connection")
	}
	if _, err := r.dialTLS("127.0.0.1", &tls.Config{RootCAs: a.Pool(), MinVersion: tls.VersionTLS10,
		MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	eventually(t, "both are counted", func() bool { return r.Stats().Handshakes == 2 })
}

// RFC 9325 §4.2: of TLS 1.2 only what authenticates as it encrypts.
func TestNoCBC(t *testing.T) {
	a := certtest.New(t)
	r := secureRig(t, a, nil)
	at := r.addr("tls").String()
	taken := 0
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: false, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: false,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256: false,
	} {
		c, err := tls.Dial("tcp", at, &tls.Config{RootCAs: a.Pool(), MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{suite}})
		if err == nil {
			_ = c.Close()
		}
		if err == nil {
			taken++
		}
		if !want && err == nil {
			t.Errorf("%s was taken", tls.CipherSuiteName(suite))
		}
	}
	if taken == 0 { // one of the first two is for the kind of key that the certificate has
		t.Error("nothing was taken")
	}
}
