package event

import (
	"encoding/xml"
	"testing"
)

// document is what a phone reads of RFC 4235 §4.4.
type document struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
	Version uint32   `xml:"version,attr"`
	State   string   `xml:"state,attr"`
	Entity  string   `xml:"entity,attr"`
	Dialogs []struct {
		ID        string `xml:"id,attr"`
		CallID    string `xml:"call-id,attr"`
		LocalTag  string `xml:"local-tag,attr"`
		RemoteTag string `xml:"remote-tag,attr"`
		Direction string `xml:"direction,attr"`
		State     string `xml:"state"`
		Local     end    `xml:"local"`
		Remote    end    `xml:"remote"`
	} `xml:"dialog"`
}

type end struct {
	Identity string `xml:"identity"`
	Target   struct {
		URI string `xml:"uri,attr"`
	} `xml:"target"`
}

func read(t *testing.T, d DialogState) document {
	t.Helper()
	var doc document
	if err := xml.Unmarshal(d.XML(), &doc); err != nil {
		t.Fatalf("%v\n%s", err, d.XML())
	}
	if len(doc.Dialogs) != 1 || doc.State != "full" || doc.Version != d.Version || doc.Entity != d.Entity ||
		doc.Dialogs[0].ID != d.ID || doc.Dialogs[0].State != string(d.State) {
		t.Fatalf("read %+v", doc)
	}
	return doc
}

// RFC 4235 §4.1.2: local-tag is the tag of who is watched, from whose side the
// whole document is written.
func TestRingingLamp(t *testing.T) {
	doc := read(t, DialogState{
		Entity: "sip:1102@10.0.0.1", Version: 4_000_000_000, ID: "1102", State: Early, CallID: `a<"&'@h`,
		Tags: [2]string{"desk", "us"}, Remote: "sip:13812345678@10.0.0.1",
	})
	d := doc.Dialogs[0]
	if d.CallID != `a<"&'@h` || d.LocalTag != "desk" || d.RemoteTag != "us" || d.Direction != "recipient" {
		t.Errorf("the dialog is %+v", d)
	}
	if d.Remote.Identity != "sip:13812345678@10.0.0.1" || d.Remote.Target.URI != d.Remote.Identity ||
		d.Local.Identity != "sip:1102@10.0.0.1" {
		t.Errorf("the ends are %+v and %+v", d.Local, d.Remote)
	}
}

// A lamp that goes out says so, with the id that it was lit by, and nothing of
// the dialog is left.
func TestDarkLamp(t *testing.T) {
	doc := read(t, DialogState{Entity: "sip:110@h", ID: "110", State: Terminated, CallID: "old",
		Tags: [2]string{"a", "b"}, Remote: "sip:13812345678@h"})
	if d := doc.Dialogs[0]; d.CallID != "" || d.Remote.Identity != "" {
		t.Errorf("a lamp that is out says %+v", d)
	}
	if d := read(t, DialogState{Entity: "sip:1101@h", ID: "1101", State: Confirmed,
		Calls: true}).Dialogs[0]; d.Direction != "initiator" || d.CallID != "" {
		t.Errorf("a call of its own says %+v", d)
	}
}
