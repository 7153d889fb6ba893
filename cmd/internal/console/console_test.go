package console_test

import (
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"liandong/cmd/internal/phone"
)

// everything is all that somebody may ask for.
const everything = "/desk /wall /calls /calls/x /matters /v1/matters /indicators /indicators.csv /health /v1/calls /v1/seats /v1/board " +
	"/v1/health /v1/categories /v1/indicators /v1/config"

// Each role has its pages and what is on them, and nothing else; without a session there is nothing.
func TestRolesAndPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stranger := r.browser()
	for _, path := range []string{"/", "/wall", "/calls", "/desk", "/health", "/indicators.csv"} {
		if _, body := stranger.send("GET", path, nil); !strings.Contains(body, `name="password"`) {
			t.Errorf("a stranger sees %s: %s", path, body)
		}
	}
	for _, path := range []string{"/v1/calls", "/v1/events", "/v1/config", "/v1/seats"} {
		if status, _ := stranger.send("GET", path, nil); status != http.StatusUnauthorized {
			t.Errorf("a stranger asks for %s: %d", path, status)
		}
	}
	for user, may := range map[string]string{
		"wang": "/desk /wall /calls /v1/calls /v1/seats /v1/board /v1/categories",
		"chief": "/wall /calls /calls/x /matters /v1/matters /indicators /indicators.csv /v1/calls /v1/seats /v1/board /v1/categories " +
			"/v1/indicators",
		"boss": "/indicators /indicators.csv /v1/indicators",
		"eng":  "/wall /calls /calls/x /health /v1/calls /v1/seats /v1/board /v1/health /metrics",
		"root": "/wall /calls /calls/x /matters /v1/matters /indicators /indicators.csv /health /v1/calls /v1/seats /v1/board /v1/health " +
			"/v1/categories /v1/indicators /v1/config",
	} {
		b := r.signIn(user)
		for _, path := range strings.Fields(everything) {
			status, body := b.send("GET", path, nil)
			if want := strings.Contains(may+" ", path+" "); want != (status == http.StatusOK) || !want &&
				status != 403 {
				t.Errorf("%s asks for %s: %d %.200s", user, path, status, body)
			}
		}
	}
	if status, _ := r.signIn("root").send("GET", "/v1/keys/handover?user=1101", nil); status != http.StatusNotFound {
		t.Errorf("a browser presses keys by GET: %d", status)
	}
}

// The border: who is of one line sees nothing of the other's calls, nor presses keys of seats that are not his.
func TestBorder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.phone("2101", phone.AnswerAfter(0))
	call := r.call(r.phone("", phone.Policy{}), "12345")
	r.reach(call, phone.Confirmed)
	var id string
	head := r.signIn("head")
	r.until("the supervisor of 12345 sees the call", func() bool {
		_, body := head.send("GET", "/v1/calls", nil)
		id, _, _ = strings.Cut(strings.TrimPrefix(body, `[{"id":"`), `"`)
		return strings.Contains(body, `"phase":"talking"`)
	})
	chief := r.signIn("chief")
	for _, path := range []string{"/v1/calls", "/v1/seats", "/v1/board", "/v1/calls/" + id,
		"/v1/calls/" + id + "/story"} {
		if _, body := chief.send("GET", path, nil); strings.Contains(body, "12345") || strings.Contains(body, "2101") {
			t.Errorf("110 sees at %s: %s", path, body)
		}
	}
	for _, c := range []struct {
		user, seat string
		want       int
	}{{"li", "2101", 200}, {"li", "2102", 403}, {"wang", "2101", 403}, {"chief", "2101", 403}, {"guest", "2101", 403},
		{"eng", "2101", 403}, {"boss", "2101", 403}, {"head", "2101", 200}} {
		b := r.signIn(c.user)
		status, body := b.send("POST", "/v1/calls/"+id+"/verbs/record?user="+c.seat, nil, "X-CSRF-Token", b.csrf)
		if status != c.want {
			t.Errorf("%s presses a key of %s: %d %s", c.user, c.seat, status, body)
		}
	}
	for user, sees := range map[string]bool{"li": true, "head": false, "root": false} {
		_, body := r.signIn(user).send("GET", "/v1/calls/"+id, nil)
		if strings.Contains(body, "13812345678") != sees {
			t.Errorf("%s sees the number: %s", user, body)
		}
	}
	if !strings.Contains(r.log.String(), "a number is shown") {
		t.Error("it is not written down who saw a number")
	}
}

