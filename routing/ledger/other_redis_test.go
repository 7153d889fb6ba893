package ledger

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// across is the way to a line whose Redis is another.
type across struct {
	line string
	box  *outbox.Outbox
	book func(ctx context.Context, stub string) (bool, error)
}

func (a across) Stands(hotline string) bool           { return hotline == a.line }
func (a across) Put(e ticket.Entry, done func(error)) { a.box.Put(e, done) }
func (a across) Keeper(ctx context.Context, stub string) string {
	if keeps, err := a.book(ctx, stub); keeps || err != nil {
		return "other"
	}
	return ""
}
func (a across) Forward(_, stream, stub string, l outbox.Line, done func(error)) {
	a.box.Forward(stream, stub, l, done)
}

// boxTo is an outbox to a Redis.
func boxTo(t *testing.T, addr string) *outbox.Outbox {
	t.Helper()
	cfg := outbox.Default()
	cfg.Path, cfg.URL = t.TempDir()+"/outbox.db", desk.NewSecret("redis://"+addr+"/0")
	cfg.Backoff = 50 * time.Millisecond
	box, err := outbox.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	box.Start()
	t.Cleanup(box.Stop)
	return box
}

// Two networks with a Redis each. A matter is in that of the line that it was handed to; the line that handed it over
// is told in its own when somebody above should know, and what it says of the matter reaches the ledger that keeps it.
func TestAbroad(t *testing.T) {
	police, gov := miniredis.RunT(t), miniredis.RunT(t)
	cp, cg := config(police.Addr(), "a"), config(gov.Addr(), "a")
	cp.Hotlines, cg.Hotlines = []string{"110"}, []string{"12345"}
	cg.Policy.Receive, cg.Policy.Supervise = time.Millisecond, time.Millisecond
	toGov, toPolice := boxTo(t, gov.Addr()), boxTo(t, police.Addr())
	cg.OtherRedis = across{line: "110", box: toPolice, book: func(context.Context, string) (bool,
		error) {
		return false, nil
	}}
	lg, _ := start(t, cg)
	cp.OtherRedis = across{line: "12345", box: toGov, book: lg.Keeps}
	lp, _ := start(t, cp)

	op, og := newOffice(t, police.Addr()), newOffice(t, gov.Addr())
	stub := ids.New(time.Now())
	og.push(stub)
	og.reaches(stub, matter.Pushed)
	eventually(t, "110 is told", func() bool { return op.c.XLen(t.Context(), ticket.StreamOf("110")).Val() == 1 })
	if list, _ := op.c.XRange(t.Context(), ticket.StreamOf("110"), "-",
		"+").Result(); list[0].Values["event"] != "supervised" {
		t.Errorf("%v", list)
	}
	op.send(stub, "supervised", "text", "quickly", "text_of_ours", "x")
	eventually(t, "the other ledger has taken it", func() bool { return og.state(stub)["text"] == "quickly" })

	unknown := ids.New(time.Now())
	op.send(unknown, "received")
	eventually(t, "what nobody keeps is refused where it was written", func() bool { return lp.Stats().Dead == 1 })
	op.settled(Updates, ticket.StreamOf("110"))
	if lg.Stats().Dead != 0 || gov.Exists(ticket.StreamOf("110")) || police.Exists(stream12345) ||
		len(op.state(stub)) != 0 {
		t.Errorf("more has crossed than should: %v %v", police.Keys(), gov.Keys())
	}

	// A matter of which it cannot be known: it goes to where it may be, and no further.
	cp.OtherRedis = across{line: "12345", box: toGov, book: func(context.Context, string) (bool,
		error) {
		return false, context.DeadlineExceeded
	}}
	lp.Stop()
	start(t, cp)
	op.send(unknown, "signed")
	eventually(t, "it is refused there", func() bool { return lg.Stats().Dead == 1 })
}

// While the disk before another Redis takes nothing, alarms for there are not lost.
func TestAbroadIsBusy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waited(ctx, func(func(error)) {}); err == nil {
		t.Error("nobody has taken it, and that is no error")
	}
}
