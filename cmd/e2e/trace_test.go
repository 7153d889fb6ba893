package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/phone"
	"liandong/cmd/internal/trace"
)

// theCall is the one call that is on.
func (l *lab) theCall(t testing.TB) string {
	t.Helper()
	_, body := l.get(t, "/v1/calls")
	var list []api.Shown
	must(t, json.Unmarshal(body, &list))
	if len(list) != 1 {
		t.Fatalf("the calls are %s", body)
	}
	return list[0].ID
}

// ladder is a call's story once it holds; the last messages may be under way.
func (l *lab) ladder(t testing.TB, ref string, holds func(trace.Ladder) bool) (last trace.Ladder) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, body := l.get(t, "/v1/calls/"+ref+"/trace")
		last = trace.Ladder{}
		if json.Unmarshal(body, &last) == nil && holds(last) {
			return last
		}
	}
	var text strings.Builder
	must(t, trace.Text(&text, last, "en", true))
	t.Fatal("in vain\n" + text.String())
	return last
}

// arrows are the messages with a party, such as "< INVITE" of one that the switch has sent.
func arrows(l trace.Ladder, party string) (all []string) {
	for _, s := range l.Steps {
		if s.Message != nil && s.Party == party && !s.Again {
			way := "> "
			if s.Out {
				way = "< "
			}
			all = append(all, way+s.Label)
		}
	}
	return all
}

// inOrder says that some stand in a list in that order, with others between.
func inOrder(list []string, want ...string) bool {
	for _, one := range list {
		if len(want) > 0 && strings.HasPrefix(one, want[0]) {
			want = want[1:]
		}
	}
	return len(want) == 0
}

// A call that was handed over is told afterwards from INVITE to BYE of each leg, with what happened between; the
// capture file is one that Wireshark reads; no secret and no whole number is in either.
func TestTrace(t *testing.T) {
	t.Parallel()
	homer := startHomer(t)
	h := talking(t, phone.AnswerAfter(200*time.Millisecond), "trace.hep={address: \""+homer.at+"\", id: 7, password: hep-pass}")
	ref := h.theCall(t)
	answer, said := h.post(t, "/v1/calls/"+ref+"/rtp")
	if answer.StatusCode != 200 {
		t.Fatalf("%d %s", answer.StatusCode, said)
	}
	pushes(t, h.desk, "*1")
	p := waitConfirmed(t, next(t, h.partner))
	ended(t, h.desk)
	hears(t, h.caller, partnerTone)
	hangUp(t, h.caller)
	ended(t, p)
	l := h.ladder(t, ref, func(l trace.Ladder) bool {
		return l.Ended && inOrder(arrows(l, "2101"), "< BYE", "> 200")
	})
	for party, want := range map[string][]string{
		trace.Caller: {"> INVITE", "< 100", "< 180", "< 200", "> ACK", "> BYE", "< 200"},
		"1101":       {"< INVITE", "> 180", "> 200", "< ACK", "< BYE", "> 200"},
		"2101":       {"< INVITE", "> 180", "> 200", "< ACK", "< BYE", "> 200"},
	} {
		if got := arrows(l, party); !inOrder(got, want...) {
			t.Errorf("%s: %q", party, got)
		}
	}
	var told []string
	for _, s := range l.Steps {
		if s.Event != nil {
			told = append(told, s.Heading("en"))
		}
	}
	if !inOrder(told, "a call for 110", "1101 rings", "1101 answers", "citizen hears 1101", "1101 presses handover",
		"stub opened: 110 → 12345", "2101 answers", "citizen hears 2101", "the call ends") {
		t.Errorf("told: %q", told)
	}
	if !slices.IsSortedFunc(l.Steps, func(a, b trace.Step) int { return a.At.Compare(b.At) }) {
		t.Error("the steps are not in order of time")
	}
	if answer, said = h.post(t, "/v1/calls/"+ref+"/rtp"); answer.StatusCode != 404 {
		t.Errorf("of a call that is over: %d %s", answer.StatusCode, said)
	}
	answer, pcap := h.get(t, "/v1/calls/"+ref+"/trace.pcap")
	if answer.StatusCode != 200 {
		t.Fatalf("%d %s", answer.StatusCode, pcap)
	}
	text, _ := json.Marshal(l)
	for what, bytes := range map[string]string{"the ladder": string(text), "the capture file": string(pcap)} {
		if strings.Contains(bytes, number) || !strings.Contains(bytes, "138****5678") {
			t.Errorf("%s shows the number, or nothing", what)
		}
	}
	homer.has(t, ref, l)
	readByTshark(t, pcap, false, map[string]int{"INVITE": 3, "ACK": 3, "BYE": 3})
	streamsByTshark(t, pcap, 6)
}

