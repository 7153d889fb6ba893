package ua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

const testdata = "../../../shared/testdata"

func torture(t testing.TB, folder string) map[string]string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(testdata, folder, "*"))
	if len(files) == 0 {
		t.Skip("the torture messages of RFC 4475 and 5118 are not beside the repository")
	}
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".dat")] = string(b)
	}
	return out
}

// What each message of RFC 4475 earns: the code of our answer from a trunk, 0
// for silence, call for an INVITE that reaches the handler (what then is wrong
// with its body or extensions is the leg's to say).
const (
	silence = 0
	call    = 1
)

var torture4475 = map[string]int{
	// §3.1.1 valid
	"wsinv": 481 /* it has a To tag */, "intmeth": 501, "esc01": call, "escnull": 401, "esc02": 501, "lwsdisp": 200,
	"longreq": call,
	"dblreq":  401, "semiuri": 200, "transports": 200, "mpart01": 405, "unreason": silence, "noreason": silence,
	// §3.1.2 invalid
	"badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": silence, "quotbal": 400, "ltgtruri": 400,
	"lwsruri": 400, "lwsstart": 400, "trws": 200, "escruri": 400, "baddate": call, "regbadct": 400, "badaspec": 200,
	"baddn": 200, "badvers": 505, "mismatch01": 400, "mismatch02": 400, "bigcode": silence,
	// §3.2 transaction layer
	"badbranch": 200,
	// §3.3 application layer
	"insuf": 400, "unkscm": 416, "novelsc": 416, "unksm2": 401, "bext01": 420, "invut": call, "regaut01": 401,
	"multi01": 400, "mcl01": 400, "bcast": silence, "zeromf": 200, "cparam01": 401, "cparam02": 401, "regescrt": 401,
	"sdp01": call,
	// §3.4 backward compatibility
	"inv2543": call,
	// not in the RFC's text
	"unused-test": silence,
}

var torture5118 = map[string]int{
	"ipv6-good": 401, "ipv6-bad": 400, "port-ambiguous": 401, "port-unambiguous": 401,
	"ipv6-correct-abnf-2-colons": 200,
	"ipv6-bug-abnf-3-colons":     200, "mult-ip-in-header": 481, "ipv4-mapped-ipv6": call, "ipv6-in-sdp": 400,
	/* its Content-Length is 17 too large */
	"mult-ip-in-sdp": call, "via-received-param-no-delim": 200, "via-received-param-with-delim": 481,
}

func TestTorture(t *testing.T) {
	for folder, want := range map[string]map[string]int{"rfc4475": torture4475, "rfc5118": torture5118} {
		messages := torture(t, folder)
		for name, text := range messages {
			t.Run(folder+"/"+name, func(t *testing.T) {
				expected, ok := want[name]
				if !ok {
					t.Fatal("no expectation for this message")
				}
				feed(t, text, expected)
			})
		}
	}
}

// feed sends the message from the trunk's host, with a Via that can be answered
// to a test: its own, whose sent-by is not our address, gets the source port.
func feed(t *testing.T, text string, want int) {
	r := newRig(t, func(c *Config) {
		for _, name := range []string{"user", "watson", "j.user", "null-%00-null"} {
			c.Users[name] = User{Password: "x", Network: "lab"}
		}
		c.Users["isbn"] = User{Network: "lab"}
	})
	p := r.udp(trunkHost)
	p.send(text)
	probe := p.request("OPTIONS", "1").with("Subject: probe")
	p.send(probe.String()) // answered after what came before it
	got := silence
	if a := p.receive(); !strings.Contains(a, probe.callID) {
		got = code(t, a)
		p.receive()
	}
	select {
	case in := <-r.inbox.got:
		got = call
		understood(t, in.Packet.Msg)
	default:
	}
	if got != want {
		t.Errorf("outcome %d, want %d", got, want)
	}
	if n := r.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

// understood: what a leg needs of an INVITE is there, and survives printing.
func understood(t *testing.T, msg gosip.Message) {
	t.Helper()
	again, err := read([]byte(msg.String()))
	if err != nil || again.fault.code != 0 {
		t.Fatalf("printed INVITE is not understood: %v %s\n%s", err, again.fault.phrase, msg)
	}
	for _, m := range []gosip.Message{msg, again.msg} {
		if m.From() == nil || m.To() == nil || m.CallID() == nil || m.CSeq() == nil || m.Via() == nil {
			t.Fatalf("header fields missing\n%s", m)
		}
	}
	if again.msg.String() != msg.String() {
		t.Errorf("printed twice:\n%s\n%s", msg, again.msg)
	}
}

// RFC 4475 §3.1.1.1, the message with white space everywhere.
func TestTortuousWhiteSpace(t *testing.T) {
	m, err := read([]byte(torture(t, "rfc4475")["wsinv"]))
	if err != nil || m.fault.code != 0 {
		t.Fatal(err, m.fault)
	}
	req := m.msg.(*gosip.Request)
	tests := []struct{ what, got, want string }{
		{"To tag", req.To().Params.GetOr("tag", ""), "1918181833n"},
		{"From tag", req.From().Params.GetOr("tag", ""), "98asjd8"},
		{"From name", req.From().DisplayName, `J Rosenberg \\\"`},
		{"top Via", req.Via().Value(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw"},
		{"second Via", req.GetHeaders("Via")[1].Value(), "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8"},
		{"third Via", req.GetHeaders("Via")[2].Value(), "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239"},
		{"CSeq", req.CSeq().Value(), "9 INVITE"},
		{"Max-Forwards", req.MaxForwards().Value(), "68"},
		{"Contact", req.Contact().Address.String(), "sip:jdrosen@example.com"},
		{"folded header", req.GetHeader("NewFangledHeader").Value(), "newfangled value continued newfangled value"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	if len(req.Body()) != 150 {
		t.Errorf("body of %d bytes", len(req.Body()))
	}
}

// RFC 5118 §4.5: received with and without the brackets.
func TestIPv6Received(t *testing.T) {
	for _, name := range []string{"via-received-param-no-delim", "via-received-param-with-delim"} {
		m, err := read([]byte(torture(t, "rfc5118")[name]))
		if err != nil || m.top == nil {
			t.Fatal(err)
		}
		ip, _ := hostIP(m.top.Params.GetOr("received", ""))
		if ip.String() != "2001:db8::9:255" || m.top.Host != "[2001:db8::9:1]" {
			t.Errorf("%s: received %s, host %s", name, ip, m.top.Host)
		}
	}
}
