package tickets

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

func server(t *testing.T) (*miniredis.Miniredis, Options) {
	m := miniredis.RunT(t)
	return m, Options{Redises: []Redis{{at("redis://" + m.Addr() + "/0"), []string{"110", "12345"}}}}
}

func at(url string) outbox.Config {
	cfg := outbox.Default()
	cfg.URL = desk.NewSecret(url)
	return cfg
}

func put(t *testing.T, m *miniredis.Miniredis, hotline string, fields ...string) {
	t.Helper()
	if _, err := m.XAdd(ticket.StreamOf(hotline), "*", fields); err != nil {
		t.Fatal(err)
	}
}

func TestPrintsAllThereIs(t *testing.T) {
	m, o := server(t)
	put(t, m, "12345", "title", "a b", "event", "opened", "stub_id", "S1", "place", "石家庄")
	put(t, m, "12345", "event", "answered", "stub_id", "S1")
	for range 2 { // nothing is left behind: it can be read again
		var out bytes.Buffer
		if err := Print(t.Context(), &out, o); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], ` event=opened stub_id=S1 place=石家庄 title="a b"`) ||
			!strings.Contains(lines[1], " event=answered") {
			t.Fatalf("%q", lines)
		}
	}
	if m.Exists(ticket.StreamOf("110")) {
		t.Error("reading made a stream")
	}
}

// That there is nothing is noted beside what is printed, and only then.
func TestNotesThatThereIsNothing(t *testing.T) {
	m, o := server(t)
	for _, tt := range []struct{ lang, want string }{{"zh", "没有工单存根\n"}, {"en", "no ticket entries\n"}} {
		var out, notes bytes.Buffer
		o.Lang, o.Notes, o.Table = tt.lang, &notes, true
		if err := Print(t.Context(), &out, o); err != nil || notes.String() != tt.want {
			t.Errorf("%v %q", err, notes.String())
		}
	}
	put(t, m, "110", "event", "opened")
	var notes bytes.Buffer
	o.Notes = &notes
	if err := Print(t.Context(), io.Discard, o); err != nil || notes.Len() > 0 {
		t.Errorf("%v %q", err, notes.String())
	}
}

// More entries than one look takes are printed, each once and in order.
func TestPrintsLongStreams(t *testing.T) {
	for _, group := range []string{"", "tickets"} {
		m, o := server(t)
		o.Group = group
		var want []string
		for i := range 2*batch + 1 {
			want = append(want, strconv.Itoa(i))
			put(t, m, "110", "title", want[i])
		}
		var out bytes.Buffer
		if err := Print(t.Context(), &out, o); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, title, _ := strings.Cut(strings.TrimSpace(line), " title=")
			got = append(got, title)
		}
		if !slices.Equal(got, want) {
			t.Errorf("group %q: %v", group, got)
		}
	}
}

func TestGroupSeesEachOnce(t *testing.T) {
	m, o := server(t)
	o.Group = "tickets"
	put(t, m, "110", "event", "urgent")
	for i, want := range []int{1, 0} {
		var out bytes.Buffer
		if err := Print(t.Context(), &out, o); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("run %d: %d entries, want %d", i, got, want)
		}
	}
}

// An entry that could not be printed is not acknowledged: it comes again.
func TestUnprintedComesAgain(t *testing.T) {
	m, o := server(t)
	o.Group = "tickets"
	put(t, m, "110", "event", "urgent")
	if err := Print(t.Context(), broken{}, o); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Print(t.Context(), &out, o); err != nil || !strings.Contains(out.String(), "event=urgent") {
		t.Errorf("%v %q", err, out.String())
	}
}

var errBroken = errors.New("broken pipe")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

// stopper ends following once it has seen enough lines.
type stopper struct {
	bytes.Buffer
	want int
	seen func()
}

func (s *stopper) Write(b []byte) (int, error) {
	n, err := s.Buffer.Write(b)
	if s.want--; s.want == 0 {
		s.seen()
	}
	return n, err
}

func TestFollow(t *testing.T) {
	m, o := server(t)
	o.Follow = true
	ctx, cancel := context.WithCancel(t.Context())
	put(t, m, "12345", "event", "opened")
	out := &stopper{want: 1}
	out.seen = func() { // the first is printed: now one more, on a stream that was not there
		out.want, out.seen = 1, cancel
		put(t, m, "110", "event", "urgent")
	}
	if err := Print(ctx, out, o); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 2 {
		t.Error("an entry is printed twice")
	}
	if got := out.String(); !strings.Contains(got, "event=opened") || !strings.Contains(got, "event=urgent") {
		t.Error(got)
	}
}

// A run that is told to end has acknowledged what it printed: the next one does not print it again.
func TestFollowAsAGroup(t *testing.T) {
	m, o := server(t)
	o.Follow, o.Group = true, "tickets"
	put(t, m, "110", "event", "opened")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopper{want: 1, seen: cancel}
		if err := Print(ctx, out, o); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n") != 1 {
			t.Fatal(out.String())
		}
		put(t, m, "110", "event", "answered")
		if strings.Contains(out.String(), "answered") {
			return
		}
	}
	t.Error("the second run never got to the second entry")
}

// Two networks with a Redis each: both are read; what one has is printed though the other is away.
func TestSeveralRedises(t *testing.T) {
	police, gov := miniredis.RunT(t), miniredis.RunT(t)
	o := Options{Redises: []Redis{{at("redis://" + police.Addr()), []string{"110"}},
		{at("redis://" + gov.Addr()), []string{"12345"}}}}
	put(t, police, "110", "event", "urgent")
	put(t, gov, "12345", "event", "opened")
	for _, following := range []bool{false, true} {
		o.Follow = following
		ctx, cancel := context.WithCancel(t.Context())
		out := &stopper{want: 2, seen: cancel}
		if err := Print(ctx, out, o); err != nil {
			t.Fatal(err)
		}
		cancel()
		if got := out.String(); !strings.Contains(got, "event=urgent") || !strings.Contains(got, "event=opened") {
			t.Errorf("follow %v: %s", following, got)
		}
	}
	police.Close()
	for _, following := range []bool{false, true} {
		o.Follow = following
		var out bytes.Buffer
		if err := Print(t.Context(), &out, o); err == nil ||
			!following && !strings.Contains(out.String(), "event=opened") {
			t.Errorf("follow %v: %v %s", following, err, out.String())
		}
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, url := range []string{"redis://:geheim@127.0.0.1:1/0", "http://:geheim@h", ""} {
		err := Print(t.Context(), &bytes.Buffer{}, Options{Redises: []Redis{{at(url), []string{"110"}}}})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}
