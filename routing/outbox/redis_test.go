package outbox

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"liandong/routing/link/redistest"
	"liandong/routing/news"
)

// load puts entries of several matters while act goes on, and checks in the end that each is in the stream once.
func underLoad(t *testing.T, cfg Config, act func(o *Outbox, put func(n int))) {
	t.Helper()
	o, _ := open(t, cfg)
	l, ms := newLedger(), []*matter{newMatter("110"), newMatter("12345"), newMatter("110"), newMatter("12345")}
	total := 0
	act(o, func(n int) {
		for range n {
			for _, m := range ms {
				l.put(o, m.next())
			}
		}
		total += n * len(ms)
	})
	eventually(t, "safe", l.reached(total))
	eventually(t, "shipped", shipped(o))
	list := append(read(t, cfg, stream110), read(t, cfg, stream12345)...)
	check(t, list)
	if len(list) != total {
		t.Errorf("%d entries in the streams, want %d", len(list), total)
	}
	t.Logf("%d entries; %+v", total, o.Stats())
}

// redis-server dies in the middle of shipping, and comes back with its append-only file.
func TestRealKilled(t *testing.T) {
	server := redistest.Start(t)
	underLoad(t, config(t, server.URL()), func(o *Outbox, put func(int)) {
		for range 4 {
			before := o.Stats().Shipped
			put(1000)
			eventually(t, "shipping has begun", func() bool { return o.Stats().Shipped > before })
			server.Kill()
			put(100)
			eventually(t, "its absence is noticed", func() bool { return !o.Stats().RedisUp })
			server.Restart()
			server.Rewrite() // see TestRealTorn: the kill may have hit a write
		}
	})
}

// A kill in the middle of a write leaves half a transaction at the end of the append-only file, of which Redis 7.0
// leaves the MULTI and its whole commands in the file when it truncates it. It plays none of them, and we send the
// entries again; but the next start takes the following transactions for a part of that one and plays it too. A file
// written anew after an unclean end, as the page on ticket streams asks of admins, has no such trace.
func TestRealTorn(t *testing.T) {
	server := redistest.Start(t)
	cfg := config(t, server.URL())
	cfg.Keep = time.Hour
	underLoad(t, cfg, func(o *Outbox, put func(int)) {
		put(100)
		eventually(t, "shipped", shipped(o))
		server.Kill()
		server.Tear(30)
		server.Restart()
		server.Rewrite()
		put(1)
		eventually(t, "shipped", shipped(o))
		server.Kill()
		server.Restart()
	})
}

// It dies without having written anything down: what it had confirmed is still kept, and comes again.
func TestRealForgets(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	cfg := config(t, server.URL())
	cfg.Keep = time.Hour
	underLoad(t, cfg, func(o *Outbox, put func(int)) {
		for range 3 {
			put(500)
			eventually(t, "shipped", shipped(o))
			server.Kill()
			server.Restart()
		}
		put(1) // shows that the chain has broken
	})
}

// It becomes a replica of something that is not there (READONLY), and a master again.
func TestRealReadOnly(t *testing.T) {
	server := redistest.Start(t)
	underLoad(t, config(t, server.URL()), func(o *Outbox, put func(int)) {
		for range 3 {
			put(200)
			server.Do("REPLICAOF", "127.0.0.1", "1")
			put(200)
			eventually(t, "it is noticed", func() bool { return !o.Stats().RedisUp })
			server.Do("REPLICAOF", "NO", "ONE")
			eventually(t, "shipped", shipped(o))
		}
	})
}

// It hangs with connections open, and goes on: what stood in its sockets is done late, and twice.
func TestRealHangs(t *testing.T) {
	server := redistest.Start(t)
	cfg := config(t, server.URL())
	cfg.Timeout = 100 * time.Millisecond
	underLoad(t, cfg, func(o *Outbox, put func(int)) {
		for range 4 {
			put(500)
			server.Pause()
			put(500)
			eventually(t, "it is noticed", func() bool { return !o.Stats().RedisUp })
			server.Resume()
			eventually(t, "shipped", shipped(o))
		}
	})
}

// Its memory is full (OOM), until an admin gives it more.
func TestRealOutOfMemory(t *testing.T) {
	server := redistest.Start(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
	underLoad(t, config(t, server.URL()), func(o *Outbox, put func(int)) {
		put(3000)
		eventually(t, "it is full", func() bool { return !o.Stats().RedisUp })
		put(100)
		server.Do("CONFIG", "SET", "maxmemory", "0")
	})
}

// Call events for which there is no connection wait a moment for Redis to be back, and come once; they do not wait for
// long.
func TestRealEventsWaitAMoment(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	o, _ := open(t, config(t, server.URL()))
	o.Publish("liandong:calls", news.From(map[string]string{"n": "0"}))
	eventually(t, "sent", func() bool { return o.Stats().EventsSent == 1 })
	server.Kill()
	for range 3 {
		o.Publish("liandong:calls", news.From(map[string]string{"n": "1"}))
	}
	server.Restart()
	eventually(t, "sent or given up", func() bool { s := o.Stats(); return s.EventsSent+s.EventsDropped == 4 })
	sent := int64(o.Stats().EventsSent)
	if n := server.Do("XLEN", "liandong:calls"); n != sent || sent < 2 {
		t.Errorf("%v events in the stream, %d sent", n, sent)
	}
	server.Kill()
	o.Publish("liandong:calls", news.From(map[string]string{"n": "2"}))
	eventually(t, "given up", func() bool { s := o.Stats(); return s.EventsSent+s.EventsDropped == 5 })
}

// A URL names one node of a cluster whose streams live on others.
func TestRealCluster(t *testing.T) {
	t.Parallel()
	cluster := startCluster(t)
	for name, url := range map[string]string{
		"one address": cluster[0].URL(),
		"addresses":   fmt.Sprintf("redis://%s?addr=%s", cluster[0].Addr(), cluster[1].Addr()),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, url)
			o, _ := open(t, cfg)
			m, l := newMatter("110"), newMatter("12345")
			for range 300 {
				o.Put(m.next(), nil)
				o.Put(l.next(), nil)
			}
			o.Publish("liandong:calls", news.From(map[string]string{"n": "1"}))
			eventually(t, "shipped", func() bool { s := o.Stats(); return s.Written == 600 && s.Waiting == 0 })
			cfg.URL = config(t, fmt.Sprintf("redis://%s?addr=%s", cluster[0].Addr(), cluster[1].Addr())).URL
			check(t, append(read(t, cfg, stream110), read(t, cfg, stream12345)...))
			r, err := NewReader(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if names, err := r.Streams(t.Context()); err != nil || len(names) != 2 {
				t.Errorf("%v %v", names, err)
			}
		})
	}
}

// startCluster runs two nodes, each with half of the slots.
func startCluster(t *testing.T) []*redistest.Server {
	var nodes []*redistest.Server
	for range 2 {
		nodes = append(nodes, redistest.Start(t, "--cluster-enabled", "yes", "--cluster-port",
			strconv.Itoa(redistest.FreePort(t))))
	}
	nodes[0].Do("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	nodes[1].Do("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	nodes[1].Do("CLUSTER", "SET-CONFIG-EPOCH", "2")
	busPort := nodes[1].Do("CONFIG", "GET", "cluster-port").([]any)[1].(string)
	nodes[0].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[1].Port()), busPort)
	for _, n := range nodes {
		eventually(t, "the cluster stands", func() bool {
			return n.Do("CLUSTER", "INFO").(string)[:len("cluster_state:ok")] == "cluster_state:ok"
		})
	}
	return nodes
}
