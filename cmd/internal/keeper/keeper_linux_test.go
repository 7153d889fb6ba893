package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child is what the test binary is called when a keeper has started it.
const childName = "keeper-test-child"

func TestMain(m *testing.M) {
	switch os.Args[0] {
	case childName:
		play(os.Args[1], os.Args[2])
		return
	case serviceName:
		serve(os.Args[1], os.Args[2])
	}
	os.Exit(m.Run())
}

// play is a worker whose only call is a UDP socket that says who answers. The version file says how it behaves.
func play(address, versionFile string) {
	b, err := os.ReadFile(versionFile)
	check(err)
	version := string(b)
	how, _, _ := strings.Cut(version, " ")
	switch how {
	case "refuses":
		os.Exit(1)
	case "crashes":
		os.Exit(2)
	}
	line, err := Attach()
	check(err)
	if how == "hangs" {
		check(os.WriteFile(versionFile+".hangs", nil, 0o600))
		time.Sleep(time.Hour)
	}
	hello := Hello{Version: version, Takes: strings.HasPrefix(how, "takes")}
	check(line.Wait(context.Background(), hello, func() bool {
		if how == "gets-stuck" && line.Status().Restarts == 0 {
			select {}
		}
		return true
	}))
	switch how {
	case "begins-and-hangs":
		time.Sleep(time.Hour)
	case "begins-and-refuses":
		os.Exit(1)
	case "begins-and-crashes":
		os.Exit(2)
	}
	switch how {
	case "takes", "takes-from-deaf":
		checkTakeover(line, how == "takes")
	}
	c := socket(line, address)
	go answer(line, c)
	line.Ready(Ready{Control: filepath.Join(filepath.Dir(versionFile), "control"), Tests: how == "tests-ill" ||
		how == "tests-well"})
	switch how {
	case "dies-soon":
		time.AfterFunc(time.Second, func() { os.Exit(3) })
	case "asks":
		go func() {
			for !exists(versionFile + ".ask") {
				time.Sleep(10 * time.Millisecond)
			}
			line.Replace()
		}()
	case "tests-ill":
		line.Tested("no sound")
	case "tests-well":
		line.Tested("")
	}
	select {
	case <-line.Yielded():
		if line.Lasts() {
			_ = c.Close() // who goes on answers
			<-line.Left()
			line.PassOn([]byte("word of"))
			line.PassOn([]byte(strconv.Itoa(os.Getpid())))
			if exists(versionFile + ".deaf") {
				time.Sleep(time.Hour)
			}
			line.Hushed()
		}
	case <-line.Lost():
		os.Exit(4)
	}
}

// checkTakeover checks that who had the calls before lives until then, what its last words are, and whether it could
// say that it ends its sound.
func checkTakeover(line *Line, says bool) {
	before := line.Status().Sounding
	check(syscall.Kill(before, 0))
	words, ok := line.TakeSound()
	want, got := fmt.Sprintf("word of %d", before), string(bytes.Join(words, []byte(" ")))
	if ok != says || got != want {
		check(fmt.Errorf("the last words are %q, not %q; seamless: %v", got, want, ok))
	}
	line.Sounds()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(5)
	}
}

// socket is the one of the worker before, or a new one, handed over before it is used.
func socket(line *Line, address string) net.PacketConn {
	name := "udp/" + address
	if fd, ok := line.Take(name); ok {
		c, err := net.FilePacketConn(os.NewFile(uintptr(fd), name))
		check(err)
		return c
	}
	c, err := net.ListenPacket("udp", address)
	check(err)
	raw, err := c.(*net.UDPConn).SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) { line.Hold(name, int(fd)) }))
	return c
}

func answer(line *Line, c net.PacketConn) {
	buf := make([]byte, 100)
	for {
		n, from, err := c.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		check(err)
		s := line.Status()
		s.Worker = os.Getpid()
		b, err := json.Marshal(s)
		check(err)
		_, err = c.WriteTo(append(append(buf[:n:n], ' '), b...), from)
		check(err)
	}
}

