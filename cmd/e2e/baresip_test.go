package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// bareConfig is a baresip's account.
type bareConfig struct {
	user, password string
	server         netip.AddrPort
	domain         string // the server's address when empty
	transport      string // udp when empty
	answer         bool   // by itself, at once
	tone           float64
	wideband       bool   // G.722 alone, and sound of 16 kHz
	ca             string // of tls: file of the authority that it believes
	srtp           string // how it wants SRTP: srtp, srtp-mand; none when empty
}

// baresip is a running baresip, told what to do over its control socket.
type baresip struct {
	dir  string
	addr netip.AddrPort
	out  *lines
	conn net.Conn
	self *os.Process
	done chan struct{} // everything that runs for it has ended

	mu      sync.Mutex
	changed chan struct{}     // closed at the next event or answer
	events  []bareEvent       // all so far
	answers map[string]string // of commands, by token
}

type bareEvent struct {
	Type      string `json:"type"`
	Peer      string `json:"peeruri"`
	Direction string `json:"direction"`
	Param     string `json:"param"`
}

const bareSetup = `poll_method epoll
sip_listen %[1]s
net_interface 127.0.0.1
call_local_timeout 120
call_max_calls 4
audio_player aubridge,player
audio_source aufile,%[2]s/speech.wav
audio_alert aubridge,alert
audio_buffer 20-160
jitter_buffer_delay 1-10
rtp_ports %[3]d-%[4]d
snd_path %[2]s
module_path %[5]s
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen %[6]s
`

// startBaresip starts one without a sound card: it speaks a tone from a file and keeps what it hears in files.
func startBaresip(t testing.TB, cfg bareConfig) *baresip {
	t.Helper()
	path := program(t, "baresip", "baresip")
	b := &baresip{dir: t.TempDir(), addr: freePort(t, here), done: make(chan struct{}), answers: map[string]string{},
		changed: make(chan struct{})}
	control, media := freePort(t, here), freePort(t, here)
	modules := bareModules(t)
	var wav bytes.Buffer
	if cfg.wideband { // the file is played twice as fast
		tone := phone.Tone(cfg.tone/2, time.Minute)
		for i := range tone {
			tone[i] /= 2 // full scale is +9 dBm0 in G.722 and +3.14 in G.711, and baresip knows no difference
		}
		must(t, phone.WriteWAV(&wav, tone))
		binary.LittleEndian.PutUint32(wav.Bytes()[24:], 16000)
		binary.LittleEndian.PutUint32(wav.Bytes()[28:], 32000)
	} else {
		must(t, phone.WriteWAV(&wav, phone.Tone(cfg.tone, time.Minute)))
	}
	b.write(t, "speech.wav", wav.String())
	b.write(t, "contacts", "")
	setup := fmt.Sprintf(bareSetup, b.addr, b.dir, media.Port(), media.Port()+15, modules, control)
	if cfg.srtp != "" {
		setup += "module srtp.so\n"
	}
	if cfg.ca != "" {
		setup += "sip_cafile " + cfg.ca + "\n"
	}
	b.write(t, "config", setup)
	b.write(t, "accounts", cfg.account())
	cmd := exec.Command(path, "-f", b.dir)
	b.out = &lines{seen: make(chan struct{}), want: "baresip is ready"}
	cmd.Stdout, cmd.Stderr = b.out, b.out
	must(t, cmd.Start())
	b.self = cmd.Process
	gone := make(chan struct{})
	go func() { cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-gone
		if b.conn != nil {
			b.conn.Close()
			<-b.done
		}
		if t.Failed() {
			t.Logf("baresip %s\n%s", cfg.user, b.out)
		}
	})
	select {
	case <-b.out.seen:
	case <-gone:
		t.Fatalf("baresip ended\n%s", b.out)
	case <-within(t, 15*time.Second).Done():
		t.Fatalf("baresip is not ready\n%s", b.out)
	}
	conn, err := net.Dial("tcp", control.String())
	must(t, err)
	b.conn = conn
	go b.listen()
	return b
}

func (cfg bareConfig) account() string {
	domain, mode, transport, codecs := cfg.domain, "manual", "udp", "pcma,pcmu"
	if cfg.wideband {
		codecs = "g722/16000/1"
	}
	if domain == "" {
		domain = cfg.server.String()
	}
	if cfg.answer {
		mode = "auto"
	}
	if cfg.transport != "" {
		transport = cfg.transport
	}
	media := ""
	if cfg.srtp != "" {
		media = ";mediaenc=" + cfg.srtp
	}
	return fmt.Sprintf("<sip:%s@%s;transport=%s>%s;auth_user=%s;auth_pass=%s;outbound=\"sip:%s;transport=%s\";regint=60;answermode=%s;audio_codecs=%s\n",
		cfg.user, domain, transport, media, cfg.user, cfg.password, cfg.server, transport, mode, codecs)
}

// bareModules is where the distribution put the modules.
func bareModules(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules",
		"/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern + "/ctrl_tcp.so"); len(found) > 0 {
			return filepath.Dir(found[0])
		}
	}
	absent(t, "baresip has no module ctrl_tcp (apt-get install baresip)")
	return ""
}

func (b *baresip) write(t testing.TB, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600))
}

