package configs

import (
	"slices"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	before := parse(t, good)
	old := before.Values("salt")
	for set, want := range map[string]string{
		"":                                    "",
		"node=south":                          "node: liandong → south restart",
		"hotlines.110.no_answer=7s":           "hotlines.110.no_answer: 20s → 7s",
		"phones.1101.password=other-heron":    "phones.1101.password: ****** → ******",
		"networks.lab.sip.udp=127.0.0.1:5062": "networks.lab.sip.udp: 127.0.0.1:5060 → 127.0.0.1:5062 restart",
		"networks.lab.allow=10.0.0.0/8":       "networks.lab.allow[0]: - → 10.0.0.0/8",
		"redis.url=redis://127.0.0.2:6379/0":  "redis.url: ****** → ****** restart",
		"outbox.max_mb=5":                     "outbox.max_mb: 1024 → 5 restart",
		"timers.settle=4s":                    "timers.settle: 3s → 4s",
		"keys.*7=handover":                    "keys.*7: record → handover",
		"http.allow=10.0.0.1":                 "http.allow[0]: - → 10.0.0.1/32",
		"http.listen=127.0.0.1:8080":          "http.listen[0]: - → 127.0.0.1:8080 restart",
		"webhooks={}":                         "",
	} {
		c := parse(t, good, slices.DeleteFunc([]string{set}, func(s string) bool { return s == "" })...)
		if a, b := Changes(old, c.Values("salt")), Differences(before, c); !slices.Equal(a, b) {
			t.Errorf("%s: %v by values, %v by differences", set, a, b)
		}
		var got []string
		for _, ch := range Changes(old, c.Values("salt")) {
			line := ch.String()
			if ch.Restart {
				line += " restart"
			}
			got = append(got, line)
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q, want %q", set, got, want)
		}
	}
}

// A line that is new is called at once; its matters are kept after a restart.
func TestNewLines(t *testing.T) {
	old := parse(t, good).Values("salt")
	now := parse(t, good, "hotlines.119.numbers=119", "phones.1191.hotline=119",
		"phones.1191.password=calm-heron").Values("salt")
	for _, ch := range Changes(old, now) {
		if want := strings.HasPrefix(ch.Key, "hotlines.119"); ch.Restart != want {
			t.Errorf("%+v", ch)
		}
	}
	for key, value := range now {
		if strings.Contains(value, "heron") {
			t.Errorf("%s: %s", key, value)
		}
	}
	if a, b := Changes(now, old), Differences(parse(t, good, "hotlines.119.numbers=119", "phones.1191.hotline=119",
		"phones.1191.password=calm-heron"), parse(t, good)); !slices.Equal(a, b) {
		t.Errorf("%v by values, %v by differences", a, b)
	}
	if a, b := parse(t, good).Values("a"), parse(t, good).Values(
		"b"); a["phones.1101.password"] == b["phones.1101.password"] {
		t.Error("the salt is not used")
	}
}
