package exchange

import (
	"encoding/hex"
	"strings"
	"testing"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/sip/header"
	"liandong/sip/leg"
)

var wang = number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK, Source: "pai"}

// coreWith is a call of a citizen, far enough to write INVITEs.
func coreWith(caller number.Number) *Core {
	return &Core{
		dir: simDirectory(), state: call.Call{Ref: "CALL", Caller: caller},
		world: World{Local: func(_, transport string) (leg.Local, bool) {
			return leg.Local{ViaHost: "10.1.0.1:5060", Transport: transport}, true
		}},
	}
}

// headers are the fields of an INVITE by name, joined where there are several.
func headers(i leg.Invite) map[string]string {
	all := map[string]string{"From": i.From.String(), "To": i.To.String()}
	for _, f := range i.Fields {
		all[f.Name] = strings.TrimPrefix(all[f.Name]+" | "+f.Value, " | ")
	}
	return all
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: got %q, want %q", name, got[name], w)
		}
	}
}

func TestDeskSeesTheCitizen(t *testing.T) {
	c := coreWith(wang)
	got := headers(c.toDesk(call.RingSeat{Hotline: "12345", Seat: "2101",
		For: call.Cause{Stub: "STUB", From: "110", To: "12345", By: "1101"}}, Place{}))
	compare(t, got, map[string]string{
		"From":                "<sip:13812345678@10.1.0.1>",
		"P-Asserted-Identity": "<sip:13812345678@10.1.0.1>",
		"To":                  "<sip:2101@10.1.0.1>",
		"Referred-By":         "<sip:1101@10.1.0.1>",
		"Diversion":           "<sip:110@10.1.0.1>;reason=deflection;counter=1",
		"Call-Info":           "<urn:liandong:call:CALL>;purpose=emergency-CallId | <urn:liandong:stub:STUB>;purpose=emergency-IncidentId",
		"User-to-User":        hex.EncodeToString([]byte("call=CALL,stub=STUB")) + ";encoding=hex",
	})
	if h := got["History-Info"]; !strings.Contains(h, "sip:110@10.1.0.1") || !strings.Contains(h, "index=1.1") {
		t.Errorf("History-Info: %q", h)
	}
}

// A first call has no stub, and nobody has diverted it.
func TestFirstCall(t *testing.T) {
	got := headers(coreWith(wang).toDesk(call.RingSeat{Hotline: "110", Seat: "1101"}, Place{}))
	compare(t, got, map[string]string{
		"From": "<sip:13812345678@10.1.0.1>", "Diversion": "", "History-Info": "",
		"Call-Info": "<urn:liandong:call:CALL>;purpose=emergency-CallId",
	})
}

func TestWithheldNumber(t *testing.T) {
	hidden := wang
	hidden.Status = number.Restricted
	c := coreWith(hidden)
	c.dir.Hotlines["110"].RevealRestricted = true
	const anon = "<sip:anonymous@anonymous.invalid>"
	compare(t, headers(c.toDesk(call.RingSeat{Hotline: "12345", Seat: "2101"}, Place{})),
		map[string]string{"From": anon, "P-Asserted-Identity": anon})
	// An emergency desk's policy overrides the caller's wish.
	compare(t, headers(c.toDesk(call.RingSeat{Hotline: "110", Seat: "1101"}, Place{})),
		map[string]string{"From": "<sip:13812345678@10.1.0.1>"})
}

