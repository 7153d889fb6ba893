package load

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// labTarget is what the flags give by themselves.
func labTarget() Target {
	return Target{
		Server: netip.MustParseAddrPort("127.0.0.1:5060"), From: netip.MustParseAddr("127.0.0.10"),
		At:        netip.MustParseAddr("127.0.0.1"),
		Transport: "udp", Codec: "pcma", To: "110", Number: 13800000000, Domain: "liandong.lab", Password: "lab-{user}",
		Desk: 1101, Partner: 2101, Seats: 2, Rate: 10,
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	with := func(change func(*Target)) Target { t := labTarget(); change(&t); return t }
	for name, c := range map[string]interface{ Check() error }{
		"": Relay{Target: labTarget(), Calls: 2, Duration: time.Second},
		"--server": Relay{Target: with(func(t *Target) { t.Server = netip.AddrPort{} }), Calls: 1,
			Duration: time.Second},
		"--from": CPS{Target: with(func(t *Target) { t.From = netip.IPv4Unspecified() }), Calls: 1,
			Duration: time.Second, Hold: time.Second},
		"--rate": CPS{Target: with(func(t *Target) { t.Rate = 0 }), Calls: 1, Duration: time.Second,
			Hold: time.Second},
		"--hold":     CPS{Target: labTarget(), Calls: 1, Duration: time.Second, Hold: 2 * time.Hour},
		"--duration": Relay{Target: labTarget(), Calls: 1, Duration: 0},
		"--seats":    Relay{Target: labTarget(), Calls: 3, Duration: time.Second},
		"--calls": Relay{Target: with(func(t *Target) { t.Rate, t.Seats = 0.0001, 4 }), Calls: 4,
			Duration: time.Second},
		"--key":    Conf{Target: labTarget(), Calls: 1, Duration: time.Second, Key: "*x"},
		"--settle": Conf{Target: labTarget(), Calls: 1, Duration: time.Second, Key: "*3", Settle: time.Hour},
		"--to": Handover{Target: with(func(t *Target) { t.To = "a b" }), Calls: 1, Key: "*1",
			TransferTo: "12345"},
		"--pid": Handover{Target: with(func(t *Target) { t.PID = -1 }), Calls: 1, Key: "*1", TransferTo: "12345"},
	} {
		err := c.Check()
		if name == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if !errors.Is(err, ErrOption) || !strings.Contains(err.Error(), name) || strings.Count(err.Error(), "--") > 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReachable(t *testing.T) {
	target := labTarget()
	target.MediaAllow = []netip.Addr{netip.MustParseAddr("10.0.0.7")}
	for a, want := range map[string]bool{"127.0.0.1": true, "10.0.0.7": true, "127.0.0.10": false, "10.0.0.8": false,
		"::1": false} {
		if got := target.reachable(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}

func TestCallee(t *testing.T) {
	target := labTarget()
	target.To = "{user}-{n}"
	if got := target.callee(3); got != "1102-3" {
		t.Error(got)
	}
	target.Seats = 0
	if got := target.callee(3); got != "1101-3" {
		t.Error(got)
	}
}

// Whatever a server makes of the caller's number, the call is known by its end.
func TestIndex(t *testing.T) {
	target := labTarget()
	for _, tt := range []struct {
		id   phone.Identity
		want int
		ok   bool
	}{
		{phone.Identity{From: "13800000007"}, 7, true},
		{phone.Identity{From: "anonymous", PAI: []string{"+8613800000000"}}, 0, true},
		{phone.Identity{From: "+8613800000010"}, 0, false}, // not one of ten
		{phone.Identity{From: "110"}, 0, false},
		{phone.Identity{From: ""}, 0, false},
		{phone.Identity{From: "13799999999"}, 0, false},
	} {
		if n, ok := target.index(tt.id, 10); n != tt.want || ok != tt.ok {
			t.Errorf("%+v: %d, %v", tt.id, n, ok)
		}
	}
}
