// Package consumers_test holds the schemas and the examples for ticket systems to what they promise.
package consumers_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

var update = flag.Bool("update", false, "write the schemas anew")

var ids = ticket.NewIDs(rand.Reader)

// The schemas say what the code says.
func TestSchemas(t *testing.T) {
	for name, want := range map[string][]byte{"entry.schema.json": ticket.EntrySchema(),
		"update.schema.json": matter.UpdateSchema()} {
		if *update {
			must(t, os.WriteFile(name, want, 0o644))
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the code gives (%v): go test ./configs/consumers -update", name, err)
		}
	}
}

// What the switch writes is as the schema says, and what it would not write is not.
func TestEntriesFitTheSchema(t *testing.T) {
	var s schema
	must(t, json.Unmarshal(ticket.EntrySchema(), &s))
	full := entry(1)
	full.Result, full.AnsweredAt, full.ToAgent, full.CategoryCode = "answered", time.Now(), "2101", "01"
	full.DecidedOwner, full.DecisionBasis, full.Confidential, full.CloseDue = "110", ticket.Emergency, ticket.Open,
		time.Now()
	alarm := ticket.Entry{EventID: ids.New(time.Now()), StubID: full.StubID, Event: ticket.Overdue, At: time.Now(),
		From: "110", To: "12345", Mode: ticket.Direct, CallRef: full.CallRef}
	for _, e := range []ticket.Entry{entry(2), full, alarm} {
		if wrong := s.objects(e.Map()); len(wrong) > 0 {
			t.Errorf("%v: %v", e, wrong)
		}
	}
	bad := full.Map()
	delete(bad, "stub_id")
	bad["mode"], bad["at"], bad["event_id"] = "by_pigeon", "yesterday", "x"
	if wrong := s.objects(bad); len(wrong) != 4 {
		t.Errorf("%v", wrong)
	}
	var u schema
	must(t, json.Unmarshal(matter.UpdateSchema(), &u))
	if wrong := u.objects(map[string]string{"event_id": "a", "stub_id": full.StubID, "event": "received",
		"at": "2026-01-02T03:04:05+08:00"}); len(wrong) > 0 {
		t.Errorf("%v", wrong)
	}
	if wrong := u.objects(map[string]string{"event": "eaten"}); len(wrong) != 4 {
		t.Errorf("%v", wrong)
	}
}

// schema is as much of JSON Schema as ours use.
type schema struct {
	Required   []string
	Properties map[string]shape
}

type shape struct {
	Const, Enum, Pattern, Format, AnyOf any
	MaxLength, MinLength                *int
}

func (s schema) objects(fields map[string]string) (wrong []string) {
	for _, name := range s.Required {
		if _, ok := fields[name]; !ok {
			wrong = append(wrong, name+" is missing")
		}
	}
	for name, v := range fields {
		if p, ok := s.Properties[name]; !ok || !p.fits(v) {
			wrong = append(wrong, name)
		}
	}
	return wrong
}

func (p shape) fits(v string) bool {
	_, noTime := time.Parse(time.RFC3339Nano, v)
	list, _ := p.Enum.([]any)
	pattern, _ := p.Pattern.(string)
	either, _ := p.AnyOf.([]any)
	return (p.Const == nil || p.Const == v) && (p.Enum == nil || slices.Contains(list, any(v))) &&
		regexp.MustCompile(pattern).MatchString(v) && (p.Format == nil || noTime == nil) &&
		(p.MaxLength == nil || len([]rune(v)) <= *p.MaxLength) &&
		(p.MinLength == nil || len([]rune(v)) >= *p.MinLength) &&
		(p.AnyOf == nil || slices.ContainsFunc(either, func(one any) bool { return again(one).fits(v) }))
}

func again(v any) (p shape) {
	b, _ := json.Marshal(v)
	_ = json.Unmarshal(b, &p)
	return p
}

