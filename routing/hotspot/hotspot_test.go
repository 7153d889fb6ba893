package hotspot

import (
	"strings"
	"testing"

	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// Ways of writing one address are one place; another house, or another category, is another.
func TestPlaceKey(t *testing.T) {
	place := func(p, category string) string { return PlaceKey(matter.Matter{Place: p, CategoryCode: category}) }
	one := place("中山路1号院 A座", "03")
	for _, same := range []string{"中山路１号院A座", " 中山路 1#院 a座", "中山路1號院（A座）", "中山路1＃院、Ａ座。"} {
		if place(same, "03") != one {
			t.Errorf("%q is another place", same)
		}
	}
	for _, other := range []string{place("中山路11号院A座", "03"), place("中山路1号院A座", "04"), place("中山路1号院", "03"),
		place("中山路1号院A座", "")} {
		if other == one || other == "" {
			t.Errorf("%q", other)
		}
	}
	for _, none := range []string{"", " ", "，。-"} {
		if got := place(none, "03"); got != "" {
			t.Errorf("%q is a place: %s", none, got)
		}
	}
}

func TestPersonKey(t *testing.T) {
	e := ticket.Entry{CallerE164: "+8613812345678", CallerStatus: "ok"}
	key := PersonKey(e)
	if !strings.HasPrefix(key, "liandong:hotspot:{person:") || strings.Contains(key, "138") ||
		strings.HasPrefix(key, "liandong:hotspot:{place") {
		t.Error(key)
	}
	for _, status := range []string{"restricted", "unavailable", "invalid", ""} {
		e.CallerStatus = status
		if PersonKey(e) != "" {
			t.Errorf("%q is somebody", status)
		}
	}
	if PersonKey(ticket.Entry{CallerStatus: "ok"}) != "" {
		t.Error("nobody is somebody")
	}
}

func TestWindows(t *testing.T) {
	p := Policy{Place: Limits{Day: 3, Month: 10}, Person: Limits{Week: 5}}
	if w := p.Windows(Place); len(w) != 2 || w[0].Name != "1d" || w[1].From != 10 || w[1].Span != Kept {
		t.Errorf("%+v", w)
	}
	if w := p.Windows(Person); len(w) != 1 || w[0].Name != "7d" {
		t.Errorf("%+v", w)
	}
}
