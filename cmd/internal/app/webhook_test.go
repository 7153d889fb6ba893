package app

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/link/redistest"
	"liandong/routing/ticket"
)

// An entry comes to the webhook of its line by way of the outbox and Redis; while it does not, the switch says so.
func TestWebhook(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	var open atomic.Bool
	bodies := make(chan string, 10)
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		bodies <- string(body)
	}))
	t.Cleanup(system.Close)
	dir, web := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", port(t))
	cfg, err := configs.Parse("x.yaml", []byte(fmt.Sprintf(`
lang: en
networks: {office: {sip: {udp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 22000-22999}}}
hotlines: {110: {numbers: [110], partner: 12345}, 12345: {numbers: [12345], partner: 110}}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
redis: {url: %s}
outbox: {path: %s}
run_dir: %s
http: {listen: %s, allow: [127.0.0.1]}
webhooks: {gov: {url: %s, hotlines: [12345], secret: well-kept-secret}}
`, port(t), server.URL(), filepath.Join(dir, "outbox.db"), dir, web, system.URL)), configs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Stop)
	for _, to := range []string{"110", "12345"} {
		a.stores.Put(ticket.Entry{EventID: "01M8N5JYT53M69MBDQ51H5DT6" + to[:1], StubID: "01M8N5J75CJG86FXQZW03KTMET",
			Event: ticket.Opened, To: to, From: "110", At: time.Now()}, func(error) {})
	}
	says := func(path, what string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			answer, err := http.Get("http://" + web + path)
			if err == nil {
				body, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if strings.Contains(string(body), what) {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("%s does not say %q:\n%s", path, what, body)
				}
			} else if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	says("/readyz", "warning: webhook gov takes no ticket entries")
	says("/metrics", `liandong_push_up{webhook="gov"} 0`)
	open.Store(true)
	select {
	case body := <-bodies:
		if !strings.Contains(body, `"stream":"liandong:tickets:12345"`) ||
			!strings.Contains(body, `"event_id":"01M8N5JYT53M69MBDQ51H5DT61"`) {
			t.Error(body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is pushed")
	}
	says("/metrics", `liandong_push_delivered_total{webhook="gov"} 1`)
	says("/metrics", `liandong_push_up{webhook="gov"} 1`)
}
