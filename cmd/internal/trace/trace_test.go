package trace

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/sip/capture"
)

var start = time.Date(2026, 11, 30, 10, 0, 0, 0, time.Local)

func said(after time.Duration, callID, network string, out bool, text string) capture.Entry {
	return capture.Entry{Message: &capture.Message{
		At: start.Add(after), CallID: callID, Ref: "r", Network: network, Transport: "udp", Out: out,
		Local: netip.MustParseAddrPort("10.1.0.1:5060"), Remote: netip.MustParseAddrPort("10.1.0.2:5060"),
		Text: []byte(text),
	}}
}

func told2(after time.Duration, fields map[string]string) capture.Entry {
	data, _ := json.Marshal(fields)
	return capture.Entry{Note: &capture.Note{At: start.Add(after), Ref: "r", Data: data}}
}

const headers = "Via: SIP/2.0/UDP 10.1.0.2;branch=z9hG4bKx\r\nFrom: \"138-1234-5678\" <sip:013812345678@10.1.0.2>;tag=1\r\n" +
	"To: <sip:110@10.1.0.1>\r\nCall-ID: 13812345678-77@core.internal\r\nCSeq: 1 INVITE\r\n" +
	"P-Asserted-Identity: <tel:+86-138-1234-5678>\r\nUser-to-User: 3133383132333435363738;encoding=hex\r\n"

func call() []capture.Entry {
	return []capture.Entry{
		said(0, "a", "police", false, "INVITE sip:110@10.1.0.1 SIP/2.0\r\n"+headers+
			"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"),
		told2(0, map[string]string{
			"event": "dialog", "call_id": "a", "party": "caller", "network": "police", "lines": "110",
		}),
		said(1e6, "a", "police", true, "SIP/2.0 180 Ringing\r\n"+headers+"\r\n"),
		told2(2e6, map[string]string{"event": "arrived", "dialed": "110", "lines": "110"}),
		said(3e6, "b", "gov", true, "INVITE sip:2101@10.2.0.9 SIP/2.0\r\n"+
			strings.ReplaceAll(headers, "10.1.", "10.2.")+
			"Content-Type: application/isup\r\nContent-Length: 6\r\n\r\nbinary"),
		told2(3e6, map[string]string{
			"event": "dialog", "call_id": "b", "party": "2101", "network": "gov", "trunk": "gov-pbx",
			"lines": "110,12345",
		}),
		told2(4e6, map[string]string{"event": "hears", "party": "caller", "from": "2101", "lines": "110,12345"}),
		said(5e6, "a", "police", true, "SIP/2.0 180 Ringing\r\n"+headers+"\r\n"),
	}
}

// All see who called with the middle of the number left out, however it is written, and no body that might hold it.
func TestNumbersAreMasked(t *testing.T) {
	seen, ok := Eyes{}.See("r", call())
	text, _ := json.Marshal(Of("r", seen, 0))
	if !ok || !strings.Contains(string(text), "10.2.0.9") {
		t.Fatalf("who may see all does not: %s", text)
	}
	for _, number := range []string{"13812345678", "138-1234-5678", "3133383132333435363738", "12345678", "binary"} {
		if strings.Contains(string(text), number) {
			t.Errorf("%s is in %s", number, text)
		}
	}
	if !strings.Contains(string(text), "138****5678") || !strings.Contains(string(text), "sip:110@10.1.0.1") {
		t.Errorf("nothing is left in %s", text)
	}
}

