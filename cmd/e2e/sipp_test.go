package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/icholy/digest"

	"liandong/cmd/internal/phone"
)

// scenario is one run of SIPp: a file of testdata/sipp with values, one call.
type scenario struct {
	file    string
	values  map[string]any
	at      netip.AddrPort // where SIPp is
	server  netip.AddrPort // whom it calls; zero for one that waits to be called
	service string         // the number called, or the phone's user
	tone    float64        // Hz of its voice
	keys    []keyPress
	voice   time.Duration // length of the voice; 20 s when zero
	echo    bool          // it sends back the sound that it gets
}

// sipp is a running SIPp.
type sipp struct {
	dir    string
	file   string
	output bytes.Buffer
	done   chan struct{}
	err    error // after done
}

// startSIPp starts it; the test's end stops it.
func startSIPp(t testing.TB, s scenario) *sipp {
	t.Helper()
	path := program(t, "sipp", "sip-tester")
	run := &sipp{dir: t.TempDir(), file: s.file, done: make(chan struct{})}
	if s.values == nil {
		s.values = map[string]any{}
	}
	if s.tone != 0 {
		needRaw(t)
		if s.voice == 0 {
			s.voice = 20 * time.Second
		}
		voicePcap(t, run.dir, s.tone, s.voice, s.keys...)
		s.values["voice"] = "voice.pcap"
	}
	render(t, s, run.dir)
	media := freePort(t, s.at.Addr())
	args := []string{"-sf", "scenario.xml", "-i", s.at.Addr().String(), "-p", fmt.Sprint(s.at.Port()), "-mi",
		s.at.Addr().String(),
		"-mp", fmt.Sprint(media.Port()), "-s", s.service, "-m", "1", "-nostdin", "-timeout", "60", "-timeout_error",
		"-aa", // when it is silent it is asked whether it is there
		"-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log"}
	if s.echo {
		args = append(args, "-rtp_echo")
	}
	if s.server.IsValid() {
		args = append(args, s.server.String())
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = run.dir, &run.output, &run.output
	must(t, cmd.Start())
	go func() { run.err = cmd.Wait(); close(run.done) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-run.done
		if t.Failed() {
			t.Log(run.story())
		}
	})
	return run
}

// render fills in the scenario.
func render(t testing.TB, s scenario, dir string) {
	t.Helper()
	text, err := template.New(s.file).Option("missingkey=zero").ParseFiles(filepath.Join("testdata", "sipp", s.file))
	must(t, err)
	var b bytes.Buffer
	must(t, text.Execute(&b, s.values))
	must(t, os.WriteFile(filepath.Join(dir, "scenario.xml"), b.Bytes(), 0o600))
}

// wait is for the end of the scenario; it fails when a step was not as written.
func (s *sipp) wait(t testing.TB) {
	t.Helper()
	select {
	case <-s.done:
	case <-within(t, 30*time.Second).Done():
		t.Fatalf("SIPp %s does not end", s.file)
	}
	if s.err != nil {
		t.Fatalf("SIPp %s: %v", s.file, s.err)
	}
}

// story is what SIPp wrote down, for a failed test.
func (s *sipp) story() string {
	errors, _ := os.ReadFile(filepath.Join(s.dir, "errors.log"))
	messages, _ := os.ReadFile(filepath.Join(s.dir, "messages.log"))
	out := s.output.String()
	if len(out) > 2000 {
		out = out[len(out)-2000:]
	}
	return fmt.Sprintf("SIPp %s\n%s\n%s\n%s", s.file, errors, messages, out)
}

// saw fails unless a message that SIPp got, starting with start, has a line with this beginning and part.
func (s *sipp) saw(t testing.TB, start, line, part string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, "messages.log"))
	must(t, err)
	for _, m := range strings.Split(string(raw), "-----------------------------------------------")[1:] {
		_, m, received := strings.Cut(m, "message received")
		if _, text, ok := strings.Cut(m, "\n\n"); !received || !ok || !strings.HasPrefix(text, start) {
			continue
		}
		for _, l := range strings.Split(m, "\n") {
			if strings.HasPrefix(l, line) && strings.Contains(l, part) {
				return
			}
		}
	}
	t.Errorf("SIPp %s got no %s with %q %q", s.file, start, line, part)
}

// sippRegisters lets SIPp register from the port where it will then wait for calls.
func sippRegisters(t testing.TB, server, at netip.AddrPort, domain, user, password string) {
	t.Helper()
	startSIPp(t, scenario{file: "phone_register.xml", at: at, server: server, service: user, values: map[string]any{
		"domain": domain, "authorization": authorization(t, server, domain, user, password),
	}}).wait(t)
}

