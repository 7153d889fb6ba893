package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/notifier"
)

// A roster is for the desks that are in the conference, by its own name.
func TestRosters(t *testing.T) {
	var told []string
	r := NewRosters(func(name string, over bool) { told = append(told, fmt.Sprint(name, " over ", over)) })
	r.Show("conf-1", Roster{Users: []string{"1101", "2101"},
		Who: []event.Attendee{{User: "1101", Role: "110"}, {Role: "caller"}}})
	p := conferencePackage{r}
	for user, want := range map[string]int{"1101": 0, "2101": 0, "1102": 403} {
		if name, code := p.Find(user, header.URI{User: "conf-1"}); code != want || code == 0 && name != "conf-1" {
			t.Errorf("%s finds %q, %d", user, name, code)
		}
	}
	if _, code := p.Find("1101", header.URI{User: "conf-2"}); code != 404 {
		t.Errorf("an unknown conference: %d", code)
	}
	at := notifier.View{Resource: "conf-1", To: header.URI{Scheme: "sip", User: "conf-1", Host: "10.0.0.1"}, Version: 3}
	if doc := string(p.Write(at)); !strings.Contains(doc, `entity="sip:1101@10.0.0.1"`) ||
		!strings.Contains(doc, "<entry>caller</entry>") {
		t.Errorf("written:\n%s", doc)
	}
	r.Show("conf-1", Roster{})
	if doc := string(p.Write(at)); !strings.Contains(doc, "<active>false</active>") || strings.Contains(doc, "<user ") {
		t.Errorf("a conference that is over:\n%s", doc)
	}
	if !slices.Equal(told, []string{"conf-1 over false", "conf-1 over true"}) {
		t.Errorf("told of %v", told)
	}
}