func TestTrunkPolicy(t *testing.T) {
	ring := call.RingTrunk{Hotline: "119", Trunk: "fire", Number: "119",
		For: call.Cause{Stub: "STUB", From: "110", To: "119", By: "1101"}}
	trunk := desk.Trunk{Name: "fire", Network: "lab", Target: "10.2.0.9:5060", Transport: "udp", Trusted: true}
	hidden := number.Number{E164: wang.E164, Raw: wang.Raw, Status: number.Restricted}
	for name, c := range map[string]struct {
		change func(*desk.Trunk)
		caller number.Number
		want   map[string]string
	}{
		"the original number": {
			func(t *desk.Trunk) { t.PAI, t.Diversion, t.HistoryInfo = true, true, true }, wang,
			map[string]string{
				"From": "<sip:13812345678@10.1.0.1>", "To": "<sip:119@10.2.0.9>",
				"P-Asserted-Identity": "<sip:13812345678@10.1.0.1>",
				"Privacy":             "", "Diversion": "<sip:110@10.1.0.1>;reason=deflection;counter=1",
			},
		},
		"an own number, the original asserted": {
			func(t *desk.Trunk) { t.From, t.OwnNumber, t.PAI = desk.Own, "031187650000", true }, wang,
			map[string]string{"From": "<sip:031187650000@10.1.0.1>",
				"P-Asserted-Identity": "<sip:13812345678@10.1.0.1>", "Diversion": ""},
		},
		"nothing asserted": {func(*desk.Trunk) {}, wang, map[string]string{"From": "<sip:13812345678@10.1.0.1>",
			"P-Asserted-Identity": "", "History-Info": ""}},
		"withheld, to a trusted peer": {
			func(t *desk.Trunk) { t.PAI = true }, number.Number{E164: wang.E164, Raw: wang.Raw,
				Status: number.Restricted},
			map[string]string{"From": "<sip:anonymous@anonymous.invalid>",
				"P-Asserted-Identity": "<sip:13812345678@10.1.0.1>", "Privacy": "id"},
		},
		// RFC 3325 §5: neither the number nor the wish goes to who is not trusted, also
		// where the line itself may see the number.
		"withheld, to a peer that is not trusted": {
			func(t *desk.Trunk) { t.PAI, t.Trusted, t.Diversion, t.HistoryInfo = true, false, true, true }, hidden,
			map[string]string{"From": "<sip:anonymous@anonymous.invalid>", "P-Asserted-Identity": "", "Privacy": ""},
		},
		"asserted to who is not trusted": {
			func(t *desk.Trunk) { t.PAI, t.Trusted = true, false }, wang,
			map[string]string{"From": "<sip:13812345678@10.1.0.1>", "P-Asserted-Identity": ""},
		},
		"no number at all": {
			func(t *desk.Trunk) { t.PAI = true }, number.Number{Raw: "anonymous", Status: number.Unavailable},
			map[string]string{"From": "<sip:anonymous@anonymous.invalid>", "P-Asserted-Identity": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			one := trunk
			c.change(&one)
			core := coreWith(c.caller)
			core.dir.Hotlines["119"].RevealRestricted = !one.Trusted
			got := headers(core.toTrunk(ring, &one))
			compare(t, got, c.want)
			if withheld := "13812345678"; !one.Trusted && c.caller.Status == number.Restricted {
				for name, value := range got {
					if strings.Contains(value, withheld) || strings.Contains(value,
						hex.EncodeToString([]byte(withheld))) {
						t.Errorf("%s shows the number: %s", name, value)
					}
				}
			}
		})
	}
}

// What a caller's user part says of the network that it comes from does not get into the other one.
func TestNoHostCrosses(t *testing.T) {
	const anon = "<sip:anonymous@anonymous.invalid>"
	for raw, crosses := range map[string]bool{
		"13812345678": true, "8001": true, "alice": true, "+86.311.8765": true, "*77": true,
		"10.1.0.9": false, "fe80::1": false, "pbx.police.internal": false, "8001@10.1.0.9": false, "[fe80::1]": false,
	} {
		from := number.Number{Raw: raw, Status: number.Invalid, Source: "from"}
		c := coreWith(from)
		c.origin.Network = "police"
		at, trunk := Place{Flow: leg.Flow{Network: "gov"}}, &desk.Trunk{Network: "gov", PAI: true}
		for where, got := range map[string]map[string]string{
			"a desk":  headers(c.toDesk(call.RingSeat{Hotline: "12345", Seat: "2101"}, at)),
			"a trunk": headers(c.toTrunk(call.RingTrunk{Hotline: "12345", Number: "12345"}, trunk)),
		} {
			if shown := got["From"] != anon; shown != crosses {
				t.Errorf("%q towards %s: From is %s", raw, where, got["From"])
			}
			if !crosses && strings.Contains(got["P-Asserted-Identity"], raw) {
				t.Errorf("%q towards %s: asserted %s", raw, where, got["P-Asserted-Identity"])
			}
		}
		at.Flow.Network = "police"
		if from := headers(c.toDesk(call.RingSeat{Hotline: "110", Seat: "1101"}, at))["From"]; from == anon {
			t.Errorf("%q within its network: From is %s", raw, from)
		}
	}
}

