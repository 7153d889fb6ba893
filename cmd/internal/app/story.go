package app

import (
	"cmp"
	"log/slog"

	"liandong/routing/news"
	"liandong/routing/number"
	"liandong/routing/ticket"
)

// storied is how loudly the log tells of an event: that a call begins, is answered, linked and ends, and which keys are
// pressed, in one line each, the rest when somebody looks for a fault.
var storied = func() map[string]slog.Level {
	quiet := map[string]slog.Level{}
	for _, event := range []string{"quality", "talking", "recording", "queued", "matched"} {
		quiet[event] = slog.LevelDebug
	}
	return quiet
}()

// recorded is what a call came to, in the order in which the log has it.
var recorded = []string{"call_ref", "hotline", "call_at", "answered_at", "ended_at", "wait_s", "talk_s", "duration_s",
	"detail", "desks", "linked", "stub_id", "from", "to", "mode", "result", "to_agent", "three_way_s", "recording_ref"}

// written is what the log tells of a ticket entry: which matter was opened, answered, decided, has failed. What
// citizens have said in it is not told.
func written(e ticket.Entry) (attrs []slog.Attr) {
	for _, one := range [][2]string{{"call_ref", e.CallRef}, {"hotline", e.From}, {"to", e.To},
		{"detail", string(e.Event)},
		{"agent", cmp.Or(e.ToAgent, e.FromAgent)}, {"mode", e.Mode}, {"result", e.Result}, {"reason", e.Reason},
		{"owner", e.DecidedOwner}, {"stub_id", e.StubID}} {
		if one[1] != "" {
			attrs = append(attrs, slog.String(one[0], one[1]))
		}
	}
	if e.CallerE164 != "" {
		attrs = append(attrs, slog.String("caller", number.Mask(e.CallerE164)))
	}
	return attrs
}

// noted are the fields of an event, in the order in which the log has them.
var noted = []string{"call_ref", "hotline", "agent", "phase", "detail", "stub_id"}

// story appends what the log tells of an event, without the caller's number.
func story(attrs []slog.Attr, it news.Item) []slog.Attr {
	names := noted
	if it.Event == "record" {
		names = recorded
	}
	for _, name := range names {
		if v := it.Get(name); v != "" {
			attrs = append(attrs, slog.String(name, v))
		}
	}
	if it.Get("call_ref") != "" {
		caller := it.Caller
		if it.Get("caller_e164") == "" { // what is no number is not told
			caller = ""
		}
		attrs = append(attrs, slog.String("caller", caller))
	}
	return attrs
}
