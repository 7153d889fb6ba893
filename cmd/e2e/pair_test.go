package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
	"liandong/sip/ua/certtest"
)

// A pair of machines are two network namespaces on a bridge, each with its own keepalived and its own liandong serve of
// the same switch. Redis, the citizens and the desks are on the bridge itself.
const (
	moving  = "10.99.0.1" // the address that VRRP moves
	outside = "10.99.0.100"
	abroad  = "10.99.0.10" // of the trunk
)

// inWorld runs the test in namespaces of its own, where it may make networks.
func inWorld(t *testing.T) bool {
	if os.Getenv("LIANDONG_WORLD") != "" {
		return true
	}
	for tool, pack := range map[string]string{"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2",
		"curl":       "curl",
		"keepalived": "keepalived"} {
		program(t, tool, pack)
	}
	if out, err := exec.Command("unshare", "-n", "-m", "ip", "link", "add", "name", "b0", "type",
		"bridge").CombinedOutput(); err != nil {
		t.Skipf("namespaces are not allowed here: %v: %s", err, out)
	}
	redistest.Need(t)
	_, err := build() // before it is needed in a namespace
	must(t, err)
	again(t)
	return false
}

// again runs the test once more, in namespaces for network and mounts.
func again(t *testing.T, env ...string) {
	t.Helper()
	args := []string{"-n", "-m", os.Args[0], "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=5m"}
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), append(env, "LIANDONG_WORLD=1")...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// machine is one of the two.
type machine struct {
	t       *testing.T
	name    string
	addr    string
	holder  *exec.Cmd // keeps the namespace
	dir     string
	unit    *exec.Cmd
	vrrp    *exec.Cmd
	said    *os.File
	config  string
	set     []string // overrides it
	started time.Time
}

// twoMachines are a switch on a pair.
type twoMachines struct {
	*lab
	t        *testing.T
	machines [2]*machine
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

func startPair(t *testing.T, set ...string) *twoMachines {
	t.Helper()
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "link", "add", "world", "type", "bridge")
	run(t, "ip", "link", "set", "world", "up")
	for _, a := range []string{outside, abroad} {
		run(t, "ip", "addr", "add", a+"/24", "dev", "world")
	}
	server := redistest.Start(t, "--bind", "127.0.0.1", outside, "--protected-mode", "no")
	_, port, _ := strings.Cut(server.Addr(), ":")
	p := &twoMachines{t: t, lab: &lab{
		server: netip.MustParseAddrPort(moving + ":5060"), trunk: netip.MustParseAddrPort(abroad + ":5060"),
		redis: server.Addr(),
	}}
	for i := range p.machines {
		p.machines[i] = newMachine(t, i, "redis://"+outside+":"+port+"/0")
		p.machines[i].set = set
		p.machines[i].start()
	}
	return p
}

func newMachine(t *testing.T, i int, redis string) *machine {
	t.Helper()
	m := &machine{t: t, name: fmt.Sprint("m", i), addr: fmt.Sprintf("10.99.0.%d", 11+i), dir: t.TempDir()}
	m.holder = exec.Command("unshare", "-n", "sleep", "infinity")
	must(t, m.holder.Start())
	t.Cleanup(func() { _ = m.holder.Process.Kill(); _ = m.holder.Wait() })
	pid := fmt.Sprint(m.holder.Process.Pid)
	eventually(t, "the namespace is there", func() bool {
		ours, _ := os.Readlink("/proc/self/ns/net")
		theirs, err := os.Readlink("/proc/" + pid + "/ns/net")
		return err == nil && ours != theirs
	})
	run(t, "ip", "link", "add", m.name, "type", "veth", "peer", "name", "eth0", "netns", pid)
	run(t, "ip", "link", "set", m.name, "master", "world", "up")
	run(t, m.in("ip", "link", "set", "lo", "up")...)
	run(t, m.in("ip", "link", "set", "eth0", "up")...)
	run(t, m.in("ip", "addr", "add", m.addr+"/24", "dev", "eth0")...)
	m.writeConfig(redis)
	var err error
	m.said, err = os.Create(filepath.Join(m.dir, "log"))
	must(t, err)
	t.Cleanup(func() {
		m.powerOff()
		if t.Failed() {
			b, _ := os.ReadFile(m.said.Name())
			t.Logf("%s\n%s", m.name, b)
		}
	})
	return m
}

// in is a command inside the machine.
func (m *machine) in(args ...string) []string {
	return append([]string{"nsenter", "-t", fmt.Sprint(m.holder.Process.Pid), "-n"}, args...)
}

