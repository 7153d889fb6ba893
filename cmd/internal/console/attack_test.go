package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"liandong/cmd/internal/phone"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// posts are all requests that change something: those of the interface's own document, and the console's.
func posts(t *testing.T, b *browser) (all []string) {
	t.Helper()
	_, body := b.send("GET", "/v1/openapi.json", nil)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%v: %.200s", err, body)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			switch method {
			case "get":
			case "post":
				all = append(all, placeholder.ReplaceAllString(path, "x"))
			default:
				t.Errorf("%s %s: no test knows of it", method, path)
			}
		}
	}
	if len(all) < 7 {
		t.Fatalf("%q are all", all)
	}
	return append(all, "/seat", "/signout")
}

// Whatever changes something is for those who have signed in, from a page that is theirs, and no page of another site
// gets through.
func TestNothingChangesWithoutItsPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root, stranger := r.signIn("root"), r.browser()
	other := r.signIn("root").csrf // of the same user, and another session
	for _, path := range posts(t, root) {
		for name, headers := range map[string][]string{
			"no token": nil, "a wrong one": {"X-CSRF-Token", "x"}, "that of another session": {"X-CSRF-Token", other},
			"another site": {"X-CSRF-Token", root.csrf, "Origin", "http://evil.example"},
			"no site":      {"X-CSRF-Token", root.csrf, "Origin", "null"},
			"the browser":  {"X-CSRF-Token", root.csrf, "Sec-Fetch-Site", "same-site"},
		} {
			if status, body := root.send("POST", path, nil, headers...); status != http.StatusForbidden {
				t.Errorf("%s with %s: %d %s", path, name, status, body)
			}
		}
		if status, body := stranger.send("POST", path, nil); status != http.StatusUnauthorized &&
			!strings.Contains(body, `name="password"`) {
			t.Errorf("a stranger at %s: %d %s", path, status, body)
		}
	}
	if status, _ := root.send("GET", "/v1/config", nil); status != http.StatusOK {
		t.Errorf("somebody else has signed root out: %d", status)
	}
}

// What is not for a role is not to be had by its address either.
func TestNoRoleByAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	may := map[string][]string{ // beside what is the user's own
		"wang":  {"/verbs/", "/state", "/v1/missed/", "/v1/stubs/"},
		"chief": {"/verbs/", "/state", "/v1/missed/", "/v1/stubs/", "/supervise/", "/rtp"},
		"eng":   {"/rtp"},
		"boss":  {},
	}
	all := posts(t, r.signIn("root"))
	for user, some := range may {
		b := r.signIn(user)
		for _, path := range all {
			his := func(s string) bool { return strings.Contains(path, s) }
			if path == "/signout" || slices.ContainsFunc(some, his) {
				continue
			}
			if status, body := b.send("POST", path, nil, "X-CSRF-Token", b.csrf); status != http.StatusForbidden {
				t.Errorf("%s at %s: %d %s", user, path, status, body)
			}
		}
	}
}

// A session that somebody has planted in a browser is not the one that its owner signs in with, and is over then.
func TestSessionIsNotFixed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at, _ := url.Parse("http://" + r.web.String())
	session := func(b *browser) string {
		for _, c := range b.Jar.Cookies(at) {
			if c.Name == "liandong" {
				return c.Value
			}
		}
		return ""
	}
	knows := func(value string) bool {
		thief := r.browser()
		thief.Jar.SetCookies(at, []*http.Cookie{{Name: "liandong", Value: value, Path: "/"}})
		status, _ := thief.send("GET", "/v1/seats", nil)
		return status == http.StatusOK
	}
	enter := func(b *browser) {
		b.send("POST", "/signin", url.Values{"user": {"chief"}, "password": {password}})
	}
	made := r.browser()
	made.Jar.SetCookies(at, []*http.Cookie{{Name: "liandong", Value: "known-to-the-thief", Path: "/"}})
	enter(made)
	if is := session(made); is == "known-to-the-thief" || knows("known-to-the-thief") || !knows(is) {
		t.Errorf("the session is %q", is)
	}
	real := session(r.signIn("wang"))
	victim := r.browser()
	victim.Jar.SetCookies(at, []*http.Cookie{{Name: "liandong", Value: real, Path: "/"}})
	enter(victim)
	if is := session(victim); is == real || knows(real) || !knows(is) {
		t.Error("the session that was there before the sign-in goes on")
	}
}

// Whatever there is of a call or a matter of the other line is not there for a supervisor.
func TestOtherLinesCallIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	desk := r.phone("2101", phone.AnswerAfter(0))
	call := r.call(r.phone("", phone.Policy{}), "12345")
	r.reach(call, phone.Confirmed)
	<-desk.Incoming()
	head, chief := r.signIn("head"), r.signIn("chief")
	id := callID(t, head)
	r.until("its messages are kept", func() bool {
		status, _ := head.send("GET", "/v1/calls/"+id+"/trace.pcap", nil)
		return status == http.StatusOK
	})
	for _, path := range []string{"/v1/calls/" + id, "/v1/calls/" + id + "/trace", "/v1/calls/" + id + "/trace.pcap",
		"/v1/calls/" + id + "/story", "/v1/calls/" + id + "/earlier", "/calls/" + id, "/calls/" + id + "/ladder",
		"/calls/" + id + "/curves"} {
		_, theirs := head.send("GET", path, nil)
		status, body := chief.send("GET", path, nil)
		if strings.Contains(body, "2101") || strings.Contains(body, "127.0.0.10") || strings.Contains(body, "5678") {
			t.Errorf("110 sees at %s: %d %s", path, status, body)
		}
		if strings.HasSuffix(path, id) && !strings.Contains(theirs, id) {
			t.Errorf("12345 does not see at %s: %s", path, theirs)
		}
	}
	for _, path := range []string{"/rtp", "/supervise/listen", "/supervise/join", "/supervise/take_back", "/supervise/end"} {
		status, body := chief.send("POST", "/v1/calls/"+id+path, nil, "X-CSRF-Token", chief.csrf)
		if status < 400 || status >= 500 {
			t.Errorf("110 at %s of a call of 12345: %d %s", path, status, body)
		}
	}
	if status, _ := head.send("GET", "/v1/calls/"+id, nil); status != http.StatusOK {
		t.Errorf("the call is gone: %d", status)
	}
}
