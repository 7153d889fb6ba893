package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/remote"
	"liandong/configs"
)

// A config that check refuses changes nothing and is told with its place; a good one holds at once, and names what
// waits for a restart.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.yaml")
	sip, web := port(t), port(t)
	write := func(more, wait string) {
		t.Helper()
		text := fmt.Sprintf(`
lang: en
networks: {office: {sip: {tcp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 40000-40999}}}
hotlines: {110: {numbers: [110], no_answer: %s}}
phones: {1101: {hotline: 110, password: calm-heron-1101}}
trunks: {pstn: {match: [127.0.0.10], target: "127.0.0.10:5060", options: 0s}}
redis: {url: "redis://127.0.0.1:1/0"}
outbox: {path: %s/outbox.db}
http: {listen: 127.0.0.1:%d, allow: [127.0.0.1]}
%s`, sip, wait, dir, web, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (*configs.Config, error) { return configs.Load(file, configs.Options{}) }
	write("", "20s")
	cfg, err := read()
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.read = read
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Stop)
	sw, err := remote.Of(cfg.API())
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (string, error) {
		text, err := sw.Ask(context.Background(), http.MethodPost, "/v1/reload", nil)
		return string(text), err
	}

	write("nonsense: 1\n", "9s")
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), file+":10:1: nonsense: no such key") {
		t.Errorf("a mistake: %v", err)
	}
	if got := a.directory.Load().Hotlines["110"].NoAnswer.String(); got != "20s" {
		t.Errorf("a refused config has changed %s", got)
	}

	write("node: south\n", "9s")
	text, err := ask()
	if want := "holds for new calls at once: hotlines.110.no_answer: 20s → 9s\nholds after a restart (liandong upgrade, or of the service): node: liandong → south\n"; err != nil || text != want {
		t.Errorf("%v %q, want %q", err, text, want)
	}
	if got := a.directory.Load().Hotlines["110"].NoAnswer.String(); got != "9s" {
		t.Errorf("a good config has not changed %s", got)
	}
	if text, err = ask(); err != nil || text != "nothing changes\n" {
		t.Errorf("once more: %v %q", err, text)
	}

	write("trunks: {}\n", "9s") // given twice
	if _, err := ask(); err == nil {
		t.Error("a second mistake is taken")
	}
	h := healthOf(t, sw)
	if c := h.Config; c.Same || len(c.Files) != 1 || c.Files[0].Path != file || len(c.Files[0].SHA256) != 64 ||
		c.Reload == nil || c.Reload.OK || !strings.Contains(c.Reload.Says[0], "trunks") {
		t.Errorf("health says of the config: %+v", c)
	}
	write("services: {}\n", "9s")
	if text, err := ask(); err != nil || !strings.Contains(text, "services.handover: handover → -") ||
		strings.Contains(text, "secret:") {
		t.Errorf("%v %q", err, text)
	}
	h = healthOf(t, sw)
	said := slices.DeleteFunc(h.Warnings, func(w string) bool { return !strings.Contains(w, "partner") })
	if c := h.Config; !c.Same || !c.Reload.OK || len(c.Reload.Says) == 0 || len(said) != 1 ||
		!strings.HasPrefix(said[0], file+":4:") {
		t.Errorf("health says of the config: %+v, and %q", c, said)
	}
}

// healthOf asks how a switch does.
func healthOf(t *testing.T, sw remote.Switch) (h api.Health) {
	t.Helper()
	text, err := sw.Ask(context.Background(), http.MethodGet, "/v1/health", nil)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// port is one that nobody had a moment ago.
func port(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Trunks that a reload changes are watched anew, and others not.
func TestReloadOfTrunks(t *testing.T) {
	lab, err := configs.Lab(configs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := newNeighbourhood(neighbours(lab), nil, slog.New(slog.DiscardHandler))
	first := n.now.Load()
	if n.take(neighbours(lab)); n.now.Load() != first {
		t.Error("the same trunks are begun anew")
	}
}
