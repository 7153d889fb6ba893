package desk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"liandong/routing/number"
)

func two() *Directory {
	return &Directory{
		Hotlines: map[string]*Hotline{
			"110":   {ID: "110", Numbers: []string{"110", "+8631112110"}, Partner: "12345", Seats: []string{"1101"}},
			"12345": {ID: "12345", Numbers: []string{"12345", "031188345678"}, Partner: "999"},
		},
		Seats: map[string]*Seat{"1101": {User: "1101", Hotline: "110"}, "9999": {User: "9999", Hotline: "999"}},
		Plan:  number.Plan{AreaCode: "0311"},
	}
}

func TestDialed(t *testing.T) {
	for called, want := range map[string]string{
		"110": "110", "+86110": "110", "12345": "12345", "+8631188345678": "12345", "8631188345678": "12345",
		"031188345678": "12345", "88345678": "12345",
		"031112345": "12345", "+8631112345": "12345", "12345;phone-context=+86311": "12345", "0311110": "110",
		"+860311110": "110", "0312110": "110",
		"0311119": "", "119": "", "": "", "anonymous": "", "1": "", "86119": "",
	} {
		h, ok := two().LineByNumber(called)
		if ok != (want != "") || ok && h.ID != want {
			t.Errorf("%q: %v %v, want %q", called, h, ok, want)
		}
	}
}

func TestAtAndPartner(t *testing.T) {
	d := two()
	if h, ok := d.At("1101"); !ok || h.ID != "110" {
		t.Error("1101 sits at 110")
	}
	if h, ok := d.Partner("110"); !ok || h.ID != "12345" {
		t.Error("110 hands over to 12345")
	}
	for _, user := range []string{"nobody", "9999"} {
		if h, ok := d.At(user); ok || h != nil {
			t.Errorf("%s sits nowhere", user)
		}
	}
	for _, id := range []string{"none", "12345"} {
		if h, ok := d.Partner(id); ok || h != nil {
			t.Errorf("%s has no partner", id)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for _, name := range RingNames() {
		if r, ok := RingByName(name); !ok || r.String() != name {
			t.Errorf("ring %s: %v %v", name, r, ok)
		}
	}
	for _, name := range FromNames() {
		if p, ok := FromByName(name); !ok || p.String() != name {
			t.Errorf("from %s: %v %v", name, p, ok)
		}
	}
	if _, ok := RingByName("some"); ok {
		t.Error("some is no ring")
	}
	if _, ok := FromByName("some"); ok {
		t.Error("some is no policy")
	}
}

func TestSecretShowsItselfNowhere(t *testing.T) {
	s := NewSecret("geheim")
	in := struct{ Password Secret }{s}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "in", in)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "in", in)
	fmt.Fprintf(&out, "%v %s %q %#v %+v %#v", s, s, s, s, in, in)
	if err := json.NewEncoder(&out).Encode(in); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "geheim") {
		t.Error(out.String())
	}
	if s.Reveal() != "geheim" || s.IsZero() || !(Secret{}).IsZero() || (Secret{}).String() != "" {
		t.Error("a secret is still a secret")
	}
}

// RFC 5031 §4.2: a service that nobody names is that of the one above it; nobody who needs help is told 404.
func TestEmergencyServices(t *testing.T) {
	d := two()
	d.Emergency = "110"
	d.Hotlines["119"] = &Hotline{ID: "119", Numbers: []string{"119", "urn:service:sos.fire"}}
	for called, want := range map[string]string{
		"urn:service:sos": "110", "urn:service:sos.police": "110", "URN:service:SOS.fire": "119",
		"urn:service:sos.fire.forest": "119",
		"urn:service:sos.ambulance":   "110", "urn:service:counseling": "",
	} {
		h, ok := d.LineByNumber(called)
		if ok != (want != "") || ok && h.ID != want {
			t.Errorf("%q: %v %v, want %q", called, h, ok, want)
		}
	}
	d.Emergency = ""
	if h, ok := d.LineByNumber("urn:service:sos"); !ok || h.ID != "110" {
		t.Errorf("without a line for urgent stubs: %v", h)
	}
	d.Hotlines["12345"].Numbers = append(d.Hotlines["12345"].Numbers, "urn:service:sos")
	if h, ok := d.LineByNumber("urn:service:sos.police"); !ok || h.ID != "12345" {
		t.Errorf("the config has it otherwise: %v", h)
	}
}
