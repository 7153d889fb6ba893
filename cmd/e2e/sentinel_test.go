package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// shippedSentinels runs three sentinels with the shipped file, which watch a primary on loopback, and says where.
func shippedSentinels(t *testing.T, primary *redistest.Server) (at []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "cluster", "sentinel.conf"))
	must(t, err)
	for range 3 {
		port, dir := redistest.FreePort(t), t.TempDir()
		file := filepath.Join(dir, "sentinel.conf")
		mine := strings.NewReplacer("port 26379", fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s", port, dir),
			"10.1.0.21 6379", fmt.Sprint("127.0.0.1 ", primary.Port())).Replace(string(text))
		if mine == string(text) {
			t.Fatal("the shipped file is another one than this test knows")
		}
		must(t, os.WriteFile(file, []byte(mine), 0o600))
		cmd := exec.Command("redis-server", file, "--sentinel")
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		addr := fmt.Sprint("127.0.0.1:", port)
		eventually(t, "the sentinel answers", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		at = append(at, addr)
	}
	return at
}

// The primary of a Redis set dies under calls, and the shipped sentinels make a replica the primary. Meanwhile and
// afterwards citizens are served, the switches share again, and each matter's entries are in the new primary once.
func TestSentinelUnderCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("two switches under load, for half a minute")
	}
	t.Parallel()
	primary := redistest.Start(t, "--appendfsync", "everysec")
	for range 2 {
		redistest.Start(t, "--appendfsync", "everysec", "--replicaof", fmt.Sprint("127.0.0.1 ", primary.Port()))
	}
	sentinels := shippedSentinels(t, primary)
	knows := func(at string, words ...string) string { return fmt.Sprint(ask(t, at, words...)) }
	for _, at := range sentinels {
		eventually(t, "the sentinels know the set, and one another", func() bool {
			return strings.Count(knows(at, "SENTINEL", "REPLICAS", "liandong"), "runid") == 2 &&
				strings.Count(knows(at, "SENTINEL", "SENTINELS", "liandong"), "runid") == 2
		})
	}
	url := "redis://" + sentinels[0] + "?master_name=liandong&addr=" + sentinels[1] + "&addr=" + sentinels[2]
	e := startEdged(t, 2, primary.Addr(), append(crowdSeats(6), "cluster.share=redis", "log.level=info",
		"redis.url="+url)...)
	c := startCrowd(t, e, 6, 2, time.Second)
	eventually(t, "citizens are served", func() bool { return c.finished() > 3 })
	if twice := c.rungTwice(); len(twice) > 0 {
		t.Errorf("desks were rung in a call: %v", twice)
	}
	began, had := time.Now(), c.finished()
	primary.Kill()
	var now string
	eventually(t, "another is the primary", func() bool {
		at := ask(t, sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "liandong").([]any)
		now = fmt.Sprintf("%v:%v", at...)
		return now != primary.Addr()
	})
	t.Logf("another is the primary after %v; %d calls were served meanwhile", time.Since(began).Round(time.Millisecond),
		c.finished()-had)
	for _, n := range e.nodes {
		eventually(t, "the switches share again", func() bool {
			return n.metric(t, "liandong_shared_registrations_up") == 1 && n.metric(t, "liandong_shared_seats_up") == 1
		})
	}
	t.Logf("they share again after %v", time.Since(began).Round(time.Millisecond))
	had = c.finished()
	eventually(t, "citizens are served", func() bool { return c.finished() > had+3 })
	t.Logf("rung in a call while nothing was shared: %v", c.rungTwice())
	c.stop(t, now)
}
