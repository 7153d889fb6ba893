package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/configs"
	"liandong/routing/verb"
)

// A phone that calls its action URL twice presses one key; another key, another
// desk, or the same key later is another press.
func TestOnce(t *testing.T) {
	var o once
	at, n := time.Unix(0, 0), 0
	press := func(after time.Duration, user, what string, want int) {
		t.Helper()
		err := o.do(at.Add(after), user, what, func() error { n++; return nil })
		if err != nil || n != want {
			t.Errorf("%v %s %s: acted %d times, want %d, %v", after, user, what, n, want, err)
		}
	}
	press(0, "1101", "handover", 1)
	press(time.Second, "1101", "handover", 1)
	press(1999*time.Millisecond, "1101", "handover", 1)
	press(time.Second, "1102", "handover", 2)
	press(2*time.Second, "1101", "handover", 3)
	press(2500*time.Millisecond, "1101", "take_back", 4)
	press(3*time.Second, "1101", "handover", 5)
	press(time.Minute, "2101", "handover", 6)
	if len(o.last) != 1 {
		t.Errorf("%d presses are kept", len(o.last))
	}
}

// What has failed is tried again.
func TestOnceAfterFailure(t *testing.T) {
	var o once
	failure := errors.New("in no call")
	if err := o.do(time.Unix(0, 0), "1101", "handover", func() error { return failure }); !errors.Is(err, failure) {
		t.Error(err)
	}
	acted := false
	if err := o.do(time.Unix(1, 0), "1101", "handover", func() error { acted = true; return nil }); err != nil ||
		!acted {
		t.Error(err, acted)
	}
}

// The second request of a slow first one waits for its answer.
func TestOnceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o once
		n := 0
		slow := func() error { n++; time.Sleep(time.Second); return nil }
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- o.do(time.Now(), "1101", "handover", slow) }()
		}
		began := time.Now()
		if one, two := <-done, <-done; one != nil || two != nil || n != 1 || time.Since(began) != time.Second {
			t.Errorf("%v %v, acted %d times in %v", one, two, n, time.Since(began))
		}
	})
}

// The same by HTTP: two requests, one verb, the same plain text for both.
func TestActionURLTwice(t *testing.T) {
	s := server(t, configs.API{Grants: []configs.Grant{loopback}})
	at := time.Unix(0, 0)
	var acted []string
	s.now = func() time.Time { return at }
	s.act = func(ref, user string, v verb.Verb) error {
		acted = append(acted, user+" "+v.String())
		return nil
	}
	for _, after := range []time.Duration{0, time.Second, 3 * time.Second} {
		at = time.Unix(0, 0).Add(after)
		if code, body := ask(s, "GET", "/v1/keys/category?user=1101&code=07", friend); code != http.StatusOK ||
			body != "ok\n" {
			t.Errorf("after %v: %d %q", after, code, body)
		}
	}
	if got := strings.Join(acted, ", "); got != "1101 category 07, 1101 category 07" {
		t.Errorf("acted %s", got)
	}
}
