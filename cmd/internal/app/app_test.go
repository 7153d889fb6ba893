package app_test

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"liandong/cmd/internal/app"
	"liandong/configs"
)

// A switch that cannot start names the key of the config that is in its way.
func TestStartErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file") // no directory can be made below it
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for key, set := range map[string]string{
		"outbox.path":                 "outbox.path=" + filepath.Join(file, "outbox.db"),
		"recording.dir":               "recording.dir=" + filepath.Join(file, "recordings"),
		"networks.office.rtp.address": "networks.office.rtp.address=192.0.2.9", // RFC 5737: of no machine
		"networks.office.sip":         "networks.office.sip.tcp=" + taken.Addr().String(),
		"http.listen":                 "http.listen=" + taken.Addr().String(),
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			if err := start(t, set); err == nil || !strings.Contains(err.Error(), key+": ") {
				t.Errorf("%s is in the way: %v", key, err)
			}
		})
	}
}

// start is the error of a switch with one setting of its own.
func start(t *testing.T, set string) error {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`
networks: {office: {sip: {tcp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 40000-40999}, allow: [127.0.0.1]}}
hotlines:
  110: {numbers: [110], partner: 12345, recording: {mode: key}}
  12345: {numbers: [12345], partner: 110}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
redis: {url: "redis://127.0.0.1:1/0"}
outbox: {path: %s/outbox.db}
recording: {dir: %s/recordings}
`, free(t), dir, dir)
	cfg, err := configs.Parse("x.yaml", []byte(text), configs.Options{Set: []string{set}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := a.Start(); err != nil {
		return err
	}
	a.Stop()
	return nil
}

// free is a port that nobody had a moment ago.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