func (m *machine) writeConfig(redis string) {
	b, err := os.ReadFile(labFile)
	must(m.t, err)
	text := strings.NewReplacer(
		"127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.10", abroad, "redis://127.0.0.1:6379/0", redis, "127.0.0.0/8",
		"127.0.0.0/8",
		"127.0.0.1", moving).Replace(string(b))
	text += "\ncluster:\n  machines: [\"10.99.0.11:7460\", \"10.99.0.12:7460\"]\n  secret: a secret of two machines alone\n" +
		"run_dir: " + filepath.Join(m.dir, "run") + "\nselftest: {every: 0s}\n"
	m.config = filepath.Join(m.dir, "liandong.yaml")
	must(m.t, os.WriteFile(m.config, []byte(text), 0o600))
	vrrp := fmt.Sprintf(`global_defs {
  router_id %[1]s
  vrrp_version 3
}
track_file yield {
  file "%[2]s"
  weight 0
  init_file 0
}
vrrp_instance switch {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority %[3]d
  advert_int 0.1
  track_file { yield }
  virtual_ipaddress { %[4]s/24 dev eth0 }
}
`, m.name, filepath.Join(m.dir, "run", "yield"), map[string]int{"m0": 150, "m1": 100}[m.name], moving)
	must(m.t, os.MkdirAll(filepath.Join(m.dir, "run"), 0o700))
	must(m.t, os.WriteFile(filepath.Join(m.dir, "keepalived.conf"), []byte(vrrp), 0o600))
}

// start begins its processes.
func (m *machine) start() {
	m.t.Helper()
	binary, err := build()
	must(m.t, err)
	args := m.in(binary, "serve", "-c", m.config, "--set", "outbox.path="+filepath.Join(m.dir, "outbox.db"),
		"--set", "recording.dir="+filepath.Join(m.dir, "recordings"))
	for _, one := range m.set {
		args = append(args, "--set", one)
	}
	m.unit = exec.Command(args[0], args[1:]...)
	m.unit.Stdout, m.unit.Stderr = m.said, m.said
	must(m.t, m.unit.Start())
	m.startVRRP()
	m.started = time.Now()
}

func (m *machine) startVRRP() {
	d := func(name string) string { return filepath.Join(m.dir, name) }
	args := m.in("keepalived", "-n", "-l", "-P", "-f", d("keepalived.conf"), "-p", d("ka.pid"), "-r", d("vrrp.pid"),
		"-c", d("ck.pid"))
	m.vrrp = exec.Command(args[0], args[1:]...)
	m.vrrp.Stdout, m.vrrp.Stderr = m.said, m.said
	m.vrrp.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(m.t, m.vrrp.Start())
}

// powerOff is the end of a machine: its cable is dead, its processes are gone.
func (m *machine) powerOff() {
	_ = exec.Command("ip", "link", "set", m.name, "down").Run()
	for _, pid := range m.pids() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, c := range []*exec.Cmd{m.unit, m.vrrp} {
		if c != nil {
			_ = c.Wait()
		}
	}
	m.unit, m.vrrp = nil, nil
}

// pids are those of all processes inside, but for the one that holds the namespace.
func (m *machine) pids() (all []int) {
	ours, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", m.holder.Process.Pid))
	if err != nil {
		return nil
	}
	list, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, file := range list {
		var pid int
		if at, err := os.Readlink(file); err != nil || at != ours {
			continue
		}
		if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err == nil && pid != m.holder.Process.Pid {
			all = append(all, pid)
		}
	}
	return all
}

// powerOn gives it its cable back and begins its processes; what was on its disk is there, its address and the numbers
// of its processes are not.
func (m *machine) powerOn() {
	m.t.Helper()
	for _, file := range []string{"ka.pid", "vrrp.pid", "ck.pid"} { // such a number may be another process's by now
		_ = os.Remove(filepath.Join(m.dir, file))
	}
	_ = exec.Command("nsenter", "-t", fmt.Sprint(m.holder.Process.Pid), "-n", "ip", "addr", "del", moving+"/24", "dev",
		"eth0").Run()
	must(m.t, os.RemoveAll(filepath.Join(m.dir, "run", "turn"))) // it is in memory
	run(m.t, "ip", "link", "set", m.name, "up")
	m.start()
}

// ask puts a question to the machine's HTTP.
func (m *machine) ask(method, path string) string {
	args := m.in("curl", "-s", "-m", "5", "-X", method, "http://127.0.0.1:8080"+path)
	out, _ := exec.Command(args[0], args[1:]...).Output()
	return string(bytes.TrimSpace(out))
}

