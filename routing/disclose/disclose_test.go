package disclose

import (
	"testing"

	"liandong/routing/desk"
	"liandong/routing/number"
)

const mobile, own, host = "13812345678", "031100000000", "pbx.police.local"

func caller(s number.Status, raw string) Caller {
	return Caller{Number: number.Number{Raw: raw, Status: s}, Network: "police"}
}

var (
	emergency = &desk.Hotline{RevealRestricted: true}
	service   = &desk.Hotline{}
)

// What a line's desks see, by the number's status and the line's policy.
func TestToLine(t *testing.T) {
	for _, test := range []struct {
		status             number.Status
		emergency, service string
	}{
		{number.OK, mobile, mobile},
		{number.Invalid, mobile, mobile},
		{number.Restricted, mobile, ""},
		{number.Unavailable, "", ""},
	} {
		c := caller(test.status, mobile)
		for line, want := range map[*desk.Hotline]string{emergency: test.emergency, service: test.service,
			nil: test.service} {
			for _, network := range []string{"police", "government", AnyNetwork} {
				if got := c.ToLine(line, network); got != want {
					t.Errorf("%v: a line with %+v sees %q in %q, want %q", test.status, line, got, network, want)
				}
			}
		}
	}
}

// What looks like a host of one network is not told in another, nor to who watches from anywhere.
func TestHostsStay(t *testing.T) {
	for _, raw := range []string{host, "10.0.0.1", "fd00::1", "x@y", "[fd00::1]"} {
		c := caller(number.Invalid, raw)
		for network, want := range map[string]string{"police": raw, "government": "", AnyNetwork: ""} {
			if got := c.ToLine(emergency, network); got != want {
				t.Errorf("%q is told as %q in %q", raw, got, network)
			}
		}
	}
}

// What a trunk is told, in From and as P-Asserted-Identity, by status, trust and policy.
func TestToTrunk(t *testing.T) {
	trunk := func(trusted, pai bool, from desk.FromPolicy) *desk.Trunk {
		return &desk.Trunk{Network: "police", Trusted: trusted, PAI: pai, From: from, OwnNumber: own}
	}
	for _, test := range []struct {
		status    number.Status
		trunk     *desk.Trunk
		emergency string // From of a call for an emergency line
		service   string // … for another one, or nobody's
		asserted  string
		private   bool
	}{
		{number.OK, trunk(true, true, desk.Original), mobile, mobile, mobile, false},
		{number.OK, trunk(true, false, desk.Original), mobile, mobile, "", false},
		{number.OK, trunk(false, true, desk.Original), mobile, mobile, "", false},
		{number.OK, trunk(true, true, desk.Own), own, own, mobile, false},
		{number.Restricted, trunk(true, true, desk.Original), mobile, "", mobile, true},
		{number.Restricted, trunk(false, true, desk.Original), "", "", "", false},
		{number.Restricted, trunk(false, false, desk.Own), own, own, "", false},
		{number.Unavailable, trunk(true, true, desk.Original), "", "", "", false},
		{number.Invalid, trunk(true, true, desk.Original), mobile, mobile, mobile, false},
	} {
		c := caller(test.status, mobile)
		for line, want := range map[*desk.Hotline]string{emergency: test.emergency, service: test.service,
			nil: test.service} {
			if got := c.FromTo(test.trunk, line); got != want {
				t.Errorf("%v to %+v: From has %q, want %q", test.status, test.trunk, got, want)
			}
		}
		if id, private := c.AssertedTo(test.trunk); id != test.asserted || private != test.private {
			t.Errorf("%v to %+v: asserted %q, private %v", test.status, test.trunk, id, private)
		}
	}
}
