package outbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"liandong/routing/ticket"
)

func newReader(t *testing.T, cfg Config) *Reader {
	t.Helper()
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestReaderStreams(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	o.Put(newMatter("110").next(), nil)
	o.Put(newMatter("12345").next(), nil)
	eventually(t, "shipped", shipped(o))
	got, err := newReader(t, cfg).Streams(t.Context())
	if err != nil || len(got) != 2 || got[0] != stream110 || got[1] != stream12345 {
		t.Errorf("%q %v", got, err)
	}
}

// A group gets each entry once; a consumer that comes back gets first what it has not acknowledged.
func TestReaderGroup(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, _ := open(t, cfg)
	r, m := newReader(t, cfg), newMatter("110")
	for range 2 { // joining twice is no error
		if err := r.MakeGroup(t.Context(), "tickets", stream110, stream12345); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))

	first := &Consumer{Group: "tickets", Name: "a", Streams: []string{stream110, stream12345}, Count: 3}
	list := next(t, r, first)
	if len(list) != 3 || list[0].Entry.Title != "1" || list[2].Entry.Title != "3" {
		t.Fatalf("%v", list)
	}
	if err := r.Ack(t.Context(), "tickets", list[:2]...); err != nil {
		t.Fatal(err)
	}

	again := &Consumer{Group: "tickets", Name: "a", Streams: first.Streams, Count: 10}
	if list = next(t, r, again); len(list) != 1 || list[0].Entry.Title != "3" {
		t.Fatalf("not acknowledged: %v", list)
	}
	if list = next(t, r, again); len(list) != 2 || list[1].Entry.Title != "5" {
		t.Fatalf("new: %v", list)
	}
	o.Put(m.next(), nil)
	if list = next(t, r, again); len(list) != 1 || list[0].Entry.Title != "6" || list[0].Err != nil {
		t.Fatalf("followed: %v", list)
	}
	if list, err := r.Next(t.Context(), again, 0); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

// With nothing given before, the first look is for new entries already, though it may not wait.
func TestReaderDoesNotNeedToWait(t *testing.T) {
	mini := miniredis.RunT(t)
	if _, err := mini.XAdd(stream110, "*", []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, config(t, "redis://"+mini.Addr()))
	if err := r.MakeGroup(t.Context(), "g", stream110, stream12345); err != nil {
		t.Fatal(err)
	}
	list, err := r.Next(t.Context(), &Consumer{Group: "g", Name: "a", Streams: []string{stream110, stream12345}}, 0)
	if err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
}

// next waits for the next entries.
func next(t *testing.T, r *Reader, c *Consumer) []Message {
	t.Helper()
	list, err := r.Next(t.Context(), c, patience)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReaderForeignEntry(t *testing.T) {
	mini := miniredis.RunT(t)
	if _, err := mini.XAdd(stream110, "*", []string{"schema", "9", "x", "y"}); err != nil {
		t.Fatal(err)
	}
	list := read(t, config(t, "redis://"+mini.Addr()), stream110)
	if len(list) != 1 || !errors.Is(list[0].Err, ticket.ErrSchema) || list[0].Fields["x"] != "y" {
		t.Errorf("%v", list)
	}
}

func TestReaderGivesUp(t *testing.T) {
	mini := miniredis.RunT(t)
	r := newReader(t, config(t, "redis://"+mini.Addr()))
	c := &Consumer{Group: "g", Name: "a", Streams: []string{stream110}}
	if _, err := r.Next(t.Context(), c, 0); err == nil {
		t.Error("a group that does not exist was read")
	}
	if err := r.MakeGroup(t.Context(), "g", stream110); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx, c, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	mini.Close()
	if _, err := r.Range(t.Context(), stream110, "", 1); err == nil || errors.Is(err, redis.Nil) {
		t.Errorf("%v", err)
	}
}
