package app

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/claims"
	"liandong/routing/desk"
	"liandong/routing/exchange"
	"liandong/routing/link"
	"liandong/routing/link/redistest"
)

// What a reload cannot do before the next start does not end the sharing: another address of Redis leaves the users
// that were shared where they are told of, and a seat that was taken is given back wherever that was.
func TestReloadKeepsSharing(t *testing.T) {
	text := fmt.Sprintf(`
node: n1
networks: {lab: {sip: {udp: "127.0.0.1:%d"}, rtp: {address: 127.0.0.1, ports: 30000-30099}}}
hotlines: {110: {numbers: ["110"], partner: 12345}, 12345: {numbers: ["12345"], partner: 110}}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
trunks: {pstn: {match: [127.0.0.10], target: "127.0.0.10:5060"}}
redis: {url: "redis://127.0.0.1:1/0"}
cluster: {share: redis}
outbox: {path: %s}
`, port(t), filepath.Join(t.TempDir(), "outbox.db"))
	read := func(text string) *configs.Config {
		t.Helper()
		cfg, err := configs.Parse("c.yaml", []byte(text), configs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	a := &App{log: slog.New(slog.DiscardHandler)}
	cfg := read(text)
	if err := a.openSharing(cfg, time.Now); err != nil {
		t.Fatal(err)
	}
	defer a.sharing.stop()
	a.sharing.Taken("1101", exchange.Waiter{})
	mine := func() int { return a.sharing.all[0].seats.Stats().Mine }
	if mine() != 1 {
		t.Fatal("the seat is not taken")
	}
	moved := a.sharing.users(read(strings.Replace(text, "127.0.0.1:1/0", "127.0.0.1:2/0", 1)))
	if a.sharing.at("2101").seats == nil || len(moved) > 0 {
		t.Errorf("nobody is shared any more, or %v have moved", moved)
	}
	moved = a.sharing.users(read(strings.Replace(text, "1101:", "1199:", 1)))
	if !slices.Equal(moved, []string{"1199"}) {
		t.Errorf("%v have moved", moved)
	}
	if a.sharing.at("1199").seats == nil || a.sharing.at("1101").seats != nil {
		t.Error("a new user is not shared, or one that is gone is")
	}
	if a.sharing.Given("1101"); mine() != 0 {
		t.Error("the seat of a user who is gone is kept for ever")
	}
}

// A reload that adds a desk finds how it stands at the other switches, and one that moves a desk to another Redis tells
// that one how it stands.
func TestReloadOfSharedDesks(t *testing.T) {
	t.Parallel()
	left, right := redistest.Start(t, "--appendonly", "no"), redistest.Start(t, "--appendonly", "no")
	dir := t.TempDir()
	text := fmt.Sprintf(`
node: n1
networks:
  a: {sip: {udp: "127.0.0.1:%d"}, rtp: {address: 127.0.0.1, ports: 24000-24499}, redis: {url: %s}}
  b: {sip: {udp: "127.0.0.1:%d"}, rtp: {address: 127.0.0.1, ports: 24500-24999}, redis: {url: %s}}
hotlines: {110: {network: a, numbers: ["110"]}, 12345: {network: b, numbers: ["12345"]}}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
cluster: {share: redis}
outbox: {path: %s/outbox.db}
run_dir: %s
`, port(t), left.URL(), port(t), right.URL(), dir, dir)
	read := func() (*configs.Config, error) { return configs.Parse("c.yaml", []byte(text), configs.Options{}) }
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
	eventually := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("never: " + what)
			}
		}
	}
	at := link.Default()
	at.URL = desk.NewSecret(left.URL())
	other, err := claims.New(claims.Config{Config: at, Node: "n2/a", Now: time.Now, Changed: func([]string) {},
		Learn: func([]claims.Word) {}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, seat := range []string{"1199", "1101"} {
		other.Say(claims.Word{About: aboutAgent + seat, Word: "not_ready meal", Since: time.Now()})
	}
	other.Start()
	t.Cleanup(other.Stop)
	eventually("what is said of a desk is learnt", func() bool { return a.exchange.Agent("1101").Reason == "meal" })
	told := func() bool { return right.Do("HEXISTS", "{liandong:seats}:said", aboutAgent+"1101") == int64(1) }
	if told() {
		t.Fatal("the other Redis is told of a desk that is none of its own")
	}
	text = strings.Replace(text, "1101: {hotline: 110,", "1199: {hotline: 110, password: calm-heron-1199}, 1101: {hotline: 12345,",
		1)
	if _, err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually("how the new desk stands is known", func() bool { return a.exchange.Agent("1199").Reason == "meal" })
	eventually("the other Redis is told", told)
}
