package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Two capabilities are enough, and without them the refusal says what is missing.
func TestPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give privileges away")
	}
	open(t, nil, loopback)
	dir, err := os.MkdirTemp("", "liandong")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	me := filepath.Join(dir, "kernel.test")
	if err := os.WriteFile(me, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		capabilities []uintptr
		want         []string
	}{
		{[]uintptr{unix.CAP_BPF, unix.CAP_NET_ADMIN}, []string{"--- PASS: TestCarries"}},
		{[]uintptr{unix.CAP_BPF}, []string{"--- SKIP: TestCarries", "the program is not taken: "}},
		{nil, []string{"--- SKIP: TestCarries", "kernel: no map: ", "operation not permitted"}},
	} {
		run := exec.Command(me, "-test.run", "^TestCarries$", "-test.v")
		run.Env = []string{"PATH=" + os.Getenv("PATH")}
		run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534},
			AmbientCaps: c.capabilities}
		out, err := run.CombinedOutput()
		for _, word := range c.want {
			if !strings.Contains(string(out), word) {
				t.Errorf("with capabilities %v: %v, no %q in\n%s", c.capabilities, err, word, out)
			}
		}
	}
}
