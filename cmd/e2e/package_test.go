package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/configs"
)

// box is a machine in namespaces: this one's disk, or that of LIANDONG_DEBIAN, under a layer of its own, with a systemd
// that has just started. It shares the network of the test.
type box struct {
	t    *testing.T
	boot *exec.Cmd
	pid  string // of its systemd
	dir  string // what it has written, seen from inside its mounts
}

// unified is where cgroups of version 2 are.
func unified(t *testing.T) string {
	t.Helper()
	f, err := os.Open("/proc/self/mounts")
	must(t, err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) > 2 && w[2] == "cgroup2" {
			return w[1]
		}
	}
	t.Skip("systemd needs cgroups of version 2, which are not mounted here")
	return ""
}

func startBox(t *testing.T, packages string) *box {
	t.Helper()
	root := os.Getenv("LIANDONG_DEBIAN")
	if root == "" {
		root = "/"
	}
	group := filepath.Join(unified(t), fmt.Sprint("liandong-test-", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skip("no cgroup can be made: ", err)
	}
	b := &box{t: t, dir: t.TempDir()}
	b.boot = exec.Command("sh", "-c", `echo $$ >"$1/cgroup.procs" && shift && exec "$@"`, "sh", group,
		"unshare", "--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child",
		"sh", "testdata/boot.sh", root, b.dir, packages)
	var said strings.Builder
	b.boot.Stdout, b.boot.Stderr = &said, &said
	must(t, b.boot.Start())
	over := make(chan struct{})
	go func() { _ = b.boot.Wait(); close(over) }()
	t.Cleanup(func() {
		_ = b.boot.Process.Kill()
		<-over
		for end := time.Now().Add(20 * time.Second); leaves(group) != nil; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%s is left", group)
				break
			}
		}
	})
	eventually(t, "systemd runs", func() bool {
		select {
		case <-over:
			t.Skip("a machine in namespaces cannot be started here: ", said.String())
		default:
		}
		out, _ := exec.Command("pgrep", "-P", fmt.Sprint(b.boot.Process.Pid)).Output()
		b.pid = strings.TrimSpace(string(out))
		state, _ := b.try("systemctl", "is-system-running")
		return strings.TrimSpace(state) == "running"
	})
	return b
}

// leaves removes a cgroup and those in it.
func leaves(group string) error {
	list, _ := os.ReadDir(group)
	for _, e := range list {
		if e.IsDir() {
			_ = leaves(filepath.Join(group, e.Name()))
		}
	}
	return os.Remove(group)
}

// in is a command inside.
func (b *box) in(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", b.pid, "-m", "-p", "-i", "-u", "-C", "-r", "-w", "env",
		"DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8"}, args...)...)
}

func (b *box) try(args ...string) (string, error) {
	out, err := b.in(args...).CombinedOutput()
	return string(out), err
}

// run is a command that succeeds.
func (b *box) run(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		log, _ := b.try("journalctl", "--no-pager", "-n", "40", "-u", "liandong")
		b.t.Fatalf("%v: %v\n%s\n%s", args, err, out, log)
	}
	return out
}

// packages are two versions for this processor, made as a release makes them.
func packages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		out, err := exec.Command("go", "run", "liandong/cmd/liandong-release", "--arch", runtime.GOARCH, "--skip",
			"rpm,oci", "--version", version, "--out", dir).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return dir
}