// upgrade has another process of the machine go on with the calls, and gives what the command says.
func (m *machine) upgrade() string {
	m.t.Helper()
	eventually(m.t, "a spare waits", func() bool { return !strings.Contains(m.ask("GET", "/v1/process"), `"spare":0`) })
	binary, err := build()
	must(m.t, err)
	return run(m.t, m.in(binary, "upgrade", "-c", m.config, "--set", "lang=en")...)
}

// citizen is a phone behind the trunk.
func (p *twoMachines) citizen() *phone.Phone {
	p.t.Helper()
	return newPhone(p.t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(netip.MustParseAddr(abroad), 0),
		Server: p.server, Speech: phone.Tone(callerTone, time.Second), RTCP: true})
}

// copied waits until all that the machine carries is on the other one too.
func (m *machine) copied() {
	m.t.Helper()
	eventually(m.t, "the copy is whole", func() bool { return strings.Contains(m.ask("GET", "/v1/cluster"), " 0 ms behind") })
}

// holds says that the machine has the address.
func (m *machine) holds() bool {
	args := m.in("ip", "-o", "addr", "show", "dev", "eth0")
	out, _ := exec.Command(args[0], args[1:]...).Output()
	return strings.Contains(string(out), moving+"/")
}

// ready waits until one carries calls and the other could go on with them, and says which one it is.
func (p *twoMachines) ready() (carries, standsBy *machine) {
	p.t.Helper()
	var said [2]string
	eventually(p.t, "the pair is ready", func() bool {
		for i, m := range p.machines {
			said[i] = m.ask("GET", "/v1/cluster")
		}
		for i := range said {
			if strings.Contains(said[i], "is ready") && strings.Contains(said[1-i], "with a copy") &&
				p.machines[i].holds() {
				carries, standsBy = p.machines[i], p.machines[1-i]
			}
		}
		return carries != nil
	})
	return carries, standsBy
}

// One machine of a pair loses its power in the middle of calls: the other one takes its address and goes on with them.
// No party is told anything, none is rung twice, keys work, and each entry is in Redis once. Then the dead one comes
// back, and the calls stay where they are until an admin has them go back, which is hardly heard; and it dies again,
// while a phone rings.
func TestPair(t *testing.T) {
	t.Parallel()
	if !inWorld(t) {
		return
	}
	p := startPair(t)
	one, two := p.ready()
	first, partner := p.phone("1101", deskTone), p.phone("2101", partnerTone)
	caller := p.citizen()
	start := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			var ladder strings.Builder
			must(t, phone.Ladder(&ladder, start, caller, first, partner))
			t.Log("calls\n" + ladder.String())
		}
	})
	c := p.call(t, caller, "110")
	d := next(t, first)
	must(t, d.Answer())
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)

	off := time.Now()
	one.powerOff()
	moved := p.moved(two)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	p.silence("power off", 2*time.Second, off, moved, c, d)
	pushes(t, d, "*3") // a key
	w := next(t, partner)
	must(t, w.Answer())
	waitConfirmed(t, w)
	hearsAll(t, c, deskTone, partnerTone)

	one.powerOn()
	if a, _ := p.ready(); a != two {
		t.Error("the one that came back has taken the calls")
	}
	hearsAll(t, c, deskTone, partnerTone)
	off = time.Now()
	two.ask("POST", "/v1/switchover")
	moved = p.moved(one)
	if a, _ := p.ready(); a != one {
		t.Error("an admin's wish is not done")
	}
	hearsAll(t, c, deskTone, partnerTone)
	hearsAll(t, w, deskTone, callerTone)
	p.silence("given back", 2*time.Second, off, moved, c, d, w)
	p.untouched(c, d, w)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, d.WaitState(within(t, 15*time.Second), phone.Ended))
	must(t, w.WaitState(within(t, 15*time.Second), phone.Ended))
	p.once(1)
	for _, m := range d.Messages() { // the machines before may have used those in between
		if n, _ := m.Message.CSeq(); !m.Out && m.Message.Method == "BYE" && n < 32 {
			t.Errorf("the CSeq of the BYE is %d", n)
		}
	}

	c = p.call(t, caller, "110")
	d = next(t, first)
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
	one.copied() // what it does in its last milliseconds is lost
	one.powerOff()
	p.moved(two)
	must(t, d.Answer())
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	p.untouched(c, d)
	must(t, d.Hangup(within(t, 10*time.Second)))
	must(t, c.WaitState(within(t, 15*time.Second), phone.Ended))
}

