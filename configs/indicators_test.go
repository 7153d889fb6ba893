package configs

import (
	"testing"
	"time"
)

func TestIndicators(t *testing.T) {
	l := load(t, "liandong.yaml").Ledger()
	noon := time.Date(2024, 4, 3, 4, 0, 0, 0, time.UTC)
	if got := noon.In(l.Zone).Format(time.RFC3339); got != "2024-04-03T12:00:00+08:00" {
		t.Error(got)
	}
	if l.Hotspots.Place.Week != 5 || l.KeepDays != 9600*time.Hour || l.KeepHours != 960*time.Hour ||
		len(l.Kinds) != 29 {
		t.Errorf("%+v", l)
	}
	if got := load(t, "lab.yaml", "zone=-03:30").Location(); noon.In(got).Format("15:04") != "00:30" {
		t.Error(got)
	}
	if load(t, "lab.yaml").Location() != time.Local {
		t.Error("the lab has a zone of its own")
	}
	for _, set := range []string{"zone=8", "zone=Asia/Shanghai", "zone=+15:00", "indicators.diversion=all",
		"hotspots.place.day=-1", "indicators.keep_days=1h"} {
		if _, err := Load("lab.yaml", Options{Set: []string{set}}); err == nil {
			t.Errorf("%s is taken", set)
		}
	}
}