// What looks like a number and is none stays: addresses, ports, times, versions. Numbers beside them are masked.
func TestOnlyNumbersAreMasked(t *testing.T) {
	crowd := ""
	for i := range mostNumbers + 1 {
		crowd += fmt.Sprintf("Diversion: <sip:%d@10.1.0.1>\r\n", 13900000000+i)
	}
	for _, c := range []struct{ in, want string }{
		{"Contact: <sip:127.0.0.10:5060>", "Contact: <sip:127.0.0.10:5060>"},
		{"Contact: <sip:13812345678@127.0.0.10:5060>", "Contact: <sip:138****5678@127.0.0.10:5060>"},
		{"Route: <sip:192.168.100.10;lr>, <sips:10.200.30.40>", "Route: <sip:192.168.100.10;lr>, <sips:10.200.30.40>"},
		{"To: <sip:10.200.30.40@10.1.0.1>", "To: <sip:10****3040@10.1.0.1>"},
		{"To: sip:%2B8613812345678@10.1.0.1", "To: sip:%2B861****5678@10.1.0.1"},
		{"Via: SIP/2.0/UDP 127.0.0.10:5060;received=127.0.0.10;rport=5060;branch=z9hG4bK1270010",
			"Via: SIP/2.0/UDP 127.0.0.10:5060;received=127.0.0.10;rport=5060;branch=z9hG4bK1270010"},
		{"WWW-Authenticate: Digest realm=\"192.168.100.10\"", "WWW-Authenticate: Digest realm=\"192.168.100.10\""},
		{"User-Agent: Yealink SIP-T46U 108.86.0.70", "User-Agent: Yealink SIP-T46U 108.86.0.70"},
		{"Subject: 138.1234.5678 and 138-1234-5678", "Subject: 138****5678 and 138****5678"},
		{"Date: Mon, 30 Nov 2026 10:00:00 GMT", "Date: Mon, 30 Nov 2026 10:00:00 GMT"},
		{"Expires: 1234567890", "Expires: 1234567890"},
		{"Content-Type: application/sdp\r\n\r\no=- 3941234567 3941234567 IN IP4 127.0.0.10\r\nc=IN IP4 127.0.0.10\r\nm=audio 20000 RTP/AVP 8 0 101",
			"o=- 3941234567 3941234567 IN IP4 127.0.0.10\r\nc=IN IP4 127.0.0.10\r\nm=audio 20000 RTP/AVP 8 0 101"},
		{crowd + "Contact: <sip:127.0.0.10:5060>, <tel:7654321>", "Contact: <sip:127.0.0.10:5060>, <tel:76****21>"},
	} {
		list := []capture.Entry{
			said(0, "a", "police", false, "INVITE sip:110@10.1.0.1 SIP/2.0\r\n"+
				"From: <sip:13812345678@10.1.0.9>\r\n\r\n"),
			said(1, "a", "police", false, "OPTIONS sip:127.0.0.10 SIP/2.0\r\n"+c.in+"\r\n"),
		}
		seen, _ := Eyes{}.See("r", list)
		if got := string(seen[1].Message.Text); !strings.Contains(got, c.want) {
			t.Errorf("%s\nis shown as\n%s", c.in, got)
		}
	}
}

// Of a network that is not his he sees that something passed, and between whom.
func TestOtherNetworksAreHidden(t *testing.T) {
	seen, ok := Eyes{Lines: []string{"110"}, Networks: []string{"police"}}.See("r", call())
	l := Of("r", seen, 0)
	text, _ := json.Marshal(l)
	for _, leak := range []string{"10.2.", "gov", "3133"} {
		if !ok || strings.Contains(string(text), leak) {
			t.Errorf("%q is in %s", leak, text)
		}
	}
	if len(l.Parties) != 2 || l.Parties[1].Name != "2101" || !l.Parties[1].Hidden {
		t.Errorf("the parties are %+v", l.Parties)
	}
	for _, s := range l.Steps {
		if s.Party == "2101" && (s.Label != "INVITE" ||
			!strings.HasPrefix(s.Message.Text, "INVITE sip:2101@198.51.100.") ||
			!strings.HasPrefix(s.Message.To.String(), "198.51.100.")) {
			t.Errorf("%+v %+v", s, s.Message)
		}
	}
	later, _ := Eyes{Lines: []string{"12345"}, Networks: []string{"gov"}}.See("r", call())
	if text, _ := json.Marshal(Of("r", later, 0)); strings.Contains(string(text), "arrived") {
		t.Errorf("what was of 110 alone is told to 12345: %s", text)
	}
	if _, ok := (Eyes{Lines: []string{"119"}, Networks: []string{"police"}}).See("r", call()); ok {
		t.Error("a line that has nothing to do with it sees the call")
	}
}

