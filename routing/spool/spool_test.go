package spool

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/desk"
	"liandong/routing/ledger"
	"liandong/routing/link"
	"liandong/routing/link/redistest"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// journal is a log that a test can read, and that must not hold a caller's number.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// rig is a channel from the switch of 110 to that of 12345: a Redis each, a folder each way. now is the time that both
// ends are told.
type rig struct {
	*testing.T
	near, far   redis.UniversalClient
	there, back string
	out         SendConfig
	in          ReceiveConfig
	log         *journal
	now         time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, there: t.TempDir(), back: t.TempDir(), log: &journal{}, now: time.Now()}
	near, far := redisOf(t), redisOf(t)
	r.near, r.far = client(t, near), client(t, far)
	r.out = SendConfig{Link: Link{Line: "12345", Send: r.there, Receive: r.back, State: t.TempDir(),
		Keys: Keys{oldKey}}, Tickets: near, Updates: []link.Config{near}}
	box := outbox.Default()
	box.Config, box.Keep, box.Backoff = far, 0, 50*time.Millisecond
	r.in = ReceiveConfig{
		Link:    Link{Line: "110", Send: r.back, Receive: r.there, State: t.TempDir(), Keys: Keys{oldKey}},
		Redises: []ReceiveRedis{{Outbox: box, Here: []string{"12345"}, Kept: []string{"110", "12345"}}},
	}
	t.Cleanup(func() {
		if strings.Contains(r.log.String(), "13812345678") {
			t.Error("a caller's number is in the log")
		}
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

// redisOf is a Redis in which the switch has the rights that the shipped file gives it, and no more.
func redisOf(t *testing.T) link.Config {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "no")
	acl, err := os.ReadFile("../../configs/redis/liandong.acl")
	must(t, err)
	server.Do(append([]string{"ACL", "SETUSER"}, strings.Fields(string(acl))[1:]...)...)
	cfg := link.Default()
	cfg.URL = desk.NewSecret("redis://liandong:change-me@" + server.Addr() + "/0")
	return cfg
}

func client(t *testing.T, cfg link.Config) redis.UniversalClient {
	opt, err := redis.ParseURL(strings.Replace(cfg.URL.Reveal(), "liandong:change-me@", "", 1))
	must(t, err)
	c := redis.NewClient(opt)
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send and receive are one run each, as from cron.
func (r *rig) send() error {
	r.Helper()
	s, err := NewSending(r.out, slog.New(slog.NewTextHandler(r.log, nil)))
	must(r.T, err)
	defer s.Close()
	_, err = s.Pass(r.Context(), r.now)
	must(r.T, err)
	return s.Trouble(r.now)
}

func (r *rig) receive() error {
	r.Helper()
	x, err := NewReceiving(r.in, slog.New(slog.NewTextHandler(r.log, nil)))
	must(r.T, err)
	defer x.Close()
	for until := time.Now().Add(20 * time.Second); ; {
		_, err = x.Pass(r.Context(), r.now)
		must(r.T, err)
		if x.Idle() {
			return x.Trouble(r.now)
		}
		if time.Now().After(until) {
			r.Fatal("what was received does not come to Redis")
		}
	}
}

var ids = ticket.NewIDs(ticketEntropy{newDice()})

// put writes an entry of a matter as the switch of 110 does.
func (r *rig) put(stub string, event ticket.Event) {
	r.Helper()
	e := ticket.Entry{
		EventID: ids.New(r.now), StubID: stub, Event: event, At: r.now, From: "110", To: "12345", Mode: ticket.Direct,
		CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", CallerE164: "+8613812345678", CallerRaw: "13812345678",
		CallerStatus: "ok",
		CallerSource: "pai", Dialed: "110", FromAgent: "1101", CallAt: r.now, KeyAt: r.now,
	}
	must(r.T, r.near.XAdd(r.Context(), &redis.XAddArgs{Stream: e.Stream(), Values: e.Fields()}).Err())
}

// events are those that the far stream holds.
func (r *rig) events() (list []string) {
	r.Helper()
	all, err := r.far.XRange(r.Context(), ticket.StreamOf("12345"), "-", "+").Result()
	must(r.T, err)
	for _, m := range all {
		list = append(list, m.Values["event"].(string))
	}
	return list
}

func (r *rig) holds(what string, want ...string) {
	r.Helper()
	if got := r.events(); !slices.Equal(got, want) {
		r.Errorf("%s: the far stream holds %v, want %v", what, got, want)
	}
}

func (r *rig) files(dir string) (names []string) {
	r.Helper()
	list, err := os.ReadDir(dir)
	must(r.T, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// Entries cross and are acknowledged; nothing is left behind. What is repeated comes once; a lost acknowledgement is
// given again; a new key is believed beside the old one.
func TestCross(t *testing.T) {
	r := newRig(t)
	stub := ids.New(r.now)
	r.put(stub, ticket.Opened)
	r.put(stub, ticket.Answered)
	must(t, r.send())
	file := filepath.Join(r.there, "12345-000000000001.spool")
	copied, err := os.ReadFile(file)
	must(t, err)
	must(t, r.receive())
	r.holds("at first", "opened", "answered")
	must(t, os.Remove(filepath.Join(r.back, "12345-000000000001.ack")))
	must(t, os.WriteFile(file, copied, 0o600)) // sent again, since nobody has heard the acknowledgement
	must(t, r.receive())
	r.holds("repeated", "opened", "answered")
	r.out.Keys = Keys{newKey, oldKey} // this side first: the far one believes it when it has the new key, too
	r.in.Keys = Keys{oldKey, newKey}
	must(t, r.send())
	if left := append(r.files(r.there), r.files(r.back)...); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	r.put(stub, ticket.Decided)
	must(t, r.send())
	must(t, r.receive())
	must(t, r.send())
	r.holds("with a new key", "opened", "answered", "decided")
}

// Whoever puts an older copy of the sender's state back loses nothing: not what was given the same numbers a second
// time, and not what was in files that have gone with the newer state. Each comes once.
func TestOldState(t *testing.T) {
	for _, c := range []struct {
		what  string
		since func(r *rig, stub string) // what happens after the copy was made
	}{
		{"its files have arrived", func(r *rig, stub string) {
			for _, e := range []ticket.Event{ticket.Answered, ticket.Enriched} {
				r.put(stub, e)
				must(t, r.send())
				must(t, r.receive())
			}
		}},
		{"they are known to have arrived", func(r *rig, stub string) {
			for _, e := range []ticket.Event{ticket.Answered, ticket.Enriched} {
				r.put(stub, e)
				must(t, r.send())
				must(t, r.receive())
				must(t, r.send())
			}
		}},
		{"they are lost", func(r *rig, stub string) {
			for _, e := range []ticket.Event{ticket.Answered, ticket.Enriched} {
				r.put(stub, e)
				must(t, r.send())
			}
			for _, name := range r.files(r.there) {
				must(t, os.Remove(filepath.Join(r.there, name)))
			}
		}},
		{"one has arrived", func(r *rig, stub string) {
			r.put(stub, ticket.Answered)
			must(t, r.send())
			must(t, r.receive())
			r.put(stub, ticket.Enriched)
			must(t, r.send())
			for _, name := range append(r.files(r.there), r.files(r.back)...) {
				_ = os.Remove(filepath.Join(r.there, name))
				_ = os.Remove(filepath.Join(r.back, name))
			}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := newRig(t)
			stub := ids.New(r.now)
			r.put(stub, ticket.Opened)
			must(t, r.send())
			must(t, r.receive())
			must(t, r.send())
			copied := t.TempDir()
			must(t, os.CopyFS(filepath.Join(copied, "state"), os.DirFS(r.out.State)))
			c.since(r, stub)
			r.out.State = filepath.Join(copied, "state")
			r.put(stub, ticket.Decided)
			for range 4 {
				must(t, r.send())
				_ = r.receive() // may have put a file aside, and says so
				r.now = r.now.Add(Again)
			}
			r.put(stub, ticket.Closed)
			must(t, r.send())
			must(t, r.receive())
			must(t, r.send())
			got := r.events()
			slices.Sort(got)
			if want := []string{"answered", "closed", "decided", "enriched", "opened"}; !slices.Equal(got, want) {
				t.Errorf("the far stream holds %v, want %v", got, want)
			}
			if left := append(r.files(r.there), r.files(r.back)...); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A receiver that has lost its state does not wait for files that are acknowledged and gone, though those that are
// still kept were made before that; and a file that nobody took for more than a week is not taken for a recording.
func TestLostBooks(t *testing.T) {
	r := newRig(t)
	stub := ids.New(r.now)
	for _, e := range []ticket.Event{ticket.Opened, ticket.Answered, ticket.Closed} {
		r.put(stub, e)
		must(t, r.send())
	}
	must(t, os.Remove(filepath.Join(r.there, "12345-000000000003.spool")))
	must(t, r.receive())
	must(t, r.send())
	must(t, os.RemoveAll(r.there))
	must(t, os.Mkdir(r.there, 0o700))
	r.in.State = t.TempDir()
	r.now = r.now.Add(8 * 24 * time.Hour)
	_ = r.send() // says that it is overdue
	must(t, r.receive())
	must(t, r.send())
	r.holds("though the books are lost", "opened", "answered", "closed")
}

// An update of a matter that the far side has crosses behind the matter's entries; others stay. One that has come from
// there does not go back. What the ledger does not know yet waits.
func TestUpdatesCross(t *testing.T) {
	r := newRig(t)
	ours, theirs := ids.New(r.now), ids.New(r.now)
	update := func(id, stub string, more ...string) {
		must(t, r.near.XAdd(t.Context(), &redis.XAddArgs{Stream: ledger.Updates, Values: append([]string{
			"event_id", id, "stub_id", stub, "event", "supervised", "at", r.now.Format(time.RFC3339Nano)},
			more...)}).Err())
	}
	must(t, r.near.HSet(t.Context(), matter.Key(ours), "from", "110", "to", "119").Err())
	update("a", ours)
	update("b", theirs, "via", "spool:12345")
	update("c", theirs, "text", "quickly", "via", "another Redis of ours")
	r.put(theirs, ticket.Opened)
	must(t, r.send())
	must(t, r.receive())
	r.holds("the matter", "opened")
	if n := r.far.XLen(t.Context(), ledger.Updates).Val(); n != 0 {
		t.Errorf("%d updates have crossed before it is known whose they are", n)
	}
	must(t, r.near.HSet(t.Context(), matter.Key(theirs), "from", "110", "to", "12345").Err())
	must(t, r.send())
	must(t, r.receive())
	list := r.far.XRange(t.Context(), ledger.Updates, "-", "+").Val()
	if len(list) != 1 || list[0].Values["event_id"] != "c" || list[0].Values["text"] != "quickly" ||
		list[0].Values["via"] != "spool:110" {
		t.Errorf("%v", list)
	}
	if p := r.near.XPending(t.Context(), ledger.Updates, Group("12345")).Val(); p.Count != 0 {
		t.Errorf("%d updates are not acknowledged", p.Count)
	}
}

// Whatever else lies in the folder is put aside with a reason, is not followed, and holds nothing up.
func TestStrangeFiles(t *testing.T) {
	r := newRig(t)
	stub := ids.New(r.now)
	r.put(stub, ticket.Opened)
	must(t, r.send())
	good, err := os.ReadFile(filepath.Join(r.there, "12345-000000000001.spool"))
	must(t, err)
	long := r.now.Add(-time.Hour)
	lay := func(name string, b []byte) {
		must(t, os.WriteFile(filepath.Join(r.there, name), b, 0o600))
		must(t, os.Chtimes(filepath.Join(r.there, name), long, long))
	}
	forged := File{Header: Header{Kind: Entries, Line: "12345", Epoch: "E", Number: 2, Previous: 1}}.Encode(Key{9})
	secret := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o600))
	lay("12345-000000000002.spool", forged)
	lay("12345-000000000003.spool", good) // under another number
	lay("12345-000000000004.spool", good[:len(good)/2])
	lay("12345-000000000005.spool", make([]byte, MaxFile+1))
	lay("12345-000000000006.spool", bytes.Replace(good, []byte("opened"), []byte("closed"), 1))
	must(t, os.Symlink(secret, filepath.Join(r.there, "12345-000000000007.spool")))
	must(t, syscall.Mkfifo(filepath.Join(r.there, "12345-000000000008.spool"), 0o600))
	must(t, os.Mkdir(filepath.Join(r.there, "12345-000000000009.spool"), 0o700))
	// our own, sent back
	lay("110-000000000001.spool", File{Header: Header{Kind: Entries, Line: "110", Epoch: "E", Number: 1,
		At: r.now}}.Encode(oldKey))
	lay("%2f..%2fetc%2fpasswd", nil)
	lay("12345-1.spool", good)
	lay("12345-000000000001.ack", (&Receiver{Line: "12345"}).Ack("E", r.now).Encode(oldKey))
	if err := r.receive(); err == nil {
		t.Error("the one who runs it is not told")
	}
	r.holds("the one good file", "opened")
	// a folder is an admin's affair
	if left := r.files(r.there); !slices.Equal(left, []string{"12345-000000000009.spool"}) {
		t.Errorf("left in the folder: %v", left)
	}
	var reasons []string
	aside := filepath.Join(r.in.State, "110", "quarantine")
	for _, name := range r.files(aside) {
		if b, err := os.ReadFile(filepath.Join(aside, name)); strings.HasSuffix(name, ".reason") && err == nil {
			reasons = append(reasons, string(b))
		}
	}
	if len(reasons) != 11 || strings.Contains(fmt.Sprint(reasons), "secret") {
		t.Errorf("%d reasons: %q", len(reasons), reasons)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Error("a link was followed")
	}
	// A copy that is still being made is left alone for a minute.
	r.put(stub, ticket.Answered)
	must(t, r.send())
	name := filepath.Join(r.there, "12345-000000000002.spool")
	whole, err := os.ReadFile(name)
	must(t, err)
	must(t, os.WriteFile(name, whole[:100], 0o600))
	must(t, os.Remove(filepath.Join(r.there, "12345-000000000009.spool")))
	must(t, r.receive())
	r.holds("half of it", "opened")
	must(t, os.WriteFile(name, whole, 0o600))
	must(t, r.receive())
	r.holds("a file that came slowly", "opened", "answered")
}

// Nothing comes back: cron runs each minute, and the file is sent again after 300 s five times over, then hourly, also
// when the clock steps. Then the one who runs it is told, and the file is there until it is acknowledged.
func TestNoWay(t *testing.T) {
	r := newRig(t)
	r.put(ids.New(r.now), ticket.Opened)
	must(t, r.send())
	name := filepath.Join(r.there, "12345-000000000001.spool")
	var sent []int
	for minute := 1; minute <= 90; minute++ {
		_ = os.Remove(name) // a gatekeeper that loses it
		r.now = r.now.Add(time.Minute)
		err := r.send()
		if _, missing := os.Stat(name); missing == nil {
			sent = append(sent, minute)
		}
		if (err != nil) != (minute >= 30) {
			t.Errorf("after %d minutes: %v", minute, err)
		}
	}
	if want := []int{5, 10, 15, 20, 25, 85}; !slices.Equal(sent, want) {
		t.Errorf("sent again after %v minutes, want %v", sent, want)
	}
	if !strings.Contains(r.log.String(), "no acknowledgement after all attempts") {
		t.Error("nobody is told")
	}
	r.now = r.now.Add(-365 * 24 * time.Hour)
	for range 2 {
		_ = os.Remove(name)
		_ = r.send()
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("after a step of the clock it is sent at each run")
	}
	r.now = r.now.Add(Reluctant)
	_ = r.send()
	if _, err := os.Stat(name); err != nil {
		t.Error("after a step of the clock it is not sent again")
	}
	must(t, r.receive())
	must(t, r.send())
	r.holds("when the way is open again", "opened")
}

// A run with nothing to do says nothing.
func TestNothingToDo(t *testing.T) {
	r := newRig(t)
	for range 20 {
		must(t, r.receive())
	}
	if strings.Contains(r.log.String(), "WARN") {
		t.Error("something is warned of")
	}
}

// One process per end.
func TestOneAtATime(t *testing.T) {
	r := newRig(t)
	s, err := NewSending(r.out, slog.New(slog.DiscardHandler))
	must(t, err)
	defer s.Close()
	if _, err := NewSending(r.out, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), ErrBusy.Error()) {
		t.Errorf("%v", err)
	}
	r.out.Line, r.out.Send = "119", filepath.Join(r.there, "none")
	if _, err := NewSending(r.out, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that is not mounted is no error")
	}
}

// A call that came without User-to-User is found by the caller's number, within two minutes.
func TestMatch(t *testing.T) {
	r := newRig(t)
	arrived := func(ref, caller string, ago time.Duration) {
		at := r.now.Add(-ago)
		must(t, r.far.XAdd(t.Context(), &redis.XAddArgs{Stream: "liandong:calls", ID: fmt.Sprint(at.UnixMilli(), "-*"),
			Values: []string{
				"event", "arrived", "at", at.Format(time.RFC3339Nano), "call_ref", ref, "caller_e164", caller}}).Err())
	}
	arrived("too-early", "+8613812345678", 3*time.Minute)
	arrived("farther", "+8613812345678", 30*time.Second)
	arrived("another", "+8613900000000", 20*time.Second)
	arrived("it", "+8613812345678", 10*time.Second)
	stub := ids.New(r.now)
	r.put(stub, ticket.Opened)
	must(t, r.send())
	x, err := NewReceiving(r.in, slog.New(slog.NewTextHandler(r.log, nil)))
	must(t, err)
	defer x.Close()
	var matched map[string]any
	for until := time.Now().Add(20 * time.Second); matched == nil &&
		time.Now().Before(until); r.now = r.now.Add(lookEvery) {
		_, err = x.Pass(t.Context(), r.now)
		must(t, err)
		for _, m := range r.far.XRange(t.Context(), "liandong:calls", "-", "+").Val() {
			if m.Values["event"] == "matched" {
				matched = m.Values
			}
		}
	}
	if matched["call_ref"] != "it" || matched["stub_id"] != stub ||
		matched["peer_call_ref"] != "6ba7b810-9dad-11d1-80b4-00c04fd430c8" {
		t.Errorf("%v", matched)
	}
}

func TestKeys(t *testing.T) {
	hexa := strings.Repeat("ab", 32)
	if keys, err := ParseKeys(hexa + " q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="); err != nil || len(keys) != 2 ||
		keys[0] != keys[1] {
		t.Errorf("%v %v", keys, err)
	}
	for _, bad := range []string{"", "abc", hexa[:62], "geheim"} {
		if _, err := ParseKeys(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s := fmt.Sprintf("%v %#v", oldKey, Keys{oldKey}); strings.Contains(s, "1, 0") || strings.Contains(s, "0x1") {
		t.Errorf("a key prints itself: %s", s)
	}
}
