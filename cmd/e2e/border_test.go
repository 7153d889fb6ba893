package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/phone"
	"liandong/configs"
)

// border is a switch with a foot in each of two networks.
type border struct {
	police, gov *side
	http        netip.AddrPort
}

// side is one of the two: its addresses, who is there, and all that they were sent.
type side struct {
	name         string
	third        byte // 127.0.third.x are its addresses
	server       netip.AddrPort
	pbx          netip.AddrPort
	line, other  string // its hotline, and one that is reached through its PBX
	hotlineDesk  string
	came, told   capture // by its parties, and of their own
	trunk, phone *phone.Phone
}

// capture is bytes, in the pieces in which they travelled.
type capture struct {
	mu     sync.Mutex
	pieces [][]byte
}

func (c *capture) take(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pieces = append(c.pieces, bytes.Clone(b))
}

func (s *side) addr(host byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, s.third, host}) }

// domain is the name of the network, which everything in it says of itself.
func (s *side) domain() string { return s.name + ".internal" }

// config has a network, a PBX, a hotline with a desk, and a line behind the PBX for each side.
const borderConfig = `
lang: en
networks:
  police: {sip: {udp: %[1]s, tcp: %[1]s}, rtp: {address: 127.0.1.1, ports: %[5]s}, allow: [127.0.1.0/24]}
  gov: {sip: {udp: %[2]s, tcp: %[2]s}, rtp: {address: 127.0.2.1, ports: %[6]s}, allow: [127.0.2.0/24], strangers: "403"}
realm: hotline.example.cn
trunks:
  police-pbx: {network: police, match: [127.0.1.2], target: "%[3]s", trusted: true, pai: true, diversion: true, history_info: true}
  gov-pbx: {network: gov, match: [127.0.2.2], target: "%[4]s", trusted: true, pai: true, diversion: true, history_info: true}
hotlines:
  110: {numbers: [110], network: police, no_answer: 10s, partner: 12345, reveal_restricted: true}
  12345: {numbers: [12345], network: gov, no_answer: 10s, partner: 110}
  119: {numbers: [119], trunk: police-pbx}
  120: {numbers: [120], trunk: gov-pbx}
phones:
  1101: {hotline: 110, password: calm-heron-1101}
  2101: {hotline: 12345, password: calm-heron-2101}
numbers: {area_code: "0311"}
redis: {url: "redis://%[7]s/0"}
outbox: {path: %[8]s}
http:
  listen: %[9]s
  allow: [127.0.0.1]
  access:
    police-chief: {role: supervisor, hotlines: [110, 119], token: token-of-the-chief-of-police}
    gov-chief: {role: supervisor, hotlines: [12345, 120], token: token-of-the-chief-of-gov}
timers: {settle: 200ms}
`

func startBorder(t *testing.T) *border {
	t.Helper()
	b := &border{
		police: &side{name: "police", third: 1, line: "110", other: "119", hotlineDesk: "1101"},
		gov:    &side{name: "gov", third: 2, line: "12345", other: "120", hotlineDesk: "2101"},
	}
	for _, s := range []*side{b.police, b.gov} {
		s.server, s.pbx = freePort(t, s.addr(1)), freePort(t, s.addr(2))
	}
	b.http = freePort(t, here)
	dir := t.TempDir()
	file := filepath.Join(dir, "border.yaml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, borderConfig, b.police.server, b.gov.server, b.police.pbx, b.gov.pbx,
		freeRTP(), freeRTP(),
		miniredis.RunT(t).Addr(), filepath.Join(dir, "outbox.db"), b.http), 0o600))
	cfg, err := configs.Load(file, configs.Options{})
	must(t, err)
	out := &lines{}
	a, err := app.New(cfg, nil, slog.New(slog.NewTextHandler(out, nil)))
	must(t, err)
	must(t, a.Start())
	t.Cleanup(func() {
		a.Stop()
		if t.Failed() {
			t.Log("switch\n" + out.String())
		}
	})
	start := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			var ladder strings.Builder
			must(t, phone.Ladder(&ladder, start, b.police.trunk, b.police.phone, b.gov.trunk, b.gov.phone))
			t.Log("calls\n" + ladder.String())
		}
	})
	b.police.settle(t, "udp")
	b.gov.settle(t, "tcp")
	return b
}

