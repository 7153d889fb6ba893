package dialog

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

const invite = "INVITE sips:12345@10.0.0.1 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n" +
	"Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n" +
	"From: \"Wang\" <tel:+8613812345678> ;  tag = caller\r\n" +
	"To: <sip:12345@10.0.0.1>\r\nCall-ID: c1\r\nCSeq: 77 INVITE\r\nContact: <sip:wang@10.0.0.2:5070>\r\nContent-Length: 0\r\n\r\n"

func parse(t testing.TB, text string) gosip.Message {
	t.Helper()
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// RFC 3261 §12.1.1: "The route set MUST be set to the list of URIs in the
// Record-Route header field from the request, taken in order and preserving all URI
// parameters. [...] The remote target MUST be set to the URI from the Contact header
// field of the request. The remote sequence number MUST be set to the value of the
// sequence number in the CSeq header field of the request. The local sequence number
// MUST be empty. [...] The local tag component of the dialog ID MUST be set to the
// tag in the To field in the response to the request [...], and the remote tag
// component of the dialog ID MUST be set to the tag from the From field in the
// request."
func TestAnswering(t *testing.T) {
	got := Answering(parse(t, invite).(*gosip.Request), "us")
	want := Dialog{
		CallID: "c1", LocalTag: "us", RemoteTag: "caller", Local: "<sip:12345@10.0.0.1>",
		Remote:    `"Wang" <tel:+8613812345678>`,
		RemoteSeq: 77, Routes: []string{"sip:p1.example;lr", "sip:p2.example;lr"}, Target: "sip:wang@10.0.0.2:5070",
		Secure: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// RFC 3261 §12.1.2: "The route set MUST be set to the list of URIs in the
// Record-Route header field from the response, taken in reverse order and preserving
// all URI parameters. [...] The local sequence number MUST be set to the value of the
// sequence number in the CSeq header field of the request. The remote sequence number
// MUST be empty".
func TestInviting(t *testing.T) {
	half := Inviting(parse(t, invite).(*gosip.Request))
	got := half.With(parse(t,
		"SIP/2.0 200 OK\r\nRecord-Route: <sip:p1.example;lr>\r\nRecord-Route: <sip:p2.example;lr>\r\n"+
			"To: <sip:12345@10.0.0.1>;tag=callee\r\nContact: <sip:desk@10.0.0.3>\r\n\r\n").(*gosip.Response))
	want := Dialog{
		CallID: "c1", LocalTag: "caller", RemoteTag: "callee", Local: `"Wang" <tel:+8613812345678>`,
		Remote:   "<sip:12345@10.0.0.1>",
		LocalSeq: 77, Routes: []string{"sip:p2.example;lr", "sip:p1.example;lr"}, Target: "sip:desk@10.0.0.3",
		Secure: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if half.RemoteTag != "" || half.Routes != nil {
		t.Error("the half dialog was changed: the next fork begins with it")
	}
}

// RFC 3261 §12.2.1.1: the parts of a request in a dialog; "Requests within a dialog
// MUST contain strictly monotonically increasing and contiguous CSeq sequence numbers
// (increasing-by-one) in each direction".
func TestRequest(t *testing.T) {
	d := Answering(parse(t, invite).(*gosip.Request), "us")
	via := &gosip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP", Host: "10.0.0.1"}
	d.Next()
	req, err := d.Request(gosip.BYE, d.Next(), via)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBody(nil)
	want := strings.Join([]string{
		"BYE sip:wang@10.0.0.2:5070 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.1", "Route: <sip:p1.example;lr>",
		"Route: <sip:p2.example;lr>",
		"Max-Forwards: 70", "From: <sip:12345@10.0.0.1>;tag=us", `To: "Wang" <tel:+8613812345678>;tag=caller`,
		"Call-ID: c1", "CSeq: 2 BYE",
		"Content-Length: 0", "", "",
	}, "\r\n")
	if got := req.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A dialog that was stored goes on where it stood.
func TestStoredDialogGoesOn(t *testing.T) {
	d := Answering(parse(t, invite).(*gosip.Request), "us")
	d.Next()
	data, err := snapshot.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Dialog
	if err := snapshot.Decode(data, &back); err != nil || !reflect.DeepEqual(d, back) {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestMatchesAndOrder(t *testing.T) {
	d := Dialog{LocalTag: "us", RemoteTag: "them", RemoteSeq: 5}
	req := func(to, from string) *gosip.Request {
		text := "BYE sip:a@b SIP/2.0\r\nFrom: <sip:x@y>" + from + "\r\nTo: <sip:a@b>" + to + "\r\n\r\n"
		return parse(t, text).(*gosip.Request)
	}
	if !d.Matches(req(";tag=us", ";tag=them")) {
		t.Error("does not match")
	}
	for _, r := range []*gosip.Request{req(";tag=them", ";tag=us"), req("", ";tag=them"), req(";tag=us", ""),
		req(";tag=US", ";tag=them")} {
		if d.Matches(r) {
			t.Errorf("matches\n%s", r)
		}
	}
	// RFC 3261 §12.2.2: lower is out of order, "greater [...] is in order"
	if d.InOrder(4) || !d.InOrder(5) || !d.InOrder(9) || d.InOrder(8) {
		t.Error("order")
	}
}

func TestHop(t *testing.T) {
	cases := []struct{ uri, hop, transport string }{
		{"sip:a@10.0.0.2", "10.0.0.2:5060", ""},
		{"sip:a@10.0.0.2:5070;transport=TCP", "10.0.0.2:5070", "tcp"},
		{"sips:a@pbx.example", "pbx.example:5061", "tls"},
		{"sips:a@pbx.example;transport=tcp", "pbx.example:5061", "tls"},
		{"sip:a@pbx.example;transport=TLS", "pbx.example:5061", "tls"},
		{"sip:a@[2001:db8::1]:5062", "[2001:db8::1]:5062", ""},
		{"sip:a@pbx.example;maddr=10.0.0.7", "10.0.0.7:5060", ""},
		{"tel:110", "", ""},
		{"", "", ""},
	}
	for _, c := range cases {
		if hop, transport := HopOf(c.uri); hop != c.hop || transport != c.transport {
			t.Errorf("%q: %q %q, want %q %q", c.uri, hop, transport, c.hop, c.transport)
		}
	}
	d := Dialog{Target: "sip:a@10.0.0.2", Routes: []string{"sip:10.0.0.3;lr"}}
	if hop, _ := d.Hop(); hop != "10.0.0.3:5060" {
		t.Errorf("hop %s", hop)
	}
}

func TestUnusableAddress(t *testing.T) {
	for _, d := range []Dialog{
		{Target: "", Local: "<sip:a@b>", Remote: "<sip:c@d>"},
		{Target: "sip:a@b", Local: "<>", Remote: "<sip:c@d>"},
		{Target: "sip:a@b", Local: "<sip:a@b>", Remote: ""},
		{Target: "sip:a@b", Local: "<sip:a@b>", Remote: "<sip:c@d>", Routes: []string{""}},
	} {
		if _, err := d.Request(gosip.BYE, 1, &gosip.ViaHeader{}); !errors.Is(err, ErrAddress) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// FuzzDialog makes dialogs of what can be parsed; a request of theirs can always be
// parsed again.
func FuzzDialog(f *testing.F) {
	f.Add(invite)
	f.Add(strings.Replace(invite, "<sip:wang@10.0.0.2:5070>", "\"a, b\" <sip:[::1];maddr=[::2]>;q=1", 1))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := gosip.ParseMessage([]byte(text))
		req, ok := m.(*gosip.Request)
		if err != nil || !ok || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			return
		}
		d := Answering(req, "us")
		d.Hop()
		bye, err := d.Request(gosip.BYE, d.Next(), &gosip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0",
			Transport: "UDP", Host: "a"})
		if err != nil {
			return
		}
		bye.SetBody(nil)
		if strings.Count(bye.String(), "\r\n") != len(bye.Headers())+2 {
			t.Fatalf("a header of the peer's begins a line of its own:\n%s", bye)
		}
	})
}
