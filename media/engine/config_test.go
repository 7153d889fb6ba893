package engine

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/media/jitter"
	"liandong/media/socket"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Config)
		want []string // keys that are named; none: valid
	}{
		{"lab", func(*Config) {}, nil},
		{"no network", func(c *Config) { c.Networks = nil }, []string{"networks:"}},
		{"no address", func(c *Config) { c.Networks["lab"] = Network{PortMin: 2000, PortMax: 3000} },
			[]string{"networks.lab.address:"}},
		{"any address", func(c *Config) {
			c.Networks["lab"] = Network{Address: netip.MustParseAddr("0.0.0.0"), PortMin: 2000, PortMax: 3000}
		}, []string{"networks.lab.advertise:"}},
		{"any address, told", func(c *Config) {
			c.Networks["lab"] = Network{Address: netip.MustParseAddr("0.0.0.0"),
				Advertise: netip.MustParseAddr("192.0.2.1"), PortMin: 2000, PortMax: 3000}
		}, nil},
		{"low ports", func(c *Config) {
			c.Networks["lab"] = Network{Address: labNetwork.Address, PortMin: 80,
				PortMax: 3000}
		}, []string{"networks.lab.port_min:"}},
		{"no pair", func(c *Config) {
			c.Networks["lab"] = Network{Address: labNetwork.Address, PortMin: 2001, PortMax: 2002}
		}, []string{"networks.lab.port_max:"}},
		{"turned round", func(c *Config) {
			c.Networks["lab"] = Network{Address: labNetwork.Address, PortMin: 3000, PortMax: 2000}
		}, []string{"networks.lab.port_max:"}},
		{"overlap", func(c *Config) {
			c.Networks["mab"] = Network{Address: labNetwork.Address, PortMin: 29999, PortMax: 31000}
		}, []string{"networks.mab.port_min:"}},
		{"other address", func(c *Config) {
			c.Networks["mab"] = Network{Address: netip.MustParseAddr("::1"), PortMin: 20000, PortMax: 29999}
		}, nil},
		{"the rest", func(c *Config) {
			c.Shards, c.MediaTimeout, c.PortQuarantine, c.LatchPackets = -1, time.Millisecond, -1, 0
			c.Networks["lab"] = Network{Address: labNetwork.Address, PortMin: 2000, PortMax: 3000,
				Jitter: jitter.Config{Max: time.Hour}}
		}, []string{"networks.lab.jitter.min:", "networks.lab.jitter.max:", "shards:", "media_timeout:",
			"port_quarantine:", "latch_packets:"}},
	} {
		cfg := labConfig(nil)
		c.edit(&cfg)
		err := cfg.Validate()
		if (err != nil) != (len(c.want) > 0) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, key := range c.want {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v does not name %s", c.name, err, key)
			}
		}
	}
}

// TestWarnOfFiles: a limit of open files that ends calls before the ports do is said at start,
// with the number.
func TestWarnOfFiles(t *testing.T) {
	limit, known := socket.OpenFiles()
	if !known || limit > 1<<20 {
		t.Skip("no limit here that ports could reach")
	}
	cfg := labConfig(nil)
	for i := range limit/(1<<15) + 2 {
		cfg.Networks[string(rune('a'+i))] = Network{Address: netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}),
			PortMin: 2000, PortMax: 65535}
	}
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	if warnOfFiles(cfg, log); !strings.Contains(said.String(), fmt.Sprint("limit=", limit)) {
		t.Errorf("said %q, not the limit of %d", said.String(), limit)
	}
	said.Reset()
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 2000, PortMax: 2009}}
	if warnOfFiles(cfg, log); said.Len() > 0 {
		t.Errorf("said %q of ten ports and %d files", said.String(), limit)
	}
}
