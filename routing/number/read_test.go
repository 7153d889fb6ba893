package number

import (
	"testing"

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
			pai: "<sip:12345678901@x>, <tel:+8613812345678>", from: "<sip:1000@x>", trusted: true,
			want: Number{"+8613812345678", "+8613812345678", OK, "pai"},
		},
		"rpid": {
			rpid: `"Wang" <sip:13812345678@x>;privacy=off`, from: "<sip:1000@x>", trusted: true,
			want: Number{"+8613812345678", "13812345678", OK, "rpid"},
		},
		"from": {from: "<sip:031187654321@x;user=phone>", trusted: true, want: Number{"+8631187654321", "031187654321", OK, "from"}},
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
		"anonymous":     {from: "<sip:anonymous@anonymous.invalid>", want: Number{"", "anonymous", Unavailable, "from"}},
		"without a SIM": {from: "<sip:x>", want: Number{"", "", Unavailable, "from"}},
		"no number":     {from: "<sip:alice@x>", want: Number{"", "alice", Invalid, "from"}},
		"a useless pai": {pai: "<sip:operator@x>", from: "<sip:13812345678@x>", trusted: true, want: Number{"+8613812345678", "13812345678", OK, "from"}},
		"phone-context": {from: "<sip:13812345678;phone-context=+86@x>", want: Number{"+8613812345678", "13812345678", OK, "from"}},
	} {
		id := header.Identity{PAI: addresses(t, c.pai), RPID: addresses(t, c.rpid), From: addresses(t, c.from)[0], Privacy: c.privacy}
		if got := shijiazhuang.Read(id, c.trusted); got != c.want {
			t.Errorf("%s: got %q %q %v %q, want %q %q %v %q", name, got.E164, got.Raw, got.Status, got.Source, c.want.E164, c.want.Raw, c.want.Status, c.want.Source)
		}
	}
}
