package ledger

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"liandong/routing/link/redistest"
	"liandong/routing/matter"
)

// hasty is a policy under which everything comes within a second.
func hasty(cfg Config) Config {
	cfg.Policy = matter.Policy{
		Limits:     matter.Limits{FirstFeedback: 300 * time.Millisecond, Close: 600 * time.Millisecond},
		Alarms:     matter.Alarms{Remind: 100 * time.Millisecond, Supervise: 200 * time.Millisecond},
		Categories: map[string]matter.Limits{"07": {FirstFeedback: time.Hour, Close: time.Hour}},
	}
	return cfg
}

// alarms counts, by stub, event and reason, what the switch has written to a stream of its own accord.
func (o office) alarms(stream string) map[string]int {
	o.Helper()
	list, err := o.c.XRange(o.Context(), stream, "-", "+").Result()
	if err != nil {
		o.Fatal(err)
	}
	count := map[string]int{}
	for _, m := range list {
		if e := m.Values["event"]; e != "opened" {
			count[fmt.Sprint(m.Values["stub_id"], " ", e, " ", m.Values["reason"])]++
		}
	}
	return count
}

// all are the alarms of a matter with which nobody does anything.
func all(stub string) (list []string) {
	for _, why := range []string{"first_feedback", "close"} {
		for _, e := range []string{"reminded", "overdue", "supervised"} {
			list = append(list, stub+" "+e+" "+why)
		}
	}
	return list
}

// Each alarm comes once, and none for what was done in time.
func TestAlarms(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := hasty(config(mini.Addr(), "a"))
	l, _ := start(t, cfg)
	o := newOffice(t, mini.Addr())
	idle, done, busy := ids.New(time.Now()), ids.New(time.Now()), ids.New(time.Now())
	for _, stub := range []string{idle, done, busy} {
		o.push(stub)
		for _, e := range life[:4] {
			o.send(stub, e)
		}
	}
	o.send(done, "closed", "reason_code", "x")
	o.send(busy, "first_feedback")
	o.send(busy, "supervised") // changes nothing of the clocks
	eventually(t, "the last alarms", func() bool {
		n := o.alarms(stream12345)
		return n[idle+" supervised close"] > 0 && n[busy+" supervised close"] > 0
	})
	eventually(t, "none is left", func() bool { return len(o.c.ZRange(t.Context(), dueKey, 0, -1).Val()) == 0 })
	o.settled(stream12345, "liandong:tickets:110")
	got := o.alarms(stream12345)
	for _, want := range slices.Concat(all(idle), all(busy)[3:]) {
		if got[want] != 1 {
			t.Errorf("%s: %d times, want once", want, got[want])
		}
	}
	for key := range got {
		if strings.HasPrefix(key, done) {
			t.Errorf("%s, though it is closed", key)
		}
	}
	if n := o.alarms("liandong:tickets:110"); n[idle+" supervised close"] != 1 || n[idle+" overdue close"] != 0 {
		t.Errorf("the line that handed over is told: %v", n)
	}
	if h := o.state(idle); h["supervised"] != "2" || h["state"] != "ASSIGNED" {
		t.Errorf("%v", h)
	}
	if l.Stats().Alarms == 0 {
		t.Error("they are not counted")
	}
}

