package socket

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

// transportEnv makes the test binary say how it moves datagrams and at which port it waits for
// some, until the end of its input.
const transportEnv = "LIANDONG_SAY_TRANSPORT"

func sayTransport() {
	all, err := Open(1, Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	socket, err := all[0].Open(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	all[0].Watch(socket, Promptly)
	fmt.Println(all[0].Name(), sys.BoundPort(int(socket)))
	_, _ = io.Copy(io.Discard, os.Stdin)
	StopAll(all)
}

// startTransport runs it as a user with nothing but some capabilities.
func startTransport(t *testing.T, capabilities ...uintptr) (name string, port uint16, end func(os.Signal)) {
	t.Helper()
	c := exec.Command(copyOfMe(t))
	c.Env = append(os.Environ(), transportEnv+"=1")
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: nobody, AmbientCaps: capabilities}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skipf("a process with other privileges cannot be started here: %v", err)
	}
	if _, err := fmt.Fscan(out, &name, &port); err != nil {
		t.Fatal(err)
	}
	return name, port, func(how os.Signal) {
		_ = c.Process.Signal(how)
		in.Close()
		_ = c.Wait()
	}
}

// copyOfMe puts the test binary where any user may run it.
func copyOfMe(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "liandong")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "socket.test")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPrivileges: each fast path is taken with the capabilities for it and with no others, and
// their want is no error.
func TestPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give privileges away")
	}
	here := openHere(t)
	for _, c := range []struct {
		capabilities []uintptr
		want         string
	}{
		{nil, "epoll"},
		{[]uintptr{unix.CAP_NET_RAW}, "epoll+raw"},
		{[]uintptr{unix.CAP_BPF, unix.CAP_NET_ADMIN}, "epoll+steered"},
		{[]uintptr{unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_NET_ADMIN}, "epoll+raw+steered"},
	} {
		for _, part := range strings.Split(c.want, "+") {
			if !strings.Contains(here, part) {
				t.Skipf("this machine gives root itself no more than %s", here)
			}
		}
		name, _, end := startTransport(t, c.capabilities...)
		end(syscall.SIGCONT)
		if name != c.want {
			t.Errorf("with capabilities %v: %s, want %s", c.capabilities, name, c.want)
		}
	}
}

func openHere(t *testing.T) string {
	t.Helper()
	all, err := Open(1, Default(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer StopAll(all)
	return all[0].Name()
}

// TestKilled: what a switch that was killed has put into the kernel goes with it: another has
// its port, and gets the packets.
func TestKilled(t *testing.T) {
	if os.Getuid() != 0 || !strings.Contains(openHere(t), "steered") {
		t.Skip("nothing can be put into the kernel here")
	}
	_, port, end := startTransport(t, unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_NET_ADMIN)
	end(syscall.SIGKILL)
	all, err := Open(1, Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer StopAll(all)
	to := netip.AddrPortFrom(loopback, port)
	socket, err := all[0].Open(to)
	if err != nil {
		t.Fatal(err)
	}
	from, err := all[0].Open(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	all[0].Queue(from, to, []byte("hello"))
	all[0].Flush()
	eventually(t, "the packet comes to the port's own socket", func() (came bool) {
		all[0].Collect(socket, func(p Packet) { came = string(p.Data) == "hello" })
		return came
	})
}
