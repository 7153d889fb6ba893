package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/load"
	"liandong/cmd/internal/phone"
)

// target is the lab as the load generator's flags have it.
func (l *lab) target() load.Target {
	return load.Target{
		Server: l.server, From: citizen, At: here, Transport: "udp", Codec: "pcma", To: "110", Number: 13800000000,
		Domain: domain, Password: "lab-{user}", Desk: 1101, Partner: 2101, Seats: 2, Rate: 10,
	}
}

// measure makes a run and sees that its table and its JSON tell the same.
func measure(t testing.TB, ctx context.Context, m interface {
	Check() error
	Measure(context.Context) (*load.Report, error)
}) *load.Report {
	t.Helper()
	must(t, m.Check())
	r, err := m.Measure(ctx)
	must(t, err)
	var table, text bytes.Buffer
	must(t, r.Write(&table, false))
	must(t, r.Write(&text, true))
	t.Log("\n" + table.String())
	var again load.Report
	must(t, json.Unmarshal(text.Bytes(), &again))
	again.Began = r.Began // a time has no clock of its own in JSON
	if !reflect.DeepEqual(*r, again) {
		t.Errorf("the JSON\n%s\nis not\n%+v", text.String(), r)
	}
	c := r.Calls
	failed := 0
	for _, n := range c.Failed {
		failed += n
	}
	if c.Up+failed != c.Tried || c.Tried > c.Asked {
		t.Errorf("%d up and %d failed of %d tried, %d asked", c.Up, failed, c.Tried, c.Asked)
	}
	rows := []string{r.Mode + " ", "calls ", "set-up ", "SIP ", "generator "}
	for _, remark := range r.Generator.Remarks {
		rows = append(rows, "! "+remark)
	}
	for _, row := range rows {
		if !strings.Contains("\n"+table.String(), "\n"+row) {
			t.Errorf("the table has no row %q", row)
		}
	}
	return r
}

func TestLoadCPS(t *testing.T) {
	l := startLab(t)
	target := l.target()
	target.PID = os.Getpid()
	r := measure(t, t.Context(), load.CPS{Target: target, Calls: 4, Duration: 4 * time.Second,
		Hold: 50 * time.Millisecond})
	if r.Calls.Up != 4 || r.SetUp == nil || r.SetUp.Count != 4 || r.SetUp.Max <= 0 || r.Calls.Dropped != 0 {
		t.Errorf("%+v, %+v", r.Calls, r.SetUp)
	}
	if r.Process == nil || r.Process.PID != target.PID || r.Process.Memory == 0 {
		t.Errorf("process %+v", r.Process)
	}
	if r.SIP.Registers != 2 || r.SIP.Out < 4*3 || r.SIP.In < 4*3 {
		t.Errorf("SIP %+v", r.SIP)
	}
	r = measure(t, t.Context(), load.CPS{Target: target, Calls: 1, Duration: time.Second, Hold: time.Millisecond,
		All: true})
	if r.SIP.Registers != target.Seats {
		t.Errorf("%d desks have registered, of %d", r.SIP.Registers, target.Seats)
	}
	l.empty(t)
}

// empty fails unless the switch has no call any more.
func (l *lab) empty(t testing.TB) {
	t.Helper()
	ctx := within(t, 10*time.Second)
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.http+"/v1/calls", nil)
		must(t, err)
		answer, err := http.DefaultClient.Do(req)
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, errors.Join(err, answer.Body.Close()))
		if strings.TrimSpace(string(body)) == "[]" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the switch still has %s", body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestLoadRelay(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	r := measure(t, t.Context(), load.Relay{Target: l.target(), Calls: 2, Duration: 2 * time.Second})
	if r.Calls.Up != 2 || len(r.Legs) < 4 || len(r.Directions) != 2 || r.Measured < 1.9 {
		t.Fatalf("%+v", r)
	}
	out := map[string]int{}
	for _, leg := range r.Legs {
		out[leg.Side] += leg.Out
	}
	for _, d := range r.Directions {
		if d.Legs != 2 || d.Out == 0 || d.Out != d.In+d.Lost || d.In == 0 || d.Strange != 0 || d.Delay == nil ||
			d.Delay.Count != d.In {
			t.Errorf("%+v", d)
		}
		if d.From == "caller" && d.Out != out["caller"] {
			t.Errorf("the callers sent %d, their direction has %d", out["caller"], d.Out)
		}
	}
	l.empty(t)
}

