package ledger

import (
	"fmt"
	"testing"
	"time"

	"liandong/routing/link"
	"liandong/routing/link/redistest"
)

// shelf is a stream of a real redis-server with entries 1-0, 2-0 … n-0.
func shelf(t *testing.T, n int) (office, *link.Link) {
	server := redistest.Start(t, "--appendonly", "no")
	o := newOffice(t, server.Addr())
	for i := range n {
		if err := o.c.Do(t.Context(), "XADD", "s", fmt.Sprintf("%d-0", i+1), "n", i+1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	to, err := link.New(config(server.Addr(), "").Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.Close)
	return o, to
}

// read lets a group read n entries and acknowledge all but those listed.
func (o office) read(group string, n int, but ...string) {
	o.Helper()
	o.c.Do(o.Context(), "XGROUP", "CREATE", "s", group, "0") // or it is there
	got, err := o.c.Do(o.Context(), "XREADGROUP", "GROUP", group, "c", "COUNT", n, "STREAMS", "s", ">").Result()
	if err != nil {
		o.Fatal(err)
	}
	for _, e := range entriesOf(got) {
		left := false
		for _, b := range but {
			left = left || b == e
		}
		if !left {
			o.c.XAck(o.Context(), "s", group, e)
		}
	}
}

// entriesOf finds the entry ids in an answer of XREADGROUP, of RESP2 or RESP3.
func entriesOf(answer any) (ids []string) {
	switch a := answer.(type) {
	case map[any]any:
		for _, v := range a {
			ids = append(ids, entriesOf(v)...)
		}
	case []any:
		if len(a) == 2 {
			if id, ok := a[0].(string); ok && id != "s" {
				return []string{id}
			}
		}
		for _, v := range a {
			ids = append(ids, entriesOf(v)...)
		}
	}
	return ids
}

func TestTrim(t *testing.T) {
	for name, c := range map[string]struct {
		oldest string
		most   int64
		groups []string
		first  string // of what stays
		holder string
	}{
		"nothing is asked for":                {"0", 0, nil, "1-0", ""},
		"by age":                              {"31", 0, nil, "31-0", ""},
		"by number":                           {"0", 40, nil, "61-0", ""},
		"the stricter of both":                {"90", 40, nil, "90-0", ""},
		"the last stays":                      {"500", 0, nil, "100-0", ""},
		"a group has read all":                {"31", 0, []string{"done"}, "31-0", ""},
		"a group has read half":               {"90", 0, []string{"half"}, "50-0", "half"},
		"a group has not acknowledged":        {"90", 0, []string{"stuck"}, "20-0", "stuck"},
		"the slowest group counts":            {"90", 0, []string{"half", "stuck", "done"}, "20-0", "stuck"},
		"a group that is not there":           {"90", 0, []string{"coming"}, "1-0", "coming"},
		"a group that is there, nothing read": {"90", 0, []string{"new"}, "1-0", "new"},
		"a group nobody has named":            {"90", 0, []string{"done"}, "90-0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, to := shelf(t, 100)
			o.read("done", 100)
			o.read("half", 50)
			o.read("stuck", 80, "20-0", "33-0")
			o.c.Do(t.Context(), "XGROUP", "CREATE", "s", "new", "0")
			gone, holder, err := cutOff(t.Context(), to, "s", c.oldest, Trim{Entries: c.most}, c.groups)
			if err != nil || holder != c.holder {
				t.Errorf("held by %q, want %q; %v", holder, c.holder, err)
			}
			left, err := o.c.XRange(t.Context(), "s", "-", "+").Result()
			if err != nil || left[0].ID != c.first || len(left)+gone != 100 {
				t.Errorf("%d gone, %d left from %s, want %s; %v", gone, len(left), left[0].ID, c.first, err)
			}
		})
	}
}

// One call takes a bounded number off, the next goes on; an empty stream and none are no trouble.
func TestTrimIsBounded(t *testing.T) {
	o, to := shelf(t, 2500)
	for _, want := range []int64{1500, 500, 10, 10} {
		if _, _, err := cutOff(t.Context(), to, "s", "0", Trim{Entries: 10}, nil); err != nil {
			t.Fatal(err)
		}
		if n := o.c.XLen(t.Context(), "s").Val(); n != want {
			t.Errorf("%d entries left, want %d", n, want)
		}
	}
	if gone, _, err := cutOff(t.Context(), to, "none", "5", Trim{Entries: 10}, []string{"g"}); gone != 0 || err != nil {
		t.Errorf("%d %v", gone, err)
	}
}

// The ledger trims what it and the named groups are done with.
func TestLedgerTrims(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	o := newOffice(t, server.Addr())
	for range 50 {
		o.push(ids.New(time.Now()))
	}
	cfg := config(server.Addr(), "a")
	cfg.Trim = Trim{Entries: 10, Groups: []string{"tickets"}}
	l, j := start(t, cfg)
	eventually(t, "told", j.has("stream="+stream12345+" group=tickets"))
	if n := o.c.XLen(t.Context(), stream12345).Val(); n != 50 {
		t.Errorf("%d entries left, the named group has read none", n)
	}
	l.Stop()
	if err := o.c.XGroupCreate(t.Context(), stream12345, "tickets", "$").Err(); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	eventually(t, "trimmed", func() bool { return o.c.XLen(t.Context(), stream12345).Val() == 10 })
}

// A clock of the switch that is a year ahead trims nothing that is young by the stream's own time.
func TestTrimByTheStreamsTime(t *testing.T) {
	to := redistest.Start(t, "--appendonly", "no")
	cfg := config(to.Addr(), "a")
	l, err := link.New(cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	day := (24 * time.Hour).Milliseconds()
	for _, d := range []int64{1, 50, 99, 100} {
		to.Do("XADD", "s", fmt.Sprint(d*day), "a", "b")
	}
	ahead := fmt.Sprint((100 + 365 - 30) * day)
	if gone, _, err := cutOff(t.Context(), l, "s", ahead, Trim{Age: 30 * 24 * time.Hour}, nil); gone != 2 ||
		err != nil {
		t.Errorf("%d entries trimmed, want 2; %v", gone, err)
	}
}
