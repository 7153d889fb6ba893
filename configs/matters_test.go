package configs

import (
	"testing"
	"time"
)

func TestMatters(t *testing.T) {
	for recheck, want := range map[string]time.Duration{"": 8 * time.Hour, "17:30": 17*time.Hour + 30*time.Minute,
		"00:00": 1, "none": 0} {
		var set []string
		if recheck != "" {
			set = append(set, "matters.recheck="+recheck)
		}
		if got := load(t, "lab.yaml", set...).Ledger().Policy.Recheck; got != want {
			t.Errorf("%q: %v, want %v", recheck, got, want)
		}
	}
	l := load(t, "liandong.yaml").Ledger()
	if p := l.Policy; p.Hotlines["110"].Sign != 5*time.Minute || p.Categories["01"].FirstFeedback != time.Hour ||
		p.Close != 48*time.Hour {
		t.Errorf("%+v", p)
	}
	if l.Trim.Age != 720*time.Hour || l.Trim.Groups[0] != "my-tickets" || l.Node != "switch-1" || len(l.Hotlines) != 5 {
		t.Errorf("%+v", l)
	}
}
