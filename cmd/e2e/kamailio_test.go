package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// edge is where the shipped Kamailio runs: a carrier on one side of it, the switch on the other.
var edge = netip.MustParseAddr("127.0.0.30")

// startKamailio runs configs/pbx/kamailio.cfg until the test ends.
func startKamailio(t *testing.T, at, liandong, carrier netip.AddrPort) {
	t.Helper()
	runKamailio(t, "pbx", map[string]string{"LISTEN": "udp:" + at.String(), "LIANDONG": quoted(liandong.String()),
		"CARRIER": quoted(carrier.String())})
}

// runKamailio runs the kamailio.cfg of a folder of configs until the test ends, with other values of what its head
// defines.
func runKamailio(t testing.TB, folder string, values map[string]string) {
	t.Helper()
	path := program(t, "kamailio", "kamailio")
	dir, out := t.TempDir(), &lines{}
	file := filepath.Join("..", "..", "configs", folder, "kamailio.cfg")
	cmd := exec.Command(path, "-DD", "-E", "-f", file, "-Y", dir, "-w", dir, "-m", "16", "-M", "2")
	for name, value := range values {
		cmd.Args = append(cmd.Args, "-A", name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it ends its children
		_ = cmd.Wait()
		if t.Failed() {
			t.Log("kamailio\n" + out.String())
		}
	})
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// The carrier's calls pass a proxy that stays on the way (Record-Route): the hand-over, the hanging up of either side,
// and a call out through it, with the citizen's number in all of them.
func TestKamailioEdge(t *testing.T) {
	t.Parallel()
	at := freePort(t, edge)
	l := startLab(t, "trunks.pstn.match="+edge.String(), "trunks.pstn.target="+at.String(), "hotlines.119.numbers=119",
		"hotlines.119.trunk=pstn")
	carrier := newPhone(t, phone.Config{Name: "carrier", Listen: netip.AddrPortFrom(citizen, 0), Server: at,
		Speech: phone.Tone(callerTone, time.Second)})
	startKamailio(t, at, l.server, carrier.Addr())
	first, partner := l.desk(t, "1101", deskTone, phone.AnswerAfter(0)),
		l.desk(t, "2101", partnerTone, phone.AnswerAfter(100*time.Millisecond))
	call := func(o phone.CallOptions) (c, desk *phone.Call) {
		t.Helper()
		c, err := carrier.Call("sip:110@"+at.String(), o)
		must(t, err)
		desk = next(t, first)
		if id := desk.Caller(); !strings.Contains(id.From, number) {
			t.Errorf("the desk sees %+v", id)
		}
		return waitConfirmed(t, c), waitConfirmed(t, desk)
	}

	c, desk := call(phone.CallOptions{From: "031187650000", PAI: []string{"tel:+86" + number}})
	pushes(t, desk, "*1")
	p := waitConfirmed(t, next(t, partner))
	if id := p.Caller(); !strings.Contains(id.From, number) {
		t.Errorf("the partner sees %+v", id)
	}
	ended(t, desk)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	if !passedBy(c, at) {
		t.Error("Kamailio is not on the way")
	}
	hangUp(t, c)
	ended(t, p)

	c, desk = call(phone.CallOptions{From: number}) // asserted by the edge
	hangUp(t, desk)
	ended(t, c)

	c, desk = call(phone.CallOptions{From: number})
	must(t, carrier.SetPolicy(phone.AnswerAfter(0)))
	_, err := desk.Request(within(t, 10*time.Second), "REFER",
		[]phone.Header{{Name: "Refer-To", Value: "<sip:119@" + domain + ">"}}, nil)
	must(t, err)
	fire := waitConfirmed(t, next(t, carrier))
	if id := fire.Caller(); !strings.Contains(id.From, number) {
		t.Errorf("the fire brigade sees %+v", id)
	}
	ended(t, desk)
	hangUp(t, fire)
	hangUp(t, c)
}

// passedBy says that what a call's phone got has named a proxy as the way.
func passedBy(c *phone.Call, proxy netip.AddrPort) bool {
	for _, l := range c.Messages() {
		if !l.Out && strings.Contains(strings.Join(l.Message.All("Record-Route"), ","), proxy.String()) {
			return true
		}
	}
	return false
}

// Whoever else calls through the edge, or calls another number, is refused by it.
func TestKamailioRefuses(t *testing.T) {
	t.Parallel()
	at, l := freePort(t, edge), startLab(t)
	carrier := newPhone(t, phone.Config{Name: "carrier", Listen: netip.AddrPortFrom(citizen, 0), Server: at})
	startKamailio(t, at, l.server, carrier.Addr())
	stranger := newPhone(t, phone.Config{Name: "stranger", Listen: netip.AddrPortFrom(citizen, 0), Server: at})
	for code, c := range map[int]struct {
		from *phone.Phone
		to   string
	}{404: {carrier, "0900123456"}, 403: {stranger, "110"}} {
		call, err := c.from.Call("sip:"+c.to+"@"+at.String(), phone.CallOptions{From: number})
		must(t, err)
		ended(t, call)
		if e := call.Ending(); e.Code != code {
			t.Errorf("a call of the %s to %s ended %+v, want %d", c.from.Name(), c.to, e, code)
		}
	}
}