// streamsByTshark has Wireshark's reading of a capture file find so many streams of sound of G.711 at least, with
// nothing lost in them, and nothing of what is said.
func streamsByTshark(t testing.TB, pcap []byte, want int) {
	t.Helper()
	path := program(t, "tshark", "tshark")
	file := filepath.Join(t.TempDir(), "call.pcapng")
	must(t, os.WriteFile(file, pcap, 0o600))
	out, err := exec.CommandContext(within(t, time.Minute), path, "-r", file, "-q", "-z", "rtp,streams").Output()
	must(t, err)
	streams := 0
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); strings.Contains(line, "g711A") && slices.Contains(f, "0") {
			streams++
		}
	}
	if streams < want {
		t.Errorf("tshark finds %d streams of sound:\n%s", streams, out)
	}
	out, err = exec.CommandContext(within(t, time.Minute), path, "-r", file, "-Y", "rtp", "-T", "fields", "-e",
		"frame.cap_len").Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		if got := strings.TrimSpace(line); got != "40" {
			t.Fatalf("of a packet there is more than its headers: %q bytes", got)
		}
	}
}

// readByTshark has a capture file read as Wireshark reads it: at least so many requests of each method, nothing
// malformed but where the phones themselves write oddly.
func readByTshark(t testing.TB, pcap []byte, odd bool, want map[string]int) {
	t.Helper()
	path := program(t, "tshark", "tshark")
	file := filepath.Join(t.TempDir(), "call.pcapng")
	must(t, os.WriteFile(file, pcap, 0o600))
	cmd := exec.CommandContext(within(t, time.Minute), path, "-r", file, "-T", "fields", "-e", "sip.Method", "-e",
		"_ws.malformed", "-e", "ip.checksum.status", "-e", "udp.checksum.status", "-o", "udp.check_checksum:TRUE", "-o",
		"ip.check_checksum:TRUE")
	out, err := cmd.Output()
	must(t, err)
	got := map[string]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		got[f[0]]++
		if len(f) < 4 || f[1] != "" && !odd || f[2] == "0" || f[3] == "0" {
			t.Errorf("tshark: %q", line)
		}
	}
	for method, n := range want {
		if got[method] < n {
			t.Errorf("tshark reads %v\n%s", got, out)
		}
	}
}