// The package as the operations page has it, on a machine with systemd and no config: it is installed, a lab runs by
// one more command and without root; four questions and one command more are a service that takes calls. Newer and
// older packages are installed under a call, which goes on; removed, it is stopped; purged, nothing is left of it.
func TestPackage(t *testing.T) {
	if os.Getenv("LIANDONG_PACKAGE") == "" || testing.Short() {
		t.Skip("two packages are built and installed; LIANDONG_PACKAGE=1 tries them")
	}
	if os.Getenv("LIANDONG_WORLD") == "" {
		for tool, pack := range map[string]string{"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2",
			"apt-get": "apt", "dpkg": "dpkg", "pgrep": "procps", "systemctl": "systemd"} {
			program(t, tool, pack)
		}
		if out, err := exec.Command("unshare", "-n", "-m", "-p", "-C", "--fork", "true").CombinedOutput(); err != nil {
			t.Skipf("namespaces are not allowed here: %v: %s", err, out)
		}
		again(t, "LIANDONG_PACKAGES="+packages(t))
		return
	}
	run(t, "ip", "link", "set", "lo", "up")
	redis := miniredis.NewMiniRedis()
	must(t, redis.StartAddr("127.0.0.1:6379"))
	defer redis.Close()
	b := startBox(t, os.Getenv("LIANDONG_PACKAGES"))
	file := func(version string) string {
		return "/var/tmp/packages/liandong_" + version + "_" + runtime.GOARCH + ".deb"
	}
	s := &serving{lab: &lab{server: netip.MustParseAddrPort("127.0.0.1:5060"), redis: redis.Addr(),
		http: "127.0.0.1:8080"}}

	b.run("apt-get", "install", "-y", file("1.0.0"))
	lab := b.in("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", "-C", "/tmp",
		"liandong", "serve", "-c", "/usr/share/liandong/lab.yaml")
	must(t, lab.Start())
	b.answers(s, "v1.0.0")
	b.run("pkill", "-TERM", "-o", "-x", "liandong")
	if err := lab.Wait(); err != nil {
		t.Error("the lab: ", err)
	}

	b.init()
	b.run("systemctl", "enable", "--now", "liandong")
	b.answers(s, "v1.0.0")
	for _, who := range strings.Fields(b.run("ps", "-C", "liandong", "-o", "user=")) {
		if who != "liandong" {
			t.Errorf("it runs as %q", who)
		}
	}
	c, d := b.call(s)
	hears(t, c, deskTone)
	for _, version := range []string{"1.1.0", "1.0.0"} {
		said := b.run("dpkg", "-i", file(version))
		if !strings.Contains(said, "upgraded: liandong v"+version) {
			t.Errorf("the package says\n%s", said)
		}
		b.answers(s, "v"+version)
		hears(t, c, deskTone)
		hears(t, d, callerTone)
	}
	oneStream(t, c)
	oneStream(t, d)
	for _, one := range []*phone.Call{c, d} {
		for _, m := range one.Messages() {
			if method := m.Message.Method; !m.Out && (method == "BYE" || method == "INVITE" && one == c) {
				t.Errorf("%s came:\n%s", method, shortly(one))
			}
		}
	}
	t.Logf("pauses of the caller: %v", c.Continuity().Pauses)

	b.run("dpkg", "-r", "liandong")
	ended(t, c, d)
	if state, _ := b.try("systemctl", "is-active", "liandong"); strings.TrimSpace(state) != "inactive" {
		t.Errorf("removed, it is %s", state)
	}
	b.run("test", "-s", "/etc/liandong/liandong.yaml")
	b.run("dpkg", "-P", "liandong")
	b.nothingLeft()
}

// answers waits until the switch inside runs by processes of a version, with a spare.
func (b *box) answers(s *serving, version string) {
	b.t.Helper()
	var last keeper.Status
	eventually(b.t, "the switch runs as "+version, func() bool {
		out, err := s.tryGet("/v1/process")
		last = keeper.Status{}
		return err == nil && json.Unmarshal(out, &last) == nil && last.Spare != 0 &&
			strings.Contains(last.Version, version)
	})
}

// init takes what the four questions propose.
func (b *box) init() {
	b.t.Helper()
	cmd := b.in("liandong", "init", "--lang", "en", "/etc/liandong/liandong.yaml")
	cmd.Stdin = strings.NewReader("\n\n\n\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
}

// call is one from the trunk to a desk of 110, which has registered by the password that init has made up.
func (b *box) call(s *serving) (caller, desk *phone.Call) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "liandong.yaml")
	must(b.t, os.WriteFile(file, []byte(b.run("cat", "/etc/liandong/liandong.yaml")), 0o600))
	cfg, err := configs.Load(file, configs.Options{})
	must(b.t, err)
	p := newPhone(b.t, phone.Config{User: "1101", Password: cfg.Phones["1101"].Password.Reveal(), Domain: "liandong",
		Server: s.server, Policy: phone.AnswerAfter(0), Speech: phone.Tone(deskTone, time.Second), RTCP: true})
	must(b.t, p.Register(within(b.t, 10*time.Second)))
	caller = s.call(b.t, s.caller(b.t, callerTone), "110")
	desk = next(b.t, p)
	return waitConfirmed(b.t, caller), desk
}

// nothingLeft looks for whatever bears the name, but in the logs of others.
func (b *box) nothingLeft() {
	b.t.Helper()
	up := filepath.Join("/proc", b.pid, "root")
	for _, dir := range []string{"etc", "usr", "var", "run", "opt"} {
		_ = filepath.WalkDir(filepath.Join(up, dir), func(path string, e fs.DirEntry, err error) error {
			inside := strings.TrimPrefix(path, up)
			switch {
			case err != nil:
				return nil
			case inside == "/var/tmp/packages", inside == "/var/log":
				return fs.SkipDir
			case strings.Contains(e.Name(), "liandong"):
				b.t.Errorf("%s is left", inside)
			}
			return nil
		})
	}
	if out, err := b.try("getent", "passwd", "liandong"); err == nil {
		b.t.Errorf("the user is left: %s", out)
	}
}
