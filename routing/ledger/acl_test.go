package ledger

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/desk"
	"liandong/routing/indicator"
	"liandong/routing/link/redistest"
	"liandong/routing/matter"
	"liandong/routing/news"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// The user that configs/redis/liandong.acl makes can do everything that the switch needs, and nothing else.
func TestLeastRights(t *testing.T) {
	text, err := os.ReadFile("../../configs/redis/liandong.acl")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("one server", func(t *testing.T) {
		server := redistest.Start(t, "--appendonly", "no")
		leastRights(t, server, string(text), "/0")
	})
	t.Run("cluster", func(t *testing.T) {
		server := redistest.Start(t, "--appendonly", "no", "--cluster-enabled", "yes")
		server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
		eventually(t, "the cluster stands", func() bool {
			return strings.Contains(server.Do("CLUSTER", "INFO").(string),
				"cluster_state:ok")
		})
		leastRights(t, server, string(text), "?addr="+server.Addr())
	})
}

func leastRights(t *testing.T, server *redistest.Server, acl, rest string) {
	server.Do(append([]string{"ACL", "SETUSER"}, strings.Fields(acl)[1:]...)...)
	url := "redis://liandong:change-me@" + server.Addr() + rest

	cfg := config(server.Addr(), "a")
	cfg.URL = desk.NewSecret(url)
	cfg.Trim = Trim{Entries: 1}
	cfg.Hotspots.Person.Day, cfg.Hotspots.Place.Day = 1, 1
	cfg.Policy.Receive, cfg.Policy.Sign = time.Millisecond, time.Hour
	l, j := start(t, cfg)
	o, stub := newOffice(t, server.Addr()), ids.New(time.Now())
	put(t, cfg, stub)
	l.Event(arrived("c", "110", time.Now()))
	eventually(t, "an alarm", func() bool { return l.Stats().Alarms > 0 })
	o.send(stub, "closed") // refused
	o.send(stub, "received", "place", "elsewhere")
	o.reaches(stub, matter.Received)
	o.settled(stream12345, Updates)
	if s := l.Stats(); s.Dead != 1 || s.Applied < 2 {
		t.Errorf("%+v", s)
	}
	for _, kind := range []string{"person", "place"} {
		eventually(t, "a hotspot", j.has(" hotspot="+kind+" "))
	}
	sums, err := OpenIndicators(cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	eventually(t, "all is counted", func() bool {
		got, err := sums.Sums(t.Context(), indicator.DayKey("110", time.Now()))
		return err == nil && got[0][indicator.AskedDirect] == 1 && got[0][indicator.Calls] == 1
	})
	r, err := outbox.NewReader(outbox.Config{Config: cfg.Config})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if names, err := r.Streams(t.Context()); err != nil || len(names) == 0 {
		t.Errorf("%v %v", names, err)
	}
	l.Stop()
	_, again := start(t, cfg) // which trims at once
	eventually(t, "trimmed", func() bool { return o.c.XLen(t.Context(), stream12345).Val() == 1 })
	if j.has("NOPERM")() || again.has("NOPERM")() {
		t.Error("something is not allowed")
	}
	denied(t, "redis://liandong:change-me@"+server.Addr())
}

// put brings an entry there as a switch does.
func put(t *testing.T, cfg Config, stub string) {
	t.Helper()
	oc := outbox.Default()
	oc.Config, oc.Path = cfg.Config, t.TempDir()+"/outbox.db"
	box, err := outbox.Open(oc, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	box.Start()
	defer box.Stop()
	box.Put(ticket.Entry{StubID: stub, Event: ticket.Opened, From: "110", To: "12345", Mode: ticket.Direct,
		CallerStatus: "ok", CallerE164: "+8613812345678", Place: "here"}, nil)
	box.Publish(Calls, news.From(map[string]string{"event": "arrived", "call_ref": "c", "hotline": "110",
		"at": time.Now().Format(time.RFC3339Nano)}))
	eventually(t, "shipped", func() bool { s := box.Stats(); return s.Shipped == 1 && s.EventsSent == 1 })
}

func denied(t *testing.T, url string) {
	t.Helper()
	opt, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opt)
	defer c.Close()
	for _, command := range []string{
		"FLUSHALL", "FLUSHDB", "CONFIG GET *", "KEYS *", "SHUTDOWN", "ACL LIST", "SUBSCRIBE x",
		"XGROUP DESTROY liandong:updates liandong",
		"GET other", "XADD other * a b", "DEL other", "SET {other}liandong: x", "REPLICAOF NO ONE", "SCRIPT FLUSH",
		"MONITOR",
	} {
		var args []any
		for _, w := range strings.Fields(command) {
			args = append(args, w)
		}
		if err := c.Do(t.Context(), args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", command, err)
		}
	}
}