// The process of a machine is upgraded, which moves no address and is not heard. A machine that stands still,
// keepalived and all, and goes on later believes that the address is its own: it is silent, gives the address back at
// once, takes a copy, and the call stays with the other one, without a word to its parties.
func TestPairStandsStill(t *testing.T) {
	if testing.Short() {
		t.Skip("two machines, for most of a minute")
	}
	t.Parallel()
	if !inWorld(t) {
		return
	}
	p := startPair(t)
	one, two := p.ready()
	first := p.phone("1101", deskTone)
	caller := p.citizen()
	c := p.call(t, caller, "110")
	d := next(t, first)
	must(t, d.Answer())
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	off := time.Now()
	said := one.upgrade()
	t.Logf("upgraded: %s", said)
	soundWentOn(t, said)
	p.silence("upgraded", time.Second, off, off, c, d)
	if a, _ := p.ready(); a != one {
		t.Error("an upgrade has moved the calls")
	}
	hears(t, c, deskTone)
	off = time.Now()
	still := one.pids()
	signal(still, syscall.SIGSTOP)
	moved := p.moved(two)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	p.silence("stood still", 2*time.Second, off, moved, c, d)
	twice := c.Continuity().Late
	off = time.Now()
	signal(still, syscall.SIGCONT)
	if a, _ := p.ready(); a != two {
		t.Error("the one that stood still has taken the calls")
	}
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	if n := c.Continuity().Late - twice; n > 5 {
		t.Errorf("%d packets came twice or from the past: both machines spoke", n)
	}
	p.silence("and went on", time.Second, off, off, c, d)
	p.untouched(c, d)
	pushes(t, d, "*5")
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, d.WaitState(within(t, 15*time.Second), phone.Ended))
}

// One machine of a pair loses its power under a call by TLS and SRTP that is recorded, one by TCP that is on hold, and
// a citizen in the queue. The phones make new connections and register; each call goes on, and is the same call still.
func TestPairCarriesAll(t *testing.T) {
	if testing.Short() {
		t.Skip("two machines, for most of a minute")
	}
	t.Parallel()
	if !inWorld(t) {
		return
	}
	authority := certtest.New(t)
	cert, key := authority.Pair("switch", time.Now().AddDate(1, 0, 0), moving)
	secure := netip.MustParseAddrPort(moving + ":5061")
	p := startPair(t, "networks.lab.sip.tls="+secure.String(), "networks.lab.sip.cert_file="+cert,
		"networks.lab.sip.key_file="+key, "phones.1101.tls=required", "phones.1101.srtp=required",
		"hotlines.110.queue.answer=false", "hotlines.110.recording.mode=always", "hotlines.110.recording.announce=none")
	one, two := p.ready()
	at := netip.AddrPortFrom(netip.MustParseAddr(outside), 0)
	sealed := newPhone(t, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: secure, Listen: at,
		Transport: "tls", TLS: &tls.Config{RootCAs: authority.Pool()}, SRTP: true, RTCP: true,
		Speech: phone.Tone(deskTone, time.Second)})
	byTCP := newPhone(t, phone.Config{User: "1102", Password: "lab-1102", Domain: domain, Server: p.server, Listen: at,
		Transport: "tcp", RTCP: true, Speech: phone.Tone(partnerTone, time.Second)})
	must(t, sealed.Register(within(t, 10*time.Second)))
	caller := p.citizen()
	talks := p.call(t, caller, "110")
	d := next(t, sealed)
	must(t, d.Answer())
	waitConfirmed(t, talks)
	hears(t, talks, deskTone)
	hears(t, d, callerTone)
	must(t, byTCP.Register(within(t, 10*time.Second)))
	held := p.call(t, caller, "110")
	h := next(t, byTCP)
	must(t, h.Answer())
	waitConfirmed(t, held)
	hears(t, held, partnerTone)
	must(t, h.Hold(within(t, 10*time.Second)))
	hearsNone(t, held, partnerTone, deskTone)
	waits := p.call(t, caller, "110")
	hearsNone(t, waits, partnerTone, deskTone)
	recorded := one.recordings()
	for _, ref := range recorded { // sound is on its way to the disk
		eventually(t, "sound of "+ref, func() bool {
			list, _ := filepath.Glob(filepath.Join(one.dir, "recordings", "*", ref+".wav"))
			info, err := os.Stat(strings.Join(list, ""))
			return err == nil && info.Size() > 8000
		})
	}

	off := time.Now()
	one.powerOff()
	moved := p.moved(two)
	hears(t, talks, deskTone)
	hears(t, d, callerTone)
	hearsNone(t, held, partnerTone, deskTone)
	hearsNone(t, waits, partnerTone, deskTone)
	p.silence("power off", 3*time.Second, off, moved, talks, d, held, waits)
	p.untouched(talks, d, held, h, waits)
	for _, desk := range []*phone.Phone{sealed, byTCP} { // what a phone does whose connection is gone
		eventually(t, desk.Name()+" registers", func() bool {
			return desk.Register(within(t, 5*time.Second)) == nil
		})
	}
	must(t, h.Resume(within(t, 10*time.Second)))
	hears(t, held, partnerTone)
	hears(t, h, callerTone)
	if waits.State() != phone.Ringing {
		t.Errorf("who waits is %v", waits.State())
	}
	must(t, talks.Hangup(within(t, 10*time.Second)))
	must(t, d.WaitState(within(t, 15*time.Second), phone.Ended))
	d = next(t, sealed)
	must(t, d.Answer())
	waitConfirmed(t, waits)
	hears(t, waits, deskTone)
	hears(t, d, callerTone)
	must(t, waits.Hangup(within(t, 10*time.Second)))
	must(t, held.Hangup(within(t, 10*time.Second)))
	must(t, h.WaitState(within(t, 15*time.Second), phone.Ended))

	// What each has recorded is on its own disk, by the same ref; the dead one closes its part when it carries calls.
	if len(recorded) != 2 {
		t.Errorf("the first machine has recorded %v", recorded)
	}
	for _, ref := range recorded {
		eventually(t, "the second machine has the rest of "+ref, func() bool {
			return strings.Contains(two.ask("GET", "/v1/recordings/"+ref+"/meta"), `"ended":"2`)
		})
	}
	one.powerOn()
	p.ready()
	two.ask("POST", "/v1/switchover")
	p.moved(one)
	for _, ref := range recorded {
		eventually(t, "the first machine has its part of "+ref, func() bool {
			return strings.Contains(one.ask("GET", "/v1/recordings/"+ref+"/meta"), `"interrupted":true`)
		})
		if wav := one.ask("GET", "/v1/recordings/"+ref); !strings.HasPrefix(wav, "RIFF") || len(wav) < 8000 {
			t.Errorf("its sound has %d bytes", len(wav))
		}
	}
}