// FuzzHidden: whatever is in a message of another network, none of its address comes out.
func FuzzHidden(f *testing.F) {
	f.Add("Server: core/needle.internal", "v=0\r\nc=IN IP4 needle.internal\r\na=x:needle.internal\r\n")
	f.Add("From: \"needle.internal\" <sip:needle.internal@needle.internal:5060>;tag=needle.internal", "")
	f.Add("Supported: needle.internal", "m=audio 1 RTP/AVP 0\r\na=fmtp:8 needle.internal")
	f.Fuzz(func(t *testing.T, header, body string) {
		d := &disguise{salt: "r", addrs: map[netip.Addr]netip.Addr{}}
		out := d.message([]byte("INVITE sip:needle.internal SIP/2.0\r\n" + header +
			"\r\nContent-Type: application/sdp\r\n\r\n" + body))
		if strings.Contains(strings.ToLower(string(out)), "needle.internal") {
			t.Errorf("%q", out)
		}
	})
}

func TestText(t *testing.T) {
	var b strings.Builder
	seen, _ := Eyes{}.See("r", call())
	if err := Text(&b, Of("r", seen, 3), "en", false); err != nil {
		t.Fatal(err)
	}
	want := `r  2026-11-30 10:00:00.000  110 12345
3 earlier entries are not kept any more

       citizen           switch            2101
    0.000  |---INVITE SDP--->|                 |
    0.001  |<--180 Ringing---|                 |
    0.002  |                 |                 | a call for 110 arrives
    0.003  |                 |-----INVITE----->|
    0.004  |                 |                 | citizen hears 2101
    0.005  |<--180 Ringing---|                 |  (INVITE) · again
`
	got := strings.ReplaceAll(b.String(), " \n", "\n")
	for strings.Contains(got, " \n") {
		got = strings.ReplaceAll(got, " \n", "\n")
	}
	if got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
}

// watchedCall is one of both lines, with a supervisor of each: that of 12345 has taken a desk's place in the end.
func watchedCall() []capture.Entry {
	ear := func(at time.Duration, supervisors string) capture.Entry {
		return told2(at, map[string]string{"event": "hears", "party": "1101", "from": "caller", "lines": "110,12345",
			"supervisors": supervisors})
	}
	whose := func(at time.Duration, id, party, supervisor, lines string) capture.Entry {
		return told2(at, map[string]string{"event": "dialog", "call_id": id, "party": party, "network": "police",
			"supervisor": supervisor, "lines": lines})
	}
	return append(call(),
		ear(6e6, ""),
		said(7e6, "chief", "police", true, "INVITE sip:1109@10.1.0.7 SIP/2.0\r\n\r\n"),
		whose(7e6, "chief", "1109", "1", "110"),
		said(8e6, "head", "police", false, "INVITE sip:monitor2109@10.1.0.8 SIP/2.0\r\n\r\n"),
		whose(8e6, "head", "2109", "1", "12345"),
		told2(9e6, map[string]string{"event": "supervisor", "agent": "1109", "detail": "listen", "lines": "110"}),
		told2(9e6, map[string]string{"event": "supervisor", "agent": "2109", "detail": "join", "lines": "12345"}),
		told2(9e6, map[string]string{"event": "hears", "party": "1109", "from": "1101", "supervisor": "1", "lines": "110"}),
		ear(10e6, "1109 110,2109 12345"),
		ear(11e6, ""),
		told2(12e6, map[string]string{"event": "quality", "party": "supervisor", "agent": "1109", "lines": "110"}),
		whose(13e6, "head", "2109", "", "110,12345"),
		said(14e6, "head", "police", true, "INVITE sip:desk2109@10.1.0.8 SIP/2.0\r\n\r\n"),
	)
}

