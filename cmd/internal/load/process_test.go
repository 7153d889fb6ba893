package load

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// proc is a /proc with one process in it.
func proc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "7"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "7", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	someStat   = "7 (a) R 9 (b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 11 0 123 1000 200 18446744073709551615 0 0\n"
	someRollup = "00400000-7fff Rollup\nRss:  9000 kB\nPss:  4000 kB\nPss_Dirty: 1 kB\n"
	someStatus = "Name:\tx\nVmHWM:\t 9999 kB\nVmRSS:\t  9000 kB\n"
)

func TestReadUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  usage
	}{
		"all": {map[string]string{"stat": someStat, "smaps_rollup": someRollup, "status": someStatus},
			usage{3 * time.Second, 11, 4000 << 10, false}},
		"no rollup": {map[string]string{"stat": someStat, "status": someStatus},
			usage{3 * time.Second, 11, 9000 << 10, true}},
	} {
		if got, err := readUsage(proc(t, tt.files), 7); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, files := range map[string]map[string]string{
		"no process": nil, "short stat": {"stat": "7 (x) S 1", "status": someStatus},
		"kernel thread": {"stat": someStat, "status": "Name: k\n"},
		"no number":     {"stat": "7 (x) S 1 7 7 0 -1 4194560 100 0 0 0 x 50 0 0 20 0 11 0 123", "status": someStatus},
	} {
		if _, err := readUsage(proc(t, files), 7); !errors.Is(err, ErrProc) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMeter(t *testing.T) {
	m, err := startMeter(os.Getpid())
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	sum := 0.0
	for from := ownCPU(); ownCPU()-from < 50*time.Millisecond; {
		sum += float64(len(t.Name()))
	}
	p, err := m.stop()
	if err != nil || p.CPU <= 0 || p.Memory <= 0 || p.MemoryPeak < p.Memory || p.Threads < 1 || p.Over < 0 || sum == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}
