package header

import (
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

// RFC 3261 §7.3.1: names have no case, and the order of the fields of one name counts.
func TestAll(t *testing.T) {
	m, err := gosip.ParseMessage(
		[]byte("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nALLOW: INVITE\r\nX: 1\r\nallow: BYE\r\nContent-Length: 0\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for h := range All(m, "Allow") {
		got = append(got, h.Value())
	}
	if len(got) != 2 || got[0] != "INVITE" || got[1] != "BYE" {
		t.Errorf("%q", got)
	}
	for h := range All(m, "allow") {
		if h.Value() != "INVITE" {
			t.Error(h)
		}
		break
	}
	if n := testing.AllocsPerRun(100, func() {
		for range All(m, "allow") {
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
