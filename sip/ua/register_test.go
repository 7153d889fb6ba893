package ua

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// challenges finds the WWW-Authenticate lines of an answer by algorithm.
func challenges(t testing.TB, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, line := range strings.Split(text, "\r\n") {
		if value, ok := strings.CutPrefix(line, "WWW-Authenticate: "); ok {
			out[strings.ToUpper(param(value, "algorithm"))] = value
		}
	}
	if len(out) == 0 {
		t.Fatalf("want a challenge\n%s", text)
	}
	return out
}

func param(value, name string) string {
	m := regexp.MustCompile(name + `="?([^",]*)"?`).FindStringSubmatch(value)
	if m == nil {
		return ""
	}
	return m[1]
}

func digestHash(algorithm, s string) string {
	if algorithm == "MD5" {
		sum := md5.Sum([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// answerChallenge is a phone's digest, written from RFC 7616 §3.4.
func answerChallenge(challenge, algorithm, method, uri, user, password string, nc int) string {
	realm, nonce := param(challenge, "realm"), param(challenge, "nonce")
	h := func(s string) string { return digestHash(algorithm, s) }
	a1, a2 := h(user+":"+realm+":"+password), h(method+":"+uri)
	response := h(fmt.Sprintf("%s:%s:%08x:c0ffee:auth:%s", a1, nonce, nc, a2))
	value := fmt.Sprintf(
		`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s, cnonce="c0ffee", qop=auth, nc=%08x`,
		user, realm, nonce, uri, response, algorithm, nc)
	if opaque := param(challenge, "opaque"); opaque != "" {
		value += `, opaque="` + opaque + `"`
	}
	return "Authorization: " + value
}

// phone registers as a user would.
type phone struct {
	*peer
	user, password, algorithm, callID, challenge string
	cseq, nc                                     int
}

func newPhone(p *peer, user, algorithm string) *phone {
	return &phone{peer: p, user: user, password: "lab-" + user, algorithm: algorithm,
		callID: fmt.Sprintf("reg-%d@phone", unique())}
}

func (p *phone) contact() string {
	return fmt.Sprintf("Contact: <sip:%s@%s;transport=%s>", p.user, p.conn.LocalAddr(), p.conn.LocalAddr().Network())
}

func (p *phone) bare(method string, lines ...string) *request {
	q := p.request(method, p.user)
	p.cseq++
	q.cseq = p.cseq
	if method == "REGISTER" {
		q.uri, q.callID = "sip:liandong.lab", p.callID
		q.to = "<sip:" + p.user + "@liandong.lab>"
	}
	return q.with(lines...)
}

// sign adds credentials to a request, asking for a challenge first if need be.
func (p *phone) sign(q *request) *request {
	p.t.Helper()
	if p.challenge == "" {
		a := p.ask(p.bare("REGISTER").String())
		wantCode(p.t, a, 401)
		p.challenge, p.nc = challenges(p.t, a)[p.algorithm], 0
		p.cseq++
		q.cseq = p.cseq
	}
	p.nc++
	return q.with(answerChallenge(p.challenge, p.algorithm, q.method, q.uri, p.user, p.password, p.nc))
}

func (p *phone) register(lines ...string) string {
	p.t.Helper()
	return p.ask(p.sign(p.bare("REGISTER", lines...)).String())
}

func TestRegister(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256"} {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(algorithm+" "+transport, func(t *testing.T) {
				r := newRig(t, nil)
				socket := r.udp
				if transport == "tcp" {
					socket = r.tcp
				}
				p := newPhone(socket("127.0.0.1"), "1101", algorithm)
				a := p.register(p.contact(), "Expires: 600", "User-Agent: test phone")
				wantCode(t, a, 200)
				if !strings.Contains(a, fmt.Sprintf("Contact: <sip:1101@%s;transport=%s>;expires=600\r\n",
					p.conn.LocalAddr(), transport)) {
					t.Errorf("no binding in the answer\n%s", a)
				}
				live := r.Locate("1101")
				if len(live) != 1 {
					t.Fatalf("%d bindings", len(live))
				}
				b := live[0]
				if b.Flow.Remote != p.local() || b.Flow.Transport != transport || !b.Flow.Symmetric ||
					b.User != "1101" ||
					b.UserAgent != "test phone" || !b.Expires.Equal(r.clock.now().Add(600*time.Second)) {
					t.Errorf("%+v", b)
				}
			})
		}
	}
}

