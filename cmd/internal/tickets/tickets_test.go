package tickets

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
)

func server(t *testing.T) (*miniredis.Miniredis, Options) {
	m := miniredis.RunT(t)
	return m, Options{URL: desk.NewSecret("redis://" + m.Addr() + "/0"), Hotlines: []string{"110", "12345"}}
}

func put(t *testing.T, m *miniredis.Miniredis, hotline string, fields ...string) {
	t.Helper()
	if _, err := m.XAdd(stream(hotline), "*", fields); err != nil {
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
		if len(lines) != 2 || !strings.Contains(lines[0], ` event=opened stub_id=S1 place=石家庄 title="a b"`) || !strings.Contains(lines[1], " event=answered") {
			t.Fatalf("%q", lines)
		}
	}
	if m.Exists(stream("110")) {
		t.Error("reading made a stream")
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
	if got := out.String(); !strings.Contains(got, "event=opened") || !strings.Contains(got, "event=urgent") {
		t.Error(got)
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	for _, url := range []string{"redis://:geheim@127.0.0.1:1/0", "http://:geheim@h", ""} {
		err := Print(t.Context(), &bytes.Buffer{}, Options{URL: desk.NewSecret(url), Hotlines: []string{"110"}})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}
