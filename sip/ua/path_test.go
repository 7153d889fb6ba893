package ua

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// RFC 3327 §5.3: the registrar keeps the Path with the binding, in the order of the header fields, and shows it in the
// 200 to a phone that says Supported: path.
func TestPath(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	near, far := "<sip:edge@10.0.0.1:5060;lr;received=sip:10.0.0.9:5070>", "<sip:10.0.0.2;lr>"
	a := p.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: "+near+", "+far, "Path: <sip:10.0.0.3;lr>", "Supported: path")
	wantCode(t, a, 200)
	if !strings.Contains(a, "\r\nPath: "+near+", "+far+"\r\nPath: <sip:10.0.0.3;lr>\r\n") {
		t.Errorf("the phone does not see its way\n%s", a)
	}
	live := r.Locate("1101")
	want := []string{"sip:edge@10.0.0.1:5060;lr;received=sip:10.0.0.9:5070", "sip:10.0.0.2;lr", "sip:10.0.0.3;lr"}
	if len(live) != 1 || !slices.Equal(live[0].Path, want) {
		t.Errorf("kept: %+v", live)
	}
	if behind := r.registrar.behindNAT(); len(behind) != 0 {
		t.Errorf("its proxy is asked as if it were the phone: %+v", behind)
	}
	a = p.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: "+near, "Require: path")
	wantCode(t, a, 200)
	if live = r.Locate("1101"); len(live) != 1 || !slices.Equal(live[0].Path, want[:1]) {
		t.Errorf("by another way: %+v", live)
	}
	if strings.Contains(a, "\r\nPath:") {
		t.Errorf("a phone that does not know it is shown its way\n%s", a)
	}
	for _, bad := range []string{"<sip:10.0.0.1>", "<tel:110>", "<sip:10.0.0.1;lr", "",
		strings.Repeat("<sip:a;lr>, ", 8) + "<sip:a;lr>"} {
		wantCode(t, p.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: "+bad), 400)
	}
}

// A proxy that drops its connection loses no phone behind it: it listens where the Path says. One that says a name, or
// another host than it came from, is not believed.
func TestPathOverTCP(t *testing.T) {
	r := newRig(t, nil)
	for path, reached := range map[string]bool{
		"<sip:127.0.0.5:5099;transport=tcp;lr>":    true,
		"<sip:edge.example:5099;transport=tcp;lr>": false,
		"<sip:127.0.0.6:5099;transport=tcp;lr>":    false,
	} {
		edge := r.tcp("127.0.0.5")
		from := netip.MustParseAddrPort(edge.conn.LocalAddr().String())
		wantCode(t, newPhone(edge, "1101", "MD5").register("Contact: <sip:1101@10.1.2.3:5070>", "Path: "+path), 200)
		_ = edge.conn.Close()
		var live []Binding
		eventually(t, "the connection's end is known", func() bool {
			live = r.Locate("1101")
			return len(live) == 0 || live[0].Flow.Remote != from
		})
		if reached != (len(live) == 1 && live[0].Flow.Remote.String() == "127.0.0.5:5099" &&
			live[0].Flow.Transport == "tcp") {
			t.Errorf("%s: %+v", path, live)
		}
	}
}