// An extension moves the clock; what was scheduled before does not ring.
func TestExtensionMovesAlarms(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := hasty(config(mini.Addr(), "a"))
	cfg.Policy.FirstFeedback, cfg.Policy.Close = 0, time.Second
	start(t, cfg)
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	for _, e := range append(slices.Clone(life[:4]), "extension_requested") {
		o.send(stub, e)
	}
	due := time.Now().Add(time.Hour)
	o.send(stub, "extension_granted", "due_at", due.Format(time.RFC3339Nano))
	eventually(t, "granted", func() bool { return o.state(stub)["extension"] == "granted" })
	o.settled(Updates)
	// One that stands at another time than the policy has it is put right, and does not ring.
	overdue := stub + " overdue close"
	o.c.ZAdd(t.Context(), dueKey, redis.Z{Score: 1, Member: overdue})
	o.c.ZAdd(t.Context(), dueKey, redis.Z{Score: 1, Member: stub + " overdue sign"},
		redis.Z{Score: 1, Member: "nonsense"})
	eventually(t, "put right", func() bool { return o.c.ZCount(t.Context(), dueKey, "-inf", "1").Val() == 0 })
	if got := o.c.ZScore(t.Context(), dueKey, overdue).Val(); int64(got) != due.UnixMilli() {
		t.Errorf("overdue at %v, want %v", time.UnixMilli(int64(got)), due)
	}
	if got := o.alarms(stream12345); got[overdue] > 0 {
		t.Errorf("%v", got)
	}
	for _, z := range o.c.ZRangeWithScores(t.Context(), dueKey, 0, -1).Val() {
		if int64(z.Score) < time.Now().Add(30*time.Minute).UnixMilli() {
			t.Errorf("%v still rings at %v", z.Member, time.UnixMilli(int64(z.Score)))
		}
	}
}

// A matter that was assigned twice is told of every day as long as it is open.
func TestRecheckDaily(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(mini.Addr(), "a")
	start(t, cfg)
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	for _, e := range append(slices.Clone(life[:4]), "assigned") {
		o.send(stub, e)
	}
	recheck := stub + " recheck 2"
	scheduled := func() int64 { return int64(o.c.ZScore(t.Context(), dueKey, recheck).Val()) }
	eventually(t, "scheduled", func() bool { return scheduled() > time.Now().UnixMilli() })
	for days := range 2 { // as if the time had come
		o.c.ZAdd(t.Context(), dueKey, redis.Z{Score: float64(days + 1), Member: recheck})
		eventually(t, "told, and again tomorrow", func() bool {
			return o.alarms(stream12345)[recheck] == days+1 && scheduled() > time.Now().UnixMilli()
		})
	}
	o.send(stub, "closed")
	eventually(t, "no more", func() bool { return scheduled() == 0 })
}

// Three processes keep the books, and whichever leads is killed while the alarms come. Each comes once.
func TestAlarmsOfThreeWithOneKilled(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	o := newOffice(t, server.Addr())
	nodes := map[string]*exec.Cmd{}
	for _, node := range []string{"a", "b", "c"} {
		nodes[node] = spawn(t, node, server.Addr())
	}
	var stubs []string
	for range 60 {
		stub := ids.New(time.Now())
		o.push(stub)
		for _, e := range life[:4] {
			o.send(stub, e)
		}
		stubs = append(stubs, stub)
	}
	eventually(t, "alarms come", func() bool { return len(o.alarms(stream12345)) > 30 })
	leader, _, _ := strings.Cut(server.Do("GET", leaseKey).(string), " ")
	if err := nodes[leader].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	before := len(o.alarms(stream12345))
	var want []string
	for _, s := range stubs {
		want = append(want, all(s)...)
	}
	eventually(t, "all alarms", func() bool { return len(o.alarms(stream12345)) >= len(want) })
	eventually(t, "none is left", func() bool { return len(o.c.ZRange(t.Context(), dueKey, 0, -1).Val()) == 0 })
	got := o.alarms(stream12345)
	for _, w := range want {
		if got[w] != 1 {
			t.Errorf("%s: %d times, want once", w, got[w])
		}
	}
	if before >= len(want) {
		t.Error("all alarms had come before the kill: the test shows nothing")
	}
	t.Logf("%s was killed after %d of %d alarms", leader, before, len(want))
}

// spawn starts the test binary as a node.
func spawn(t *testing.T, node, redis string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEDGER_NODE="+node, "LEDGER_REDIS="+redis)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// TestMain lets the test binary be started again as a node to be killed. It ends by itself should nobody do so.
func TestMain(m *testing.M) {
	node := os.Getenv("LEDGER_NODE")
	if node == "" {
		os.Exit(m.Run())
	}
	l, err := New(hasty(config(os.Getenv("LEDGER_REDIS"), node)), slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	l.Start()
	time.Sleep(2 * patience)
	l.Stop()
}
