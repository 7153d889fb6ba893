package outbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
)

// child is what the test binary does as a process of its own: it opens the outbox of OUTBOX_PATH and puts entries
// until it is killed, or until it has done what the act says.
func child(act string) error {
	cfg := Default()
	cfg.Path, cfg.URL = os.Getenv("OUTBOX_PATH"), desk.NewSecret(os.Getenv("OUTBOX_URL"))
	cfg.Keep, cfg.Backoff = 50*time.Millisecond, 50*time.Millisecond
	o, err := Open(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if act == "open" {
		_, err = fmt.Println("open", o.Stats().OnDisk)
		return err
	}
	o.Start()
	switch act {
	case "put":
		putForEver(o)
	case "disk full":
		err = fillDisk(o)
	}
	o.Stop()
	return err
}

// putForEver keeps a few hundred entries under way and prints each that is safe.
func putForEver(o *Outbox) {
	out := bufio.NewWriter(os.Stdout)
	var mu sync.Mutex
	inFlight := make(chan struct{}, 300)
	ms := []*matter{newMatter("110"), newMatter("12345"), newMatter("110"), newMatter("12345")}
	for i := 0; ; i++ {
		e := ms[i%len(ms)].next()
		inFlight <- struct{}{}
		o.Put(e, func(err error) {
			if err == nil {
				mu.Lock()
				fmt.Fprintln(out, e.EventID)
				out.Flush()
				mu.Unlock()
			}
			<-inFlight
		})
	}
}

// spawn starts the test binary as a child, by LIANDONG_EMULATOR where it is another processor's.
func spawn(t *testing.T, act, path, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	if emulator := os.Getenv("LIANDONG_EMULATOR"); emulator != "" {
		cmd = exec.Command(emulator, os.Args[0])
	}
	cmd.Env = append(os.Environ(), "OUTBOX_CHILD="+act, "OUTBOX_PATH="+path, "OUTBOX_URL="+url)
	var log bytes.Buffer
	cmd.Stderr = &log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the child's log: %s", log.String())
		}
	})
	return cmd
}

// rounds of the kill tests; KILL_ROUNDS=500 for the long run.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("KILL_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 2
	}
	return 6
}

// A process that puts entries is killed at a random moment, again and again. Every entry that it called safe is in the
// stream, once and in order; entries that it did not come to call safe may be there too.
func TestKilled(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	safe, dice := map[string]bool{}, rand.New(rand.NewPCG(5, 6))
	total := 0
	for n := range rounds() {
		if dice.IntN(3) == 0 {
			mini.SetError("LOADING") // the backlog grows over several lives
		}
		for _, id := range liveAndDie(t, cfg, 200+dice.IntN(3000), time.Duration(dice.IntN(20_000))*time.Microsecond) {
			safe[id] = true
		}
		mini.SetError("")
		if n%5 == 4 || n == rounds()-1 {
			total += reckon(t, mini, cfg, safe)
			clear(safe)
		}
	}
	t.Logf("%d entries in the streams after %d kills", total, rounds())
}

// reckon lets everything be shipped, checks the streams against what was called safe, and empties them.
func reckon(t *testing.T, mini *miniredis.Miniredis, cfg Config, safe map[string]bool) int {
	t.Helper()
	_, log := newJournal(t)
	o, err := Open(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if s := o.Stats(); s.PutAside != "" {
		t.Errorf("a kill has damaged the file: %+v", s)
	}
	o.Start()
	defer o.Stop()
	eventually(t, "shipped", shipped(o))
	list := append(read(t, cfg, stream110), read(t, cfg, stream12345)...)
	check(t, list)
	lost := len(safe)
	for _, m := range list {
		if safe[m.Entry.EventID] {
			lost--
		}
	}
	if lost > 0 {
		t.Errorf("%d entries that were called safe are not in the stream", lost)
	}
	// nothing will be sent a second time
	eventually(t, "the disk is empty", func() bool { return o.Stats().OnDisk == 0 })
	for _, s := range []string{stream110, stream12345} {
		mini.Del(s)
		mini.Del(seenKey(s)) // which miniredis sorts at each call
	}
	return len(list)
}

// liveAndDie runs a child until it has called n entries safe and a little longer, and gives their ids.
func liveAndDie(t *testing.T, cfg Config, n int, longer time.Duration) (safe []string) {
	t.Helper()
	cmd := spawn(t, "put", cfg.Path, cfg.URL.Reveal())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var killer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id := lines.Text(); len(id) == 26 { // the last line may be torn
			safe = append(safe, id)
		}
		if len(safe) == n {
			killer = time.AfterFunc(longer, func() { _ = cmd.Process.Kill() })
		}
	}
	if killer == nil {
		t.Error("the child has ended by itself")
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the child was not killed: %v", err)
	}
	return safe
}

