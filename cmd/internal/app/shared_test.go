package app

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/exchange"
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
	a.sharing.users(read(strings.Replace(text, "127.0.0.1:1/0", "127.0.0.1:2/0", 1)))
	if a.sharing.at("2101").seats == nil {
		t.Error("nobody is shared any more")
	}
	a.sharing.users(read(strings.Replace(text, "1101:", "1199:", 1)))
	if a.sharing.at("1199").seats == nil || a.sharing.at("1101").seats != nil {
		t.Error("a new user is not shared, or one that is gone is")
	}
	if a.sharing.Given("1101"); mine() != 0 {
		t.Error("the seat of a user who is gone is kept for ever")
	}
}