// The headers of a call's sound are seen with the addresses of networks that are his alone, which stand for the same as
// in the messages; those of a supervisor's leg by who may know of him.
func TestSoundAtTheBorder(t *testing.T) {
	all := call()
	for i, whose := range []struct{ leg, party, supervisor, lines string }{
		{"1", "caller", "", "110"}, {"2", "2101", "", "110,12345"}, {"9", "1109", "1", "110"}} {
		all = append(all, told2(time.Duration(20+i)*time.Millisecond, map[string]string{"event": "dialog",
			"leg": whose.leg, "call_id": "leg " + whose.leg, "party": whose.party, "network": "police",
			"supervisor": whose.supervisor, "lines": whose.lines}))
	}
	packet := func(leg uint32, network, remote string) capture.RTP {
		return capture.RTP{Leg: leg, Network: network, Local: netip.MustParseAddrPort("10.1.0.1:20000"),
			Remote: netip.MustParseAddrPort(remote), Size: 172}
	}
	rtp := []capture.RTP{packet(1, "police", "10.1.0.2:4000"), packet(2, "gov", "10.1.0.2:4002"),
		packet(9, "police", "10.1.0.9:4004"), packet(7, "police", "10.1.0.7:4006")}
	for name, c := range map[string]struct {
		eyes Eyes
		legs []uint32
	}{
		"an admin":    {Eyes{Attends: true}, []uint32{1, 2, 9}},
		"an engineer": {Eyes{}, []uint32{1, 2}},
		"a supervisor of 110": {Eyes{Lines: []string{"110"}, Networks: []string{"police"}, Attends: true},
			[]uint32{1, 2, 9}},
		"one of 12345": {Eyes{Lines: []string{"12345"}, Networks: []string{"gov"}, Attends: true},
			[]uint32{1, 2}},
		"one of another line": {Eyes{Lines: []string{"119"}, Attends: true}, nil},
	} {
		seen, heard, _ := c.eyes.SeeAll("r", all, rtp)
		var legs []uint32
		hosts := map[netip.Addr]bool{}
		for _, m := range Messages(seen) {
			hosts[m.Local.Addr()], hosts[m.Remote.Addr()] = true, true
		}
		for _, p := range heard {
			legs = append(legs, p.Leg)
			own := c.eyes.Networks == nil || p.Network == c.eyes.Networks[0]
			if own != (p.Remote.Addr().As4()[0] == 10) || own != (p.Local.Addr().As4()[0] == 10) {
				t.Errorf("%s is shown %+v", name, p)
			}
			if p.Leg != 9 && !hosts[p.Remote.Addr()] {
				t.Errorf("%s: %v stands in no message", name, p.Remote)
			}
		}
		if !slices.Equal(legs, c.legs) {
			t.Errorf("%s is shown legs %v", name, legs)
		}
	}
}

// Supervisors are seen by supervisors of the same line, and by who looks after all; a supervisor who has a desk's place
// by everybody, from then on.
func TestSupervisorsAreSeenByTheirOwn(t *testing.T) {
	both := []string{"police", "gov"}
	for name, c := range map[string]struct {
		eyes        Eyes
		chief, head bool
		ears        int // times that the desk is said to hear something else
	}{
		"an admin":              {Eyes{Attends: true}, true, true, 3},
		"a supervisor of 110":   {Eyes{Lines: []string{"110"}, Networks: both, Attends: true}, true, false, 3},
		"one of 12345":          {Eyes{Lines: []string{"12345"}, Networks: both, Attends: true}, false, true, 3},
		"an engineer":           {Eyes{}, false, false, 1},
		"an engineer of a line": {Eyes{Lines: []string{"110"}, Networks: both}, false, false, 1},
	} {
		seen, ok := c.eyes.See("r", watchedCall())
		l := Of("r", seen, 0)
		text, _ := json.Marshal(l)
		if has := strings.Contains(string(text), "1109"); !ok || has != c.chief {
			t.Errorf("%s is shown the supervisor of 110: %v", name, has)
		}
		early, late, _ := strings.Cut(string(text), "desk2109")
		if has := strings.Contains(early, "monitor2109"); has != c.head {
			t.Errorf("%s is shown the supervisor of 12345: %v", name, has)
		}
		if late == "" {
			t.Errorf("%s is not shown who has become a desk", name)
		}
		ears := 0
		for _, s := range l.Steps {
			if s.Event["event"] == "hears" && s.Event["party"] == "1101" {
				ears++
				if heard := s.Event["from"]; ears == 2 &&
					(strings.Contains(heard, "1109") != c.chief || strings.Contains(heard, "2109") != c.head) {
					t.Errorf("%s is told that the desk hears %s", name, heard)
				}
			}
			if s.Event["agent"] == "2109" && !c.head || s.Event["supervisors"] != "" {
				t.Errorf("%s is told %v", name, s.Event)
			}
		}
		if ears != c.ears {
			t.Errorf("%s is told %d times what the desk hears", name, ears)
		}
	}
	if _, ok := (Eyes{Lines: []string{"119"}, Attends: true}).See("r", append(call(), told2(0, map[string]string{
		"event": "supervisor_refused", "agent": "3109", "lines": "119"}))); ok {
		t.Error("a line sees a call because its supervisor was refused there")
	}
}