// rig is a keeper in this process.
type rig struct {
	t       *testing.T
	address string
	version string // the file
	signals chan os.Signal
	log     *os.File
	code    chan int
	conn    net.Conn
	n       int
}

func newRig(t *testing.T, version string, s *Systemd) *rig {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	must(t, err)
	probe, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	must(t, probe.Close())
	r := &rig{t: t, address: probe.LocalAddr().String(), version: filepath.Join(dir, "version"),
		signals: make(chan os.Signal, 8),
		log:     log, code: make(chan int, 1)}
	r.next(version)
	r.start(s)
	r.conn, err = net.Dial("udp", r.address)
	must(t, err)
	return r
}

// start runs a keeper until the test ends.
func (r *rig) start(s *Systemd) {
	t := r.t
	self, err := os.Executable()
	must(t, err)
	k, err := New(Config{Path: self, Args: []string{childName, r.address, r.version}, Stdout: r.log, Stderr: r.log,
		Signals: r.signals, Systemd: s})
	must(t, err)
	go func() { r.code <- k.Run() }()
	t.Cleanup(func() {
		r.signals <- syscall.SIGTERM
		select {
		case <-k.ended:
		case <-time.After(time.Minute):
			t.Error("the keeper does not end")
		}
		if t.Failed() {
			b, _ := os.ReadFile(r.log.Name())
			t.Logf("%s", b)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// next is what a process started from now on is; one that starts meanwhile is that or the one before, never none.
func (r *rig) next(version string) {
	must(r.t, os.WriteFile(r.version+".new", []byte(version), 0o600))
	must(r.t, os.Rename(r.version+".new", r.version))
}

// ask sends a packet and waits for its answer. A socket that has closed refuses it: then asked again, and counted.
func (r *rig) ask() (s Status, refused int) {
	r.t.Helper()
	r.n++
	word := fmt.Sprintf("question-%d", r.n)
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		_, err := fmt.Fprint(r.conn, word)
		buf := make([]byte, 1000)
		_ = r.conn.SetReadDeadline(time.Now().Add(time.Second))
		n, err2 := r.conn.Read(buf)
		if err == nil && errors.Is(err2, os.ErrDeadlineExceeded) {
			continue // a worker that is being killed may have read it with its last breath
		}
		if err != nil || err2 != nil {
			refused++
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if got, ok := bytes.CutPrefix(buf[:n], []byte(word+" ")); ok {
			must(r.t, json.Unmarshal(got, &s))
			return s, refused
		}
	}
	r.t.Fatal("nobody answers")
	return s, refused
}

// until asks until the processes are as wanted.
func (r *rig) until(what string, ok func(Status) bool) Status {
	r.t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if s, _ := r.ask(); ok(s) {
			return s
		}
	}
	r.t.Fatalf("not in time: %s", what)
	return Status{}
}

func spared(s Status) bool { return s.Spare != 0 }

// A worker is killed: the spare has its socket, what came meanwhile waits in it, and nobody was refused.
func TestSpareGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, "v1", nil)
	before := r.until("a spare", spared)
	for round := range 3 {
		must(t, unix.Kill(before.Worker, unix.SIGKILL))
		after, refused := r.ask()
		if refused != 0 || after.Worker != before.Spare || after.Restarts != round+1 || after.Keeper != os.Getpid() {
			t.Fatalf("%d refused; %+v after %+v", refused, after, before)
		}
		before = r.until("another spare", spared)
	}
}

// One that hangs is found by the pings that it does not answer.
func TestHungWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("ten pings long")
	}
	r := newRig(t, "v1", nil)
	before := r.until("a spare", spared)
	must(t, unix.Kill(before.Worker, unix.SIGSTOP))
	if _, refused := r.ask(); refused != 0 {
		t.Errorf("%d refused", refused)
	}
	r.until("the spare in its place", func(s Status) bool { return s.Worker == before.Spare })
}

