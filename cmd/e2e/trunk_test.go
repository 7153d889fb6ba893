package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// beyond is where the trunk to the fire brigade is.
var beyond = netip.MustParseAddr("127.0.0.11")

// startTrunks is the lab with a line 119, partner of 110, behind a trunk with these keys.
func startTrunks(t testing.TB, trunk string, set ...string) *lab {
	t.Helper()
	text, err := os.ReadFile(labFile)
	must(t, err)
	added := strings.NewReplacer(
		"\ntrunks:\n", "\ntrunks:\n  fire: {"+trunk+"}\n",
		"\nhotlines:\n", "\nhotlines:\n  119: {numbers: [119], trunk: fire, no_answer: 20s}\n",
	).Replace(string(text))
	file := filepath.Join(t.TempDir(), "trunks.yaml")
	must(t, os.WriteFile(file, []byte(added), 0o600))
	return startFrom(t, file, miniredis.RunT(t).Addr(), append([]string{"hotlines.110.partner=119"}, set...)...)
}

// targets writes the addresses of a trunk, to be tried in this order.
func targets(at ...netip.AddrPort) string {
	var list []string
	for i, a := range at {
		list = append(list, fmt.Sprintf("{address: %q, priority: %d}", a, i))
	}
	return "trusted: true, diversion: true, history_info: true, options: 0s, targets: [" + strings.Join(list, ", ") +
		"]"
}

// gateway is a phone at an address of the trunk.
func gateway(t testing.TB, policy phone.Policy) *phone.Phone {
	t.Helper()
	return newPhone(t, phone.Config{Listen: netip.AddrPortFrom(beyond, 0), Speech: phone.Tone(partnerTone, time.Second),
		Policy: policy})
}

// fromDesk is a call between a citizen and the 110 desk.
func (l *lab) fromDesk(t testing.TB) (caller, desk *phone.Call) {
	t.Helper()
	first := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller = l.call(t, l.caller(t, callerTone), "110")
	desk = next(t, first)
	waitConfirmed(t, caller)
	hears(t, caller, deskTone)
	return caller, desk
}

// A target that answers 503 and one that is silent cost the caller nothing but time: the next one has the call, and it
// is one matter still.
func TestSIPpTrunkFailsOver(t *testing.T) {
	t.Parallel()
	full, silent := freePort(t, beyond), freePort(t, beyond)
	mute, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(silent))
	must(t, err)
	defer mute.Close()
	works := gateway(t, phone.AnswerAfter(500*time.Millisecond))
	refuses := startSIPp(t, scenario{file: "phone_refuses.xml", at: full, service: "119",
		values: map[string]any{"code": 503, "phrase": "Service Unavailable"}})
	l := startTrunks(t, targets(full, silent, works.Addr()))
	caller, desk := l.fromDesk(t)
	pushes(t, desk, "*1")
	refuses.wait(t)
	partner := next(t, works)
	hears(t, caller, partnerTone)
	hears(t, partner, callerTone)
	ended(t, desk)
	hangUp(t, caller)
	ended(t, partner)
	if id := partner.Caller(); id.From != "+86"+number {
		t.Errorf("the third target is shown %+v", id)
	}
	entries := readEntries(t, l.redis, "liandong:tickets:119", 2)
	if entries[0]["event"] != "opened" || entries[1]["event"] != "answered" ||
		entries[0]["stub_id"] != entries[1]["stub_id"] {
		t.Errorf("entries %v", entries)
	}
}

// The metrics tell which targets are there.
func TestTrunkPings(t *testing.T) {
	t.Parallel()
	works, gone := gateway(t, phone.NeverAnswer()), freePort(t, beyond)
	l := startTrunks(t, strings.Replace(targets(works.Addr(), gone), "options: 0s", "options: 5s", 1))
	want := []string{
		fmt.Sprintf("liandong_trunk_up{target=%q,trunk=\"fire\"} 1\n", works.Addr()),
		fmt.Sprintf("liandong_trunk_up{target=%q,trunk=\"fire\"} 0\n", gone),
	}
	var page []byte
	for ctx := within(t, 40*time.Second); ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		if _, page = l.get(t, "/metrics"); strings.Contains(string(page), want[0]) &&
			strings.Contains(string(page), want[1]) {
			return
		}
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "liandong_trunk") {
			t.Error(line)
		}
	}
}

// What a gateway says before its desk answers is heard by the caller who waits for that desk, and by a taker who has
// handed on; before the answer, and by 183 with SDP on both sides.
func TestEarlyMedia(t *testing.T) {
	t.Parallel()
	works := gateway(t, phone.Policy{Action: phone.Answer, After: 6 * time.Second, Early: true})
	l := startTrunks(t, targets(works.Addr()))
	direct := l.call(t, l.caller(t, callerTone), "119")
	hears(t, direct, partnerTone)
	if s := direct.State(); s == phone.Confirmed {
		t.Error("the caller hears the gateway only after the answer")
	}
	first := next(t, works)
	must(t, first.WaitState(within(t, 15*time.Second), phone.Confirmed))
	hears(t, first, callerTone)
	hangUp(t, direct)

	caller, desk := l.fromDesk(t)
	pushes(t, desk, "*1")
	early := next(t, works)
	must(t, desk.WaitHeard(within(t, 5*time.Second), 500*time.Millisecond, func(pcm []int16) bool {
		return phone.Share(pcm, partnerTone) > 0.3 && phone.Share(pcm, callerTone) > 0.3
	}))
	if s := early.State(); s == phone.Confirmed {
		t.Error("the taker hears the gateway only after the answer")
	}
	hears(t, caller, partnerTone)
	hangUp(t, caller)
}

// A trunk with register has our Contact, by digest, and the metrics say so.
func TestRegistersAtTrunk(t *testing.T) {
	t.Parallel()
	carrier := newPhone(t, phone.Config{Listen: netip.AddrPortFrom(beyond, 0), Domain: beyond.String(),
		Registrar: map[string]string{"liandong": "calm-heron-9"}})
	l := startTrunks(t, fmt.Sprintf(
		"target: %q, options: 0s, register: 10m, username: liandong, password: calm-heron-9", carrier.Addr()))
	contact, err := carrier.Registered(within(t, 10*time.Second), "liandong")
	must(t, err)
	if !strings.Contains(contact, "@"+l.server.String()) {
		t.Errorf("Contact %s", contact)
	}
	for ctx := within(t, 10*time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, page := l.get(t, "/metrics")
		if strings.Contains(string(page), "liandong_trunk_registered{trunk=\"fire\"} 1\n") {
			return
		}
		must(t, ctx.Err())
	}
}
