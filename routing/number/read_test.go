package number

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"liandong/sip/header"
)

func addresses(t *testing.T, s string) []header.NameAddr {
	t.Helper()
	if s == "" {
		return nil
	}
	list, err := header.ParseNameAddrs(s)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		pai, rpid, from string
		privacy         []string
		trusted         bool
		want            Number
	}{
		"pai, tel before sip": {
			pai: "<sip:13912345678@x>, <tel:+8613812345678>", from: "<sip:1000@x>", trusted: true,
			want: Number{"+8613812345678", "+8613812345678", OK, "pai"},
		},
		"rpid": {
			rpid: `"Wang" <sip:13812345678@x>;privacy=off`, from: "<sip:1000@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "rpid"},
		},
		"from": {from: "<sip:031187654321@x;user=phone>", trusted: true,
			want: Number{"+8631187654321", "031187654321", OK, "from"}},
		"an untrusted peer asserts nothing": {
			pai: "<tel:110>", rpid: "<sip:120@x>", from: "<sip:13912345678@x>",
			want: Number{"+8613912345678", "13912345678", OK, "from"},
		},
		"withheld": {
			pai: "<tel:13812345678>", from: "<sip:anonymous@anonymous.invalid>", privacy: []string{"id"}, trusted: true,
			want: Number{"+8613812345678", "13812345678", Restricted, "pai"},
		},
		"withheld by rpid": {
			rpid: "<sip:13812345678@x>;privacy=full", from: "<sip:anonymous@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", Restricted, "rpid"},
		},
		"anonymous From beside an asserted number": {
			pai: "<tel:13812345678>", from: "<sip:anonymous@anonymous.invalid>", trusted: true,
			want: Number{"+8613812345678", "13812345678", Restricted, "pai"},
		},
		"only the name is withheld": {
			rpid: "<sip:13812345678@x>;privacy=name", from: "<sip:1@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "rpid"},
		},
		"rpid of the called party": {
			rpid: "<sip:110@x>;party=called, <sip:13812345678@x>;party=calling", from: "<sip:1@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "rpid"},
		},
		"pai before rpid": {
			pai: "<sip:13812345678@x>", rpid: "<sip:13912345678@x>", from: "<sip:1@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "pai"},
		},
		"withheld from an untrusted peer": {
			from: "<sip:13812345678@x>", privacy: []string{"user", "id"},
			want: Number{"+8613812345678", "13812345678", Restricted, "from"},
		},
		"withheld and unknown": {
			from: "<sip:anonymous@anonymous.invalid>", privacy: []string{"id"}, trusted: true,
			want: Number{"", "anonymous", Unavailable, "from"},
		},
		"a handset by its serial number": {
			pai: "<urn:gsma:imei:90420156-025763-0>", from: "<sip:unavailable@x>", trusted: true,
			want: Number{"", "unavailable", Unavailable, "from"},
		},
		"zeros": {from: "<sip:00000000@x>", want: Number{"", "00000000", Unavailable, "from"}},
		"a local tel, with context": {from: "<tel:8765-4321;phone-context=+8610>",
			want: Number{"+861087654321", "8765-4321", OK, "from"}},
		"control characters": {from: "<sip:1%0d%0aX@x>", want: Number{"", "1X", Invalid, "from"}},
		"anonymous": {from: "<sip:anonymous@anonymous.invalid>",
			want: Number{"", "anonymous", Unavailable, "from"}},
		"without a SIM": {from: "<sip:x>", want: Number{"", "", Unavailable, "from"}},
		"no number":     {from: "<sip:alice@x>", want: Number{"", "alice", Invalid, "from"}},
		"a useless pai": {pai: "<sip:operator@x>", from: "<sip:13812345678@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "from"}},
		"a whole address": {from: "<sip:13812345678%4010.1.0.9@x>",
			want: Number{"+8613812345678", "13812345678", OK, "from"}},
		"phone-context": {from: "<sip:13812345678;phone-context=+86@x>",
			want: Number{"+8613812345678", "13812345678", OK, "from"}},
	} {
		id := header.Identity{PAI: addresses(t, c.pai), RPID: addresses(t, c.rpid), From: addresses(t, c.from)[0],
			Privacy: c.privacy}
		if got := shijiazhuang.Read(id, c.trusted); got != c.want {
			t.Errorf("%s: got %q %q %v %q, want %q %q %v %q", name, got.E164, got.Raw, got.Status, got.Source,
				c.want.E164, c.want.Raw, c.want.Status, c.want.Source)
		}
	}
}

// A ticket takes no more than a number's worth of text.
func TestReadIsBounded(t *testing.T) {
	long := header.NameAddr{URI: header.URI{Scheme: "sip", User: strings.Repeat("号", 5000), Host: "x"}}
	n := shijiazhuang.Read(header.Identity{From: long}, false)
	if n.Status != Invalid || len(n.Raw) > maxRaw || !utf8.ValidString(n.Raw) {
		t.Errorf("got %d bytes, %v", len(n.Raw), n.Status)
	}
}

// No way of logging or printing a number shows it whole; JSON does, as the
// stored call needs it, so a list of numbers is never an attribute of a log.
func TestNumberIsMasked(t *testing.T) {
	n := Number{E164: "+8613812345678", Raw: "013812345678", Status: OK, Source: "pai"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "caller", n, "pointer", &n)
	text := b.String() + fmt.Sprintf("%v %+v %#v %s %v", n, &n, n, n, struct{ N Number }{n})
	if strings.Contains(text, "13812345678") || !strings.Contains(text, "138****5678") {
		t.Error(text)
	}
}

// A stored call is read back as it was.
func TestStatusIsStored(t *testing.T) {
	for s := OK; s <= Invalid; s++ {
		n := Number{E164: "110", Raw: "110", Status: s, Source: "pai"}
		b, err := json.Marshal(n)
		var back Number
		if err != nil || json.Unmarshal(b, &back) != nil || back != n {
			t.Errorf("%s %v reads back as %v", b, err, back.Status)
		}
	}
	if s := OK; s.UnmarshalText([]byte("?")) != nil || s != Invalid {
		t.Errorf("an unknown word: %v", s)
	}
}
