package app

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"liandong/configs"
)

// What leaves the calls to another process leaves the trunks to it as well.
func TestTrunksAreLetGo(t *testing.T) {
	cfg, err := configs.Parse("x.yaml", []byte(fmt.Sprintf(`
networks: {office: {sip: {udp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 22000-22999}}}
hotlines: {110: {numbers: [110], partner: 12345}, 12345: {numbers: [12345], partner: 110}}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
trunks: {pstn: {match: [127.0.0.10], target: "127.0.0.10:5060"}}
redis: {url: "redis://127.0.0.1:1/0"}
outbox: {path: %s}
`, port(t), filepath.Join(t.TempDir(), "outbox.db"))), configs.Options{})
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
	keeps := func() bool {
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "trunk.(*Keeper).run")
	}
	for end := time.Now().Add(time.Minute); !keeps(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody looks after the trunks")
		}
	}
	a.letGo(true)
	if keeps() {
		t.Error("the trunks are looked after by two processes")
	}
	a.api.Stop()
	a.stores.stop()
}
