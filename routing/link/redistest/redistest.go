// Package redistest gives tests a real redis-server of their own, which they may kill, stop and start again.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const program = "redis-server"

// ready is how long a server may take to start, or to come back with its data.
const ready = 20 * time.Second

// Server is a redis-server process on loopback that keeps its data in an append-only file, synced before each answer.
// Its methods are for the test's goroutine and fail the test when they cannot do what they say.
type Server struct {
	t    testing.TB
	name string // of the program
	args []string
	dir  string // where it keeps its data
	port int
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{} // closed when cmd has ended
	end  error         // of cmd; read after done
}

// Start runs a server until the test ends. Further arguments are redis-server's, as in "--maxmemory", "1mb"; of two
// settings the last counts. With no redis-server on the PATH the test is skipped, or fails when
// LIANDONG_PEERS=required.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	Need(t)
	return start(t, program, args)
}

// StartSyncing is Start of a server that knows WAITAOF: valkey-server, or redis-server from 7.2 on. With none on the
// PATH the test is skipped.
func StartSyncing(t testing.TB, args ...string) *Server {
	t.Helper()
	for _, name := range []string{"valkey-server", program} {
		text, _ := exec.Command(name, "--version").Output() // none: says nothing
		var major, minor int
		if _, v, ok := strings.Cut(string(text), "v="); ok {
			_, _ = fmt.Sscanf(v, "%d.%d", &major, &minor)
		}
		if major > 7 || major == 7 && minor >= 2 {
			return start(t, name, args)
		}
	}
	t.Skip("no server that knows WAITAOF is on the PATH (apt-get install valkey-server)")
	return nil
}

func start(t testing.TB, name string, args []string) *Server {
	s := &Server{t: t, name: name, dir: t.TempDir(), port: FreePort(t)}
	s.args = slices.Concat([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning", "--daemonize", "no",
	}, args)
	// The port of a cluster's bus is by itself 10000 more: the system may have given that away.
	if slices.Contains(args, "--cluster-enabled") && !slices.Contains(args, "--cluster-port") {
		s.args = append(s.args, "--cluster-port", strconv.Itoa(FreePort(t)))
	}
	t.Cleanup(s.stop)
	s.run()
	return s
}

// StartSentinel runs a sentinel until the test ends, which watches the set "main" of which primary is the first server,
// and alone decides, within some seconds, that it has died.
func StartSentinel(t testing.TB, primary *Server) *Server {
	t.Helper()
	s := &Server{t: t, name: program, port: FreePort(t)}
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds main 2000\nsentinel failover-timeout main 5000\n", s.port, dir, primary.port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{file, "--sentinel"}
	t.Cleanup(s.stop)
	s.run()
	return s
}

// Need skips or fails the test when there is no redis-server.
func Need(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	if os.Getenv("LIANDONG_PEERS") == "required" {
		t.Fatal("redis-server is not on the PATH, and LIANDONG_PEERS=required")
	}
	t.Skip("redis-server is not on the PATH (apt-get install redis-server)")
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port is the port alone.
func (s *Server) Port() int { return s.port }

// URL is what a config calls redis.url.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Do runs one command, as in Do("REPLICAOF", "NO", "ONE").
func (s *Server) Do(args ...string) any {
	s.t.Helper()
	v, err := s.try(args...)
	if err != nil && !errors.Is(err, redis.Nil) {
		s.t.Fatalf("redis: %s: %v", strings.Join(args, " "), err)
	}
	return v
}

// Kill ends the process at once, as a power cut would (SIGKILL), and waits for its end.
func (s *Server) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.done
}

// Restart starts a killed server with the data that it had, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.run()
}

// Tear takes the last n bytes off the append-only file of a killed server, as a kill in the middle of a write does.
func (s *Server) Tear(n int64) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("redis-server: no append-only file in %s: %v", s.dir, err)
	}
	file := files[len(files)-1]
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()-n)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Rewrite makes the append-only file anew from what the server holds (BGREWRITEAOF), and waits until that is done.
func (s *Server) Rewrite() {
	s.t.Helper()
	s.Do("BGREWRITEAOF")
	late := time.After(ready)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		info := fmt.Sprint(s.Do("INFO", "persistence"))
		if strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0") {
			break
		}
		select {
		case <-late:
			s.t.Fatalf("redis-server: no new append-only file within %v", ready)
		case <-tick.C:
		}
	}
}

// Pause makes the server hang: connections stay open, and nothing is answered (SIGSTOP).
func (s *Server) Pause() { s.t.Helper(); s.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (s *Server) Resume() { s.t.Helper(); s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redis-server: %v: %v", sig, err)
	}
}

// run starts the process and waits until it answers.
func (s *Server) run() {
	s.t.Helper()
	s.cmd, s.done = exec.Command(s.name, s.args...), make(chan struct{})
	s.out.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("redis-server: %v", err)
	}
	cmd, done := s.cmd, s.done
	go func() { // ends with the process, for which stop and Kill wait
		s.end = cmd.Wait()
		close(done)
	}()
	s.await()
}

func (s *Server) await() {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(ready)
	for {
		if _, err := s.try("PING"); err == nil {
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("redis-server has ended: %v\n%s", s.end, s.out.String())
		case <-late:
			s.t.Fatalf("redis-server does not answer after %v", ready)
		case <-tick.C:
		}
	}
}

func (s *Server) try(args ...string) (any, error) {
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DialerRetries: 1, Protocol: 2})
	defer c.Close()
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	return c.Do(context.Background(), list...).Result()
}

// stop ends the process, paused or not.
func (s *Server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

// FreePort is a port that nobody listens at. It is below those that the system gives away by itself: until it is used
// nobody else gets it.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
