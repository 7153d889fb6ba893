package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/phone"
	"liandong/configs"
	"liandong/routing/link/redistest"
)

// half is one of two switches that share nothing but a trunk and two folders.
type half struct {
	Own, Other    string // hotlines
	Desk          string // user of the one phone
	At, Peer      netip.AddrPort
	RTP, Redis    string
	HTTP          netip.AddrPort
	Dir           string // of this side alone
	Send, Receive string
	Citizens      netip.Addr

	file string
}

var halfFile = template.Must(template.New("").Parse(`lang: en
node: side-{{.Own}}
networks:
  net: {sip: {udp: "{{.At}}", tcp: "{{.At}}"}, rtp: {address: {{.At.Addr}}, ports: {{.RTP}}}}
realm: liandong.lab
trunks:
  pstn: {match: ["{{.Citizens}}"], trusted: true}
  peer: {match: ["{{.Peer.Addr}}"], target: "{{.Peer}}", trusted: true, diversion: true}
hotlines:
  {{.Own}}: {numbers: [{{.Own}}], no_answer: 8s, partner: {{.Other}}, prompts: {handover: keep_waiting}}
  {{.Other}}:
    numbers: [{{.Other}}]
    no_answer: 8s
    trunk: peer
    spool: {send: "{{.Send}}", receive: "{{.Receive}}", state: "{{.Dir}}/spool", key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f}
phones:
  {{.Desk}}: {hotline: {{.Own}}, password: lab-{{.Desk}}}
emergency: 110
redis: {url: "{{.Redis}}"}
http: {listen: "{{.HTTP}}", allow: [127.0.0.0/8]}
outbox: {path: "{{.Dir}}/outbox.db"}
`))

// start runs the switch and both ends of its files until the test ends.
func (s *half) start(t *testing.T, liandong string) {
	t.Helper()
	var text strings.Builder
	must(t, halfFile.Execute(&text, s))
	s.file = filepath.Join(s.Dir, "liandong.yaml")
	must(t, os.WriteFile(s.file, []byte(text.String()), 0o600))
	cfg, err := configs.Load(s.file, configs.Options{})
	must(t, err)
	a, err := app.New(cfg, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(t, err)
	must(t, a.Start())
	t.Cleanup(a.Stop)
	for _, way := range []string{"send", "receive"} {
		s.run(t, liandong, way)
	}
}

// run runs liandong spool send or receive as a process.
func (s *half) run(t *testing.T, liandong, way string) {
	t.Helper()
	out := &lines{}
	cmd := exec.Command(liandong, "spool", way, "--follow", "-c", s.file)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() || strings.Contains(out.String(), number) {
			t.Errorf("spool %s of %s: %v\n%s", way, s.Own, err, out.String())
		}
	})
}

// get reads what a switch answers by HTTP.
func (s *half) get(t *testing.T, path string, into any) {
	t.Helper()
	answer, err := http.Get("http://" + s.HTTP.String() + path)
	must(t, err)
	defer answer.Body.Close()
	must(t, json.NewDecoder(answer.Body).Decode(into))
}

func (s *half) desk(t *testing.T, hz float64) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: s.Desk, Password: "lab-" + s.Desk, Domain: domain, Server: s.At,
		Policy: phone.AnswerAfter(200 * time.Millisecond),
		Speech: phone.Tone(hz, time.Second), RTCP: true})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