// Who looks at a call from one network sees all of its messages, and of the other network no address and no name: not
// in the ladder, not in a message, not in the capture file. What stands for them is the same everywhere.
func TestTraceAtTheBorder(t *testing.T) {
	t.Parallel()
	b := startBorder(t)
	l := &lab{http: b.http.String()}
	must(t, b.gov.phone.SetPolicy(phone.AnswerAfter(200*time.Millisecond)))
	c, desk := b.police.call(t, b.police.citizen())
	ref := l.theCall(t)
	if answer, said := l.post(t, "/v1/calls/"+ref+"/rtp"); answer.StatusCode != 200 {
		t.Fatalf("%d %s", answer.StatusCode, said)
	}
	pushes(t, desk, "*1")
	p := waitConfirmed(t, next(t, b.gov.phone))
	ended(t, desk)
	hangUp(t, c)
	ended(t, p)
	l.ladder(t, ref, func(l trace.Ladder) bool { return l.Ended && inOrder(arrows(l, "2101"), "< BYE", "> 200") })
	for own, other := range map[*side]*side{b.police: b.gov, b.gov: b.police} {
		seen := &capture{}
		chief := []string{"Authorization", "Bearer token-of-the-chief-of-" + own.name}
		_, story := l.get(t, "/v1/calls/"+ref+"/trace", chief...)
		seen.take(story)
		_, pcap := l.get(t, "/v1/calls/"+ref+"/trace.pcap", chief...)
		seen.take(pcap)
		for _, leak := range other.shows(seen) {
			t.Errorf("the chief of %s sees %.300s", own.name, leak)
		}
		if len(own.shows(seen)) < 3 {
			t.Errorf("the chief of %s does not see his own network", own.name)
		}
		var ladder trace.Ladder
		must(t, json.Unmarshal(story, &ladder))
		hosts := map[string]bool{}
		for _, s := range ladder.Steps {
			if s.Message == nil || !s.Out || s.Label != "INVITE" {
				continue
			}
			to := s.Message.To.Addr().String()
			if strings.HasPrefix(to, "198.51.100.") { // where it goes is where it says that it goes
				hosts[to] = strings.HasPrefix(s.Message.Text, "INVITE sip:"+s.Party+"@"+to)
			}
		}
		if len(hosts) != 1 || slices.Contains(slices.Collect(maps.Values(hosts)), false) ||
			!inOrder(arrows(ladder, "2101"), "< INVITE", "> 200", "< ACK", "< BYE", "> 200") ||
			!inOrder(arrows(ladder, "1101"), "< INVITE", "> 200", "< ACK", "< BYE", "> 200") {
			t.Errorf("the chief of %s sees %v %q", own.name, hosts, arrows(ladder, "2101"))
		}
		readByTshark(t, pcap, true, map[string]int{"INVITE": 3, "ACK": 3, "BYE": 3})
	}
	if answer, _ := l.get(t, "/v1/calls/nobody/trace"); answer.StatusCode != 404 {
		t.Errorf("of no call: %d", answer.StatusCode)
	}
}

// homer takes HEPv3 packets by UDP.
type homer struct {
	at string
	capture
}

func startHomer(t testing.TB) *homer {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	h := &homer{at: c.LocalAddr().String()}
	go func() {
		b := make([]byte, 65536)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			h.take(b[:n])
		}
	}()
	return h
}

// has fails unless each message of a call's ladder has come to the Homer, with the call's reference and the password.
func (h *homer) has(t testing.TB, ref string, l trace.Ladder) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	came := 0
	for _, b := range h.pieces {
		chunks := map[uint16]string{}
		for rest := b[6:]; len(rest) >= 6; {
			n := int(binary.BigEndian.Uint16(rest[4:]))
			chunks[binary.BigEndian.Uint16(rest[2:])] = string(rest[6:n])
			rest = rest[n:]
		}
		if string(b[:4]) != "HEP3" || chunks[14] != "hep-pass" || chunks[12] != "\x00\x00\x00\x07" || chunks[11] != "\x01" {
			t.Errorf("not a packet of HEPv3 with SIP: %q", b)
		}
		if chunks[17] == ref && strings.Contains(chunks[15], "SIP/2.0") {
			came++
		}
	}
	want := 0
	for _, s := range l.Steps {
		if s.Message != nil {
			want++
		}
	}
	if came != want || want < 20 {
		t.Errorf("%d messages of the call have come to the Homer, and %d are in its ladder", came, want)
	}
}