// One of which only the line to its keeper is alive is replaced too.
func TestStuckWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("ten pings long")
	}
	r := newRig(t, "gets-stuck", nil)
	before := r.until("a spare", spared)
	if _, refused := r.ask(); refused != 0 {
		t.Errorf("%d refused", refused)
	}
	r.until("the spare in its place", func(s Status) bool { return s.Worker == before.Spare && s.Restarts == 1 })
}

// A worker that asks for another in its place gets one, also when the first that is started dies, or an upgrade that
// fails is under way.
func TestReplace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		next, until string
		upgrade     bool
	}{
		{"refuses", "the spare has died", false},
		{"hangs", "the upgrade has failed", true},
	} {
		t.Run(tt.next, func(t *testing.T) {
			t.Parallel()
			if tt.upgrade && testing.Short() {
				t.Skip("as long as a version is waited for")
			}
			r := newRig(t, "asks v1", nil)
			r.until("a spare", spared)
			r.next(tt.next)
			var upgraded sync.WaitGroup
			if tt.upgrade {
				upgraded.Go(func() { r.upgrade() })
				r.wait("the upgrade", func() bool { return exists(r.version + ".hangs") })
				r.next("v2")
			}
			must(t, os.WriteFile(r.version+".ask", nil, 0o600))
			r.wait(tt.until, func() bool { return r.logged(tt.until) > 0 })
			r.next("v2")
			if s := r.until("another in its place", func(s Status) bool { return s.Version == "v2" }); s.Row != 0 {
				t.Errorf("%+v", s)
			}
			upgraded.Wait()
		})
	}
}

// wait waits for what the processes do.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	for until := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			r.t.Fatalf("not in time: %s", what)
		}
	}
}

// logged is how often the log says so.
func (r *rig) logged(text string) int {
	b, err := os.ReadFile(r.log.Name())
	must(r.t, err)
	return bytes.Count(b, []byte(text))
}

// Of the workers that die one after the other those count that crash over what they were given to go on with: not one
// that was not given it yet, nor one that says why it ends.
func TestRow(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"crashes", "begins-and-refuses", "begins-and-crashes"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "v1", nil)
			first := r.until("a spare", spared)
			r.next(version)
			must(t, unix.Kill(first.Worker, unix.SIGKILL))
			second, _ := r.ask()
			must(t, unix.Kill(second.Worker, unix.SIGKILL)) // both may count: they may have hardly lived
			r.wait("five deaths", func() bool { return r.logged("the worker has died") >= 5 })
			r.next("v1")
			if s, _ := r.ask(); s.Row > 2 != (version == "begins-and-crashes") {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A config with another run_dir closes the control socket. Who is served then may wait for the loop that closes it.
func TestControlClosesWhileServing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "control")
	asked, loop := make(chan struct{}), make(chan struct{})
	c, err := newControl(path, func(string, func(Answer)) { close(asked); <-loop })
	must(t, err)
	go func() { _ = Upgrade(context.Background(), path, func(Answer) {}) }()
	<-asked
	closed := make(chan struct{})
	go func() { c.close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("it waits for who waits for it")
	}
	close(loop)
}

// The first start fails as it always has: with what the switch says, and its exit code.
func TestFirstStartFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, "refuses", nil)
	if code := <-r.code; code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestSignalEndsAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, "v1", nil)
	s := r.until("a spare", spared)
	control := filepath.Join(filepath.Dir(r.version), "control")
	if pid, there := Holder(control); pid != os.Getpid() || !there {
		t.Errorf("%s is held by %d, %v", control, pid, there)
	}
	r.signals <- os.Interrupt
	<-r.code
	if pid, there := Holder(control); pid != 0 || there {
		t.Errorf("%s is held by %d, %v", control, pid, there)
	}
	for _, pid := range []int{s.Worker, s.Spare} {
		if unix.Kill(pid, 0) == nil {
			t.Errorf("process %d is left", pid)
		}
	}
}

// upgrade asks for one and gives the answers.
func (r *rig) upgrade() (all []Answer) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(r.t, Upgrade(ctx, filepath.Join(filepath.Dir(r.version), "control"), func(a Answer) { all = append(all, a) }))
	return all
}