// Split mode. 110 stands at one switch, 12345 at another; each has a Redis, and between them are a SIP trunk and a
// folder each way. A citizen's call is handed over with his number; the entries come to 12345's Redis, and what its
// ticket system says of the matter comes to the Redis of 110.
func TestSplit(t *testing.T) {
	if testing.Short() {
		t.Skip("a call in real time")
	}
	t.Parallel()
	liandong := filepath.Join(t.TempDir(), "liandong")
	if out, err := exec.Command("go", "build", "-o", liandong, "liandong/cmd/liandong").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	there, back := t.TempDir(), t.TempDir()
	police := freePort(t, netip.MustParseAddr("127.0.0.4"))
	gov := freePort(t, netip.MustParseAddr("127.0.0.5"))
	a := &half{HTTP: freePort(t, here), Own: "110", Other: "12345", Desk: "1101", At: police, Peer: gov, RTP: freeRTP(),
		Redis: redistest.Start(t).URL(),
		Dir:   t.TempDir(), Send: there, Receive: back, Citizens: citizen}
	b := &half{HTTP: freePort(t, here), Own: "12345", Other: "110", Desk: "2101", At: gov, Peer: police, RTP: freeRTP(),
		Redis: redistest.Start(t).URL(),
		Dir:   t.TempDir(), Send: back, Receive: there, Citizens: netip.MustParseAddr("127.0.0.11")}
	a.start(t, liandong)
	b.start(t, liandong)

	first, partner := a.desk(t, deskTone), b.desk(t, partnerTone)
	caller := newPhone(t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: a.At,
		Speech: phone.Tone(callerTone, time.Second), RTCP: true})
	c, err := caller.Call("sip:110@"+a.At.String(), phone.CallOptions{From: number, PAI: []string{"tel:+86" + number}})
	must(t, err)
	pushes(t, waitConfirmed(t, next(t, first)), "*1")
	p := next(t, partner)
	if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) == 0 ||
		!strings.Contains(id.PAI[0], number) {
		t.Errorf("the partner sees %+v", id)
	}
	waitConfirmed(t, p)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	var calls []struct{ ID string }
	b.get(t, "/v1/calls", &calls)
	hangUp(t, c)
	ended(t, p)
	for _, call := range calls { // by its id here
		var story []map[string]string
		b.get(t, "/v1/calls/"+call.ID+"/story", &story)
		if len(story) == 0 || story[0]["event"] != "arrived" || story[0]["call_ref"] == call.ID {
			t.Errorf("the story of call %s: %v", call.ID, story)
		}
	}
	if len(calls) != 1 {
		t.Errorf("%d calls at 12345's switch", len(calls))
	}

	at := func(s *half) string { return strings.TrimSuffix(strings.TrimPrefix(s.Redis, "redis://"), "/0") }
	e := readEntries(t, at(b), "liandong:tickets:12345", 2)
	if e[0]["event"] != "opened" || e[1]["event"] != "answered" || e[0]["stub_id"] != e[1]["stub_id"] ||
		e[0]["caller_e164"] != "+86"+number {
		t.Errorf("entries %v", e)
	}
	for _, event := range wholeStream(t, at(b), "liandong:calls") {
		if event["event"] == "registered" { // of a phone
			continue
		}
		if event["call_ref"] != e[0]["call_ref"] || event["stub_id"] != e[0]["stub_id"] {
			t.Errorf("an event of 12345's switch does not name the call and matter of 110's: %v", event)
		}
	}
	key := "liandong:" + e[0]["stub_id"]
	state := func(s *half, name string) any { return ask(t, at(s), "HGET", key, name) }
	eventually(t, "12345 knows the matter", func() bool { return state(b, "state") == "PUSHED" })
	update := func(s *half, n int, words ...string) {
		ask(t, at(s), append([]string{"XADD", "liandong:updates", "*", "event_id", fmt.Sprint("U-", s.Own, "-", n),
			"stub_id", e[0]["stub_id"],
			"at", time.Now().Format(time.RFC3339Nano), "event"}, words...)...)
	}
	for n, event := range []string{"received", "signed", "accepted"} {
		update(b, n, event, "peer_ticket_no", "SJ-9")
	}
	eventually(t, "110 knows what became of it", func() bool {
		return state(a, "state") == "ACCEPTED" &&
			state(a, "peer_ticket_no") == "SJ-9"
	})
	update(a, 0, "supervised", "text", "quickly")
	eventually(t, "12345 is asked after it", func() bool {
		return state(b, "supervised") == "1" &&
			state(b, "text") == "quickly"
	})
	for _, s := range []*half{a, b} {
		if n := len(wholeStream(t, at(s), "liandong:updates")); n != 4 {
			t.Errorf("%d updates at %s, want 4: they go round, or are missing", n, s.Own)
		}
		if n := len(wholeStream(t, at(s), "liandong:tickets:12345")); n != 2 {
			t.Errorf("%d entries at %s", n, s.Own)
		}
	}
	eventually(t, "everything is acknowledged", func() bool {
		left := 0
		for _, dir := range []string{there, back, filepath.Join(a.Dir, "spool/12345/out"),
			filepath.Join(b.Dir, "spool/110/out")} {
			list, _ := filepath.Glob(filepath.Join(dir, "*-*"))
			left += len(list)
		}
		return left == 0
	})
}