// A process that is taking over a damaged file is killed at a random moment, again and again. In the end everything
// that could be read is there: half a takeover never counts as a whole one.
func TestKilledWhileTakingOver(t *testing.T) {
	const n = 20_000
	cfg := config(t, "redis://127.0.0.1:1")
	fill(t, cfg, n)
	compact(t, cfg.Path)
	b, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	damaged, dice, whole := spoil(b, "title", 1), rand.New(rand.NewPCG(7, 8)), 0
	for range 2 * rounds() {
		if err := os.WriteFile(cfg.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		takeOverAndDie(t, cfg, time.Duration(dice.IntN(400))*time.Millisecond)
		d, err := openDisk(cfg.Path, cfg.MaxBytes, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.size().entries; got != n-1 {
			t.Errorf("%d entries, want %d", got, n-1)
		}
		if d.size().putAside == "" {
			whole++
		}
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d takeovers were over before the kill", whole, 2*rounds())
}

// takeOverAndDie lets a child open the file, and kills it some time after its start.
func takeOverAndDie(t *testing.T, cfg Config, after time.Duration) {
	t.Helper()
	cmd := spawn(t, "open", cfg.Path, cfg.URL.Reveal())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	_ = cmd.Wait() // killed, or done before that
}

// fillDisk lets the system refuse to let the file grow, as a full disk does, and then lifts that.
func fillDisk(o *Outbox) error {
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: was.Max}); err != nil {
		return err
	}
	done, full := make(chan error, 10_000), time.After(patience)
	put, m := 0, newMatter("110")
	s := o.Stats()
	for ; s.InMemory < 200 || s.DiskUp; s = o.Stats() {
		select {
		case <-full:
			return errors.New("the disk was never full")
		default:
		}
		if s.InMemory < 200 && put < cap(done) {
			o.Put(m.next(), func(err error) { done <- err })
			put++
		}
	}
	fmt.Printf("full: %v, %d on disk, %d in memory\n", s.DiskError != "", s.OnDisk, s.InMemory)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	for range put {
		if err := <-done; err != nil {
			return err
		}
	}
	fmt.Println("all safe")
	return nil
}

// The disk is full, really; then there is room again. No entry is lost, nor the file damaged.
func TestDiskFull(t *testing.T) {
	mini := miniredis.RunT(t)
	mini.SetError("LOADING")
	cfg := config(t, "redis://"+mini.Addr())
	out, err := spawn(t, "disk full", cfg.Path, cfg.URL.Reveal()).Output()
	if err != nil || !strings.Contains(string(out), "full: true") || !strings.Contains(string(out), "all safe") {
		t.Fatalf("%v: %s", err, out)
	}
	mini.SetError("")
	o, _ := open(t, cfg)
	if s := o.Stats(); s.PutAside != "" {
		t.Errorf("%+v", s)
	}
	eventually(t, "shipped", shipped(o))
	list := append(read(t, cfg, stream110), read(t, cfg, stream12345)...)
	check(t, list)
	if len(list) == 0 || len(list) < 200 {
		t.Errorf("%d entries", len(list))
	}
	t.Logf("%s%d entries", out, len(list))
}
