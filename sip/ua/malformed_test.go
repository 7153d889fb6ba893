package ua

import (
	"strings"
	"testing"
)

// An INVITE that cannot be understood is still answered, with as much of it as
// could be read.
func TestMalformedIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	whole := func(p *peer) string { return p.request("INVITE", "1101").String() }
	drop := func(name string) func(string) string {
		return func(s string) string {
			i := strings.Index(s, "\r\n"+name+": ") + 2
			return s[:i] + s[i+strings.Index(s[i:], "\r\n")+2:]
		}
	}
	swap := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	tests := []struct {
		name   string
		change func(string) string
		lost   string // header field that the answer cannot have
	}{
		{"From quote open", swap("From: <", `From: "Anna <`), ""},
		{"no From", drop("From"), "From"},
		{"no To", drop("To"), "To"},
		{"no Call-ID", drop("Call-ID"), "Call-ID"},
		{"no CSeq", drop("CSeq"), "CSeq"},
		{"CSeq without number", swap("CSeq: 1", "CSeq: one"), ""},
		{"CSeq of another method", swap("CSeq: 1 INVITE", "CSeq: 1 BYE"), ""},
		{"CSeq too large", swap("CSeq: 1", "CSeq: 2147483648"), ""},
		{"two Call-IDs", swap("\r\nCSeq", "\r\nCall-ID: other\r\nCSeq"), ""},
		{"Contact unreadable", swap("\r\nCSeq", "\r\nContact: <sip:x\r\nCSeq"), ""},
		{"Content-Length negative", swap("Content-Length: 0", "Content-Length: -1"), ""},
		{"Content-Length beyond the datagram", swap("Content-Length: 0", "Content-Length: 9"), ""},
		{"Request-URI in brackets", swap("INVITE sip:110@liandong.lab", "INVITE <sip:110@liandong.lab>"), ""},
		{"Request-URI with blank", swap("INVITE sip:110@liandong.lab", "INVITE sip:110@liandong.lab;a b"), ""},
		{"header without colon", swap("\r\nCSeq", "\r\nhello\r\nCSeq"), ""},
		{"Via unreadable", swap("Via: SIP/2.0/", "Via: SIP-2.0-"), ""},
	}
	for _, tt := range tests {
		for _, p := range []*peer{r.udp(trunkHost), r.udp("127.0.0.1"), r.tcp(trunkHost)} {
			t.Run(tt.name+" "+p.conn.LocalAddr().String(), func(t *testing.T) {
				q := whole(p)
				if strings.Contains(tt.name, "beyond") && p.conn.LocalAddr().Network() == "tcp" {
					t.Skip("a stream waits for the rest")
				}
				a := p.ask(tt.change(q))
				if !strings.HasPrefix(a, "SIP/2.0 400 ") {
					t.Fatalf("answer:\n%s", a)
				}
				for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
					if has := strings.Contains(a, "\r\n"+name+": "); has == (name == tt.lost) {
						t.Errorf("%s in the answer: %t\n%s", name, has, a)
					}
				}
			})
		}
	}
	r.inbox.empty(t)
}

// An INVITE without To is refused also when it names a call that there is.
func TestNoToInACall(t *testing.T) {
	r := newRig(t, nil)
	r.Bind("ours@switch", r.inbox)
	p := r.udp(trunkHost)
	q := p.request("INVITE", "1101")
	q.callID = "ours@switch"
	wantCode(t, p.ask(strings.Replace(q.String(), "\r\nTo: <sip:110@liandong.lab>", "", 1)), 400)
	if n := r.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

func TestNobodyToAnswer(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	q := p.request("INVITE", "1")
	noVia := q.String()
	noVia = noVia[:strings.Index(noVia, "Via")] + noVia[strings.Index(noVia, "Max-Forwards"):]
	for _, s := range []string{noVia, "GET / HTTP/1.1\r\n\r\n", "\x80\x01", "SIP/2.0 200 OK\r\n\r\n",
		"SIP/2.0 99999 OK\r\n\r\n"} {
		p.send(s)
	}
	wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
}

// A malformed message on TCP is answered and the connection goes on, as long as
// its end is known.
func TestMalformedOnTCP(t *testing.T) {
	r := newRig(t, nil)
	p := r.tcp(trunkHost)
	wantCode(t, p.ask(strings.Replace(p.request("INVITE", "1").String(), "INVITE sip:", "INVITE <sip:", 1)), 400)
	wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
	a := p.ask(strings.Replace(p.request("INVITE", "1").String(), "Content-Length: 0\r\n", "", 1))
	wantCode(t, a, 400)
	if !p.hungUp() {
		t.Error("connection goes on although nobody knows where the next message begins")
	}
	p = r.tcp(trunkHost)
	p.send("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
	if !p.hungUp() {
		t.Error("HTTP is answered")
	}
}

func TestMalformedFromStrangersOfATrunkNetwork(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Users, c.Strangers = nil, Drop })
	p := r.udp("127.0.0.1")
	p.send(strings.Replace(p.request("INVITE", "1101").String(), "CSeq: 1", "CSeq: x", 1))
	eventually(t, "it is dropped", func() bool { return r.Stats().Strangers == 1 })
}

// RFC 3261 §8.2: "the UAS MUST ignore ... any malformed header fields that are
// not necessary for processing requests."
func TestMalformedButNotNeeded(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	wantCode(t, p.ask(p.request("OPTIONS", "1").with("Contact: <sip:x", "Route: <", "Refer-To: nonsense").String()),
		200)
	wantCode(t, p.ask(p.request("BYE", "1").with("Contact: ").String()), 481)
}