// What is spilled to the disk is read after the worker was killed: of a call that was over, and of one that goes on;
// sealed, nothing of it stands there in the clear.
func TestTraceOutlivesTheWorker(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs the switch as processes")
	}
	dir := t.TempDir()
	s := startServing(t, miniredis.RunT(t).Addr(), "trace.dir="+dir, "recording.key="+strings.Repeat("5a", 32))
	s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	over := s.lab.call(t, s.caller(t, callerTone), "110")
	waitConfirmed(t, over)
	ref := s.theCall(t)
	hangUp(t, over)
	s.ladder(t, ref, func(l trace.Ladder) bool { return l.Ended && inOrder(arrows(l, "1101"), "< BYE", "> 200") })
	on := s.lab.call(t, s.caller(t, callerTone), "110")
	waitConfirmed(t, on)
	live := s.theCall(t)
	s.ladder(t, live, func(l trace.Ladder) bool {
		return inOrder(arrows(l, trace.Caller), "> INVITE", "< 200", "> ACK")
	})
	s.kill(t)
	s.ladder(t, ref, func(l trace.Ladder) bool {
		return l.Ended && inOrder(arrows(l, trace.Caller), "> INVITE", "< 200", "> ACK", "> BYE", "< 200") &&
			inOrder(arrows(l, "1101"), "< INVITE", "> 200", "< ACK", "< BYE", "> 200")
	})
	hangUp(t, on)
	s.ladder(t, live, func(l trace.Ladder) bool {
		return l.Ended && inOrder(arrows(l, trace.Caller), "> INVITE", "< 200", "> ACK", "> BYE", "< 200")
	})
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		if strings.Contains(string(b), "SIP/2.0") || strings.Contains(string(b), number) {
			t.Errorf("%s is not sealed", file)
		}
	}
	if len(files) < 2 {
		t.Errorf("the files are %v", files)
	}
}

// A phone that proves its password and brings keys of SRTP, by TLS: its messages are in the ladder, the capture file,
// the files on disk and at the Homer, and none of its secrets.
func TestTraceHasNoSecrets(t *testing.T) {
	t.Parallel()
	homer, dir := startHomer(t), t.TempDir()
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "phones.1101.tls=required", "phones.1101.srtp=required",
		"trace.dir="+dir, "trace.hep={address: \""+homer.at+"\", id: 7, password: hep-pass}")
	l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	p := l.srtpDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	c, err := p.Call("sip:12345@"+domain, phone.CallOptions{})
	must(t, err)
	waitConfirmed(t, c)
	ref := l.theCall(t)
	hears(t, c, partnerTone)
	hangUp(t, c)
	seen := l.ladder(t, ref, func(l trace.Ladder) bool {
		return l.Ended && inOrder(arrows(l, trace.Caller), "> INVITE", "< 401", "> ACK", "> INVITE", "< 200", "> BYE",
			"< 200")
	})
	story, err := json.Marshal(seen)
	must(t, err)
	_, pcap := l.get(t, "/v1/calls/"+ref+"/trace.pcap")
	readByTshark(t, pcap, false, map[string]int{"INVITE": 3, "BYE": 2})
	all := &capture{pieces: [][]byte{story, pcap}}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		all.take(b)
	}
	homer.mu.Lock()
	all.pieces = append(all.pieces, homer.pieces...)
	homer.mu.Unlock()
	text := string(bytes.Join(all.pieces, []byte("\n")))
	secrets := 0
	for _, m := range c.Messages() {
		for _, s := range secretForm.FindAllStringSubmatch(string(m.Message.Bytes()), -1) {
			secrets++
			if strings.Contains(text, s[1]) {
				t.Errorf("%s shows", s[0])
			}
		}
	}
	if secrets < 3 || !strings.Contains(text, `response="***"`) || !strings.Contains(text, "inline:MASKED") {
		t.Errorf("%d secrets were there to be seen", secrets)
	}
}

var secretForm = regexp.MustCompile(`(?:response="|inline:)([^"|\r\n]{8,})`)