// RFC 8760 §2.4: the strongest algorithm comes first.
func TestChallengeOrder(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	a := p.ask(p.bare("REGISTER").String())
	if len(challenges(t, a)) != 2 || strings.Index(a, "SHA-256") > strings.Index(a, "MD5") {
		t.Errorf("want SHA-256, then MD5\n%s", a)
	}
}

// Some phones give up at the first challenge of an algorithm they do not know:
// those that say who they are, and those that the config names.
func TestChallengeOfOneKind(t *testing.T) {
	r := newRig(t, func(c *Config) {
		u := c.Users["1102"]
		u.Digest = "SHA-256"
		c.Users["1102"] = u
	})
	for _, c := range []struct{ user, agent, want string }{
		{"1101", "Yealink SIP-T46S", "MD5 SHA-256"},
		{"1101", "baresip v1.0.0 (x86_64/linux)", "MD5"},
		{"1102", "Yealink SIP-T46S", "SHA-256"},
	} {
		p := newPhone(r.udp("127.0.0.1"), c.user, "")
		a := p.ask(p.bare("REGISTER", "User-Agent: "+c.agent).String())
		wantCode(t, a, 401)
		if got := strings.Join(sortedKeys(challenges(t, a)), " "); got != c.want {
			t.Errorf("%s with %s was challenged for %s, want %s", c.user, c.agent, got, c.want)
		}
	}
}

func TestRegisterRefused(t *testing.T) {
	r := newRig(t, nil)
	fresh := func(t *testing.T) *phone {
		r.t = t
		return newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	}

	t.Run("wrong password", func(t *testing.T) {
		p := fresh(t)
		p.password = "guess"
		wantCode(t, p.register(p.contact()), 403)
		if n := r.Stats().Denied; n != 1 {
			t.Errorf("denied %d times", n)
		}
	})
	t.Run("stale nonce", func(t *testing.T) {
		p := fresh(t)
		wantCode(t, p.register(), 200)
		r.clock.advance(24 * time.Hour)
		a := p.register(p.contact())
		wantCode(t, a, 401)
		if !strings.Contains(strings.ToLower(a), "stale=true") {
			t.Errorf("not said to be stale\n%s", a)
		}
		p.challenge, p.nc = challenges(t, a)["SHA-256"], 0
		wantCode(t, p.register(p.contact()), 200)
	})
	t.Run("replayed nc", func(t *testing.T) {
		p := fresh(t)
		wantCode(t, p.register(), 200)
		p.nc = 0
		wantCode(t, p.register(p.contact()), 401)
	})
	t.Run("somebody else's address", func(t *testing.T) {
		p := fresh(t)
		q := p.bare("REGISTER", p.contact())
		q.to = "<sip:1102@liandong.lab>"
		wantCode(t, p.ask(p.sign(q).String()), 403)
	})
	t.Run("too short", func(t *testing.T) {
		p := fresh(t)
		a := p.register(p.contact() + ";expires=5")
		wantCode(t, a, 423)
		if got := field(t, a, "Min-Expires"); got != "30" { // RFC 3261 §10.3 step 7
			t.Errorf("Min-Expires %q", got)
		}
	})
	t.Run("required extension", func(t *testing.T) {
		p := fresh(t)
		a := p.ask(p.bare("REGISTER", "Require: gruu").String())
		wantCode(t, a, 420)
	})
	t.Run("out of order", func(t *testing.T) {
		p := fresh(t)
		wantCode(t, p.register(p.contact()), 200)
		p.cseq -= 3
		wantCode(t, p.register(p.contact()), 500)
	})
	t.Run("wildcard with a lifetime", func(t *testing.T) {
		p := fresh(t)
		wantCode(t, p.register("Contact: *", "Expires: 600"), 400)
		wantCode(t, p.register("Contact: *", p.contact(), "Expires: 0"), 400)
	})
}

