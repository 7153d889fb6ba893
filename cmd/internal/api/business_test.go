package api

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

// The figures of a hotline follow its calls: answered, given up, handed over.
func TestBusiness(t *testing.T) {
	s := bordered(t, loopback)
	s.phones = func(user string) []netip.Addr {
		return map[string][]netip.Addr{"1101": {netip.MustParseAddr("10.1.0.21")}}[user]
	}
	b, at := s.sw.Business, time.Now().Add(-time.Minute)
	tell := func(event, ref string, after time.Duration) {
		b.Told(event, news.From(map[string]string{"call_ref": ref, "hotline": "110"}), at.Add(after))
	}
	tell("arrived", "a", 0)
	tell("answered", "a", 4*time.Second)
	tell("answered", "a", 20*time.Second) // the partner's desk
	tell("ended", "a", 30*time.Second)
	tell("arrived", "b", 0)
	tell("ended", "b", 9*time.Second)
	tell("arrived", "c", 0)
	b.Wrote(ticket.Entry{StubID: "S", Event: ticket.Opened, From: "110", To: "12345"}, at)
	b.Wrote(ticket.Entry{StubID: "S", Event: ticket.Answered, From: "110", To: "12345", Mode: "direct"},
		at.Add(3*time.Second))
	_, page := request(s, configs.Listener{}, "GET", "/metrics", "127.0.0.1")
	for _, want := range []string{
		`liandong_hotline_calls_total{hotline="110"} 3`, `liandong_hotline_answered_total{hotline="110"} 1`,
		`liandong_hotline_abandoned_total{hotline="110"} 1`,
		`liandong_hotline_answer_seconds_bucket{hotline="110",le="5"} 1`, `liandong_hotline_waiting{hotline="110"} 1`,
		`liandong_hotline_longest_wait_seconds{hotline="110"} 6`,
		`liandong_linked_total{from="110",mode="direct",result="answered",to="12345"} 1`,
		`liandong_key_answer_seconds_bucket{from="110",to="12345",le="5"} 1`,
		`liandong_seats{hotline="110",state="free"} 1`, `liandong_seats{hotline="12345",state="unregistered"} 1`,
		`liandong_seats{hotline="12345",state="free"} 0`,
		"liandong_build_info{", "go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
}