// lines is what a program prints; seen is closed when it has printed want.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	want string
	seen chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if l.want != "" && strings.Contains(l.text.String(), l.want) {
		l.want = ""
		close(l.seen)
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// listen files what comes over the control socket: netstrings of JSON.
func (b *baresip) listen() {
	defer close(b.done)
	r := bufio.NewReader(b.conn)
	for {
		head, err := r.ReadString(':')
		if err != nil {
			return
		}
		var n int
		if _, err := fmt.Sscanf(head, "%d:", &n); err != nil {
			return
		}
		body := make([]byte, n+1)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		var m struct {
			bareEvent
			Event bool   `json:"event"`
			Token string `json:"token"`
			OK    bool   `json:"ok"`
			Data  string `json:"data"`
		}
		if json.Unmarshal(body[:n], &m) != nil {
			continue
		}
		b.mu.Lock()
		if m.Event {
			b.events = append(b.events, m.bareEvent)
		} else {
			b.answers[m.Token] = fmt.Sprint(m.OK, " ", m.Data)
		}
		close(b.changed)
		b.changed = make(chan struct{})
		b.mu.Unlock()
	}
}

// until waits for ok, which runs under mu at each change.
func (b *baresip) until(ctx context.Context, what string, ok func() bool) error {
	for {
		b.mu.Lock()
		if ok() {
			b.mu.Unlock()
			return nil
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-b.done:
			return errors.New("baresip is gone, waiting for " + what)
		case <-ctx.Done():
			return fmt.Errorf("baresip: %s: %w", what, context.Cause(ctx))
		}
	}
}

// do gives a command (dial, accept, hangup, hold, resume, sndcode …) and waits for its answer.
func (b *baresip) do(t testing.TB, command, params string) {
	t.Helper()
	token := fmt.Sprint(command, time.Now().UnixNano())
	raw, err := json.Marshal(map[string]string{"command": command, "params": params, "token": token})
	must(t, err)
	_, err = fmt.Fprintf(b.conn, "%d:%s,", len(raw), raw)
	must(t, err)
	var answer string
	must(t, b.until(within(t, 5*time.Second), command, func() bool { answer = b.answers[token]; return answer != "" }))
	if !strings.HasPrefix(answer, "true") {
		t.Fatalf("baresip %s %s: %s", command, params, answer)
	}
}

// event waits for the nth event of a type, counted from 1.
func (b *baresip) event(t testing.TB, kind string, nth int) bareEvent {
	t.Helper()
	var found bareEvent
	must(t, b.until(within(t, 20*time.Second), kind, func() bool {
		n := 0
		for _, e := range b.events {
			if e.Type == kind {
				if n++; n == nth {
					found = e
					return true
				}
			}
		}
		return false
	}))
	return found
}

// registered waits for the registration; an event that came before the control socket stood shows in the output.
func (b *baresip) registered(t testing.TB) {
	t.Helper()
	ctx := within(t, 15*time.Second)
	for !strings.Contains(b.out.String(), "200 OK") {
		if strings.Contains(b.out.String(), "Register:") {
			t.Fatalf("baresip cannot register\n%s", b.out)
		}
		select {
		case <-time.After(20 * time.Millisecond): // another program's output: there is nothing to be told by
		case <-ctx.Done():
			t.Fatalf("baresip has not registered\n%s", b.out)
		}
	}
}

// heard is all sound that baresip has kept so far.
func (b *baresip) heard(t testing.TB) []int16 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	must(t, err)
	var pcm []int16
	for _, f := range files {
		raw, err := os.ReadFile(f)
		must(t, err)
		for i := 44; i+1 < len(raw); i += 2 {
			pcm = append(pcm, int16(binary.LittleEndian.Uint16(raw[i:])))
		}
	}
	return pcm
}

func TestBaresipRegistersAndTalks(t *testing.T) {
	t.Parallel()
	server := newPhone(t, phone.Config{User: "110", Speech: phone.Tone(800, time.Second), Policy: phone.AnswerAfter(0),
		Registrar: map[string]string{"1101": "lab-1101"}, Digests: []string{"MD5"}})
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: server.Addr(), tone: 440})
	ctx := within(t, 60*time.Second)
	_, err := server.Registered(ctx, "1101")
	must(t, err)
	b.registered(t)

	b.do(t, "dial", "sip:110@"+server.Addr().String())
	out := next(t, server)
	b.event(t, "CALL_ESTABLISHED", 1)
	hears(t, out, 440)
	b.do(t, "sndcode", "*1")
	must(t, out.WaitDigits(ctx, "*1"))
	b.do(t, "hold", "")
	must(t, out.WaitRemoteDirection(ctx, phone.SendOnly))
	b.do(t, "resume", "")
	must(t, out.WaitRemoteDirection(ctx, phone.SendRecv))
	hears(t, out, 440)
	b.do(t, "hangup", "")
	must(t, out.WaitState(ctx, phone.Ended))
	if s := phone.Share(b.heard(t), 800); s < 0.5 {
		t.Errorf("baresip heard %.2f of 800 Hz in %d samples", s, len(b.heard(t)))
	}
	if len(out.Continuity().SSRCs) != 1 || out.Digits() != "*1" {
		t.Errorf("%q %+v", out.Digits(), out.Continuity())
	}

	in, err := server.Call("1101", phone.CallOptions{From: "13812345678"})
	must(t, err)
	if e := b.event(t, "CALL_INCOMING", 1); !strings.Contains(e.Peer, "13812345678") {
		t.Errorf("baresip shows %q", e.Peer)
	}
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, in), 440)
	must(t, in.Hangup(ctx))
	b.event(t, "CALL_CLOSED", 2)
}