// recordings are the refs of those on the machine's disk that are not closed.
func (m *machine) recordings() (refs []string) {
	list, _ := filepath.Glob(filepath.Join(m.dir, "recordings", "*", "*.open"))
	for _, file := range list {
		refs = append(refs, strings.TrimSuffix(filepath.Base(file), ".open"))
	}
	return refs
}

func signal(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
}

// phone is a registered desk.
func (p *twoMachines) phone(user string, tone float64) *phone.Phone {
	p.t.Helper()
	desk := newPhone(p.t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: p.server,
		Listen: netip.AddrPortFrom(netip.MustParseAddr(outside), 0), Speech: phone.Tone(tone, time.Second), RTCP: true})
	must(p.t, desk.Register(within(p.t, 10*time.Second)))
	return desk
}

// moved waits until a machine has the address.
func (p *twoMachines) moved(to *machine) time.Time {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); !to.holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s does not get the address", to.name)
		}
	}
	return time.Now()
}

// silence fails when a party has heard nothing for longer than so long, and tells how long it was.
func (p *twoMachines) silence(what string, most time.Duration, off, moved time.Time, calls ...*phone.Call) {
	p.t.Helper()
	for _, c := range calls {
		for _, one := range c.Continuity().Pauses {
			if one.End.Before(off) {
				continue
			}
			p.t.Logf("%s: silence of %v, until %v after it and %v after the address moved", what,
				one.For.Round(time.Millisecond),
				one.End.Sub(off).Round(time.Millisecond), one.End.Sub(moved).Round(time.Millisecond))
			if one.For > most {
				p.t.Errorf("%s: a party has heard nothing for %v", what, one.For)
			}
		}
	}
}

// untouched: the parties have seen nothing of a machine's end.
func (p *twoMachines) untouched(calls ...*phone.Call) {
	p.t.Helper()
	for _, c := range calls {
		s := c.Continuity()
		if len(s.SSRCs) > 1 || len(s.Sources) > 1 {
			p.t.Errorf("another stream: SSRCs %v, sources %v", s.SSRCs, s.Sources)
		}
		seen := map[string]int{}
		for _, m := range c.Messages() {
			if !m.Out && !m.Again && m.Message.Method != "" {
				seen[m.Message.Method]++
			}
		}
		if seen["INVITE"] > 1 || seen["BYE"]+seen["CANCEL"] > 0 {
			p.t.Errorf("a party was told: %v\n%s", seen, shortly(c))
		}
	}
}

// once: each entry of the matter is there, and none twice.
func (p *twoMachines) once(matters int) {
	p.t.Helper()
	p.entriesOnce(p.t, matters)
}