func TestRetransmittedRegisterIsNoReplay(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	q := p.sign(p.bare("REGISTER", p.contact())).String()
	first := p.ask(q)
	wantCode(t, first, 200)
	if second := p.ask(q); second != first {
		t.Errorf("answers differ\n%s\n%s", first, second)
	}
}

func TestUnregister(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	other := "Contact: <sip:1101@192.0.2.7>"
	wantCode(t, p.register(p.contact(), other), 200)
	if n := len(r.Locate("1101")); n != 2 {
		t.Fatalf("%d bindings", n)
	}
	wantCode(t, p.register(p.contact()+";expires=0"), 200)
	if live := r.Locate("1101"); len(live) != 1 || live[0].Contact != "sip:1101@192.0.2.7" {
		t.Fatalf("left: %+v", live)
	}
	// §10.2.2: "*" with Expires 0 removes all
	wantCode(t, p.register("Contact: *", "Expires: 0"), 200)
	if live := r.Locate("1101"); len(live) != 0 {
		t.Errorf("left: %+v", live)
	}
}

func TestSamePhoneIsOneBinding(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	const instance = `;+sip.instance="<urn:uuid:f81d4fae>"`
	wantCode(t, p.register("Contact: <sip:1101@192.0.2.7:5060>"+instance), 200)
	p.callID = "after-a-restart"
	wantCode(t, p.register("Contact: <sip:1101@192.0.2.7:5099>"+instance), 200)
	if live := r.Locate("1101"); len(live) != 1 || live[0].Contact != "sip:1101@192.0.2.7:5099" {
		t.Errorf("%+v", live)
	}
}

func TestNewestFirstAndOldestGivesWay(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxContacts = 2 })
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	for _, host := range []string{"a", "b", "c"} {
		wantCode(t, p.register("Contact: <sip:1101@"+host+">"), 200)
	}
	if live := r.Locate("1101"); len(live) != 2 || live[0].Contact != "sip:1101@c" || live[1].Contact != "sip:1101@b" {
		t.Errorf("%+v", live)
	}
}

func TestExpiry(t *testing.T) {
	var mu sync.Mutex
	var told []string
	r := newRig(t, func(c *Config) {
		c.Bindings = func(user string, live []Binding) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(user, " ", len(live)))
		}
	})
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register(p.contact()+";expires=60"), 200)
	r.clock.advance(59 * time.Second)
	if len(r.Locate("1101")) != 1 {
		t.Error("gone too early")
	}
	r.clock.advance(time.Second)
	if len(r.Locate("1101")) != 0 {
		t.Error("still there")
	}
	r.expire(r.clock.now())
	eventually(t, "two changes told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(told, ", ") == "1101 1, 1101 0"
	})
	if n := r.Stats().Bindings; n != 0 {
		t.Errorf("%d bindings kept", n)
	}
}

func TestLongRegistrationIsCut(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	for _, expires := range []string{"86400", "forever", ""} { // §10.2.1.1: malformed is an hour
		a := p.register(p.contact(), "Expires: "+expires)
		if !strings.Contains(a, ";expires=3600\r\n") {
			t.Errorf("Expires: %s gives\n%s", expires, a)
		}
	}
}

