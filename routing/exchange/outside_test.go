package exchange

import (
	"testing"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/sip/header"
)

// permitting is a switch whose 110 desks may hand callers to some numbers outside.
func permitting(t *testing.T, numbers ...string) *Core {
	t.Helper()
	c := coreWith(wang)
	c.dir.Realm, c.dir.Plan = "hotline.example.cn", number.Plan{AreaCode: "0311"}
	c.dir.Hotlines["110"].Transfer.Trunk = "pstn"
	for _, n := range numbers {
		r, ok := c.dir.Plan.Range(n)
		if !ok {
			t.Fatalf("%q is no range", n)
		}
		c.dir.Hotlines["110"].Transfer.Numbers = append(c.dir.Hotlines["110"].Transfer.Numbers, r)
	}
	return c
}

// A number is permitted in whatever spelling, and dialled in one.
func TestNumbersOutside(t *testing.T) {
	c := permitting(t, "0311*", "96110")
	desk := &party{User: "1101", Network: "lab", Transport: "udp"}
	for to, want := range map[string]string{
		"<sip:031187654321@10.1.0.1>": "031187654321", "<sip:+8631187654321@10.1.0.1:5060;user=phone>": "031187654321",
		"sip:87654321@hotline.example.cn;transport=tls": "031187654321", "<tel:+8631187654321>": "031187654321",
		"031187654321":                    "031187654321",
		"<sip:%30311%387654321@10.1.0.1>": "031187654321", // RFC 3261 §19.1.4: escaped or not, it is the same
		"<sip:96110@10.1.0.1>":            "96110",
		// Headers of the URI have no effect (RFC 3261 §19.1.5 leaves that to us).
		"<sip:031187654321@10.1.0.1?Route=%3Csip:evil.example%3E>": "031187654321",
	} {
		r, err := header.ParseReferTo(to)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if _, got, ok := c.meant(desk, r.URI); !ok || got != (call.Target{Hotline: "110", Trunk: "pstn",
			Number: want}) {
			t.Errorf("%s is %+v %v", to, got, ok)
		}
	}
}

// What is no permitted number at this host, or is more than that, is refused.
func TestNumbersOutsideRefused(t *testing.T) {
	c := permitting(t, "0311*", "96110")
	desk := &party{User: "1101", Network: "lab", Transport: "udp"}
	for _, to := range []string{
		"<sip:031187654321@evil.example>", "<sip:031187654321@10.1.0.1.evil.example>",
		"<sip:031187654321@10.2.0.9:5060>", "<sip:031187654321%40evil.example@10.1.0.1>",
		"<sip:031187654321:pass@10.1.0.1>", "<sip:031187654321;ext=0900@10.1.0.1>", "<sip:0311;ext=87654321@10.1.0.1>",
		"<tel:+8631187654321;ext=99>",
		"<tel:87654321;phone-context=+86311>", "<sip:031187654321@10.1.0.1;maddr=10.9.9.9>",
		"<sip:031187654321@10.1.0.1;lr>",
		"<sip:031187654321%2C0900@10.1.0.1>", "<sip:031187654321,,0900@10.1.0.1>", "<sip:031187654321p0900@10.1.0.1>",
		"<sip:031187654321%3B1@10.1.0.1>",
		"<sip:0311%2A@10.1.0.1>", "<sip:0311*@10.1.0.1>", "<sip:*310311@10.1.0.1>", "<sip:031187654321%23@10.1.0.1>",
		"<sip:031187654321%00@10.1.0.1>",
		"<sip:0311-87654321@10.1.0.1>", "<sip:(0311)87654321@10.1.0.1>", "<sip:%200311 87654321@10.1.0.1>",
		"<sip:０３１１８７６５４３２１@10.1.0.1>",
		"<sip:%EF%BC%90311@10.1.0.1>", "<sip:+861087654321@10.1.0.1>", "<sip:0031187654321@10.1.0.1>",
		"<sip:+3118765432@10.1.0.1>",
		"<sip:0311876543210000@10.1.0.1>", "<sip:0311@10.1.0.1>", "<sip:031196110x@10.1.0.1>", "<sip:961101@10.1.0.1>",
		"<sip:9611@10.1.0.1>",
		"<sip:13812345678@10.1.0.1>", "<sip:0900123456@10.1.0.1>", "<sip:@10.1.0.1>", "sip:10.1.0.1",
		"<sips:031187654321@evil.example>",
		"<mailto:031187654321>", "<sip:031187654321@10.1.0.1>, <sip:0900@10.1.0.1>",
	} {
		r, err := header.ParseReferTo(to)
		if err != nil {
			continue
		}
		if _, got, ok := c.meant(desk, r.URI); ok {
			t.Errorf("%s is %+v", to, got)
		}
	}
	good, _ := header.ParseReferTo("<sip:031187654321@10.1.0.1>")
	for who, p := range map[string]*party{"a desk of another line": {User: "2101", Network: "lab"},
		"a stranger": {User: "9999", Network: "lab"}, "a trunk": {Network: "lab"}} {
		if _, got, ok := c.meant(p, good.URI); ok {
			t.Errorf("%s reaches %+v", who, got)
		}
	}
}

// Who is outside is told of the citizen as the trunk's policy has it, and of no desk. A
// withheld number is not shown, whatever the line may see (RFC 3323 §4.1).
func TestOutsideIsToldOfTheCitizen(t *testing.T) {
	pstn := desk.Trunk{Name: "pstn", Network: "lab", Target: "10.2.0.9:5060", Transport: "udp", Trusted: true,
		PAI: true, Diversion: true}
	ring := call.RingTrunk{Trunk: "pstn", Number: "031187654321", For: call.Cause{From: "110", To: "031187654321"}}
	compare(t, headers(coreWith(wang).toTrunk(ring, &pstn)), map[string]string{
		"From": "<sip:13812345678@10.1.0.1>", "To": "<sip:031187654321@10.2.0.9>",
		"P-Asserted-Identity": "<sip:13812345678@10.1.0.1>", "Privacy": "",
		"Diversion": "<sip:110@10.1.0.1>;reason=deflection;counter=1", "Referred-By": "",
	})
	hidden := wang
	hidden.Status = number.Restricted
	c := coreWith(hidden)
	c.dir.Hotlines["110"].RevealRestricted = true
	compare(t, headers(c.toTrunk(ring, &pstn)), map[string]string{
		"From": "<sip:anonymous@anonymous.invalid>", "P-Asserted-Identity": "<sip:13812345678@10.1.0.1>",
		"Privacy": "id",
	})
}
