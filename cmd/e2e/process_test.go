package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/keeper"
)

// build makes the command once for all tests that run it as a process.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "liandong-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "liandong")
	if out, err := exec.Command("go", "build", "-o", path, "liandong/cmd/liandong").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// serving is a lab whose switch runs as processes of its own.
type serving struct {
	*lab
	keeper *exec.Cmd
	args   []string // of the keeper
	path   string   // of the binary
	run    string   // the directory of its control socket
	said   *os.File // what it logs
}

// startServing runs liandong serve until the test ends.
func startServing(t testing.TB, redis string, set ...string) *serving {
	t.Helper()
	binary, err := build()
	must(t, err)
	dir := t.TempDir()
	s := &serving{lab: &lab{server: freePort(t, here), trunk: freePort(t, citizen), redis: redis,
		http: freePort(t, here).String()},
		path: filepath.Join(dir, "liandong"), run: filepath.Join(dir, "run")}
	must(t, os.Symlink(binary, s.path))
	s.args = []string{"serve", "-c", labFile}
	for _, one := range append([]string{
		"networks.lab.sip.udp=" + s.server.String(), "networks.lab.sip.tcp=" + s.server.String(),
		"networks.lab.rtp.ports=" + freeRTP(), "trunks.pstn.target=" + s.trunk.String(),
		"redis.url=redis://" + redis + "/0", "outbox.path=" + filepath.Join(dir, "outbox.db"),
		"recording.dir=" + filepath.Join(dir, "recordings"),
		"http.listen=" + s.http, "run_dir=" + s.run, "selftest.every=0s", "log.level=debug",
	}, set...) {
		s.args = append(s.args, "--set", one)
	}
	s.said, err = os.Create(filepath.Join(dir, "log"))
	must(t, err)
	s.start(t)
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			b, _ := os.ReadFile(s.said.Name())
			t.Logf("switch\n%s", b)
		}
	})
	return s
}

// start runs the keeper and waits for its worker and spare.
func (s *serving) start(t testing.TB) {
	t.Helper()
	s.keeper = exec.Command(s.path, s.args...)
	s.keeper.Stdout, s.keeper.Stderr = s.said, s.said
	s.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, s.keeper.Start())
	s.await(t, func(p keeper.Status) bool { return p.Worker != 0 && p.Spare != 0 })
}

// stop ends it as a service manager does.
func (s *serving) stop(t testing.TB) {
	if s.keeper.ProcessState != nil {
		return
	}
	_ = s.keeper.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() {
		t.Error("the switch does not stop")
		_ = s.keeper.Process.Kill()
	})
	_ = s.keeper.Wait()
	late.Stop()
}

// await asks for the processes until they are as wanted.
func (s *serving) await(t testing.TB, ok func(keeper.Status) bool) keeper.Status {
	t.Helper()
	var last keeper.Status
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		out, err := s.tryGet("/v1/process")
		if err != nil {
			continue
		}
		last = keeper.Status{}
		if json.Unmarshal(out, &last) == nil && ok(last) {
			return last
		}
	}
	b, _ := os.ReadFile(s.said.Name())
	t.Fatalf("the processes are %+v\n%s", last, b)
	return last
}

// tryGet is get for a switch that may just be another process.
func (s *serving) tryGet(path string) ([]byte, error) {
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + s.http + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// kill ends the worker without a warning, and waits until its spare goes on and there is another one.
func (s *serving) kill(t testing.TB) keeper.Status {
	t.Helper()
	before := s.await(t, func(p keeper.Status) bool { return p.Spare != 0 })
	must(t, syscall.Kill(before.Worker, syscall.SIGKILL))
	after := s.await(t, func(p keeper.Status) bool { return p.Worker == before.Spare })
	if after.Restarts != before.Restarts+1 || after.Keeper != before.Keeper {
		t.Errorf("%+v after %+v", after, before)
	}
	return after
}
