package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// cuts are the rules of a network that lose packets: nft, in the namespace where in runs a command.
type cuts struct {
	t  *testing.T
	in func(args ...string) []string
}

func newCuts(t *testing.T, in func(args ...string) []string) *cuts {
	t.Helper()
	c := &cuts{t, in}
	c.nft("add table ip cut")
	c.nft("add chain ip cut in { type filter hook input priority 0 ; }")
	return c
}

func (c *cuts) nft(words string) {
	run(c.t, c.in(append([]string{"nft"}, strings.Fields(words)...)...)...)
}

// lose has what a rule matches not arrive.
func (c *cuts) lose(rule string) { c.nft("add rule ip cut in " + rule + " drop") }

func (c *cuts) heal() { c.nft("flush chain ip cut in") }

// The ways between the two machines, and between each and Redis, are cut under a call, both at once and each alone, for
// longer than a lease. Whoever carries the call then, no party is told anything, none hears two machines, the call goes
// on when the ways are open again at the latest, and so do its keys; each entry is in Redis once.
// PARTITIONS=all has all of them, else three.
func TestPairPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("two machines, for most of a minute")
	}
	t.Parallel()
	program(t, "nft", "nftables")
	if !inWorld(t) {
		return
	}
	p := startPair(t, "cluster.witness=redis")
	p.ready()
	first, partner, caller := p.phone("1101", deskTone), p.phone("2101", partnerTone), p.citizen()
	c := p.call(t, caller, "110")
	d := next(t, first)
	must(t, d.Answer())
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	of := map[*machine]*cuts{}
	for _, m := range p.machines {
		of[m] = newCuts(t, m.in)
	}
	_, port, _ := strings.Cut(p.redis, ":")
	fromRedis := "tcp sport " + port
	from := func(addr string) string { return "ip saddr " + addr }
	list := []struct {
		name string
		cut  func(one, two *machine)
	}{
		{"all between the two", func(one, two *machine) {
			of[one].lose(from(two.addr))
			of[two].lose(from(one.addr))
		}},
		{"from Redis to the one that carries calls", func(one, two *machine) {
			of[one].lose(fromRedis)
		}},
		{"all from the other to the one that carries calls", func(one, two *machine) {
			of[one].lose(from(two.addr))
		}},
		{"all from the one that carries calls to the other", func(one, two *machine) {
			of[two].lose(from(one.addr))
		}},
		{"the copy", func(one, two *machine) {
			for _, m := range p.machines {
				of[m].lose("tcp sport 7460")
				of[m].lose("tcp dport 7460")
			}
		}},
		{"from Redis to the other", func(one, two *machine) {
			of[two].lose(fromRedis)
		}},
		{"from Redis to both", func(one, two *machine) {
			of[one].lose(fromRedis)
			of[two].lose(fromRedis)
		}},
	}
	if os.Getenv("PARTITIONS") != "all" {
		list = list[:3]
	}
	for _, tt := range list {
		one, two := p.ready()
		late, off := c.Continuity().Late+d.Continuity().Late, time.Now()
		tt.cut(one, two)
		time.Sleep(2 * time.Second)
		deaf := ""
		for who, call := range map[string]*phone.Call{" the citizen hears nobody;": c, " the desk hears nobody;": d} {
			pcm := latest(t, call, 200*time.Millisecond)
			if phone.Share(pcm, callerTone) < 0.8 && phone.Share(pcm, deskTone) < 0.8 {
				deaf += who
			}
		}
		for _, cut := range of {
			cut.heal()
		}
		after, _ := p.ready()
		hears(t, c, deskTone)
		hears(t, d, callerTone)
		longest := time.Duration(0)
		for _, pause := range append(c.Continuity().Pauses, d.Continuity().Pauses...) {
			if pause.End.After(off) {
				longest = max(longest, pause.For)
			}
		}
		t.Logf("%s is lost for 2 s: %s has the calls, then %s;%s silence of %v", tt.name, one.name, after.name, deaf,
			longest.Round(time.Millisecond))
		if n := c.Continuity().Late + d.Continuity().Late - late; n > 5 {
			t.Errorf("%s: %d packets came twice or from the past: both machines spoke", tt.name, n)
		}
		p.untouched(c, d)
	}
	pushes(t, d, "*1")
	w := next(t, partner)
	must(t, w.Answer())
	ended(t, d)
	hears(t, c, partnerTone)
	hangUp(t, c)
	ended(t, w)
	eachOnce(t, p.redis, 1)
}

// The ways between one of two switches and the edge, and between it and Redis, are cut while citizens call, both at
// once and each alone. Each citizen is served, no call is lost, and each matter's entries are there once. A desk that
// talks may be rung while a switch does not hear of the others' seats, as the page of the cluster says, and then alone.
// PARTITIONS=all has all of them, else two.
func TestClusterPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("two switches under load, for half a minute")
	}
	t.Parallel()
	program(t, "nft", "nftables")
	program(t, "kamailio", "kamailio")
	if !inWorld(t) {
		return
	}
	run(t, "ip", "link", "set", "lo", "up")
	redis := redistest.Start(t, "--appendfsync", "everysec", "--bind", "127.0.0.1", "127.0.0.40", "127.0.0.41",
		"--protected-mode", "no")
	e := startEdged(t, 2, redis.Addr(), append(crowdSeats(6), "cluster.share=redis", "log.level=info",
		fmt.Sprintf("redis.url=redis://127.0.0.4{i}:%d/0", redis.Port()))...)
	c := startCrowd(t, e, 6, 2, time.Second)
	cut := newCuts(t, func(args ...string) []string { return args })
	sip := e.nodes[0].server.Port()
	fromSwitch, toSwitch := fmt.Sprint("udp sport ", sip), fmt.Sprint("udp dport ", sip)
	list := []struct {
		name  string
		rules []string
		apart bool // the switches do not know of each other's seats meanwhile
	}{
		{"between the switch and the edge", []string{fromSwitch, toSwitch}, false},
		{"between the switch and Redis", []string{"ip saddr 127.0.0.40", "ip daddr 127.0.0.40"}, true},
		{"from the switch to the edge", []string{fromSwitch}, false},
		{"from the edge to the switch", []string{toSwitch}, false},
		{"from the switch to Redis", []string{"ip daddr 127.0.0.40"}, true},
		{"from Redis to the switch", []string{"ip saddr 127.0.0.40"}, true},
	}
	if os.Getenv("PARTITIONS") != "all" {
		list = list[:2]
	}
	for _, tt := range list {
		had := c.finished()
		for _, rule := range tt.rules {
			cut.lose(rule)
		}
		time.Sleep(3 * time.Second)
		during := c.finished() - had
		cut.heal()
		eventually(t, "citizens are served by both", func() bool { return c.finished() > had+during+2 })
		for _, n := range e.nodes {
			eventually(t, "the switch shares again", func() bool {
				return n.metric(t, "liandong_shared_registrations_up") == 1 &&
					n.metric(t, "liandong_shared_seats_up") == 1
			})
		}
		twice := c.rungTwice()
		t.Logf("nothing comes %s for 3 s: %d calls were served meanwhile, desks rung in a call: %v", tt.name, during,
			twice)
		if len(twice) > 0 && !tt.apart {
			t.Error("desks were rung in a call")
		}
	}
	c.stop(t, redis.Addr())
}
