package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"liandong/sip/header"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func lookup(user, _ string) (string, bool) {
	return "lab-" + user, user == "1101" || user == "1102"
}

func server() *Server {
	cfg := Default("liandong.lab")
	cfg.Secret = []byte("0123456789abcdef")
	return NewServer(cfg)
}

// answer is what a phone makes of a challenge.
func answer(t *testing.T, challenge header.Field, user, password string, nc int) string {
	t.Helper()
	f, err := Credentials{user, password}.Respond([]header.Field{challenge}, "REGISTER", "sip:liandong.lab", nc,
		"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
	if err != nil || f.Name != "Authorization" {
		t.Fatalf("%+v: %v", f, err)
	}
	return f.Value
}

// RFC 8760 §2.3: the server's preferred algorithm is the topmost.
func TestChallenge(t *testing.T) {
	fields := server().Challenge(noon, false)
	if len(fields) != 2 {
		t.Fatalf("%d challenges", len(fields))
	}
	for i, algorithm := range []string{"SHA-256", "MD5"} {
		c, err := digest.ParseChallenge(fields[i].Value)
		if err != nil || fields[i].Name != "WWW-Authenticate" || c.Algorithm != algorithm ||
			c.Realm != "liandong.lab" || !c.SupportsQOP("auth") || c.Stale || c.Nonce == "" {
			t.Errorf("%+v: %v", fields[i], err)
		}
	}
	if again := server().Challenge(noon, true); again[0].Value == fields[0].Value ||
		!strings.Contains(again[1].Value, "stale=true") {
		t.Errorf("a second challenge: %s", again[1].Value)
	}
}

func TestVerify(t *testing.T) {
	s := server()
	for i, c := range []struct {
		change func(string) string
		want   error
	}{
		{nil, nil},
		{func(a string) string { return strings.Replace(a, "Digest", "digest", 1) }, nil},
		{func(a string) string { return strings.Replace(a, `nc=`, `x="y", nc=`, 1) }, nil},
		{func(a string) string { return strings.Replace(a, `nc=`, `x=, nc=`, 1) }, nil},
		{func(a string) string { return strings.Replace(a, `username="1101"`, `username="1102"`, 1) }, ErrDenied},
		{func(a string) string { return strings.Replace(a, `username="1101"`, `username="9999"`, 1) }, ErrDenied},
		{func(a string) string { return strings.Replace(a, "sip:liandong.lab", "sip:elsewhere", 1) }, ErrDenied},
		{func(a string) string { return strings.Replace(a, "nc=00000001", "nc=00000000", 1) }, ErrDenied},
		{func(a string) string { return strings.Replace(a, "qop=auth", "qop=auth-int", 1) }, ErrMissing},
		{func(a string) string { return strings.Replace(a, `realm="liandong.lab"`, `realm="other"`, 1) }, ErrMissing},
		{func(a string) string { return strings.Replace(a, "algorithm=", "algorithm=X", 1) }, ErrMissing},
		{func(a string) string { return strings.Replace(a, `nonce="`, `nonce="A`, 1) }, ErrStale},
		{func(a string) string { return strings.Replace(a, "Digest", "Basic", 1) }, ErrMissing},
		{func(string) string { return "" }, ErrMissing},
		{func(a string) string { return a + strings.Repeat(" ", 3000) }, ErrMissing},
	} {
		for algorithm := range algorithms {
			a := answer(t, s.Challenge(noon, false)[algorithm], "1101", "lab-1101", 1)
			if c.change != nil {
				a = c.change(a)
			}
			user, err := s.Verify(noon, "REGISTER", a, lookup)
			if !errors.Is(err, c.want) || (err == nil) != (user == "1101") {
				t.Errorf("case %d: got %q %v, want %v: %s", i, user, err, c.want, a)
			}
		}
	}
	if _, err := s.Verify(noon, "INVITE", answer(t, s.Challenge(noon, false)[0], "1101", "lab-1101", 1),
		lookup); !errors.Is(err, ErrDenied) {
		t.Errorf("an answer for another method: %v", err)
	}
	if _, err := s.Verify(noon, "REGISTER", answer(t, s.Challenge(noon, false)[0], "1101", "guess", 1),
		lookup); !errors.Is(err, ErrDenied) {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := s.Verify(noon, "REGISTER", answer(t, s.Challenge(noon, false)[0], "9999", "lab-9999", 1),
		lookup); !errors.Is(err, ErrDenied) {
		t.Errorf("a user that does not exist: %v", err)
	}
}

// RFC 7616 §3.4: nc lets the server detect a replay.
func TestReplay(t *testing.T) {
	s := server()
	c := s.Challenge(noon, false)[0]
	for i, step := range []struct {
		nc   int
		want error
	}{{1, nil}, {1, ErrReplay}, {2, nil}, {5, nil}, {4, ErrReplay}, {6, nil}} {
		if _, err := s.Verify(noon, "REGISTER", answer(t, c, "1101", "lab-1101", step.nc), lookup); !errors.Is(err,
			step.want) {
			t.Errorf("step %d, nc %d: got %v, want %v", i, step.nc, err, step.want)
		}
	}
}

// A phone of RFC 2069 sends no qop, so each nonce is good for one request.
func TestOldDigest(t *testing.T) {
	s := server()
	for _, algorithm := range []string{"", "MD5", "SHA-256"} {
		chal, _ := digest.ParseChallenge(s.Challenge(noon, false)[1].Value)
		chal.QOP, chal.Algorithm = nil, algorithm
		cred, err := digest.Digest(chal, digest.Options{Method: "REGISTER", URI: "sip:x", Username: "1102",
			Password: "lab-1102"})
		if err != nil {
			t.Fatal(err)
		}
		want, again := error(nil), ErrReplay
		if algorithm == "SHA-256" {
			want, again = ErrMissing, ErrMissing
		}
		if _, err := s.Verify(noon, "REGISTER", cred.String(), lookup); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", algorithm, err, want)
		}
		if _, err := s.Verify(noon, "REGISTER", cred.String(), lookup); !errors.Is(err, again) {
			t.Errorf("%q again: got %v, want %v", algorithm, err, again)
		}
	}
}

func TestNonceLife(t *testing.T) {
	s := server()
	a := answer(t, s.Challenge(noon, false)[0], "1101", "lab-1101", 1)
	for _, step := range []struct {
		after time.Duration
		want  error
	}{{5 * time.Minute, nil}, {5*time.Minute + 1, ErrStale}, {-6 * time.Minute, ErrStale}} {
		if _, err := s.Verify(noon.Add(step.after), "REGISTER", a, lookup); !errors.Is(err, step.want) {
			t.Errorf("after %v: got %v, want %v", step.after, err, step.want)
		}
	}
}

// A nonce of another server, or of this one before it was started again, is
// asked for anew: nobody knows whether it was used.
func TestForeignNonce(t *testing.T) {
	before := server()
	a := answer(t, before.Challenge(noon, false)[0], "1101", "lab-1101", 1)
	after := server() // the same secret
	if _, err := after.Verify(noon, "REGISTER", a, lookup); !errors.Is(err, ErrStale) {
		t.Errorf("before any challenge: %v", err)
	}
	after.Challenge(noon.Add(time.Second), false)
	if _, err := after.Verify(noon.Add(time.Second), "REGISTER", a, lookup); !errors.Is(err, ErrStale) {
		t.Errorf("after a challenge: %v", err)
	}
	other := NewServer(Default("liandong.lab")) // a secret of its own
	other.Challenge(noon.Add(-time.Second), false)
	if _, err := other.Verify(noon, "REGISTER", a, lookup); !errors.Is(err, ErrStale) {
		t.Errorf("another secret: %v", err)
	}
}

// Memory is bounded, and what is forgotten cannot be replayed.
func TestForgotten(t *testing.T) {
	cfg := Default("liandong.lab")
	cfg.Nonces = 4
	s := NewServer(cfg)
	var answers []string
	for i := range 20 {
		now := noon.Add(time.Duration(i) * time.Second)
		answers = append(answers, answer(t, s.Challenge(now, false)[0], "1101", "lab-1101", 1))
		if _, err := s.Verify(now, "REGISTER", answers[i], lookup); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.used) != 4 {
		t.Errorf("%d nonces are remembered", len(s.used))
	}
	for i, a := range answers {
		if _, err := s.Verify(noon.Add(20*time.Second), "REGISTER", a, lookup); !errors.Is(err, ErrStale) &&
			!errors.Is(err, ErrReplay) {
			t.Errorf("replay of %d: %v", i, err)
		}
	}
}

// RFC 7616 §3.9.1, RFC 2617 §3.5 and RFC 2069 (errata), as a client.
func TestRespondVectors(t *testing.T) {
	for _, c := range []struct{ challenge, nonceCount, cnonce, user, password, want string }{
		{`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life",
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{`Digest realm="http-auth@example.org", qop="auth-int, auth", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
			"00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life",
			"8ca523f5e9506fed4657c9700eebdbec"},
		{`Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"00000001", "0a4f113b", "Mufasa", "Circle Of Life", "6629fae49393a05397450978507c4ef1"},
		{`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
			"", "", "Mufasa", "CircleOfLife", "1949323746fe6a43ef61f9606e7febea"},
	} {
		f, err := Credentials{c.user, c.password}.Respond([]header.Field{{Name: "WWW-Authenticate",
			Value: c.challenge}}, "GET", "/dir/index.html", 1, c.cnonce)
		if err != nil {
			t.Errorf("%s: %v", c.challenge, err)
			continue
		}
		got, err := digest.ParseCredentials(f.Value)
		if err != nil || got.Response != c.want || got.URI != "/dir/index.html" || got.Opaque == "" ||
			c.nonceCount != "" && !strings.Contains(f.Value, "nc="+c.nonceCount) {
			t.Errorf("%s: got %s %v, want %s", c.challenge, f.Value, err, c.want)
		}
	}
}

// RFC 8760 §2.4: the client answers the topmost challenge that it can.
func TestRespondChooses(t *testing.T) {
	field := func(name, algorithm, qop string) header.Field {
		return header.Field{Name: name, Value: fmt.Sprintf(`Digest realm="r", nonce="n", algorithm=%s, qop="%s"`,
			algorithm, qop)}
	}
	me := Credentials{"u", "p"}
	for name, c := range map[string]struct {
		challenges      []header.Field
		field, contains string
	}{
		"the first": {[]header.Field{field("WWW-Authenticate", "SHA-256", "auth"),
			field("WWW-Authenticate", "MD5", "auth")}, "Authorization", "algorithm=SHA-256"},
		"the first it knows": {[]header.Field{{Name: "WWW-Authenticate", Value: "Basic x"},
			field("WWW-Authenticate", "X-1", "auth"), field("WWW-Authenticate", "MD5", "auth")}, "Authorization",
			"algorithm=MD5"},
		"the first it can": {[]header.Field{field("WWW-Authenticate", "SHA-256", "auth-int"),
			field("WWW-Authenticate", "MD5", "auth")}, "Authorization", "algorithm=MD5"},
		"a proxy's": {[]header.Field{field("Proxy-Authenticate", "MD5", "auth")}, "Proxy-Authorization",
			"algorithm=MD5"},
		"one that is not said": {[]header.Field{{Name: "WWW-Authenticate", Value: `Digest realm="r",nonce="n"`}},
			"Authorization", `response="`},
	} {
		f, err := me.Respond(c.challenges, "INVITE", "sip:x", 1, "c")
		if err != nil || f.Name != c.field || !strings.Contains(f.Value, c.contains) {
			t.Errorf("%s: got %+v %v", name, f, err)
		}
	}
	if f, err := me.Respond([]header.Field{field("WWW-Authenticate", "MD5", "auth-int")}, "INVITE", "sip:x", 1,
		"c"); !errors.Is(err, ErrChallenge) {
		t.Errorf("nothing to answer: %+v %v", f, err)
	}
}

func TestCredentialsAreMasked(t *testing.T) {
	c := Credentials{"trunk", "hunter2"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "credentials", c, "pointer", &c)
	// as a part of what is logged
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "account", struct{ Credentials Credentials }{c})
	text := b.String() + fmt.Sprintf("%v %+v %#v %s", c, &c, c, c)
	if strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(`Digest username="1101", realm="liandong.lab", nonce="x", uri="sip:x", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response="0"`)
	f.Add(`Digest username="\"", realm=,`)
	s := server()
	s.Challenge(noon, false)
	f.Fuzz(func(t *testing.T, authorization string) {
		if user, err := s.Verify(noon, "REGISTER", authorization, lookup); err == nil {
			t.Fatalf("%q is let in by %q", user, authorization)
		}
	})
}

// Whatever a trunk asks, an answer is one field that our own reader takes.
func FuzzRespond(f *testing.F) {
	f.Add(`Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth, auth-int", stale=TRUE`, "小王")
	f.Fuzz(func(t *testing.T, challenge, user string) {
		field, err := Credentials{user, "p"}.Respond([]header.Field{{Name: "WWW-Authenticate", Value: challenge}},
			"INVITE", "sip:x", 1, "c")
		if err != nil {
			return
		}
		if _, err := digest.ParseCredentials(field.Value); err != nil || strings.ContainsAny(field.Value, "\r\n") {
			t.Fatalf("%q is answered by %q: %v", challenge, field.Value, err)
		}
	})
}