// settle puts a PBX and a desk into a network. Both say of it what they can, wherever a header, a
// body or a report has room for it.
func (s *side) settle(t *testing.T, transport string) {
	t.Helper()
	cfg := func(name string, host byte, port uint16) phone.Config {
		return phone.Config{
			Name: s.name + " " + name, Listen: netip.AddrPortFrom(s.addr(host), port), Server: s.server,
			Domain: s.domain(), UserAgent: name + "@" + s.domain(),
			Speech: phone.Tone(float64(300+100*int(host)+400*int(s.third)), time.Second), RTCP: true,
			Extra: s.gossip(host), Attributes: s.attributes(host), Tap: s.came.take,
			Lose: func(out bool, m *phone.Message) bool {
				if out {
					s.told.take(m.Bytes())
				}
				return false
			},
		}
	}
	s.trunk = newPhone(t, cfg("pbx", 2, s.pbx.Port()))
	must(t, s.trunk.SetPolicy(phone.AnswerAfter(100*time.Millisecond)))
	desk := cfg("desk", 11, 0)
	desk.User, desk.Password, desk.Transport = s.hotlineDesk, "calm-heron-"+s.hotlineDesk, transport
	s.phone = newPhone(t, desk)
	must(t, s.phone.Register(within(t, 10*time.Second)))
}

// gossip is what phones, PBXs and proxies tell of the network they are in.
func (s *side) gossip(host byte) []phone.Header {
	at, in := s.addr(host).String(), s.domain()
	raw := hex.EncodeToString(s.addr(host).AsSlice())
	return []phone.Header{
		{Name: "Server", Value: "core/" + in}, {Name: "Organization", Value: in}, {Name: "Subject", Value: at},
		{Name: "Warning", Value: `399 ` + in + ` "no room at ` + at + `"`},
		{Name: "Error-Info", Value: "<sip:sorry@" + at + ">"},
		{Name: "Alert-Info", Value: "<http://" + at + "/ring.wav>"},
		{Name: "Call-Info", Value: "<http://" + in + "/photo.jpg>;purpose=icon"},
		{Name: "History-Info", Value: "<sip:1@" + in + ">;index=1, <sip:2@" + at +
			"?Reason=SIP%3Bcause%3D302%3Btext%3D%22" + at + "%22>;index=1.1"},
		{Name: "Diversion", Value: "<sip:3@" + at + ">;reason=no-answer;counter=1"},
		{Name: "User-to-User", Value: raw + ";encoding=hex"},
		{Name: "Reason", Value: `Q.850 ;cause=17 ;text="busy at ` + at + `"`},
		{Name: "Remote-Party-ID", Value: `"` + in + `" <sip:13900000000@` + at + `>;party=called`},
		{Name: "P-Charging-Vector", Value: "icid-value=" + raw + ";icid-generated-at=" + at + ";orig-ioi=" + in},
		{Name: "P-Visited-Network-ID", Value: in}, {Name: "P-Access-Network-Info", Value: "IEEE-802.3; host=" + at},
		{Name: "P-Called-Party-ID", Value: "<sip:4@" + in + ">"},
		{Name: "Geolocation", Value: "<https://lis." + in + "/" + raw + ">"},
		{Name: "Session-ID", Value: raw + "00000000000000000000000000"}, {Name: "In-Reply-To", Value: "5@" + at},
		{Name: "Reply-To", Value: "<sip:6@" + in + ">"},
		{Name: "X-Real-Host", Value: at}, {Name: "Retry-After", Value: "5 (" + in + ")"},
	}
}

