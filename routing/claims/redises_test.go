package claims

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// works has two switches share seats, places and words by a Redis.
func works(t *testing.T, a, b *Claims, h *heard, seat string) {
	t.Helper()
	eventually(t, "both are there", func() bool { return a.Stats().Up && b.Stats().Up })
	if denied := wants(t, a, seat); len(denied) > 0 {
		t.Errorf("%s is denied", seat)
	}
	if denied := wants(t, b, seat); len(denied) != 1 {
		t.Errorf("both have %s", seat)
	}
	a.Queued(Waiter{Call: "old " + seat, Line: "110", Since: time.Now().Add(-time.Minute)})
	eventually(t, "the other knows who waits", func() bool { return b.Waiting("110") == 1 })
	eventually(t, "who came later goes behind him", func() bool { // not at once where Redis has begun just now
		if denied := asks(t, b, Waiter{Call: "young", Line: "110", Since: time.Now()}, seat+" free"); len(denied) == 1 {
			return true
		}
		b.Given(seat + " free")
		return false
	})
	a.Unqueued("old " + seat)
	eventually(t, "he waits no more", func() bool { return b.Waiting("110") == 0 })
	a.Say(Word{About: seat, Word: "not_ready", Since: time.Now()})
	eventually(t, "how a desk stands is learnt", func() bool { return h.word(seat).Word == "not_ready" })
	a.Given(seat)
	eventually(t, "it is given back", func() bool { return !b.Bars(seat) })
}

// A Redis Cluster of two nodes has all that one script touches in one slot, also for a user of few rights, and a switch
// that is told of one node alone finds the other.
func TestRealCluster(t *testing.T) {
	t.Parallel()
	var nodes []*redistest.Server
	for range 2 {
		nodes = append(nodes, redistest.Start(t, "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port",
			strconv.Itoa(redistest.FreePort(t))))
	}
	nodes[0].Do("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	nodes[1].Do("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	nodes[1].Do("CLUSTER", "SET-CONFIG-EPOCH", "2")
	bus := nodes[1].Do("CONFIG", "GET", "cluster-port").([]any)[1].(string)
	nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[1].Port()), bus)
	for _, n := range nodes {
		eventually(t, "the cluster stands", func() bool {
			return strings.HasPrefix(n.Do("CLUSTER", "INFO").(string), "cluster_state:ok")
		})
	}
	h := &heard{all: map[string]Word{}}
	cfg := config(nodes[0].URL(), "b") // one of the two has not the slot
	cfg.Learn = h.learn
	b := startAs(t, cfg)
	a := start(t, fmt.Sprintf("redis://%s?addr=%s", nodes[1].Addr(), nodes[0].Addr()), "a", func([]string) {})
	c := start(t, nodes[1].URL(), "c", func([]string) {})
	works(t, a, b, h, "1101")
	eventually(t, "the third is there", func() bool { return c.Stats().Up })
}

// When the primary of a Sentinel set is dead, what switches have is in the one that takes over, if only since they tell
// it again.
func TestRealSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("a fail-over takes some seconds")
	}
	t.Parallel()
	primary := redistest.Start(t, "--appendonly", "no")
	replica := redistest.Start(t, "--appendonly", "no", "--replicaof", "127.0.0.1 "+strconv.Itoa(primary.Port()))
	eventually(t, "it follows", func() bool {
		return strings.Contains(replica.Do("INFO", "replication").(string), "master_link_status:up")
	})
	sentinel := redistest.StartSentinel(t, primary)
	eventually(t, "the sentinel knows the replica", func() bool {
		return strings.Contains(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "main")), "runid")
	})
	url := "redis://" + sentinel.Addr() + "?master_name=main"
	h := &heard{all: map[string]Word{}}
	cfg := config(url, "b")
	cfg.Learn = h.learn
	a, b := start(t, url, "a", func([]string) {}), startAs(t, cfg)
	works(t, a, b, h, "1101")
	a.Taken("1102", Waiter{})
	a.Queued(Waiter{Call: "waits", Line: "110", Since: time.Now()})
	eventually(t, "known", func() bool { return holds(b, "1102") && b.Waiting("110") == 1 })
	primary.Kill()
	eventually(t, "it is seen to be dead", func() bool { return !a.Stats().Up && !b.Stats().Up })
	eventually(t, "another has taken over", func() bool { return a.Stats().Up && b.Stats().Up })
	eventually(t, "what there was is there", func() bool { return holds(b, "1102") && b.Waiting("110") == 1 })
	a.Unqueued("waits")
	eventually(t, "nobody waits", func() bool { return b.Waiting("110") == 0 })
	works(t, a, b, h, "1103")
}