func TestLoadConference(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	r := measure(t, t.Context(), load.Conf{Target: l.target(), Calls: 1, Duration: 4 * time.Second, Key: "*3",
		Settle: 2500 * time.Millisecond})
	chirps(t, r, 1)
	l.empty(t)
}

// chirps: each was heard by the two others, as far as the machine let it come, and by no one else.
func chirps(t testing.TB, r *load.Report, conferences int) {
	t.Helper()
	c := r.Conference
	if c == nil || c.Joined != conferences || c.Sent == 0 || c.Heard+c.Missed != 2*c.Sent || c.Heard == 0 ||
		c.Echoes != 0 {
		t.Errorf("%+v", c)
	}
	heard := 0
	for _, d := range r.Directions {
		if d.Out == 0 || d.In == 0 {
			t.Errorf("%+v", d)
		}
		if d.Delay != nil {
			heard += d.Delay.Count
		}
	}
	if heard != c.Heard {
		t.Errorf("%d delays of %d chirps", heard, c.Heard)
	}
}

func TestLoadHandover(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	r := measure(t, t.Context(), load.Handover{Target: l.target(), Calls: 2, By: "key", Key: "*1", TransferTo: "12345"})
	h := r.Handover
	if h == nil || h.Tried != 2 || h.Done != 2 || h.Released != 2 || len(h.Failed) != 0 {
		t.Fatalf("%+v", h)
	}
	if h.Ring.Count != 2 || h.Hear.Count != 2 || h.Answer.Count != 2 || h.Hear.Max < h.Ring.P50 {
		t.Errorf("%+v %+v %+v", h.Ring, h.Hear, h.Answer)
	}
	l.empty(t)
}

// A run that is told to stop takes its calls down and reports what there was.
func TestLoadInterrupted(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // once the call is up, and has been measured a moment
		defer stop()
		for range 600 {
			time.Sleep(50 * time.Millisecond)
			if res, err := http.Get("http://" + l.http + "/v1/calls"); err == nil {
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if bytes.Contains(body, []byte(`"talking"`)) {
					break
				}
			}
		}
		time.Sleep(2 * time.Second)
	}()
	r := measure(t, ctx, load.Relay{Target: l.target(), Calls: 1, Duration: time.Minute})
	if !r.Interrupted || r.Calls.Up != 1 || r.Measured > 30 {
		t.Errorf("%+v", r)
	}
	l.empty(t)
}

// elsewhere is a server whose answers send sound to an address of its choice.
func elsewhere(t *testing.T) (server *phone.Phone, sound *net.UDPConn) {
	t.Helper()
	sound, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	must(t, err)
	t.Cleanup(func() { sound.Close() })
	server = newPhone(t, phone.Config{User: "110", Policy: phone.AnswerAfter(0),
		Voice: func() (phone.Voice, error) { return far{sound}, nil }})
	return server, sound
}

// far is sound that is wanted at another address.
type far struct{ *net.UDPConn }

func (f far) Addr() netip.AddrPort { return f.LocalAddr().(*net.UDPAddr).AddrPort() }
func (f far) Connect(phone.Talk)   {}
func (f far) Mute()                {}
func (f far) Close()               {}

func TestLoadKeepsToNamedAddresses(t *testing.T) {
	t.Parallel()
	server, sound := elsewhere(t)
	l := lab{server: server.Addr()}
	relay := load.Relay{Target: l.target(), Calls: 1, Duration: time.Second, Far: freePort(t, citizen)}
	r := measure(t, t.Context(), relay)
	if r.Calls.Up != 0 || r.Calls.Tried != 1 {
		t.Errorf("%+v", r.Calls)
	}
	for why := range r.Calls.Failed {
		if !strings.HasPrefix(why, "refused here: address not allowed") || !strings.Contains(why, "127.0.0.9") {
			t.Errorf("failed: %s", why)
		}
	}
	must(t, sound.SetReadDeadline(time.Now()))
	if n, err := sound.Read(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes came where none may", n)
	}

	relay.MediaAllow = []netip.Addr{netip.MustParseAddr("127.0.0.9")}
	if r = measure(t, t.Context(), relay); r.Calls.Up != 1 {
		t.Errorf("%+v", r.Calls)
	}
	must(t, sound.SetReadDeadline(time.Now().Add(time.Second)))
	if _, err := sound.Read(make([]byte, 2000)); err != nil {
		t.Errorf("nothing came where it may: %v", err)
	}
}

