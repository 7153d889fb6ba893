package event

import (
	"encoding/xml"
	"testing"
)

// roster is what a phone reads of RFC 4575 §5.
type roster struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:conference-info conference-info"`
	Entity  string   `xml:"entity,attr"`
	State   string   `xml:"state,attr"`
	Version uint32   `xml:"version,attr"`
	Count   int      `xml:"conference-state>user-count"`
	Active  bool     `xml:"conference-state>active"`
	Users   []struct {
		Entity string   `xml:"entity,attr"`
		Roles  []string `xml:"roles>entry"`
		Status string   `xml:"endpoint>status"`
	} `xml:"users>user"`
}

// RFC 4575 §5.1: a full state has all users, each with an entity of its own.
func TestConferenceState(t *testing.T) {
	c := ConferenceState{
		Entity: "sip:conf-1@10.0.0.1", Host: "10.0.0.1", Version: 7, Active: true,
		Users: []Attendee{{"1101", "110"}, {"", "caller"}, {`2<"1`, "12345"}},
	}
	var got roster
	if err := xml.Unmarshal(c.XML(), &got); err != nil {
		t.Fatalf("%v\n%s", err, c.XML())
	}
	if got.Entity != c.Entity || got.State != "full" || got.Version != 7 || got.Count != 3 || !got.Active ||
		len(got.Users) != 3 {
		t.Fatalf("read %+v", got)
	}
	for i, entity := range []string{"sip:1101@10.0.0.1", "sip:anonymous@anonymous.invalid", `sip:2<"1@10.0.0.1`} {
		if u := got.Users[i]; u.Entity != entity || len(u.Roles) != 1 || u.Roles[0] != c.Users[i].Role ||
			u.Status != "connected" {
			t.Errorf("user %d: %+v", i, u)
		}
	}
}
