package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/configs"
)

// said is a log that is read while it is written.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// The switch takes its own calls also when the config has been read again.
func TestSelfTestOutlivesAReload(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a few calls long")
	}
	text := fmt.Sprintf(`
lang: en
networks: {office: {sip: {udp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 21000-21999}, allow: [127.0.0.64/26]}}
hotlines: {110: {numbers: [110]}}
phones: {1101: {hotline: 110, password: calm-heron-1101}}
trunks: {pstn: {match: [127.0.0.10], target: "127.0.0.10:5060", options: 0s}}
redis: {url: "redis://127.0.0.1:1/0"}
outbox: {path: %s}
selftest: {every: 500ms}
`, port(t), filepath.Join(t.TempDir(), "outbox.db"))
	read := func() (*configs.Config, error) { return configs.Parse("x.yaml", []byte(text), configs.Options{}) }
	cfg, err := read()
	if err != nil {
		t.Fatal(err)
	}
	log := &said{}
	a, err := New(cfg, nil, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	a.read = read
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Stop)
	if _, err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(8 * time.Second) // as long as a call that fails, and another
	if strings.Contains(log.String(), "ALARM: the switch does not take") || !a.tester.OK()["110"] {
		t.Errorf("the switch does not take its own calls:\n%s", log)
	}
}
