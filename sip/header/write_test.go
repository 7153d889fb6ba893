package header

import (
	"os"
	"path/filepath"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

// printed is a message with every kind of header field and every part that one may have.
func printed() gosip.Message {
	hops, length, id, kind := gosip.MaxForwardsHeader(70), gosip.ContentLengthHeader(5), gosip.CallIDHeader("1@h"),
		gosip.ContentTypeHeader("application/sdp")
	full := gosip.Uri{Scheme: "sip", User: "1101", Password: "x", Host: "2001:db8::1", Port: 5070,
		UriParams: gosip.HeaderParams{{K: "transport", V: "tcp"}, {K: "lr"}, {K: "x", V: "a b"}},
		Headers:   gosip.HeaderParams{{K: "a", V: "1"}, {K: "b", V: "2"}}}
	req := gosip.NewRequest(gosip.INVITE, gosip.Uri{Host: "[2001:db8::1]", HierarhicalSlashes: true})
	for _, h := range []gosip.Header{
		&gosip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP",
			Host: "::ffff:10.0.0.1", Port: 5060,
			Params: gosip.HeaderParams{{K: "branch", V: "z9hG4bK1"}, {K: "rport"}}},
		&gosip.FromHeader{DisplayName: `Wang \"Li\"`, Address: full, Params: gosip.HeaderParams{{K: "tag", V: "1"}}},
		&gosip.ToHeader{Address: gosip.Uri{Scheme: "sips", User: "110", Host: "fe80::1%eth0"}},
		&gosip.ContactHeader{Address: gosip.Uri{Wildcard: true, Host: "*"}},
		&gosip.ContactHeader{DisplayName: "a", Address: full, Params: gosip.HeaderParams{{K: "q", V: "0.5"}}},
		&gosip.RouteHeader{Address: full}, &gosip.RecordRouteHeader{Address: gosip.Uri{Host: "h"}},
		&gosip.ReferToHeader{Address: full}, &gosip.ReferredByHeader{Address: full, DisplayName: "b"},
		&gosip.CSeqHeader{SeqNo: 1<<31 - 1, MethodName: gosip.INVITE}, &id, &hops, &kind, &length,
		gosip.NewHeader("X-Other", "some; text"),
	} {
		req.AppendHeader(h)
	}
	req.SetBody([]byte("v=0\r\n"))
	return req
}

func TestBytesAreTheLibrarys(t *testing.T) {
	res := gosip.NewResponse(486, "Busy Here")
	for _, h := range fieldsOf(printed()) {
		res.AppendHeader(h)
	}
	for _, m := range []gosip.Message{printed(), res} {
		if got, want := string(Bytes(m)), m.String(); got != want {
			t.Errorf("\n%q, not\n%q", got, want)
		}
	}
}

func TestBytesOfTortureMessages(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(torture, "rfc*", "*"))
	if len(files) == 0 {
		t.Skip("the torture messages are not here")
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := gosip.ParseMessage(raw)
		if err != nil {
			continue
		}
		if got, want := string(Bytes(m)), m.String(); got != want {
			t.Errorf("%s:\n%q, not\n%q", name, got, want)
		}
	}
}

func BenchmarkBytes(b *testing.B) {
	m := gosip.NewResponse(180, "Ringing")
	for _, h := range fieldsOf(printed())[:3] {
		m.AppendHeader(h)
	}
	m.AppendHeader(&gosip.CSeqHeader{SeqNo: 1, MethodName: gosip.INVITE})
	m.SetBody(nil)
	b.ReportAllocs()
	for b.Loop() {
		Bytes(m)
	}
}