func (s *side) attributes(host byte) []string {
	at := s.addr(host)
	return []string{
		"candidate:1 1 UDP 2130706431 " + at.String() + " 40000 typ host", "rtcp-fb:* nack " + s.domain(),
		"tool:" + s.domain(),
		"cname:" + at.String(), "x-host:" + hex.EncodeToString(at.AsSlice()),
	}
}

// needles are the forms in which a network's addresses and names can show.
func (s *side) needles() map[string][]byte {
	all := map[string][]byte{
		"its domain": []byte(s.domain()), "an address": fmt.Appendf(nil, "127.0.%d.", s.third),
		"an address in hex": fmt.Appendf(nil, "7f000%d", s.third),
		"its PBX":           []byte("police-pbx"),
	}
	if s.name == "gov" {
		all["its PBX"] = []byte("gov-pbx")
	}
	for _, host := range []byte{1, 2, 11} {
		at := s.addr(host)
		all["the bytes of "+at.String()] = at.AsSlice()
	}
	return all
}

// shows says which of a network's needles are in what came.
func (s *side) shows(c *capture) (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, needle := range s.needles() {
		for _, piece := range c.pieces {
			if bytes.Contains(bytes.ToLower(piece), needle) {
				found = append(found, fmt.Sprintf("%s of %s (%q) in %q", what, s.name, needle, piece))
				break
			}
		}
	}
	return found
}

// kinds counts messages, sound and reports.
func (c *capture) kinds() (sip, rtp, rtcp int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, piece := range c.pieces {
		switch {
		case len(piece) > 1 && piece[0] == 0x80 && piece[1]&0x7f < 72:
			rtp++
		case len(piece) > 1 && piece[0]>>6 == 2 && piece[1] >= 200 && piece[1] <= 207:
			rtcp++
		default:
			sip++
		}
	}
	return sip, rtp, rtcp
}

// TestNothingCrosses: whole calls from each network into the other, which succeed and which fail.
// No byte that one network is sent has an address or a name of the other.
func TestNothingCrosses(t *testing.T) {
	t.Parallel()
	for _, towards := range []string{"gov", "police"} {
		t.Run("towards "+towards, func(t *testing.T) {
			t.Parallel()
			b := startBorder(t)
			from, to := b.police, b.gov
			if towards == "police" {
				from, to = to, from
			}
			for _, s := range []*side{from, to} { // lamps of both lines
				must(t, s.phone.Watch(within(t, 10*time.Second), from.line))
				must(t, s.phone.Watch(within(t, 10*time.Second), to.line))
			}
			handedOver(t, from, to)
			conferred(t, from, to)
			referredInVain(t, from, to)
			givenUp(t, from, to)
			throughPBX(t, from, to)
			for _, s := range [][2]*side{{from, to}, {to, from}} {
				if own := s[0].shows(&s[0].told); len(own) < 3 {
					t.Errorf("the parties in %s have told nothing of it: %v", s[0].name, own)
				}
				for _, leak := range s[1].shows(&s[0].came) {
					t.Errorf("%s sees %s", s[0].name, leak)
				}
				if sip, rtp, rtcp := s[0].came.kinds(); sip < 20 || rtp < 100 || rtcp < 1 {
					t.Errorf("%s was sent %d messages, %d packets of sound and %d reports", s[0].name, sip, rtp, rtcp)
				}
			}
		})
	}
}

