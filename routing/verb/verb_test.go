package verb

import (
	"strings"
	"testing"
	"time"
)

var defaults = map[string]string{
	"*1": "handover", "*2": "consult", "*3": "conference", "*4": "take_back",
	"*5": "accept", "*6": "other_accepts", "*8NN": "category", "*9": "urgent",
}

func TestKeymapRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		keys map[string]string
		want string
	}{
		"unknown verb": {map[string]string{"*1": "transfer"},
			`verb "transfer" is unknown, allowed: handover, consult`},
		"bad digit":      {map[string]string{"*x": "handover"}, "a code is 2 to 8"},
		"too short":      {map[string]string{"1": "handover"}, "a code is 2 to 8"},
		"prefix":         {map[string]string{"*1": "handover", "*12": "consult"}, "one begins the other"},
		"wild overlap":   {map[string]string{"*8NN": "category", "*81": "urgent"}, "one begins the other"},
		"category no N":  {map[string]string{"*8": "category"}, "N stands in the code of category"},
		"N on the wrong": {map[string]string{"*8N": "urgent"}, "N stands in the code of category"},
	} {
		if _, err := NewKeymap(c.keys); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// press is "5" by RTP, "5i" by INFO, "5t" as a tone, "5+" by RTP and held down until the next, or "^"; "_" a pause
// longer than the gap.
func TestCollector(t *testing.T) {
	for _, c := range []struct{ in, verbs, passed string }{
		{"* 1", "handover", ""},
		{"* 8 0 7", "category 07", ""},
		{"5", "", "5"},
		{"* 7", "", "*7"},
		{"* * 1", "handover", "*"},
		{"* 8 0 * 1", "handover", "*80"},
		{"* _ 1", "", "*1"},
		{"*i 1i", "handover", ""},
		{"* *i 1 1i", "handover", ""},        // both methods at once
		{"* 1 *i 1i", "handover", ""},        // INFO behind
		{"*i * 1i 1", "handover", ""},        // RTP behind
		{"5 5 5i 5i", "", "55"},              // a fast double press, both ways
		{"5 5i 5 5i", "", "55"},              //
		{"* 1 * 1", "handover handover", ""}, // pressed twice
		{"* 1 *i 1i * 1 *i 1i", "handover handover", ""},
		{"*t *i 1i 1t", "handover", ""},     // tones and INFO
		{"* *t *i 1t 1 1i", "handover", ""}, // all three
		{"5t 5 5i 5t 5i 5", "", "55"},       //
		{"* *i *t 1 1i 1t * *t *i 1 1t 1i", "handover handover", ""},
		{"* 9 * 5", "urgent accept", ""},
		{"*+ _ 1", "handover", ""},       // held for longer than the gap
		{"*+ _ *i 1 1i", "handover", ""}, // and told by INFO when it is up
		{"* _ 1+ _ *", "", "*1"},         //
		{"*+ _ ^ _ 1", "", "*1"},         // up, and then nothing
	} {
		keys, err := NewKeymap(defaults)
		if err != nil {
			t.Fatal(err)
		}
		col := Collector{Keys: keys, Gap: 3 * time.Second}
		now := time.Unix(0, 0)
		var verbs []string
		var passed string
		for _, f := range strings.Fields(c.in) {
			now = now.Add(60 * time.Millisecond)
			if f == "_" {
				now = now.Add(4 * time.Second)
				passed += col.Expire(now)
				continue
			}
			col.Release(now)
			if f == "^" {
				continue
			}
			m := ByRTP
			switch f[1:] {
			case "i":
				m = ByINFO
			case "t":
				m = ByTone
			}
			vs, p := col.Press(now, f[0], m)
			for _, v := range vs {
				verbs = append(verbs, v.String())
			}
			passed += p
			if strings.HasSuffix(f, "+") {
				col.Hold()
			}
		}
		if got := strings.Join(verbs, " "); got != c.verbs || passed != c.passed {
			t.Errorf("%q: verbs %q passed %q, want %q %q", c.in, got, passed, c.verbs, c.passed)
		}
	}
}

func TestParse(t *testing.T) {
	for _, s := range []string{"handover", "category 07", "other_accepts"} {
		if v, err := Parse(s); err != nil || v.String() != s {
			t.Errorf("%q: %v %v", s, v, err)
		}
	}
	for _, s := range []string{"", "fly", "category", "category x", "handover 3"} {
		if v, err := Parse(s); err == nil {
			t.Errorf("%q: taken as %v", s, v)
		}
	}
}

// No digit is lost and none is invented: what is not part of a verb is passed on.
func FuzzCollector(f *testing.F) {
	f.Add([]byte("*1*807**9#"))
	f.Fuzz(func(t *testing.T, digits []byte) {
		keys, _ := NewKeymap(defaults)
		col := Collector{Keys: keys, Gap: time.Second}
		now := time.Unix(0, 0)
		taken, passed := 0, 0
		for _, d := range digits {
			d = "0123456789*#ABCD"[d%16]
			vs, p := col.Press(now, d, ByRTP)
			for _, v := range vs {
				taken += 2 + len(v.Category)
			}
			passed += len(p)
		}
		passed += len(col.Expire(now.Add(time.Minute)))
		if taken+passed != len(digits) {
			t.Fatalf("%d digits in, %d in verbs, %d passed on", len(digits), taken, passed)
		}
	})
}