func TestPhoneCallsWithDigest(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	inv := p.bare("INVITE")
	a := p.ask(inv.String())
	wantCode(t, a, 401)
	p.send(strings.Replace(inv.String(), "INVITE", "ACK", 2)) // goes nowhere, as it should
	r.inbox.empty(t)

	p.challenge = challenges(t, a)["SHA-256"]
	again := p.bare("INVITE")
	again.callID = inv.callID
	p.sign(again)
	p.send(again.String())
	in := r.inbox.next(t)
	if o := r.inbox.origins[0]; o != (Origin{Network: "lab", User: "1101"}) {
		t.Errorf("origin %+v", o)
	}
	if !in.Packet.Flow.Symmetric {
		t.Error("a phone is reached the way it came")
	}
	p.send(again.String()) // the same nc again, but of a call that is known
	r.inbox.next(t)

	p.password = "guess"
	bad := p.bare("INVITE")
	wantCode(t, p.ask(p.sign(bad).String()), 403)
	r.inbox.empty(t)
}

// A user of one network is nobody on another.
func TestUserOfAnotherNetwork(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Networks["far"] = c.Networks["lab"]
		c.Users["1101"] = User{Password: "lab-1101", Network: "far"}
	})
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	for _, method := range []string{"REGISTER", "INVITE"} {
		p.challenge = challenges(t, p.ask(p.bare(method).String()))["MD5"] // as anybody's
		p.nc = 0
		wantCode(t, p.ask(p.sign(p.bare(method)).String()), 403)
	}
}

func TestTCPPhoneGoneIsNotLocated(t *testing.T) {
	gone := make(chan int, 10)
	r := newRig(t, func(c *Config) { c.Bindings = func(_ string, live []Binding) { gone <- len(live) } })
	p := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register("Contact: <sip:1101@192.0.2.7;transport=tcp>"), 200)
	<-gone
	_ = p.conn.Close()
	select {
	case n := <-gone:
		if n != 0 {
			t.Errorf("%d bindings left", n)
		}
	case <-time.After(patience):
		t.Error("still located")
	}
}

// A phone that opens a connection for each REGISTER is called at its Contact.
func TestTCPPhoneThatHangsUpIsReachedAtItsContact(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register("Contact: <sip:1101@127.0.0.1:5077;transport=tcp>"), 200)
	_ = p.conn.Close()
	eventually(t, "the flow leads to the Contact", func() bool {
		live := r.Locate("1101")
		return len(live) == 1 && live[0].Flow.Remote.String() == "127.0.0.1:5077"
	})
}

// A SUBSCRIBE is answered by the handler once the phone has shown who it is; a
// trunk has nothing to watch, a stranger is a stranger.
func TestPhoneSubscribes(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	sub := p.bare("SUBSCRIBE")
	a := p.ask(sub.String())
	wantCode(t, a, 401)
	p.challenge = challenges(t, a)["SHA-256"]
	again := p.bare("SUBSCRIBE")
	again.callID = sub.callID
	p.send(p.sign(again).String())
	in := r.inbox.next(t)
	if o := r.inbox.origins[0]; o != (Origin{Network: "lab", User: "1101"}) || in.Packet.Method() != "SUBSCRIBE" ||
		!in.Packet.Flow.Symmetric {
		t.Errorf("from %+v by %+v: %s", o, in.Packet.Flow, in.Packet.Method())
	}
	p.send(again.String()) // of a Call-ID that is known
	if m := r.inbox.next(t).Packet.Method(); m != "SUBSCRIBE" {
		t.Errorf("the sink got %s", m)
	}

	trunk := r.udp(trunkHost)
	wantCode(t, trunk.ask(trunk.request("SUBSCRIBE", "1101").String()), 403)
	wantCode(t, p.register(p.contact()), 200)
	stray := p.bare("SUBSCRIBE")
	stray.to += ";tag=old"
	wantCode(t, p.ask(stray.String()), 481) // RFC 6665 §4.1.2.2: the phone begins anew
	wantCode(t, p.ask(p.bare("NOTIFY").String()), 481)
	r.inbox.empty(t)
}