func entry(n int) ticket.Entry {
	now := time.Now()
	return ticket.Entry{
		EventID: ids.New(now), StubID: ids.New(now), Event: ticket.Opened, At: now, From: "110", To: "12345",
		Mode:    ticket.Direct,
		CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", CallerE164: "+8613812345678", CallerRaw: "13812345678",
		CallerStatus: "ok", CallerSource: "pai",
		Dialed: "110", FromAgent: "1101", CallAt: now, KeyAt: now, Title: fmt.Sprint("第", n),
		Content: "two\nlines \"quoted\"\nevent_id\nx",
	}
}

// Each example is killed in the middle of its work and another goes on: every entry is stored once, each matter is
// reported received once in effect, and nothing is left that nobody has acknowledged.
func TestConsumersAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("consumers are waited for")
	}
	gobin := filepath.Join(t.TempDir(), "consumer")
	for name, c := range map[string]struct {
		program []string
		stored  func(t *testing.T, store string) []string
	}{
		"go":     {[]string{gobin}, inFolder},
		"python": {[]string{"python3", "consumer.py"}, inSQLite},
		"shell":  {[]string{"./consumer.sh"}, inFolder},
		"java":   {[]string{"java", "-XX:TieredStopAtLevel=1", "Consumer.java"}, inFolder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "no")
			need(t, map[string]string{"go": "go", "python": "python3", "shell": "redis-cli",
				"java": "java"}[name])
			if name == "go" {
				out, err := exec.Command("go", "build", "-o", gobin, "./go").CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			const total = 40
			want := map[string]bool{}
			for n := range total {
				e := entry(n)
				want[e.EventID] = true
				server.Do(append([]string{"XADD", e.Stream(), "*"}, e.Fields()...)...)
			}
			store := filepath.Join(t.TempDir(), "store")
			run := func(as string) *exec.Cmd {
				cmd := exec.Command(c.program[0], append(c.program[1:], server.Addr(), "12345", as, store, "300")...)
				cmd.Stderr = os.Stderr
				must(t, cmd.Start())
				return cmd
			}
			first := run("one")
			eventually(t, "it works", func() bool { return len(c.stored(t, store)) > 5 })
			must(t, first.Process.Kill())
			_ = first.Wait()
			second := run("two")
			defer func() { _ = second.Process.Kill(); _ = second.Wait() }()
			eventually(t, "all is stored and acknowledged", func() bool {
				return len(c.stored(t, store)) == total && strings.HasPrefix(fmt.Sprint(server.Do("XPENDING",
					"liandong:tickets:12345", "my-tickets")), "[0 ")
			})
			for _, id := range c.stored(t, store) {
				if !want[id] {
					t.Errorf("%s is stored and was never written", id)
				}
				delete(want, id)
			}
			if len(want) > 0 {
				t.Errorf("%d entries are lost", len(want))
			}
			reported := map[string]bool{}
			for _, m := range server.Do("XRANGE", "liandong:updates", "-", "+").([]any) {
				fields := map[string]string{}
				flat := m.([]any)[1].([]any)
				for i := 0; i+1 < len(flat); i += 2 {
					fields[flat[i].(string)] = flat[i+1].(string)
				}
				if u, err := matter.ParseUpdate(fields); err != nil || u.Event != matter.EventReceived {
					t.Errorf("%v: %v", fields, err)
				}
				reported[fields["event_id"]] = true
			}
			if len(reported) != total {
				t.Errorf("%d matters are reported received, want %d", len(reported), total)
			}
		})
	}
}

func inFolder(t *testing.T, store string) (ids []string) {
	list, _ := os.ReadDir(store)
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			ids = append(ids, e.Name())
		}
	}
	return ids
}

// inSQLite asks Python, which has SQLite with it.
func inSQLite(t *testing.T, store string) []string {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c",
		"import sqlite3,sys\nfor r in sqlite3.connect(sys.argv[1], timeout=10).execute('SELECT event_id FROM entries'): print(r[0])", store).Output()
	if err != nil {
		return nil // there is no table yet
	}
	return strings.Fields(string(out))
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("LIANDONG_PEERS") == "required" {
		t.Fatal(program, " is not installed, and LIANDONG_PEERS=required")
	}
	t.Skip(program, " is not installed")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late, tick := time.After(60*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("not in time: ", what)
		}
	}
}
