package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/matter"
)

// An open matter is listed at both lines, the one that is due first first, and at neither when it is closed.
func TestOpenMatters(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(mini.Addr(), "a")
	cfg.Policy.Receive, cfg.Policy.Sign = time.Hour, 10*time.Minute
	l, _ := start(t, cfg)
	o, first, second := newOffice(t, mini.Addr()), ids.New(time.Now()), ids.New(time.Now().Add(time.Second))
	o.push(first)
	o.push(second)
	o.reaches(second, matter.Pushed)
	o.send(second, "received")
	o.reaches(second, matter.Received)
	o.settled(stream12345, Updates)
	for _, line := range []string{"110", "12345"} {
		if got := o.open(l, line); !slices.Equal(got, []string{second, first}) {
			t.Errorf("%s: %v, want %s, due in 10 minutes, before %s", line, got, second, first)
		}
	}
	eventually(t, "they are counted", func() bool { return l.Stats().Matters["12345"] == Amount{Open: 2} })
	for _, e := range life[1:] {
		o.send(second, e)
	}
	o.reaches(second, matter.Archived)
	o.settled(Updates)
	if got := o.open(l, "12345"); !slices.Equal(got, []string{first}) {
		t.Errorf("%v is open", got)
	}
	mini.Del(matter.Key(first))
	if got := o.open(l, "110"); len(got) != 0 {
		t.Errorf("%v has no hash", got)
	}
	if got, _ := mini.ZMembers(openKey("110")); len(got) != 0 {
		t.Errorf("%v stays listed without a hash", got)
	}
}

// What is overdue is counted, and matters from before there were lists are found once.
func TestOpenMattersOfBefore(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(mini.Addr(), "a")
	cfg.Policy.Receive = time.Millisecond
	l, _ := start(t, cfg)
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.reaches(stub, matter.Pushed)
	o.settled(stream12345)
	l.Stop()
	mini.Del(indexedKey)
	mini.Del(openKey("110"))
	mini.Del(openKey("12345"))
	l, _ = start(t, cfg)
	eventually(t, "it is counted", func() bool { return l.Stats().Matters["110"] == Amount{Open: 1, Overdue: 1} })
	if got := o.open(l, "12345"); !slices.Equal(got, []string{stub}) {
		t.Errorf("%v is open", got)
	}
}

// A matter's history has the entries and what came back, in order, and nothing of another.
func TestHistory(t *testing.T) {
	mini := miniredis.RunT(t)
	l, _ := start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.push(stub)
	o.push(ids.New(time.Now()))
	o.reaches(stub, matter.Pushed)
	for _, e := range life[:3] {
		o.send(stub, e)
	}
	o.reaches(stub, matter.Accepted)
	list, whole, err := l.History(t.Context(), stub)
	if err != nil || !whole {
		t.Fatal(whole, err)
	}
	var events []string
	for _, p := range list {
		events = append(events, p.Fields["event"])
	}
	if !slices.Equal(events, append([]string{"opened"}, life[:3]...)) || list[0].Stream != stream12345 ||
		list[1].Stream != Updates {
		t.Errorf("%v %+v", events, list)
	}
	if list, _, err := l.History(t.Context(), "nonsense"); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

func (o office) open(l *Ledger, line string) (stubs []string) {
	o.Helper()
	list, err := l.Open(o.Context(), line)
	if err != nil {
		o.Fatal(err)
	}
	for _, m := range list {
		stubs = append(stubs, m.StubID)
	}
	return stubs
}
