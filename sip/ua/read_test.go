package ua

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// Who keeps a header field of a message, or an answer made of them, does not keep its body: calls that wait do so.
func TestKeptFieldsKeepNoBody(t *testing.T) {
	head, _, _ := strings.Cut(benchInvite, "Content-Length")
	m, err := read([]byte(head + "\r\n" + strings.Repeat("x", 20_000)))
	if err != nil || m.fault.code != 0 {
		t.Fatal(err, m.fault)
	}
	req := m.msg.(*gosip.Request)
	body := weak.Make(&req.Body()[0])
	answer := leg.Reply(leg.Packet{Msg: req}, 180, "", "tag")
	contact := req.Contact()
	m, req = message{}, nil
	if runtime.GC(); body.Value() != nil {
		t.Error("the body is still there")
	}
	runtime.KeepAlive(answer)
	runtime.KeepAlive(contact)
}

// A header field that messages share does not hold the head of the one that it was read of.
func TestSharedFieldIsNoPieceOfAHead(t *testing.T) {
	const line = "X-Of-Nobody-Else: some text"
	r := newReader()
	r.line(line)
	name, value := r.fields[0].Name(), r.fields[0].Value()
	if name != "X-Of-Nobody-Else" || value != "some text" {
		t.Fatalf("%s: %s", name, value)
	}
	for _, piece := range []string{name, value} {
		at, head := uintptr(unsafe.Pointer(unsafe.StringData(piece))), uintptr(unsafe.Pointer(unsafe.StringData(line)))
		if at >= head && at < head+uintptr(len(line)) {
			t.Errorf("%q lies within its line", piece)
		}
	}
	if r.line(line); r.fields[1] != r.fields[0] {
		t.Error("it is not shared")
	}
}