// TestStrangersByNetwork: who is on a network and is nobody there gets no answer or 403, as the
// network has it; who is on another one gets none. Calls and registrations are another matter: where there are phones
// anybody is asked for a password.
func TestStrangersByNetwork(t *testing.T) {
	t.Parallel()
	b := startBorder(t)
	for _, c := range []struct {
		name string
		from netip.Addr
		to   *side
		want string
	}{
		{"of a silent network", b.police.addr(77), b.police, ""},
		{"of one that refuses", b.gov.addr(77), b.gov, "SIP/2.0 403"},
		{"the PBX of the other network", b.police.addr(2), b.gov, ""},
		{"a desk of the other network", b.gov.addr(11), b.police, ""},
	} {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.from, 0)),
			net.UDPAddrFromAddrPort(c.to.server))
		must(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "OPTIONS sip:%[1]s@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bKstranger\r\nMax-Forwards: 70\r\n"+
			"From: <sip:110@%[2]s>;tag=1\r\nTo: <sip:%[1]s@%[2]s>\r\nCall-ID: stranger@%[3]s\r\nCSeq: 1 OPTIONS\r\nContact: <sip:%[3]s>\r\nContent-Length: 0\r\n\r\n",
			c.to.line, c.to.server, conn.LocalAddr())
		wait := 10 * time.Second
		if c.want == "" {
			wait = 300 * time.Millisecond
		}
		must(t, conn.SetReadDeadline(time.Now().Add(wait)))
		answer := make([]byte, 2000)
		n, _ := conn.Read(answer)
		if !bytes.HasPrefix(answer[:n], []byte(c.want)) || c.want == "" && n > 0 {
			t.Errorf("a stranger %s got %q, want %q", c.name, answer[:n], c.want)
		}
	}
	eventually(t, "the four strangers are counted", func() bool {
		res, err := http.Get("http://" + b.http.String() + "/metrics")
		must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return bytes.Contains(body, []byte("liandong_sip_strangers_total 4\n"))
	})
}

// call is a citizen's, whose number is as odd as they come: its host is in its user part.
func (s *side) call(t *testing.T, from string) (caller, desk *phone.Call) {
	t.Helper()
	must(t, s.phone.SetPolicy(phone.AnswerAfter(0)))
	c, err := s.trunk.Call("sip:"+s.line+"@"+s.server.String(), phone.CallOptions{
		From: from, Display: "citizen at " + s.domain(),
		Headers: []phone.Header{
			{Name: "Via", Value: "SIP/2.0/UDP core." + s.domain() + ":5060;branch=z9hG4bK" + s.domain() + ";received=" +
				s.addr(2).String()},
			{Name: "Referred-By", Value: "<sip:7@" + s.domain() + ">"},
		},
	})
	must(t, err)
	desk = waitConfirmed(t, next(t, s.phone))
	return waitConfirmed(t, c), desk
}

func (s *side) citizen() string { return "sip:13812345678@" + s.domain() }

// request sends a request within a call, whatever is answered.
func request(t *testing.T, c *phone.Call, method, kind, body string, headers ...phone.Header) {
	t.Helper()
	if kind != "" {
		headers = append(headers, phone.Header{Name: "Content-Type", Value: kind})
	}
	_, _ = c.Request(within(t, 10*time.Second), method, headers, []byte(body))
}

// heardReports waits until a call's phone has got reports.
func heardReports(t *testing.T, calls ...*phone.Call) {
	t.Helper()
	for _, c := range calls {
		err := c.WaitHeard(within(t, 20*time.Second), 100*time.Millisecond, func([]int16) bool {
			r := c.Reports()
			return r.Sender+r.Receiver > 0
		})
		must(t, err)
	}
}