// authorization asks for a challenge and answers it by MD5, which is all that SIPp's generation of phones knows.
func authorization(t testing.TB, server netip.AddrPort, domain, user, password string) string {
	t.Helper()
	conn, err := net.Dial("udp", server.String())
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = fmt.Fprintf(conn,
		"REGISTER sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bKask%[3]s%[4]d;rport\r\n"+
			"Max-Forwards: 70\r\nFrom: <sip:%[3]s@%[1]s>;tag=ask\r\nTo: <sip:%[3]s@%[1]s>\r\nCall-ID: ask-%[3]s-%[4]d\r\nCSeq: 1 REGISTER\r\n"+
			"Contact: <sip:%[3]s@%[2]s>\r\nContent-Length: 0\r\n\r\n",
		domain, conn.LocalAddr(), user, time.Now().UnixNano())
	must(t, err)
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	must(t, err)
	m, err := phone.ParseMessage(buf[:n])
	must(t, err)
	for _, h := range m.Headers {
		if h.Name != "WWW-Authenticate" {
			continue
		}
		c, err := digest.ParseChallenge(h.Value)
		if err != nil || c.Algorithm != "" && c.Algorithm != "MD5" {
			continue
		}
		cred, err := digest.Digest(c, digest.Options{Method: "REGISTER", URI: "sip:" + domain, Count: 1, Username: user,
			Password: password})
		must(t, err)
		return cred.String()
	}
	t.Fatalf("no MD5 challenge in %d %s", m.Code, m.Phrase)
	return ""
}

// info is the body of one INFO that SIPp's phone sends.
type info struct{ Type, Body string }

func TestSIPpTrunkCallsPhone(t *testing.T) {
	t.Parallel()
	p := newPhone(t, phone.Config{User: "110", Speech: phone.Tone(800, time.Second), Policy: phone.AnswerAfter(0)})
	run := startSIPp(t, scenario{file: "trunk_call.xml", at: freePort(t, citizen), server: p.Addr(), service: "110",
		tone: 440,
		keys: presses(time.Second, "*1"), values: map[string]any{"caller": "13812345678", "pai": "+8613812345678",
			"hangup": 2500}})
	c := next(t, p)
	hears(t, c, 440)
	if id := c.Caller(); id.From != "13812345678" || len(id.PAI) != 1 || id.PAI[0] != "+8613812345678" {
		t.Errorf("identity %+v", id)
	}
	must(t, c.WaitDigits(within(t, 10*time.Second), "*1"))
	run.wait(t)
	must(t, c.WaitState(within(t, 5*time.Second), phone.Ended))
	if s := c.Continuity(); len(s.SSRCs) != 1 || len(s.Gaps) != 0 || s.Sources[0].Addr() != citizen {
		t.Errorf("continuity %+v", s)
	}
	if c.Digits() != "*1" {
		t.Errorf("digits %q", c.Digits())
	}
}

func TestSIPpTrunkGivesUp(t *testing.T) {
	t.Parallel()
	p := newPhone(t, phone.Config{User: "110"})
	run := startSIPp(t, scenario{file: "trunk_cancel.xml", at: freePort(t, citizen), server: p.Addr(), service: "110",
		values: map[string]any{"caller": "13812345678", "after": 200}})
	c := next(t, p)
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ended))
	if e := c.Ending(); e.Code != 487 || e.Local {
		t.Errorf("ended %+v", e)
	}
	run.wait(t)
}

func TestPhoneCallsSIPpPhone(t *testing.T) {
	t.Parallel()
	server := newPhone(t, phone.Config{User: "12345", Speech: phone.Tone(800, time.Second), Domain: "liandong.lab",
		Registrar: map[string]string{"1101": "lab-1101"}})
	at := freePort(t, here)
	sippRegisters(t, server.Addr(), at, "liandong.lab", "1101", "lab-1101")
	ctx := within(t, 25*time.Second)

	answers := startSIPp(t, scenario{file: "phone_answers.xml", at: at, service: "1101", tone: 600,
		keys: presses(500*time.Millisecond, "*3"), values: map[string]any{
			"before": 500, "hangup": 1000, "info": []info{{"application/dtmf-relay", "Signal=5\n      Duration=160"},
				{"application/dtmf", "11"}}}})
	c, err := server.Call("1101", phone.CallOptions{})
	must(t, err)
	hears(t, waitConfirmed(t, c), 600)
	must(t, c.WaitDigits(ctx, "*3"))
	must(t, c.WaitState(ctx, phone.Ended))
	answers.wait(t)
	if c.Digits() != "*3" || c.InfoKeys() != "5#" {
		t.Errorf("keys %q, by INFO %q", c.Digits(), c.InfoKeys())
	}

	refuses := startSIPp(t, scenario{file: "phone_refuses.xml", at: at, service: "1101",
		values: map[string]any{"code": 486, "phrase": "Busy Here"}})
	c, err = server.Call("1101", phone.CallOptions{})
	must(t, err)
	must(t, c.WaitState(ctx, phone.Ended))
	refuses.wait(t)
	if e := c.Ending(); e.Code != 486 {
		t.Errorf("ended %+v", e)
	}

	rings := startSIPp(t, scenario{file: "phone_rings.xml", at: at, service: "1101"})
	c, err = server.Call("1101", phone.CallOptions{})
	must(t, err)
	must(t, c.WaitState(ctx, phone.Ringing))
	must(t, c.Hangup(ctx))
	rings.wait(t)
	if e := c.Ending(); e.Code != 487 || !e.Local {
		t.Errorf("ended %+v", e)
	}
}

func waitConfirmed(t testing.TB, c *phone.Call) *phone.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, c.WaitState(ctx, phone.Confirmed))
	return c
}
