package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/feed"
	"liandong/configs"
	"liandong/routing/desk"
	"liandong/routing/news"
)

// stream opens the events as a program does, and gives its lines.
func stream(t *testing.T, url, token, last string) (status int, line func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	from := bufio.NewScanner(res.Body)
	return res.StatusCode, func() string {
		for from.Scan() {
			if from.Text() != "" && !strings.HasPrefix(from.Text(), "retry:") {
				return from.Text()
			}
		}
		return "end"
	}
}

// Events reach who may see them, over a socket; who comes again with the last id misses nothing; roles and lines are
// obeyed.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := bordered(t,
		configs.Grant{Name: "police", Role: configs.RoleDesk, Token: desk.NewSecret("T-police"),
			Lines: []string{"110"}},
		configs.Grant{Name: "gov", Role: configs.RoleDesk, Token: desk.NewSecret("T-gov"), Lines: []string{"12345"}},
		configs.Grant{Name: "prometheus", Role: configs.RoleMonitor, Token: desk.NewSecret("T-monitor")},
	)
	s.sw.Feed = feed.New(64, time.Unix(1, 0))
	web := httptest.NewUnstartedServer(s.server.Handler)
	web.Config.ReadTimeout, web.Config.WriteTimeout = time.Second, time.Second
	web.Start()
	defer web.Close()
	defer s.sw.Feed.Close()
	for _, token := range []string{"T-monitor", "wrong"} {
		if status, _ := stream(t, web.URL, token, ""); status != http.StatusForbidden {
			t.Errorf("%s: %d", token, status)
		}
	}
	_, police := stream(t, web.URL, "T-police", "")
	_, gov := stream(t, web.URL, "T-gov", "")
	id, event, data := police(), police(), police()
	if event != "event: hello" || data != `data: {"event":"hello","resumed":"0"}` {
		t.Fatalf("%s %s %s", id, event, data)
	}
	for range 3 {
		gov()
	}
	time.Sleep(1200 * time.Millisecond) // longer than the server gives to ordinary answers
	tell := func(ref, lines string) {
		s.sw.Feed.Call(news.Item{Event: "arrived", Caller: "+86138****5678", Fields: news.From(map[string]string{
			"event": "arrived", "call_ref": ref, "lines": lines, "hotline": lines, "caller_e164": "+8613812345678"})})
	}
	tell("of-gov", "12345")
	tell("of-police", "110")
	first := police()
	if event, data := police(), police(); event != "event: arrived" || !strings.Contains(data, "of-police") ||
		!strings.Contains(data, `"caller":"+86138****5678"`) {
		t.Errorf("%s %s", event, data)
	}
	gov()
	if _, data := gov(), gov(); !strings.Contains(data, "of-gov") {
		t.Error(data)
	}
	tell("later", "110")
	_, again := stream(t, web.URL, "T-police", strings.TrimPrefix(first, "id: "))
	again()
	if _, data := again(), again(); data != `data: {"event":"hello","resumed":"1"}` {
		t.Error(data)
	}
	again()
	if _, data := again(), again(); !strings.Contains(data, "later") {
		t.Error(data)
	}
	_, other := stream(t, web.URL, "T-gov", strings.TrimPrefix(first, "id: ")) // an id that was told to 110
	other()
	if _, data := other(), other(); data != `data: {"event":"hello","resumed":"1"}` {
		t.Error(data)
	}
	tell("of-gov-too", "12345")
	other()
	if _, data := other(), other(); !strings.Contains(data, "of-gov-too") {
		t.Errorf("12345 sees by an id of 110: %s", data)
	}
	s.sw.Feed.Close()
	if got := again(); got != "end" {
		t.Errorf("a switch that ends goes on telling: %s", got)
	}
}

// So many readers and no more.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	s := bordered(t, loopback)
	s.sw.Feed = feed.New(4, time.Unix(1, 0))
	s.streams.Store(maxStreams)
	if got, _ := ask(s, "GET", "/v1/events", friend); got != http.StatusServiceUnavailable {
		t.Error(got)
	}
	if s.streams.Load() != maxStreams {
		t.Error("who was turned away is counted")
	}
}

func readerOf(b testing.TB, url, token string) func() string {
	r, err := http.NewRequestWithContext(b.Context(), "GET", url+"/v1/events", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = res.Body.Close() })
	from := bufio.NewScanner(res.Body)
	return func() string {
		if from.Scan() {
			return from.Text()
		}
		return "end"
	}
}
