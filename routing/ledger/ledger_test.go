package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"liandong/routing/desk"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// patience is how long a test waits for what must happen; it says nothing about how fast it does.
const patience = 30 * time.Second

const stream12345 = "liandong:tickets:12345"

var ids = ticket.NewIDs(rand.Reader)

// journal is a log that a test can read.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) has(text string) func() bool {
	return func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return bytes.Contains(j.b.Bytes(), []byte(text))
	}
}

func config(addr, node string) Config {
	cfg := Default()
	cfg.URL = desk.NewSecret("redis://" + addr + "/0")
	cfg.Node, cfg.Hotlines = node, []string{"110", "12345"}
	cfg.Poll, cfg.Lease = 5*time.Millisecond, time.Second
	return cfg
}

// start runs a ledger until the test ends.
func start(t testing.TB, cfg Config) (*Ledger, *journal) {
	t.Helper()
	j := &journal{}
	l, err := New(cfg, slog.New(slog.NewTextHandler(j, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	t.Cleanup(func() { l.Stop() })
	return l, j
}

// office is a ticket system, and whoever else looks into Redis.
type office struct {
	*testing.T
	c redis.UniversalClient
}

func newOffice(t *testing.T, addr string) office {
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return office{t, c}
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// push writes the first entry of a matter as the outbox does.
func (o office) push(stub string) {
	o.Helper()
	now := time.Now()
	o.add(stream12345, ticket.Entry{
		EventID: ids.New(now), StubID: stub, Event: ticket.Opened, At: now, From: "110", To: "12345",
		Mode:    ticket.Direct,
		CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", CallerE164: "+8613812345678", CallerStatus: "ok",
		CallerSource: "pai",
		Dialed:       "110", FromAgent: "1101", CallAt: now, KeyAt: now,
	}.Fields()...)
}

func (o office) add(stream string, fields ...string) string {
	o.Helper()
	id, err := o.c.XAdd(o.Context(), &redis.XAddArgs{Stream: stream, Values: fields}).Result()
	if err != nil {
		o.Fatal(err)
	}
	return id
}

// send sends back an update, with further fields.
func (o office) send(stub, event string, with ...string) {
	o.Helper()
	now := time.Now()
	o.add(Updates, slices.Concat([]string{"event_id", ids.New(now), "stub_id", stub, "event", event, "at",
		now.Format(time.RFC3339Nano)}, with)...)
}

func (o office) state(stub string) map[string]string {
	o.Helper()
	h, err := o.c.HGetAll(context.Background(), matter.Key(stub)).Result()
	if err != nil {
		o.Fatal(err)
	}
	return h
}

func (o office) reaches(stub string, state matter.State) {
	o.Helper()
	eventually(o, fmt.Sprint(stub, " is ", state), func() bool { return o.state(stub)["state"] == string(state) })
}

// settled waits until everything in the streams is acknowledged.
func (o office) settled(streams ...string) {
	o.Helper()
	for _, s := range streams {
		eventually(o, "all of "+s+" is acknowledged", func() bool {
			groups, err := o.c.XInfoGroups(o.Context(), s).Result()
			if err != nil || len(groups) == 0 || groups[0].Pending > 0 {
				return false
			}
			last, err := o.c.XRevRangeN(o.Context(), s, "+", "-", 1).Result()
			return err == nil && (len(last) == 0 || last[0].ID == groups[0].LastDeliveredID)
		})
	}
}

// dead gives the entries of the dead stream.
func (o office) dead() []map[string]any {
	o.Helper()
	list, err := o.c.XRange(o.Context(), Dead, "-", "+").Result()
	if err != nil {
		o.Fatal(err)
	}
	var all []map[string]any
	for _, m := range list {
		all = append(all, m.Values)
	}
	return all
}

var life = []string{"received", "signed", "accepted", "assigned", "first_feedback", "closed", "visited", "archived"}

// A matter goes through its whole life, and stands in its hash without the caller's number.
func TestLife(t *testing.T) {
	mini := miniredis.RunT(t)
	l, _ := start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.reaches(stub, matter.Pushed)
	o.send(stub, "received", "peer_ticket_no", "SJ-7")
	for _, e := range life[1:] {
		o.send(stub, e, "unit_name", "城管局")
	}
	o.reaches(stub, matter.Archived)
	h := o.state(stub)
	if h["peer_ticket_no"] != "SJ-7" || h["unit_name"] != "城管局" || h["from"] != "110" || h["close_due"] == "" ||
		h["schema"] != "1" {
		t.Errorf("%v", h)
	}
	if strings.Contains(fmt.Sprint(h), "13812345678") {
		t.Error("the caller's number is in the hash")
	}
	o.settled(stream12345, Updates)
	if s := l.Stats(); s.Applied != 9 || s.Dead != 0 || !s.Leading {
		t.Errorf("%+v", s)
	}
	if ttl := mini.TTL(matter.Key(stub)); ttl != Default().KeepClosed || mini.TTL(seenKey(stub)) != ttl {
		t.Errorf("the hash stays for %v", ttl)
	}
	o.push(stub) // a repeated first entry, with another id: later news of the same matter
	o.settled(stream12345)
	if got := o.state(stub)["state"]; got != "ARCHIVED" {
		t.Error(got)
	}
}

func TestOpenMattersStayLonger(t *testing.T) {
	mini := miniredis.RunT(t)
	start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.reaches(stub, matter.Pushed)
	if ttl := mini.TTL(matter.Key(stub)); ttl != Default().KeepOpen {
		t.Errorf("the hash stays for %v", ttl)
	}
}

// What cannot be taken in goes to the dead stream and says why; what comes after it is taken in all the same.
func TestDead(t *testing.T) {
	mini := miniredis.RunT(t)
	l, j := start(t, config(mini.Addr(), "a"))
	o, stub, other := newOffice(t, mini.Addr()), ids.New(time.Now()), ids.New(time.Now())
	o.push(stub)
	if err := mini.Set(matter.Key(other), "an admin's mistake"); err != nil {
		t.Fatal(err)
	}
	o.send(stub, "closed")
	o.add(Updates, "hello", "13812345678", "reason", "x")
	o.send(ids.New(time.Now()), "received")
	o.send(other, "received")
	o.send(stub, "received", "place", strings.Repeat("汉", 10000))
	o.reaches(stub, matter.Received)
	want := []string{
		"illegal_step: closed in state PUSHED; possible: received supervised",
		"malformed: event_id: must be set, at most 64 bytes, and unique per update",
		"unknown_matter: there is no matter with this stub_id, or it was closed too long ago",
		"unfit: the key liandong:" + other + " does not hold a matter of schema 1",
	}
	var got []string
	for _, d := range o.dead() {
		got = append(got, fmt.Sprint(d["reason"], ": ", d["detail"]))
		if !strings.HasPrefix(d["source"].(string), Updates+" ") {
			t.Errorf("%v", d)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if d := o.dead()[1]; d["hello"] != "13812345678" || d["original_reason"] != "x" {
		t.Errorf("%v", d)
	}
	o.settled(Updates)
	if s := l.Stats(); s.Dead != 4 || s.Applied != 2 {
		t.Errorf("%+v", s)
	}
	if j.has("13812345678")() {
		t.Error("a number is in the log")
	}
}

// An update that comes twice counts once, also when it was refused: by then it might be possible.
func TestRepeated(t *testing.T) {
	mini := miniredis.RunT(t)
	start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	for _, e := range life[:4] {
		o.send(stub, e)
	}
	refused := []string{"event_id", "r1", "stub_id", stub, "event", "visited", "at", "2024-04-03T09:30:00Z"}
	again := []string{"event_id", "a1", "stub_id", stub, "event", "assigned", "at", "2024-04-03T09:30:00Z"}
	o.add(Updates, refused...)
	o.add(Updates, again...)
	o.add(Updates, again...)
	o.send(stub, "closed", "reason_code", "x")
	o.add(Updates, refused...)
	o.reaches(stub, matter.Closed)
	o.settled(Updates)
	if h := o.state(stub); h["assignments"] != "2" || h["state"] != "CLOSED" {
		t.Errorf("%v", h)
	}
	if n := len(o.dead()); n != 1 {
		t.Errorf("%d updates are dead, want 1", n)
	}
}

// What a node was given and did not come to acknowledge, the next takes over, before anything newer.
func TestTakesOver(t *testing.T) {
	mini := miniredis.RunT(t)
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	r, err := outbox.NewReader(outbox.Config{Config: config(mini.Addr(), "").Config})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.MakeGroup(t.Context(), Group, stream12345, Updates); err != nil {
		t.Fatal(err)
	}
	o.push(stub)
	o.send(stub, "received")
	for _, s := range []string{stream12345, Updates} {
		list, err := r.Next(t.Context(), &outbox.Consumer{Group: Group, Name: "dead", Streams: []string{s}}, 0)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v %v", list, err)
		}
	}
	o.send(stub, "signed")
	start(t, config(mini.Addr(), "b"))
	o.reaches(stub, matter.Signed)
	o.settled(stream12345, Updates)
	if n := len(o.dead()); n != 0 {
		t.Errorf("%v", o.dead())
	}
}

// Only the one with the lease works; when it goes, the next does, and the lease of one that has died ends by itself.
func TestLease(t *testing.T) {
	mini := miniredis.RunT(t)
	a, _ := start(t, config(mini.Addr(), "a"))
	eventually(t, "a leads", func() bool { return a.Stats().Leading })
	b, _ := start(t, config(mini.Addr(), "b"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.reaches(stub, matter.Pushed)
	if b.Stats().Leading || b.Stats().Applied != 0 {
		t.Error("both lead")
	}
	a.Stop()
	eventually(t, "b leads", func() bool { return b.Stats().Leading })
	o.send(stub, "received")
	o.reaches(stub, matter.Received)

	if err := mini.Set(leaseKey, "somebody else"); err != nil { // b was away for too long
		t.Fatal(err)
	}
	eventually(t, "b has noticed", func() bool { return !b.Stats().Leading })
	mini.Del(leaseKey)
	eventually(t, "b leads again", func() bool { return b.Stats().Leading })
}

// Redis goes and comes back: the books go on.
func TestRedisGone(t *testing.T) {
	mini := miniredis.RunT(t)
	_, j := start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.reaches(stub, matter.Pushed)
	mini.SetError("LOADING 13812345678")
	eventually(t, "told", j.has("cannot keep the books"))
	mini.SetError("")
	o.send(stub, "received")
	o.reaches(stub, matter.Received)
	eventually(t, "told", j.has("keeps the books again"))
	mini.Del(Updates) // with the group
	o.send(stub, "signed")
	o.reaches(stub, matter.Signed)
	if j.has("13812345678")() {
		t.Error("a number is in the log")
	}
}

// The streams hold more than one look takes, of many matters that are mixed.
func TestMany(t *testing.T) {
	mini := miniredis.RunT(t)
	o := newOffice(t, mini.Addr())
	var stubs []string
	for range 150 {
		stub := ids.New(time.Now())
		o.push(stub)
		stubs = append(stubs, stub)
	}
	for _, e := range life[:4] {
		for _, s := range stubs {
			o.send(s, e)
		}
	}
	start(t, config(mini.Addr(), "a"))
	for _, s := range stubs {
		o.reaches(s, matter.Assigned)
	}
	if len(o.dead()) > 0 {
		t.Errorf("%v", o.dead())
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	var none Config
	text := none.Validate().Error()
	for _, key := range []string{"redis: url", "ledger: node", "ledger: keep_open", "ledger: keep_closed",
		"ledger: remember", "ledger: lease", "ledger: poll"} {
		if !strings.Contains(text, key+": must") {
			t.Errorf("%s is not reported: %s", key, text)
		}
	}
}
