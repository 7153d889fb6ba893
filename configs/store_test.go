package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// twoSides is a file with two networks, a hotline in each.
const twoSides = `lang: en
networks:
  police: {sip: {udp: 10.0.0.1:5060}, rtp: {address: 10.0.0.1, ports: 20000-20999}%s}
  gov: {sip: {udp: 10.1.0.1:5060}, rtp: {address: 10.1.0.1, ports: 20000-20999}%s}
hotlines:
  110: {numbers: [110], network: police, partner: 12345}
  12345: {numbers: [12345], network: gov, partner: 110}
phones:
  1101: {hotline: 110, password: calm-heron}
  2101: {hotline: 12345, password: calm-heron}
redis: {url: redis://10.2.0.1:6379/0}
outbox: {path: %s}
`

func TestStores(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "outbox.db")
	for name, c := range map[string]struct {
		police, gov string
		want        []string
	}{
		"one for all": {"", "", []string{" redis://10.2.0.1:6379/0 [110 12345] outbox.db"}},
		"one of them": {"", ", redis: {url: redis://10.1.0.9:6379/0}", []string{
			"gov redis://10.1.0.9:6379/0 [12345] outbox.redis-gov.db",
			"police redis://10.2.0.1:6379/0 [110] outbox.redis-police.db"}},
		"each its own": {", redis: {url: redis://10.0.0.9:6379/0}", ", redis: {url: redis://10.1.0.9:6379/0}", []string{
			"gov redis://10.1.0.9:6379/0 [12345] outbox.redis-gov.db",
			"police redis://10.0.0.9:6379/0 [110] outbox.redis-police.db"}},
		"twice the same": {", redis: {url: redis://10.0.0.9:6379/0}", ", redis: {url: redis://10.0.0.9:6379/0}",
			[]string{
				" redis://10.0.0.9:6379/0 [110 12345] outbox.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := parse(t, fmt.Sprintf(twoSides, c.police, c.gov, file))
			var got []string
			var room int64
			for _, s := range conf.Stores() {
				got = append(got, fmt.Sprint(s.Name, " ", s.Outbox.URL.Reveal(), " ", s.Ledger.Hotlines, " ",
					filepath.Base(s.Outbox.Path)))
				room += s.Outbox.MaxBytes
				if s.Ledger.URL != s.Outbox.URL {
					t.Error("the ledger uses another Redis than the outbox")
				}
			}
			if !slices.Equal(got, c.want) || room != 1<<30 {
				t.Errorf("%q, %d bytes", got, room)
			}
		})
	}
}

// Entries may wait in the files of earlier configs: of one Redis for all, or of another network's.
func TestFormerOutboxes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"outbox.db", "outbox.redis-gov.db", "outbox.redis-old.db", "outbox.other.db",
		"outbox.db.damaged-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		gov  string
		want []string
	}{
		"one":     {"", []string{"outbox.redis-gov.db", "outbox.redis-old.db"}},
		"several": {", redis: {url: redis://10.1.0.9:6379/0}", []string{"outbox.redis-old.db", "outbox.db"}},
	} {
		conf := parse(t, fmt.Sprintf(twoSides, "", c.gov, filepath.Join(dir, "outbox.db")))
		var got []string
		for _, f := range conf.FormerOutboxes() {
			got = append(got, filepath.Base(f))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
