package app

import (
	"log/slog"

	"liandong/routing/number"
)

// storied is how loudly the log tells of an event: that a call begins, is answered, linked and ends in one line each,
// the rest when somebody looks for a fault.
var storied = func() map[string]slog.Level {
	quiet := map[string]slog.Level{}
	for _, event := range []string{"quality", "talking", "key", "recording", "queued", "matched"} {
		quiet[event] = slog.LevelDebug
	}
	return quiet
}()

// recorded is what a call came to, in the order in which the log has it.
var recorded = []string{"call_ref", "hotline", "call_at", "answered_at", "ended_at", "wait_s", "talk_s", "duration_s",
	"detail", "desks", "linked", "stub_id", "from", "to", "mode", "result", "to_agent", "three_way_s", "recording_ref"}

// story is what the log tells of an event, without the caller's number.
func story(fields map[string]string) (attrs []slog.Attr) {
	names := []string{"call_ref", "hotline", "agent", "phase", "detail", "stub_id"}
	if fields["event"] == "record" {
		names = recorded
	}
	for _, name := range names {
		if v := fields[name]; v != "" {
			attrs = append(attrs, slog.String(name, v))
		}
	}
	if fields["call_ref"] != "" {
		attrs = append(attrs, slog.String("caller", number.Mask(fields["caller_e164"])))
	}
	return attrs
}