// An upgrade keeps the new version when it lives, and goes back to the old one when it does not.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		version string
		steps   []Step
		why     string
		long    bool
	}{
		{"refuses v2", []Step{Refused}, "exit status 1", false},
		{"tests-ill v2", []Step{Watched, RolledBack}, "its self-test fails: no sound", false},
		{"dies-soon v2", []Step{Watched, RolledBack}, "exit status 3", false},
		{"hangs v2", []Step{Refused}, "not ready after 5s", true},
		{"begins-and-hangs v2", []Step{RolledBack}, "not ready after 5s", true},
		{"tests-well v2", []Step{Watched, Upgraded}, "", true},
		{"v2", []Step{Watched, Upgraded}, "", true},
		{"takes v2", []Step{Watched, Upgraded}, "", true},
		{"takes-not v2", []Step{Watched, Upgraded}, "", true},
		{"takes-from-deaf v2", []Step{Watched, Upgraded}, "", true},
	} {
		t.Run(tt.version, func(t *testing.T) {
			t.Parallel()
			if tt.long && testing.Short() {
				t.Skip("as long as a version is watched")
			}
			r := newRig(t, "v1", nil)
			before := r.until("a spare", spared)
			if strings.HasPrefix(tt.version, "takes-from-deaf") {
				must(t, os.WriteFile(r.version+".deaf", nil, 0o600))
			}
			r.next(tt.version)
			var all []Answer
			var wg sync.WaitGroup
			wg.Go(func() { all = r.upgrade() })
			wg.Wait()
			r.next("v1") // of spares that come later
			last := all[len(all)-1]
			for i, a := range all {
				if len(all) != len(tt.steps) || a.Step != tt.steps[i] {
					t.Fatalf("%+v, want %v", all, tt.steps)
				}
			}
			if !strings.Contains(last.Why, tt.why) || last.Step == Upgraded && last.Why != "" {
				t.Errorf("why: %q, want %q", last.Why, tt.why)
			}
			if a := all[0]; strings.HasPrefix(tt.version, "takes ") && (a.Mute <= 0 || a.Mute >= a.Gap) {
				t.Errorf("%v ms without sound in a gap of %v", a.Mute, a.Gap)
			}
			after, refused := r.ask()
			if refused != 0 {
				t.Errorf("%d refused", refused)
			}
			want := map[Step]int{Refused: before.Worker, RolledBack: before.Spare, Upgraded: after.Worker}[last.Step]
			version := "v1"
			if last.Step == Upgraded {
				version = tt.version
			}
			if after.Worker != want || after.Version != version {
				t.Errorf("%+v after %+v", after, before)
			}
		})
	}
}

// A service manager is told that the switch is ready, and keeps the descriptors for the keeper after this one.
func TestSystemd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer manager.Close()
	s, err := notifies(path)
	must(t, err)
	r := newRig(t, "v1", s)
	var fd int
	var said string
	for !strings.Contains(said, "WATCHDOG=1") || !strings.Contains(said, "READY=1") || fd == 0 {
		buf, rights := make([]byte, 1000), make([]byte, 100)
		must(t, manager.SetReadDeadline(time.Now().Add(20*time.Second)))
		n, rn, _, _, err := manager.ReadMsgUnix(buf, rights)
		must(t, err)
		said += string(buf[:n]) + "\n"
		if fds, err := received(rights[:rn]); err == nil && len(fds) == 1 {
			fd = fds[0]
			if want := "FDSTORE=1\nFDPOLL=0\nFDNAME=udp/" +
				strings.Replace(r.address, ":", "%3A", 1); string(buf[:n]) != want {
				t.Errorf("%q, want %q", buf[:n], want)
			}
		}
	}
	go func() { _, _ = io.Copy(io.Discard, manager) }()
	r.signals <- os.Interrupt
	<-r.code
	// The keeper is gone too; its socket is in the store, and what comes waits there.
	r.start(&Systemd{fd: s.fd, path: path, given: map[string]int{"udp/" + r.address: fd}})
	if _, refused := r.ask(); refused != 0 {
		t.Errorf("%d refused", refused)
	}
}