// What an attacker tries: guess, forge, come from another page or by another name, use a cookie that is over.
func TestAttacks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := r.signIn("root")
	for name, c := range map[string]struct {
		headers []string
		want    int
	}{
		"without the token":       {nil, 403},
		"with a wrong token":      {[]string{"X-CSRF-Token", "x"}, 403},
		"with another's token":    {[]string{"X-CSRF-Token", r.signIn("boss").csrf}, 403},
		"from another site":       {[]string{"X-CSRF-Token", root.csrf, "Origin", "http://evil.example"}, 403},
		"says the browser":        {[]string{"X-CSRF-Token", root.csrf, "Sec-Fetch-Site", "cross-site"}, 403},
		"by a name that leads us": {[]string{"X-CSRF-Token", root.csrf, "Host", "evil.example"}, 421},
	} {
		if status, body := root.send("POST", "/v1/reload", nil, c.headers...); status != c.want {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, _ := root.send("GET", "/calls", nil, "Host", "evil.example"); status != 421 {
		t.Errorf("a page by a foreign name: %d", status)
	}
	if status, _ := root.send("POST", "/signout", url.Values{"csrf": {"x"}}); status != 403 {
		t.Errorf("signed out by another site: %d", status)
	}
	res, err := root.Get("http://" + r.web.String() + "/calls")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
	} {
		if got := res.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	at, _ := url.Parse("http://" + r.web.String())
	old := root.Jar.Cookies(at)
	root.send("POST", "/signout", url.Values{"csrf": {root.csrf}})
	root.Jar.SetCookies(at, old)
	if status, _ := root.send("GET", "/v1/config", nil); status != http.StatusUnauthorized {
		t.Errorf("a cookie that is over opens the switch: %d", status)
	}
	guesser, slowed := r.browser(), false
	for range 12 {
		status, body := guesser.send("POST", "/signin", url.Values{"user": {"root"}, "password": {"guess"}})
		if slowed = slowed || status == http.StatusTooManyRequests; status == http.StatusOK {
			t.Fatalf("a guess opens the door: %s", body)
		}
	}
	if !slowed {
		t.Error("guessing goes on at full speed")
	}
	if log := r.log.String(); strings.Contains(log, "guess ") || strings.Contains(log, password) ||
		!strings.Contains(log, "a sign-in failed") {
		t.Errorf("the log:\n%s", log)
	}
}

// A taker without a seat of his own takes one of his lines, and no other.
func TestTakerSits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := r.signIn("guest")
	if status, _ := b.send("POST", "/seat", url.Values{"seat": {"1101"},
		"csrf": {b.csrf}}); status != http.StatusForbidden {
		t.Errorf("he sits at another line's seat: %d", status)
	}
	status, body := b.send("POST", "/seat", url.Values{"seat": {"2102"}, "csrf": {b.csrf}})
	if status != http.StatusOK || !strings.Contains(body, `data-seat="2102"`) {
		t.Errorf("%d %s", status, body)
	}
}

// The pages are small, speak both languages, and have no script or style within.
func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var all int64
	err := filepath.WalkDir("static", func(_ string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		info, err := f.Info()
		all += info.Size()
		return err
	})
	if err != nil || all > 200<<10 || all < 50<<10 {
		t.Errorf("static files have %d bytes: %v", all, err)
	}
	for user, path := range map[string]string{"li": "/desk", "root": "/wall", "chief": "/indicators",
		"eng": "/health"} {
		b := r.signIn(user)
		for _, lang := range []string{"zh", "en"} {
			_, body := b.send("GET", path+"?lang="+lang, nil)
			if len(body) > 40<<10 || strings.Contains(body, "style=") || strings.Contains(body, "<style") ||
				strings.Contains(body, "onclick") || strings.Contains(body, "ZgotmplZ") {
				t.Errorf("%s %s: %d bytes\n%s", path, lang, len(body), body)
			}
			if zh := strings.Contains(body, `lang="zh-CN">`+"\n<head>"); zh != (lang == "zh") {
				t.Errorf("%s is not in %s", path, lang)
			}
		}
	}
}

// That Redis is gone is said at the top of the page before anything waits for it.
func TestRedisThatIsGoneIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := r.signIn("root")
	amiss := func() bool {
		_, body := root.send("GET", "/v1/health", nil)
		warnings, _, _ := strings.Cut(body, `"trunks"`)
		return strings.Contains(warnings, "Redis does not take entries; 0 wait")
	}
	if amiss() {
		t.Error("it is there")
	}
	r.redis.Close()
	r.until("it is said", amiss)
}
