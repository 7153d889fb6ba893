package ua

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/sip/leg"
)

// guess tries a wrong password for a user, by a challenge of its own.
func guess(p *phone) string {
	p.t.Helper()
	password := p.password
	p.password, p.challenge = "guess", ""
	defer func() { p.password, p.challenge = password, "" }()
	q := p.bare("REGISTER", p.contact())
	a := p.ask(q.String())
	if code(p.t, a) != 401 {
		return a
	}
	p.challenge, p.nc = challenges(p.t, a)[p.algorithm], 0
	return p.ask(p.sign(p.bare("REGISTER", p.contact())).String())
}

// Whoever guesses waits longer and longer, by whichever host and for whichever user; the phone that is registered goes
// on.
func TestGuessingIsSlowedDown(t *testing.T) {
	r := newRig(t, nil)
	home := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, home.register(home.contact()), 200)
	tries := func(p *phone, d time.Duration) (looked int) {
		for range int(d / time.Second) {
			if code(t, guess(p)) == 403 {
				looked++
			}
			r.clock.advance(time.Second)
		}
		return looked
	}
	thief := newPhone(r.udp("127.0.0.66"), "1101", "MD5")
	if n := tries(thief, 10*time.Minute); n < freeGuesses || n > freeGuesses+20 {
		t.Errorf("%d guesses were looked at in ten minutes", n)
	}
	for _, p := range []*phone{
		newPhone(r.udp("127.0.0.67"), "1101", "MD5"), // the same user from elsewhere
		newPhone(r.udp("127.0.0.66"), "1102", "MD5"), // another user from there
	} {
		if a := guess(p); code(t, a) != 503 || field(t, a, "Retry-After") == "" {
			t.Errorf("%s from %v:\n%s", p.user, p.local(), a)
		}
	}
	home.challenge = "" // which has grown old
	wantCode(t, home.register(home.contact()), 200)
	if !r.said.has("wrong password") || !r.said.has("user=1101") {
		t.Error("the log does not say whose password is guessed")
	}
	// beside the registered phone, too
	neighbour := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	if n := tries(neighbour, 10*time.Minute); n > 100 {
		t.Errorf("%d guesses from the phone's own host were looked at in ten minutes", n)
	}
	r.clock.advance(shortPause)
	home.challenge = ""
	wantCode(t, home.register(home.contact()), 200)
}

// Nothing that a stranger gets tells a user's name from another.
func TestStrangerLearnsNoNames(t *testing.T) {
	r := newRig(t, func(c *Config) {
		for i := range 20 {
			c.Users[fmt.Sprint(2000+i)] = User{Password: "x", Network: "lab",
				Digest: []string{"", "MD5", "SHA-256"}[i%3], TLS: []string{"", Required}[i%2]}
		}
	})
	kinds := map[bool]map[string]int{true: {}, false: {}}
	for i := range 60 {
		name := fmt.Sprint(2000 + i)
		for _, method := range []string{"REGISTER", "INVITE", "SUBSCRIBE", "OPTIONS", "BYE", "MESSAGE", "DANCE"} {
			p := r.udp("127.0.0.66")
			q := p.request(method, name)
			q.to = "<sip:" + name + "@liandong.lab>"
			text := p.ask(q.String())
			kinds[i < 20][fmt.Sprint(method, code(t, text), strings.Count(text, "WWW-Auth"),
				strings.Contains(text, "Warning"))]++
			_ = p.conn.Close()
		}
	}
	for kind, n := range kinds[false] {
		if kinds[true][kind] == 0 {
			t.Errorf("%s is answered to %d names that are nobody's, and to no user", kind, n)
		}
	}
	for kind := range kinds[true] {
		if kinds[false][kind] == 0 {
			t.Errorf("%s is answered to users alone", kind)
		}
	}
}

// A user with digest: SHA-256 proves nothing by MD5.
func TestWeakerDigestIsRefused(t *testing.T) {
	r := newRig(t, func(c *Config) {
		u := c.Users["1101"]
		u.Digest = "SHA-256"
		c.Users["1101"] = u
	})
	p := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	wantCode(t, p.register(p.contact()), 200)
	weak := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	a := weak.ask(weak.bare("REGISTER").String())
	weak.challenge = challenges(t, a)["SHA-256"]
	wantCode(t, weak.ask(weak.sign(weak.bare("REGISTER", weak.contact())).String()), 403)
}

// Somebody else's phone that takes a user's calls does not do so unseen.
func TestAnotherPhoneIsSaid(t *testing.T) {
	told := make(chan Binding, 10)
	r := newRig(t, func(c *Config) { c.Another = func(b Binding, _ int) { told <- b } })
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	for range 2 {
		wantCode(t, p.register(p.contact()), 200)
	}
	if len(told) != 0 || r.said.has("another phone") {
		t.Error("the only phone is taken for another")
	}
	thief := newPhone(r.udp("127.0.0.66"), "1101", "MD5")
	wantCode(t, thief.register(thief.contact()), 200)
	if b := <-told; b.Flow.Remote != thief.local() || !r.said.has("another phone takes the calls of a user") {
		t.Errorf("told %+v", b)
	}
}

// The way of a trunk's call by TCP that is gone is not the end of it: RFC 3263 §4.1.
func TestRequestOfACallGoesByUDPWhenItsConnectionIsGone(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	r.Bind("call", r.inbox)
	bye := outbound(t, "call", "")
	bye.To().Params.Add("tag", "theirs")
	r.Send(leg.Packet{Msg: bye, Flow: leg.Flow{Network: "lab", Transport: "tcp", Remote: p.local()}})
	if text := p.receive(); !strings.Contains(text, "Via: SIP/2.0/UDP "+r.addr("udp").String()) {
		t.Errorf("came\n%s", text)
	}
	r.Send(leg.Packet{Msg: bye, Flow: leg.Flow{Network: "lab", Transport: "tcp", Remote: p.local(), Symmetric: true}})
	if in := r.inbox.next(t); in.Err == nil {
		t.Error("a phone is reached by its connection alone")
	}
}

// However many connections of unknown peers there are, the next one costs the same.
func TestUnprovenConnections(t *testing.T) {
	w := newUnproven()
	var all []*conn
	for i := range 1000 {
		c := &conn{}
		c.key.remote = r4(i%7, i)
		all = append(all, c)
		w.add(c)
	}
	for i, c := range all {
		if i%3 == 0 {
			w.remove(c)
			w.remove(c)
		}
	}
	for w.size > 0 {
		c, of, oldest := w.idlest(), map[int]int{}, true
		for _, l := range w.hosts {
			of[l.Len()]++
			if l.Len() > w.hosts[c.key.remote.Addr()].Len() {
				t.Fatal("another host has more")
			}
		}
		oldest = w.hosts[c.key.remote.Addr()].Front().Value == c
		if !oldest || of[w.most] == 0 {
			t.Fatalf("oldest %v, %v of %d", oldest, of, w.most)
		}
		w.remove(c)
	}
	if w.most != 0 || len(w.hosts)+len(w.sized)+len(w.place) != 0 {
		t.Errorf("left %+v", w)
	}
}

func r4(host, port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(host)}), uint16(port))
}

func BenchmarkUnproven(b *testing.B) {
	for _, n := range []int{10, 3000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newUnproven()
			for i := range n {
				c := &conn{}
				c.key.remote = r4(i%200, i)
				w.add(c)
			}
			for b.Loop() {
				c := w.idlest()
				w.remove(c)
				w.add(c)
			}
		})
	}
}