func handedOver(t *testing.T, from, to *side) {
	t.Helper()
	must(t, to.phone.SetPolicy(phone.Policy{Action: phone.Answer, After: 200 * time.Millisecond, Early: true}))
	c, desk := from.call(t, from.citizen())
	must(t, desk.Hold(within(t, 10*time.Second)))
	must(t, desk.Resume(within(t, 10*time.Second)))
	must(t, desk.Modify(within(t, 10*time.Second), "UPDATE", phone.SendRecv))
	request(t, desk, "OPTIONS", "", "")
	request(t, desk, "INFO", "text/plain", "desk of "+from.domain())
	request(t, c, "INFO", "application/dtmf-relay", "Signal=5\r\nDuration=100\r\n")
	must(t, desk.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := waitConfirmed(t, next(t, to.phone))
	if id := p.Caller(); !strings.Contains(id.From, number) {
		t.Errorf("the partner sees %+v", id)
	}
	ended(t, desk)
	request(t, p, "OPTIONS", "", "")
	request(t, c, "MESSAGE", "text/plain", "from "+from.domain())
	heardReports(t, c, p)
	must(t, p.Hold(within(t, 10*time.Second)))
	must(t, p.HangupWith(within(t, 10*time.Second), phone.Header{Name: "Reason",
		Value: `SIP ;cause=200 ;text="` + to.domain() + `"`}))
	ended(t, c)
}

func conferred(t *testing.T, from, to *side) {
	t.Helper()
	must(t, to.phone.SetPolicy(phone.AnswerAfter(0)))
	c, desk := from.call(t, "sip:13812345678%40"+from.addr(2).String()+"@"+from.domain())
	pushes(t, desk, "*3")
	p := waitConfirmed(t, next(t, to.phone))
	if id := p.Caller(); id.From != number {
		t.Errorf("the partner sees %+v", id)
	}
	must(t, desk.SendDTMF(within(t, 10*time.Second), "7", phone.RFC4733)) // passed on
	request(t, p, "INFO", "application/dtmf", "*")
	hangUp(t, desk)
	must(t, c.HangupWith(within(t, 10*time.Second), phone.Header{Name: "Reason",
		Value: `Q.850 ;cause=16 ;text="` + from.domain() + `"`}))
	ended(t, p)
}

func referredInVain(t *testing.T, from, to *side) {
	t.Helper()
	must(t, to.phone.SetPolicy(phone.RefuseWith(486, "Busy at "+to.domain())))
	c, desk := from.call(t, "sip:"+from.addr(2).String()+"@"+from.domain())
	request(t, desk, "REFER", "", "", phone.Header{Name: "Refer-To",
		Value: "<sip:" + to.line + "@" + from.domain() + ">"},
		phone.Header{Name: "Referred-By", Value: "<sip:" + from.addr(11).String() + "@" + from.domain() + ">"})
	ended(t, next(t, to.phone))
	_, err := desk.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
		return l.Message.Method == "NOTIFY" && strings.Contains(string(l.Message.Body), "486")
	})
	must(t, err)
	hangUp(t, c)
	ended(t, desk)
}

func givenUp(t *testing.T, from, to *side) {
	t.Helper()
	must(t, to.phone.SetPolicy(phone.NeverAnswer()))
	c, desk := from.call(t, "sip:anonymous@"+from.domain())
	pushes(t, desk, "*2")
	p := next(t, to.phone)
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ringing))
	must(t, c.HangupWith(within(t, 10*time.Second), phone.Header{Name: "Reason",
		Value: `SIP ;cause=487 ;text="` + from.addr(2).String() + `"`}))
	ended(t, desk, p)
}

// throughPBX hands over to a line that is behind the other network's PBX, by a REFER, and that one fails once.
func throughPBX(t *testing.T, from, to *side) {
	t.Helper()
	for _, policy := range []phone.Policy{phone.RefuseWith(480, "Nobody at "+to.domain()), phone.AnswerAfter(0)} {
		must(t, to.trunk.SetPolicy(policy))
		c, desk := from.call(t, from.citizen())
		request(t, desk, "REFER", "", "", phone.Header{Name: "Refer-To", Value: "sip:" + to.other})
		p := next(t, to.trunk)
		if policy.Action == phone.Refuse {
			ended(t, p)
			hangUp(t, c)
			ended(t, desk)
			continue
		}
		waitConfirmed(t, p)
		hangUp(t, c)
		ended(t, p, desk)
	}
}
