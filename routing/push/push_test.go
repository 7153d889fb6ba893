package push

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link/redistest"
	"liandong/routing/ticket"
)

const patience = 20 * time.Second

// receiver is a ticket system that answers as it is told, and stores what it takes.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(event string, n int) int // to the nth request, from 1; guarded by mu
	asked  int
	took   []string // event ids, in order; guarded by mu
	bad    []string // what is wrong with requests
}

func receive(t *testing.T, answer func(event string, n int) int) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var p pushed
	err := json.Unmarshal(body, &p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	event := req.Header.Get(EventHeader)
	stamp, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get(SignatureHeader), "t="), ",")
	seconds, _ := strconv.ParseInt(stamp, 10, 64)
	at := time.Unix(seconds, 0)
	if err != nil || req.Method != http.MethodPost || p.Entry["event_id"] != event || event == "" ||
		req.Header.Get(SignatureHeader) != Signature("well-kept-secret", at, body) || time.Since(at) > patience {
		r.bad = append(r.bad, fmt.Sprintf("%v %s %s %v", err, req.Method, body, req.Header))
	}
	code := r.answer(event, r.asked)
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(code)
	if code/100 == 2 {
		r.took = append(r.took, event)
	}
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.took)
}

// bench is a Redis and how a pusher reaches it.
type bench struct {
	*testing.T
	redis *redistest.Server
}

func newBench(t *testing.T) bench {
	t.Parallel()
	return bench{t, redistest.Start(t, "--appendfsync", "no")}
}

func (b bench) put(line string, events ...string) {
	b.Helper()
	for _, e := range events {
		b.redis.Do("XADD", ticket.StreamOf(line), "*", "event_id", e, "event", "opened", "caller_e164",
			"+8613812345678")
	}
}

// start is a pusher of a node that works while leads says so.
func (b bench) start(node string, r *receiver, leads func() bool, lines ...string) *Pusher {
	b.Helper()
	cfg := Default()
	cfg.URL, cfg.Secret, cfg.Name, cfg.Node, cfg.Hotlines = r.URL, desk.NewSecret("well-kept-secret"), "gov", node,
		lines
	cfg.Config.URL = desk.NewSecret(b.redis.URL())
	cfg.Retry, cfg.MaxRetry, cfg.Poll = 10*time.Millisecond, 50*time.Millisecond, 5*time.Millisecond
	p, err := New(cfg, leads, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	p.Start()
	return p
}

func (b bench) wait(what string, ok func() bool) {
	b.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("not in time: " + what)
		}
	}
}

func always() bool { return true }

func taking(string, int) int { return http.StatusNoContent }

// What was there before and what comes later is delivered, signed, in the order of the stream, once while all is well.
func TestDelivers(t *testing.T) {
	b := newBench(t)
	r := receive(t, taking)
	b.put("12345", "a", "b")
	b.put("110", "not for this receiver")
	p := b.start("one", r, always, "12345")
	b.wait("the first two", func() bool { return len(r.taken()) == 2 })
	b.put("12345", "c")
	b.wait("the third", func() bool { return p.Stats().Delivered == 3 })
	if got := r.taken(); !slices.Equal(got, []string{"a", "b", "c"}) || len(r.bad) > 0 {
		t.Errorf("%v %v", got, r.bad)
	}
	if s := p.Stats(); s != (Stats{Delivered: 3, Up: true}) {
		t.Errorf("%+v", s)
	}
}

// A receiver that is down, busy or of another mind gets the same entry again until it takes it; nothing overtakes.
func TestTriesAgain(t *testing.T) {
	b := newBench(t)
	codes := []int{500, 503, 429, 401, 302, 404}
	r := receive(t, func(_ string, n int) int {
		if n <= len(codes) {
			return codes[n-1]
		}
		return http.StatusOK
	})
	b.put("12345", "a", "b", "c")
	p := b.start("one", r, always, "12345")
	b.wait("a failure is told", func() bool { return !p.Stats().Up })
	b.wait("all", func() bool { return len(r.taken()) == 3 && p.Stats().Up })
	if got := r.taken(); !slices.Equal(got, []string{"a", "b", "c"}) || p.Stats().Failed != uint64(len(codes)) {
		t.Errorf("%v %+v", got, p.Stats())
	}
}

// What the receiver will never take is passed over and counted, and stays in its stream.
func TestRefused(t *testing.T) {
	b := newBench(t)
	r := receive(t, func(event string, _ int) int {
		if event == "b" {
			return http.StatusUnprocessableEntity
		}
		return http.StatusOK
	})
	b.put("12345", "a", "b", "c")
	p := b.start("one", r, always, "12345")
	b.wait("the others", func() bool { return len(r.taken()) == 2 })
	b.wait("the count", func() bool { return p.Stats().Refused == 1 })
	if n := b.redis.Do("XLEN", ticket.StreamOf("12345")); fmt.Sprint(n) != "3" || p.Stats().Failed > 0 {
		t.Errorf("%v entries are in the stream, %+v", n, p.Stats())
	}
	b.wait("all are acknowledged", func() bool {
		return strings.HasPrefix(fmt.Sprint(b.redis.Do("XPENDING", ticket.StreamOf("12345"), Group("gov"))), "[0 ")
	})
}

// When the switch that works changes, in the middle of an entry too, the next goes on where it was: none is missing,
// and twice comes only what was on its way.
func TestAnotherSwitchGoesOn(t *testing.T) {
	b := newBench(t)
	var leader atomic.Int32
	stuck := make(chan struct{})
	r := receive(t, func(event string, n int) int {
		if n == 3 {
			leader.Store(1) // the entry was heard, and its taking not
			close(stuck)
			return http.StatusBadGateway
		}
		return http.StatusOK
	})
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("e%02d", i))
	}
	b.put("12345", want...)
	b.start("one", r, func() bool { return leader.Load() == 0 }, "12345")
	<-stuck
	b.start("two", r, func() bool { return leader.Load() == 1 }, "12345")
	b.wait("all", func() bool { return len(r.taken()) >= len(want) })
	if got := r.taken(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Redis may go and come back.
func TestRedisGoesAway(t *testing.T) {
	b := newBench(t)
	r := receive(t, taking)
	p := b.start("one", r, always, "12345")
	b.put("12345", "a")
	b.wait("the first", func() bool { return len(r.taken()) == 1 })
	b.redis.Kill()
	b.wait("it is noticed", func() bool { return !p.Stats().Up })
	b.redis.Restart()
	b.put("12345", "b")
	b.wait("the second", func() bool { return slices.Contains(r.taken(), "b") && p.Stats().Up })
}

func TestSignature(t *testing.T) {
	// echo -n '1700000000.{}' | openssl dgst -sha256 -hmac key
	const want = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
	if got := Signature("key", time.Unix(1700000000, 0), []byte("{}")); got != want {
		t.Error(got)
	}
}
