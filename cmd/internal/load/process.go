package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrProc is wrapped when what the kernel says of a process cannot be read.
var ErrProc = errors.New("load: /proc")

// ticksPerSecond is the unit of times in /proc/PID/stat: USER_HZ, 100 on every Linux that Go runs on (proc(5),
// sysconf(3)).
const ticksPerSecond = 100

// usage is what a process has used up to now.
type usage struct {
	cpu      time.Duration // user and system, all threads
	threads  int
	resident int64 // bytes; the proportional share where the kernel tells it, else all resident pages
	shared   bool  // resident counts pages shared with other processes in full
}

// readUsage reads a process in a mounted /proc.
func readUsage(proc string, pid int) (u usage, err error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, fmt.Errorf("%w: %w", ErrProc, err)
	}
	if u.cpu, u.threads, err = parseStat(stat); err != nil {
		return u, err
	}
	if rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup")); err == nil {
		if n, ok := kilobytes(rollup, "Pss:"); ok {
			u.resident = n
			return u, nil
		}
	}
	status, err := os.ReadFile(filepath.Join(dir, "status")) // smaps_rollup is for the process's own user alone
	if err != nil {
		return u, fmt.Errorf("%w: %w", ErrProc, err)
	}
	n, ok := kilobytes(status, "VmRSS:")
	if !ok {
		return u, fmt.Errorf("%w: no VmRSS: process %d has no memory of its own", ErrProc, pid)
	}
	u.resident, u.shared = n, true
	return u, nil
}

// parseStat reads proc(5) stat: utime and stime are fields 14 and 15, num_threads is 20; field 2 is a name in brackets
// that may hold anything.
func parseStat(b []byte) (cpu time.Duration, threads int, err error) {
	i := bytes.LastIndexByte(b, ')')
	fields := strings.Fields(string(b[i+1:]))
	if i < 0 || len(fields) < 18 {
		return 0, 0, fmt.Errorf("%w: stat %q", ErrProc, b)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	threads, err3 := strconv.Atoi(fields[17])
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, 0, fmt.Errorf("%w: stat: %w", ErrProc, err)
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, threads, nil
}

// kilobytes is the value of a line such as "Pss:  1234 kB", in bytes.
func kilobytes(b []byte, name string) (int64, bool) {
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return 1024 * n, err == nil
		}
	}
	return 0, false
}

// meter looks at a process once a second. Stop it.
type meter struct {
	pid   int
	first usage
	began time.Time
	done  chan struct{}
	wg    sync.WaitGroup
	peak  usage // owned by the goroutine until stop
}

// startMeter begins to measure.
func startMeter(pid int) (*meter, error) {
	first, err := readUsage("/proc", pid)
	if err != nil {
		return nil, err
	}
	m := &meter{pid: pid, first: first, peak: first, began: time.Now(), done: make(chan struct{})}
	m.wg.Go(m.watch)
	return m, nil
}

func (m *meter) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-m.done:
			return
		case <-tick.C:
		}
		if u, err := readUsage("/proc", m.pid); err == nil {
			m.see(u)
		}
	}
}

func (m *meter) see(u usage) {
	m.peak.resident = max(m.peak.resident, u.resident)
	m.peak.threads = max(m.peak.threads, u.threads)
}

// stop gives what the process used since the start.
func (m *meter) stop() (*Process, error) {
	close(m.done)
	m.wg.Wait()
	last, err := readUsage("/proc", m.pid)
	if err != nil {
		return nil, err
	}
	m.see(last)
	took := time.Since(m.began)
	return &Process{
		PID: m.pid, CPU: round1(100 * float64(last.cpu-m.first.cpu) / float64(took)), Over: round1(took.Seconds()),
		Memory: last.resident, MemoryPeak: m.peak.resident, Shared: last.shared, Threads: m.peak.threads,
	}, nil
}
