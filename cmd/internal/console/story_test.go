package console_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"liandong/cmd/internal/phone"
)

// told is a step of a call as the log and the feed have it: an event, its detail, and whose it is.
type told struct{ event, detail, agent, phase string }

// The story of a call is a line of the log each, and the same in the feed: who arrived, who was rung, who answered,
// which key was pressed, what became of it, who joined, who takes the matter, and who ended it; with the call, the
// line, the desk and the number masked. So are registrations.
func TestStoryOfACall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	desk, partner := r.phone("1101", phone.AnswerAfter(0)), r.phone("2101", phone.AnswerAfter(0))
	root := r.signIn("root")
	ref := func() string {
		var list []struct{ ID, Phase string }
		r.until("the call talks", func() bool {
			_, body := root.send("GET", "/v1/calls", nil)
			return json.Unmarshal([]byte(body), &list) == nil && len(list) == 1 && list[0].Phase == "talking"
		})
		return list[0].ID
	}
	joined := r.call(r.phone("", phone.Policy{}), "110")
	r.reach(joined, phone.Confirmed)
	first, mine := ref(), <-desk.Incoming()
	r.presses(mine, "*3")
	theirs := <-partner.Incoming()
	r.reach(theirs, phone.Confirmed)
	r.presses(theirs, "*5")
	r.until("it is decided", func() bool { return strings.Contains(r.feed(root, first), `"decided"`) })
	if err := joined.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.reach(mine, phone.Ended)
	r.reach(theirs, phone.Ended)
	if err := partner.SetPolicy(phone.Busy()); err != nil {
		t.Fatal(err)
	}
	refused := r.call(r.phone("", phone.Policy{}), "110")
	r.reach(refused, phone.Confirmed)
	second := ref()
	mine = <-desk.Incoming()
	r.presses(mine, "*1")
	r.until("it has failed", func() bool { return strings.Contains(r.feed(root, second), `"failed"`) })
	if err := mine.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.reach(refused, phone.Ended)
	if err := partner.Unregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string][]told{
		first: {{"arrived", "", "", "ringing"}, {"ringing", "110", "1101", ""}, {"answered", "110", "1101", "talking"},
			{"key", "conference", "1101", ""}, {"ringing", "12345", "2101", ""}, {"partner_answered", "", "2101", ""},
			{"key", "accept", "2101", ""}, {"ended", "withdrawn", "", "ended"}},
		second: {{"key", "handover", "1101", ""}, {"ended", "normal", "", "ended"}},
	}
	for ref, steps := range want {
		for _, s := range steps {
			r.logged("msg=\"call "+s.event+"\"", ref, s)
			r.until(s.event+" "+s.detail+" is in the feed", func() bool { return fed(r.feed(root, ref), s) })
		}
	}
	for _, s := range []told{{"decided", "", "", ""}, {"failed", "", "", ""}} {
		ref := map[string]string{"decided": first, "failed": second}[s.event]
		r.logged("msg=\"ticket entry\"", ref, told{detail: s.event})
	}
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	defer c.Close()
	for _, event := range []string{"registered", "unregistered"} {
		r.logged("msg=\"call "+event+"\"", "", told{event: event, agent: "2101"})
		r.until(event+" is in the stream", func() bool {
			list, err := c.XRange(t.Context(), "liandong:calls", "-", "+").Result()
			for _, m := range list {
				if m.Values["event"] == event && m.Values["agent"] == "2101" && m.Values["hotline"] == "12345" {
					return true
				}
			}
			return err != nil
		})
	}
	if text := r.log.String(); strings.Contains(text, "13812345678") {
		t.Error("a number is whole in the log")
	}
}

// feed is what the feed still knows of a call.
func (r *rig) feed(b *browser, ref string) string {
	_, body := b.send("GET", "/v1/calls/"+ref+"/story", nil)
	return body
}

func fed(story string, s told) bool {
	var list []map[string]string
	if json.Unmarshal([]byte(story), &list) != nil {
		return false
	}
	for _, e := range list {
		if e["event"] == s.event && (s.detail == "" || e["detail"] == s.detail) &&
			(s.agent == "" || e["agent"] == s.agent) && (s.phase == "" || e["phase"] == s.phase) &&
			e["caller"] == "+86138****5678" && e["at"] != "" && e["hotline"] == "110" {
			return true
		}
	}
	return false
}

// logged waits for just one line of the log.
func (r *rig) logged(message, ref string, s told) {
	r.Helper()
	fields := []string{message}
	for name, v := range map[string]string{"call_ref": ref, "detail": s.detail, "agent": s.agent, "phase": s.phase} {
		if v != "" {
			fields = append(fields, name+"="+v)
		}
	}
	if ref != "" {
		fields = append(fields, "caller=+86138****5678", "hotline=110")
	}
	n := 0
	r.until(strings.Join(fields, " ")+" is in the log", func() bool {
		n = 0
	lines:
		for line := range strings.Lines(r.log.String()) {
			for _, f := range fields {
				if !regexp.MustCompile(`(^| )` + regexp.QuoteMeta(f) + `( |$)`).MatchString(strings.TrimSpace(line)) {
					continue lines
				}
			}
			n++
		}
		return n > 0
	})
	if n != 1 {
		r.Errorf("%d lines of the log have %q", n, fields)
	}
}
