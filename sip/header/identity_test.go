package header

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

func invite(t *testing.T, fields ...string) *gosip.Request {
	t.Helper()
	text := "INVITE sip:110@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n" +
		"To: <sip:110@10.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" + strings.Join(fields, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
	msg, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return msg.(*gosip.Request)
}

// RFC 3325 §10.2: an anonymous call whose network asserts two identities.
func TestReadIdentity(t *testing.T) {
	id, err := ReadIdentity(invite(t,
		`From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=9802748`,
		`P-Asserted-Identity: "Cullen Jennings" <sip:fluffy@cisco.com>`,
		`p-asserted-identity: tel:+14085264000`,
		`Remote-Party-ID: <sip:13812345678@h>;party=calling;privacy=off`,
		`Privacy: ID;critical`))
	want := Identity{
		PAI: []NameAddr{{Display: "Cullen Jennings", URI: sip("fluffy", "cisco.com")},
			{URI: URI{Scheme: "tel", User: "+14085264000"}}},
		RPID: []NameAddr{{URI: sip("13812345678", "h"),
			Params: Params{param("party", "calling"), param("privacy", "off")}}},
		From: NameAddr{Display: "Anonymous", URI: sip("anonymous", "anonymous.invalid"),
			Params: Params{param("tag", "9802748")}},
		Privacy: []string{"id", "critical"},
	}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("got %#v %v, want %#v", id, err, want)
	}
}

// The library leaves user and host of a tel URI empty.
func TestReadTelFrom(t *testing.T) {
	id, err := ReadIdentity(invite(t, `From: <tel:+8613812345678>;tag=1`))
	if err != nil || id.From.URI.User != "+8613812345678" {
		t.Errorf("got %#v %v", id.From, err)
	}
}

func TestReadIdentityInPart(t *testing.T) {
	id, err := ReadIdentity(invite(t, `From: <sip:1@h>;tag=1`, `P-Asserted-Identity: <sip:broken`,
		`P-Asserted-Identity: <tel:110>`))
	if !errors.Is(err, ErrSyntax) || len(id.PAI) != 1 || id.From.URI.User != "1" {
		t.Errorf("got %#v %v: what can be read is to be kept", id, err)
	}
	if _, err := ReadIdentity(invite(t)); !errors.Is(err, ErrAbsent) {
		t.Errorf("no From: %v", err)
	}
}