// A party who sends number upon number does not choose what it costs to read the call; no number is shown for it.
func TestNumbersWithoutEnd(t *testing.T) {
	var all []capture.Entry
	for i := range 300 {
		var text strings.Builder
		text.WriteString("INFO sip:110@10.1.0.1 SIP/2.0\r\n")
		for j := range 100 {
			fmt.Fprintf(&text, "X: <sip:139%08d@10.1.0.1>\r\n", i*100+j)
		}
		all = append(all, said(time.Duration(i), "a", "police", false, text.String()+"\r\n"))
	}
	if n := numbersIn(all); len(n.cores) != mostNumbers || !n.all {
		t.Fatalf("%d numbers are looked for in each message, more: %v", len(n.cores), n.all)
	}
	seen, _ := Eyes{}.See("r", append(all, call()...))
	text, _ := json.Marshal(Of("r", seen, 0))
	for _, number := range []string{"13900000001", "13900029999", "13812345678", "3133383132333435363738"} {
		if strings.Contains(string(text), number) {
			t.Errorf("%s is shown", number)
		}
	}
}

// What a stranger writes behind a status is cut to the columns that an arrow has.
func TestWideReason(t *testing.T) {
	for _, words := range []string{"Busy Here", strings.Repeat("忙", 9), strings.Repeat("忙", 200), "a" + strings.Repeat("忙", 9)} {
		all := append(call(), said(6e6, "a", "police", true, "SIP/2.0 486 "+words+"\r\n"+headers+"\r\n"))
		var b strings.Builder
		if err := Text(&b, Of("r", all, 0), "zh", false); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
		last := lines[len(lines)-1]
		arrow, _, _ := strings.Cut(last[strings.Index(last, "<"):], "|")
		if got := width2(arrow); !strings.Contains(last, "486") || got != gap-1 {
			t.Errorf("%q is an arrow of %d columns", arrow, got)
		}
	}
}

// Only so many calls have a place for their RTP headers: the one that was asked for first is named when it loses its
// own, and a place that gets none is given back.
func TestPlacesForHeaders(t *testing.T) {
	b := NewBook(1 << 20)
	for i := range mostSniffed {
		if heads, last := b.Sniff(strconv.Itoa(i)); heads == nil || last != "" {
			t.Fatalf("call %d: %v, and %q loses its place", i, heads, last)
		}
	}
	if heads, last := b.Sniff("1"); heads != nil || last != "" {
		t.Errorf("a call that has one: %v, and %q loses its place", heads, last)
	}
	if heads, last := b.Sniff("new"); heads == nil || last != "0" {
		t.Errorf("one too many: %v, and %q loses its place", heads, last)
	}
	b.Unsniff("new")
	if heads, last := b.Sniff("new"); heads == nil || last != "" {
		t.Errorf("after one was given back: %v, and %q loses its place", heads, last)
	}
}
