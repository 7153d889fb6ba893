package keeper

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serviceName is what the test binary is called as a service's main process.
const serviceName = "keeper-test-service"

// serve is that process: as the service manager does it, the process id is set in the environment of the very process
// that becomes the service (sd_listen_fds(3)).
func serve(address, versionFile string) {
	if os.Getenv("LISTEN_PID") == "" {
		check(os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())))
		check(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	s, err := NewSystemd()
	check(err)
	if left := os.Getenv("LISTEN_FDS") + os.Getenv("NOTIFY_SOCKET"); left != "" {
		check(fmt.Errorf("children would see %q", left))
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, leave)
	self, err := os.Executable()
	check(err)
	k, err := New(Config{Path: self, Args: []string{childName, address, versionFile}, Stdout: os.Stdout,
		Stderr: os.Stderr, Signals: signals, Systemd: s})
	check(err)
	os.Exit(k.Run())
}

// manager is a service manager with one service.
type manager struct {
	t      *testing.T
	dir    string
	notify *net.UnixConn
	socket *os.File // what is in the descriptor store
	name   string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{t: t, dir: t.TempDir()}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	m.name = c.LocalAddr().String()
	m.socket, err = c.(*net.UDPConn).File()
	must(t, err)
	must(t, c.Close())
	m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"), Net: "unixgram"})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(m.dir, "version"), []byte("v1"), 0o600))
	t.Cleanup(func() { _, _ = m.socket.Close(), m.notify.Close() })
	return m
}

// start starts the service with what is in the store, and a descriptor that is nobody's.
func (m *manager) start() *exec.Cmd {
	m.t.Helper()
	other, err := os.Open(os.DevNull)
	must(m.t, err)
	defer other.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{serviceName, m.name, filepath.Join(m.dir, "version")}
	cmd.ExtraFiles = []*os.File{other, m.socket}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=stored:"+storeName.Replace("udp/"+m.name),
		"NOTIFY_SOCKET="+filepath.Join(m.dir, "notify"), "WATCHDOG_USEC=5000000")
	cmd.Stderr = os.Stderr
	must(m.t, cmd.Start())
	m.t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd
}

// told waits until the service has said this.
func (m *manager) told(what string) {
	m.t.Helper()
	buf := make([]byte, 4096)
	must(m.t, m.notify.SetReadDeadline(time.Now().Add(60*time.Second)))
	for {
		n, err := m.notify.Read(buf)
		if err != nil {
			m.t.Fatalf("the service does not say %s: %v", what, err)
		}
		if strings.Contains(string(buf[:n]), what) {
			return
		}
	}
}

// A real process that a real parent starts as the service manager does: the descriptors that are passed are the ones
// that it uses, what came while nobody was there is answered, and it may be killed with all its children.
func TestService(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	peer, err := net.Dial("udp", m.name)
	must(t, err)
	defer peer.Close()
	for range 2 {
		_, err := peer.Write([]byte("while nobody is there"))
		must(t, err)
		cmd := m.start()
		m.told("READY=1")
		must(t, peer.SetReadDeadline(time.Now().Add(60*time.Second)))
		buf := make([]byte, 4096)
		n, err := peer.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), "while nobody is there") {
			t.Fatalf("answered is %q, %v", buf[:n], err)
		}
		m.told("WATCHDOG=1")
		must(t, unix.Kill(cmd.Process.Pid, unix.SIGKILL))
		_ = cmd.Wait()
	}
	cmd := m.start()
	m.told("READY=1")
	must(t, cmd.Process.Signal(leave))
	m.told("STOPPING=1")
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Errorf("it ends with %v", err)
	}
}
