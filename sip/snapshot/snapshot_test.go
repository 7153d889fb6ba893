package snapshot

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const bye = "BYE sip:110@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport\r\nFrom: <tel:+8613812345678>;tag=a\r\n" +
	"To: <sip:110@10.0.0.2>;tag=b\r\nCall-ID: c\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n"

func message(t testing.TB, text string) gosip.Message {
	t.Helper()
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type inner struct {
	At   time.Time      `cbor:",omitzero"`
	Addr netip.AddrPort `cbor:",omitzero"`
}

type outer struct {
	inner
	Key  string           `cbor:",omitzero"`
	Sent Request          `cbor:",omitzero"`
	Last Response         `cbor:",omitzero"`
	By   map[uint8]string `cbor:",omitzero"`
	More []inner          `cbor:",omitzero"`
	None []byte           `cbor:",omitzero"`
}

func TestValuesComeBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 8*3600))
	v := outer{
		inner: inner{at.UTC(), netip.MustParseAddrPort("[fe80::1%eth0]:5060")},
		Key:   "\xff\x00\x80 no text", Sent: Keep(message(t, bye).(*gosip.Request)),
		By: map[uint8]string{9: "b", 0: "a", 101: "c"}, More: []inner{{}, {At: at.UTC()}}, None: []byte{},
	}
	b, err := Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	var got outer
	if err := Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Sent.Msg.String() != bye || !got.Last.IsZero() {
		t.Errorf("the message is %v", got.Sent.Msg)
	}
	got.Sent = v.Sent
	if !reflect.DeepEqual(got, v) {
		t.Errorf("wrote %+v\nread %+v", v, got)
	}
	for range 20 {
		if again, _ := Encode(v); !bytes.Equal(again, b) {
			t.Fatal("the same value, other bytes")
		}
	}
}

// Another version of the program knows more fields, or fewer.
func TestVersionsReadEachOther(t *testing.T) {
	type newer struct {
		Key  string `cbor:",omitzero"`
		Mood string
		Deep struct{ A []int }
	}
	b, err := Encode(newer{Key: "k", Mood: "new", Deep: struct{ A []int }{[]int{1}}})
	if err != nil {
		t.Fatal(err)
	}
	var old outer
	if err := Decode(b, &old); err != nil || old.Key != "k" {
		t.Errorf("%v, %+v", err, old)
	}
	if b, err = Encode(outer{Key: "k", By: map[uint8]string{1: "x"}}); err != nil {
		t.Fatal(err)
	}
	var got newer
	if err := Decode(b, &got); err != nil || got.Key != "k" || got.Mood != "" {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestDamageIsAnError(t *testing.T) {
	good, err := Encode(outer{Sent: Keep(message(t, bye).(*gosip.Request))})
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if Decode(good[:n], &outer{}) == nil {
			t.Errorf("%d of %d bytes are read as the whole", n, len(good))
		}
	}
	other := struct{ Last Message[gosip.Message] }{Keep(message(t, bye))}
	b, err := Encode(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := Decode(b, &outer{}); err == nil || !strings.Contains(err.Error(), "Request") {
		t.Errorf("a request in the place of a response: %v", err)
	}
}

// A message is printed once, however often the state is written.
func TestMessageIsPrintedOnce(t *testing.T) {
	m := Keep(message(t, bye).(*gosip.Request))
	first := m.Text().Bytes()
	copied := m
	again := copied.Text().Bytes()
	if &first[0] != &again[0] {
		t.Error("printed twice")
	}
}

func TestHidden(t *testing.T) {
	type bad struct {
		inner
		Ok   outer
		Func func()
		Any  any
		lost int
		Skip int `cbor:"-"`
	}
	want := []string{"bad.Func", "bad.Any", "bad.lost", "bad.Skip"}
	if got := Hidden(reflect.TypeFor[bad]()); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_ = bad{}.lost
}

func FuzzDecode(f *testing.F) {
	b, err := Encode(outer{Key: "k", Sent: Keep(message(f, bye).(*gosip.Request))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var v outer
		if Decode(b, &v) != nil {
			return
		}
		if _, err := Encode(v); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
	})
}
