package api

import (
	"strings"
	"testing"

	"liandong/configs"
	"liandong/routing/desk"
	"liandong/routing/exchange"
)

// A seat is set by who may press its keys: its own phone by GET, its line's desks, and nobody else; what it is set to
// is one of the words that there are.
func TestSetAgent(t *testing.T) {
	t.Parallel()
	s := bordered(t,
		configs.Grant{Name: "police", Role: configs.RoleDesk, Token: desk.NewSecret("T-police"),
			Lines: []string{"110"}},
		configs.Grant{Name: "prometheus", Role: configs.RoleMonitor, From: from("172.20.0.5/32")})
	cfg := *s.conf()
	cfg.Reasons = []string{"break"}
	s.SetConfig(cfg)
	for _, c := range []struct {
		method, target, from, token string
		want                        int
		state                       exchange.AgentState // of 1101 afterwards
	}{
		{"POST", "/v1/seats/1101/state?state=not_ready&reason=break", "192.0.2.1", "T-police", 200, exchange.NotReady},
		{"POST", "/v1/seats/1101/state?state=ready", "192.0.2.1", "T-police", 200, exchange.Ready},
		{"GET", "/v1/keys/not_ready?user=1101", "10.1.0.21", "", 200, exchange.NotReady},
		{"GET", "/v1/keys/ready?user=1101", "172.20.0.21", "", 403, exchange.NotReady},
		{"GET", "/v1/keys/ready?user=1101", "10.1.0.21", "", 200, exchange.Ready},
		{"POST", "/v1/seats/1101/state?state=not_ready&reason=lunch", "192.0.2.1", "T-police", 400, exchange.Ready},
		{"POST", "/v1/seats/1101/state?state=asleep", "192.0.2.1", "T-police", 400, exchange.Ready},
		{"POST", "/v1/seats/1101/state?state=not_ready", "172.20.0.5", "", 403, exchange.Ready},
		{"POST", "/v1/seats/2101/state?state=not_ready", "192.0.2.1", "T-police", 403, exchange.Ready},
		{"POST", "/v1/seats/9999/state?state=not_ready", "192.0.2.1", "T-police", 403, exchange.Ready},
		{"GET", "/v1/keys/not_ready", "192.0.2.1", "T-police", 400, exchange.Ready},
	} {
		got, body := request(s, configs.Listener{}, c.method, c.target, c.from, "Authorization", "Bearer "+c.token)
		if a := s.sw.Calls.Agent("1101"); got != c.want || a.State != c.state {
			t.Errorf("%s %s from %s: %d %s, want %d; the seat is %+v", c.method, c.target, c.from, got, body, c.want, a)
		}
	}
	if a := s.sw.Calls.Agent("2101"); a.State != exchange.Ready {
		t.Errorf("the other line's is %+v", a)
	}
}

// The figures have a state for every seat.
func TestSeatsByState(t *testing.T) {
	t.Parallel()
	s := bordered(t, loopback)
	if _, err := s.sw.Calls.SetAgent("1101", exchange.NotReady, ""); err != nil {
		t.Fatal(err)
	}
	_, body := ask(s, "GET", "/metrics", friend)
	for _, want := range []string{`liandong_seats{hotline="110",state="not_ready"} 1`,
		`liandong_seats{hotline="12345",state="free"} 1`, `liandong_seats{hotline="110",state="after_call"} 0`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}
