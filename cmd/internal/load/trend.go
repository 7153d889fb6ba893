package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Soaked is what became of the server's resources.
type Soaked struct {
	Flows  map[string]*Flow `json:"flows"`
	Trends []Trend          `json:"trends"`
}

// Trend is one resource over time. PerHour is the slope of a straight line through what was seen after the warm-up, in
// % of its mean; Error is the standard error of that.
type Trend struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Values  []float64 `json:"values"` // of equal stretches of the run, mean
	PerHour float64   `json:"percent_per_hour"`
	Error   float64   `json:"error_percent_per_hour"`
	Verdict string    `json:"verdict"` // flat, grows, or unclear: too short a run to say
}

const (
	flatLimit = 1  // % an hour
	stretches = 12 // of a run that are printed
	blocks    = 8  // whose means the line goes through: neighbours in time are no independent figures
)

// sample is one look.
type sample struct {
	at     time.Duration
	values []float64 // by resource; NaN: not seen
}

// resources are what is looked at.
var resources = []struct{ name, unit string }{
	{"memory", "MiB"}, {"heap in use", "MiB"}, {"goroutines", ""}, {"open files", ""}, {"free port pairs", ""},
	{"Redis memory", "MiB"},
}

// watcher looks at the resources now and then. Stop it.
type watcher struct {
	soak    *soak
	pid     int
	began   time.Time
	client  http.Client
	done    chan struct{}
	wg      sync.WaitGroup
	samples []sample // owned by its goroutine until stop
}

func (s *soak) watch(pid int) (*watcher, error) {
	if _, err := readUsage("/proc", pid); pid != 0 && err != nil {
		return nil, err
	}
	w := &watcher{soak: s, pid: pid, began: time.Now(), client: http.Client{Timeout: patience},
		done: make(chan struct{})}
	w.wg.Go(func() {
		tick := time.NewTicker(s.Every)
		defer tick.Stop()
		for {
			w.samples = append(w.samples, w.look())
			select {
			case <-w.done:
				return
			case <-tick.C:
			}
		}
	})
	return w, nil
}

// look sees all resources once.
func (w *watcher) look() sample {
	memory, files := math.NaN(), math.NaN()
	if w.pid != 0 {
		if u, err := readUsage("/proc", w.pid); err == nil {
			memory = float64(u.resident) / (1 << 20)
		}
		if all, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(w.pid), "fd")); err == nil {
			files = float64(len(all))
		}
	}
	m := w.metrics()
	return sample{time.Since(w.began), []float64{
		memory, m["go_memstats_heap_inuse_bytes"] / (1 << 20), m["liandong_goroutines"], files,
		m["liandong_media_ports_free"], w.redis() / (1 << 20),
	}}
}

// metrics are the server's, each name's series summed up; what is not there is NaN.
func (w *watcher) metrics() map[string]float64 {
	found := map[string]float64{}
	for _, name := range []string{"go_memstats_heap_inuse_bytes", "liandong_goroutines", "liandong_media_ports_free"} {
		found[name] = math.NaN()
	}
	answer, err := w.client.Get("http://" + w.soak.HTTP.String() + "/metrics")
	if err != nil {
		return found
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(answer.Body, 1<<22))
	for lines.Scan() {
		series, text, ok := strings.Cut(lines.Text(), " ")
		name, _, _ := strings.Cut(series, "{")
		was, wanted := found[name]
		value, err := strconv.ParseFloat(text, 64)
		if !ok || !wanted || err != nil {
			continue
		}
		if math.IsNaN(was) {
			was = 0
		}
		found[name] = was + value
	}
	return found
}

// redis is the memory that a Redis says it uses, in bytes.
func (w *watcher) redis() float64 {
	if w.soak.Redis == "" {
		return math.NaN()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", w.soak.Redis)
	if err != nil {
		return math.NaN()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "INFO memory\r\nQUIT\r\n"); err != nil {
		return math.NaN()
	}
	text, _ := io.ReadAll(io.LimitReader(conn, 1<<16))
	for line := range bytes.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "used_memory:"); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return n
		}
	}
	return math.NaN()
}

// stop gives the trends.
func (w *watcher) stop() *Soaked {
	close(w.done)
	w.wg.Wait()
	s := &Soaked{Trends: []Trend{}}
	for i, r := range resources {
		var at, values []float64
		for _, one := range w.samples {
			if v := one.values[i]; !math.IsNaN(v) {
				at, values = append(at, one.at.Hours()), append(values, v)
			}
		}
		if len(values) > 1 {
			s.Trends = append(s.Trends, trendOf(r.name, r.unit, at, values, w.soak.WarmUp.Hours()))
		}
	}
	return s
}

// trendOf judges values seen at times in hours.
func trendOf(name, unit string, at, values []float64, warmUp float64) Trend {
	t := Trend{Name: name, Unit: unit, Values: means(values, stretches), Verdict: "unclear"}
	from := 0
	for from < len(at) && at[from] < warmUp {
		from++
	}
	x, y := means(at[from:], blocks), means(values[from:], blocks)
	if len(x) < blocks {
		return t
	}
	slope, err, mean := line(x, y)
	if mean != 0 {
		slope, err = 100*slope/mean, 100*err/math.Abs(mean)
	}
	t.PerHour, t.Error = round1(slope), round1(err)
	switch off := math.Abs(slope); {
	case off <= flatLimit:
		t.Verdict = "flat"
	case off-2*err > flatLimit && slope > 0:
		t.Verdict = "grows"
	case off-2*err > flatLimit:
		t.Verdict = "shrinks"
	}
	return t
}

// means are those of n stretches of as equal a length as can be; all values where there are no more.
func means(values []float64, n int) []float64 {
	n = min(n, len(values))
	out := make([]float64, 0, n)
	for i := range n {
		part := values[i*len(values)/n : (i+1)*len(values)/n]
		sum := 0.
		for _, v := range part {
			sum += v
		}
		out = append(out, math.Round(1000*sum/float64(len(part)))/1000)
	}
	return out
}

// line is the straight one of least squares: its slope, the standard error of that, and the mean of y.
func line(x, y []float64) (slope, err, mean float64) {
	n := float64(len(x))
	var mx float64
	for i := range x {
		mx += x[i] / n
		mean += y[i] / n
	}
	var xx, xy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - mean)
	}
	if xx == 0 {
		return 0, 0, mean
	}
	slope = xy / xx
	rest := 0.
	for i := range x {
		off := y[i] - mean - slope*(x[i]-mx)
		rest += off * off
	}
	return slope, math.Sqrt(rest / (n - 2) / xx), mean
}

// soaked prints the trends.
func (r *Report) soaked(t io.Writer) {
	if r.Soak == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.Soak.Flows)) {
		went := r.Soak.Flows[name]
		fmt.Fprintf(t, "flow\t%s\ttried %d\tas it should %d\tfailed %s\n", name, went.Tried, went.Done,
			reasons(went.Failed))
	}
	for _, one := range r.Soak.Trends {
		values := make([]string, len(one.Values))
		for i, v := range one.Values {
			values[i] = strconv.FormatFloat(v, 'f', -1, 64)
			if v >= 10 {
				values[i] = strconv.FormatFloat(v, 'f', 1, 64)
			}
		}
		fmt.Fprintf(t, "trend\t%s\t%s\t%+.1f %%/h ± %.1f\t%s %s\n", one.Name, one.Verdict, one.PerHour, one.Error,
			strings.Join(values, " "), one.Unit)
	}
}