// A ring of the operator's choice goes on to the desk (RFC 7462), but nothing
// that would have the phone fetch something, and nothing from who is not trusted.
func TestAlertInfo(t *testing.T) {
	for trusted, want := range map[bool]string{true: "<urn:alert:source:external>", false: ""} {
		c := coreWith(wang)
		c.origin.Trunk, c.dir.Trunks["pstn"].Trusted = "pstn", trusted
		c.before = c.way(leg.Invited{AlertInfo: []string{"<urn:alert:source:external>", "<http://10.2.0.9/ring.wav>"}})
		compare(t, headers(c.toDesk(call.RingSeat{Hotline: "110", Seat: "1101"}, Place{})),
			map[string]string{"Alert-Info": want})
	}
}

// RFC 5806: the counter adds up what has happened to the call before; an overflow
// is a diversion as well.
func TestDiversionsAddUp(t *testing.T) {
	c := coreWith(wang)
	c.before = c.way(leg.Invited{Diversions: []header.Diversion{{Counter: 2}, {}}})
	fire := *c.dir.Trunks["fire"]
	over := headers(c.toTrunk(call.RingTrunk{Hotline: "12345", Trunk: "fire", Number: "1100"}, &fire))
	compare(t, over, map[string]string{"Diversion": "<sip:12345@10.1.0.1>;reason=unavailable;counter=4"})
	first := headers(c.toTrunk(call.RingTrunk{Hotline: "119", Trunk: "fire", Number: "119"}, &fire))
	compare(t, first, map[string]string{"Diversion": ""})
}

// Diversions by others are no loop, however many; those by our own lines are, for the call goes round by here.
func TestOnlyOurOwnDiversionsAreALoop(t *testing.T) {
	by := func(user string) header.Diversion {
		return header.Diversion{Who: header.NameAddr{URI: header.URI{Scheme: "sip", User: user, Host: "h"}}, Counter: 2}
	}
	for want, user := range map[int]string{0: "96110", 14: "110"} {
		c := coreWith(wang)
		var list []header.Diversion
		for range 7 {
			list = append(list, by(user))
		}
		if b := c.way(leg.Invited{Diversions: list}); b.Rounds != want || b.Diverted != 14 {
			t.Errorf("seven times by %s: %+v", user, b)
		}
	}
}

// What a trusted trunk has said of the way stays in its network; the other side of the boundary learns how often.
func TestDiversionsGoOnWithinTheirNetwork(t *testing.T) {
	for network, want := range map[string][2]string{
		"lab": {"<sip:12345@10.1.0.1>;reason=unavailable;counter=1, <sip:96110@10.9.9.9>;reason=no-answer;counter=3",
			"1, 1.1, 1.1.1"},
		"gov": {"<sip:12345@10.1.0.1>;reason=unavailable;counter=4", "1, 1.1"},
	} {
		c := coreWith(wang)
		c.origin.Trunk, c.origin.Network, c.dir.Trunks["pstn"].Trusted = "pstn", "lab", true
		diversions, _ := header.ParseDiversions("<sip:96110@10.9.9.9>;reason=no-answer;counter=3")
		history, _ := header.ParseHistory("<sip:96110@10.9.9.9>;index=1")
		c.before = c.way(leg.Invited{Diversions: diversions, History: history})
		fire := *c.dir.Trunks["fire"]
		fire.Network, fire.HistoryInfo, fire.Diversion = network, true, true
		var got [2]string
		for _, f := range c.toTrunk(call.RingTrunk{Hotline: "12345", Trunk: "fire", Number: "1100"}, &fire).Fields {
			switch f.Name {
			case "Diversion":
				got[0] += ", " + f.Value
			case "History-Info":
				e, _ := header.ParseHistory(f.Value)
				got[1] += ", " + e[0].Index
			}
		}
		if want != [2]string{strings.TrimPrefix(got[0], ", "), strings.TrimPrefix(got[1], ", ")} {
			t.Errorf("%s: %q", network, got)
		}
	}
}

func TestCalledNumber(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:12345;phone-context=+86311@h;user=phone": "12345;phone-context=+86311",
		"sip:12345@h;phone-context=+86311":            "12345;phone-context=+86311",
		"tel:12345;phone-context=+86311":              "12345;phone-context=+86311",
		"sip:*9%23@h":                                 "*9#",
		"urn:service:sos.fire":                        "urn:service:sos.fire",
		"sip:+8631112345@h":                           "+8631112345",
	} {
		u, err := header.ParseURI(uri)
		if got := calledNumber(u); err != nil || got != want {
			t.Errorf("%s: %q %v", uri, got, err)
		}
	}
}
