package ua

import (
	"net/netip"
	"strings"
	"testing"
)

// guarded is a network that hears the phones' address and its trunk only.
func guarded(c *Config) {
	n := c.Networks["lab"]
	n.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.Networks["lab"] = n
}

// What comes from elsewhere gets no answer, not even the 403 of Forbid, and is not read.
func TestOnlyAllowedSourcesAreHeardOnUDP(t *testing.T) {
	r := newRig(t, guarded)
	stranger, phone, trunk := r.udp("127.0.0.2"), r.udp("127.0.0.1"), r.udp(trunkHost)
	for _, text := range []string{stranger.request("OPTIONS", "1101").String(),
		stranger.request("INVITE", "nobody").String(), "GARBAGE\r\n\r\n"} {
		stranger.send(text)
	}
	wantCode(t, phone.ask(phone.request("REGISTER", "1101").String()), 401)
	eventually(t, "the answer is counted, which is after it was sent", func() bool { return r.Stats().Sent == 1 })
	if s := r.Stats(); s.Strangers != 3 || s.Received != 1 || s.Garbage != 0 {
		t.Errorf("%+v", s)
	}
	trunk.send(trunk.request("INVITE", "13812345678").String())
	r.inbox.next(t)
	if o := r.inbox.origins[0]; o.Trunk != "pstn" {
		t.Errorf("origin %+v", o)
	}
}

func TestOnlyAllowedSourcesAreHeardOnTCP(t *testing.T) {
	r := newRig(t, guarded)
	if !r.tcp("127.0.0.2").hungUp() {
		t.Error("a connection from elsewhere is kept")
	}
	phone, trunk := r.tcp("127.0.0.1"), r.tcp(trunkHost)
	wantCode(t, phone.ask(phone.request("REGISTER", "1101").String()), 401)
	wantCode(t, trunk.ask(trunk.request("OPTIONS", "1").String()), 200)
	if s := r.Stats(); s.Strangers != 1 || s.Connections != 2 {
		t.Errorf("%+v", s)
	}
}

func TestWhoIsAdmitted(t *testing.T) {
	prefixes := func(texts string) (all []netip.Prefix) {
		for _, s := range strings.Fields(texts) {
			all = append(all, netip.MustParsePrefix(s))
		}
		return all
	}
	o := newOrigins(Config{
		Networks: map[string]Network{"police": {Allow: prefixes("10.1.0.0/16 fe80::/10")}, "gov": {}},
		Trunks: map[string]Trunk{
			"pbx":  {Network: "police", Match: prefixes("192.0.2.8/30"), Targets: []string{"192.0.2.1:5060"}},
			"name": {Network: "police", Targets: []string{"pbx.example:5060"}},
			"far":  {Network: "gov", Match: prefixes("198.51.100.1/32")},
		},
	})
	for _, tt := range []struct {
		network, source string
		want            bool
	}{
		{"police", "10.1.255.1", true},
		{"police", "10.2.0.1", false},
		{"police", "192.0.2.9", true},
		{"police", "192.0.2.1", true}, // where its answers come from
		{"police", "192.0.2.2", false},
		{"police", "198.51.100.1", false}, // another network's trunk
		{"police", "fe80::1%eth0", true},
		{"police", "2001:db8::1", false},
		{"gov", "10.2.0.1", true}, // nothing said: anybody
	} {
		if got := o.admits(tt.network, netip.MustParseAddr(tt.source)); got != tt.want {
			t.Errorf("%s from %s: %v", tt.network, tt.source, got)
		}
	}
}