// A server that others wrote, and whose answers are µ-law whatever it is offered.
func TestLoadCallsSIPp(t *testing.T) {
	t.Parallel()
	path := program(t, "sipp", "sip-tester")
	at := freePort(t, here)
	cmd := exec.Command(path, "-sn", "uas", "-i", at.Addr().String(), "-p",
		at.String()[strings.Index(at.String(), ":")+1:], "-nostdin", "-timeout", "60")
	cmd.Dir = t.TempDir()
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); _ = cmd.Wait() })
	l := lab{server: at}
	target := l.target()
	target.From, target.Seats = here, 0
	r := measure(t, t.Context(), load.CPS{Target: target, Calls: 10, Duration: 2 * time.Second,
		Hold: 20 * time.Millisecond})
	if r.Calls.Up != 10 || r.SetUp.Count != 10 || r.Ring == nil {
		t.Errorf("%+v", r.Calls)
	}
}

// TestLoadSoak: all kinds of calls, with storms, a desk and a caller that vanish; each goes as it should, and nothing
// is left.
func TestLoadSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("the caller that vanishes is missed for some seconds; -short leaves it out")
	}
	t.Parallel()
	l := startLab(t, "phones.1103.hotline=110", "phones.1103.password=lab-1103", "phones.2103.hotline=12345",
		"phones.2103.password=lab-2103", "hotlines.110.seats=[1101, 1102, 1103]",
		"hotlines.12345.seats=[2101, 2102, 2103]")
	target := l.target()
	target.Seats, target.Rate, target.PID = 3, 1, os.Getpid()
	r := measure(t, t.Context(), load.Soak{Target: target, Duration: 12 * time.Second, Hold: 400 * time.Millisecond,
		Storm: 5 * time.Second, Every: time.Second, WarmUp: 2 * time.Second, HTTP: netip.MustParseAddrPort(l.http)})
	if r.Soak == nil || len(r.Soak.Flows) < 9 || len(r.Soak.Trends) < 5 {
		t.Fatalf("%+v", r.Soak)
	}
	for name, f := range r.Soak.Flows {
		if f.Done == 0 || f.Done != f.Tried && len(r.Generator.Remarks) == 0 { // a machine that has no time is remarked
			t.Errorf("%s: %+v", name, f)
		}
	}
	l.empty(t)
}

// Callers with SRTP are understood by desks without.
func TestLoadSeals(t *testing.T) {
	t.Parallel()
	l := startLab(t, "networks.lab.srtp=preferred")
	r := measure(t, t.Context(), load.Relay{Target: l.target(), Calls: 2, Duration: time.Second, SRTP: true})
	if r.Calls.Up != 2 || len(r.Directions) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, d := range r.Directions {
		if d.Legs != 2 || d.In < 80 || d.Strange != 0 {
			t.Errorf("%+v", d)
		}
	}
	l.empty(t)
}

// A media proxy that others wrote, which is asked for each call's ports.
func TestLoadMeasuresRtpengine(t *testing.T) {
	t.Parallel()
	path := program(t, "rtpengine", "rtpengine-daemon")
	at := freePort(t, netip.MustParseAddr("127.0.0.77"))
	cmd := exec.Command(path, "--config-file=none", "--table=-1", "--interface="+at.Addr().String(),
		"--listen-ng="+at.String(), "--foreground", "--log-stderr", "--log-level=3", "--num-threads=1")
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	l := lab{server: at}
	relay := load.Relay{Target: l.target(), Calls: 2, Duration: time.Second, NG: at}
	relay.From = here
	relay.PID = cmd.Process.Pid
	r := measure(t, t.Context(), relay)
	if r.Calls.Up != 2 || r.Process == nil || len(r.Directions) != 2 {
		t.Fatalf("%+v", r)
	}
	for _, d := range r.Directions {
		if d.Legs != 2 || d.Out < 80 || d.In < 80 || d.Strange+d.Unmarked != 0 {
			t.Errorf("%+v", d)
		}
	}

	relay.NG = freePort(t, here) // where nobody answers
	if _, err := relay.Measure(within(t, 2*time.Second)); !errors.Is(err, load.ErrProxy) {
		t.Errorf("a proxy that is not there: %v", err)
	}
}
