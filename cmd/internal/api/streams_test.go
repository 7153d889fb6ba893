//go:build linux

package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/cmd/internal/feed"
	"liandong/configs"
	"liandong/routing/desk"
	"liandong/routing/news"
)

// roomLines are the hotlines of the room, each with half of the desks and of the onlookers, who see its own affairs.
var roomLines = []string{"110", "12345"}

// How a room of desks works: a desk has a call every three minutes, and of five calls one is handed over.
const (
	room        = 500 // seats
	onlookers   = 200 // streams of events
	perSeat     = 3 * time.Minute
	handedOver  = 5 // of so many calls one
	roomWatched = 20 * time.Second
	roomIdle    = 5 * time.Second // before, to know what the rest of the process takes
)

// burst is what is told of a call at one moment: events of the call, and in how many seats' states it shows.
type burst struct {
	events []string
	seats  int
}

var (
	plainCall = []burst{
		{[]string{"arrived", "state", "ringing", "state"}, 1}, {[]string{"answered", "state"}, 1},
		{[]string{"quality", "quality", "record", "ended"}, 1}, {nil, 1}, // a desk writes it up, and is free
	}
	overCall = []burst{
		{[]string{"arrived", "state", "ringing", "state"}, 1}, {[]string{"answered", "state"}, 1},
		{[]string{"key", "stub", "state", "ringing", "state"}, 1},
		{[]string{"partner_answered", "stub", "quality", "state"}, 2}, {nil, 1},
		{[]string{"quality", "quality", "record", "ended"}, 1}, {nil, 1},
	}
)

// TestOnlookers is the readers' part of BenchmarkRoom, in a process of its own: it reads all streams, and prints how
// long after it was told each event came, in µs.
func TestOnlookers(t *testing.T) {
	url := os.Getenv("ROOM_URL")
	if url == "" {
		t.Skip("BenchmarkRoom runs it")
	}
	for range onlookers {
		bare, err := net.Dial("tcp", os.Getenv("ROOM_BARE"))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, bare) }()
	}
	var mu sync.Mutex
	var delays []int64
	var all sync.WaitGroup
	for i := range onlookers {
		line := readerOf(t, url, "T-"+roomLines[i%len(roomLines)])
		all.Go(func() {
			var own []int64
			for l := line(); l != "end"; l = line() {
				if l == "event: hello" {
					fmt.Println("hello")
				}
				data, ok := strings.CutPrefix(l, "data: ")
				if _, at, told := strings.Cut(data, `"at":"`); ok && told {
					now := time.Now()
					at, _, _ = strings.Cut(at, `"`)
					if then, err := time.Parse(time.RFC3339Nano, at); err == nil {
						own = append(own, now.Sub(then).Microseconds())
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			delays = append(delays, own...)
		})
	}
	all.Wait()
	text, _ := json.Marshal(delays)
	fmt.Println(string(text))
}

// BenchmarkRoom has a room of 500 desks at work with 200 who look on: how much of a core the switch's part of the
// events takes, and how long each takes to whoever reads it.
func BenchmarkRoom(b *testing.B) {
	s := bordered(b)
	conf := *s.conf()
	conf.Listen = []configs.Listener{{Key: "http.listen", Address: netip.MustParseAddrPort("127.0.0.1:0")}}
	for _, line := range roomLines {
		conf.Grants = append(conf.Grants, configs.Grant{Role: configs.RoleDesk, Token: desk.NewSecret("T-" + line),
			Lines: []string{line}})
	}
	s.cfg.Store(&conf)
	s.sw.Feed = feed.New(8192, time.Now())
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer s.Stop()
	chairs := newChairs()
	s.sw.Feed.Watch(chairs.users, chairs.look, func(string, feed.Chair) {})
	began, used := time.Now(), cpu()
	time.Sleep(roomIdle)
	idle := float64(cpu()-used) / float64(time.Since(began))
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOnlookers$")
	cmd.Env = append(os.Environ(), "ROOM_URL=http://"+s.open[0].Addr().String(),
		"ROOM_BARE="+bare.Addr().String())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	from := bufio.NewReaderSize(out, 1<<20)
	for range onlookers {
		if l, err := from.ReadString('\n'); l != "hello\n" {
			b.Fatal(l, err)
		}
	}
	rnd, told := rand.New(rand.NewPCG(1, 2)), 0
	for b.Loop() {
		told = 0
		began, used, before := time.Now(), cpu(), written()
		for due := began; time.Since(began) < roomWatched; {
			call, lines := plainCall, roomLines[rnd.IntN(len(roomLines))]
			if rnd.IntN(handedOver) == 0 {
				call, lines = overCall, strings.Join(roomLines, ",")
			}
			// The bursts of many calls come as those of one after the other do, only closer.
			for _, at := range call {
				due = due.Add(time.Duration(rnd.ExpFloat64() * float64(perSeat) / room / float64(len(call))))
				time.Sleep(time.Until(due))
				told += at.tell(s.sw.Feed, chairs, lines, rnd)
			}
		}
		took := time.Since(began)
		b.ReportMetric(100*(float64(cpu()-used)/float64(took)-idle), "%core")
		b.ReportMetric(100*idle, "%idle")
		calls, bytes := written().calls-before.calls, written().bytes-before.bytes
		b.ReportMetric(100*bareWrites(b, bare, calls, bytes)/float64(took), "%bare")
		b.ReportMetric(float64(calls)/took.Seconds(), "writes/s")
		b.ReportMetric(float64(told)/took.Seconds(), "events/s")
	}
	s.sw.Feed.Close()
	var delays []int64
	text, _ := from.ReadBytes('\n')
	if err := json.Unmarshal(text, &delays); err != nil || len(delays) == 0 {
		b.Fatalf("%v %.100s", err, text)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2])/1000, "ms-p50")
	b.ReportMetric(float64(delays[len(delays)*99/100])/1000, "ms-p99")
	b.ReportMetric(float64(len(delays))/roomWatched.Seconds(), "deliveries/s")
}

// tell tells of one moment of a call, and gives how many events those were.
func (at burst) tell(f *feed.Feed, c *chairs, lines string, rnd *rand.Rand) int {
	for _, event := range at.events {
		f.Call(news.Item{Event: event, Caller: "+86138****5678", Fields: news.From(map[string]string{
			"event": event, "at": time.Now().Format(time.RFC3339Nano),
			"call_ref":    "8f4252ee-ccb1-42d5-81c3-fcc9cc4d2ab1",
			"caller_e164": "+8613812345678", "caller_status": "ok", "call_at": "2026-11-30T10:00:00.123456789+08:00",
			"dialed": "110", "hotline": "110", "lines": lines, "phase": "talking", "desk": "1101", "partner": "2101",
			"agent": "1101", "stub_id": "2b5c0e9a-66a0-4d34-a7b5-3f1e3b0d7c11",
		})})
	}
	for range at.seats {
		user := c.users[rnd.IntN(room)]
		if line, both := c.line(user), strings.Contains(lines, ","); !both && line != lines {
			user = c.users[(slices.Index(c.users, user)+1)%room]
		}
		c.change(user)
		f.Touch(user)
	}
	return len(at.events) + at.seats
}

// chairs are the seats of the room. Safe for use by several goroutines.
type chairs struct {
	users []string
	mu    sync.Mutex
	state map[string]int
}

func newChairs() *chairs {
	c := &chairs{state: map[string]int{}}
	for i := range room {
		c.users = append(c.users, fmt.Sprint(11000+i))
	}
	return c
}

// line is whose desk it is: every second one of the first line.
func (c *chairs) line(user string) string { return roomLines[int(user[len(user)-1])%len(roomLines)] }

func (c *chairs) change(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state[user]++
}

func (c *chairs) look(user string) (feed.Chair, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := []string{"free", "ringing", "talking", "after_call"}
	return feed.Chair{User: user, Name: "接警员", Hotline: c.line(user), State: states[c.state[user]%len(states)],
		Phones: 1, Agent: "ready"}, true
}

// writes are what this process has written so far.
type writes struct{ calls, bytes int }

func written() (w writes) {
	text, _ := os.ReadFile("/proc/self/io")
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "syscw: %d", &w.calls)
		_, _ = fmt.Sscanf(line, "wchar: %d", &w.bytes)
	}
	return w
}

// bareWrites is the processor time that so many writes of so many bytes to the same process take at least.
func bareWrites(b *testing.B, to net.Listener, calls, bytes int) float64 {
	var all []net.Conn
	for range onlookers {
		c, err := to.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		all = append(all, c)
	}
	text := make([]byte, bytes/calls)
	const rounds = 40
	used := cpu()
	for range rounds {
		time.Sleep(80 * time.Millisecond)
		for _, c := range all {
			_, _ = c.Write(text)
		}
	}
	return float64(cpu()-used) / rounds / onlookers * float64(calls)
}

// cpu is the processor time of this process so far, of its own and the kernel's for it, to the ns: getrusage counts by
// the tick.
func cpu() (all time.Duration) {
	threads, _ := filepath.Glob("/proc/self/task/*/schedstat")
	for _, name := range threads {
		var ran time.Duration
		text, _ := os.ReadFile(name)
		if _, err := fmt.Sscan(string(text), &ran); err == nil {
			all += ran
		}
	}
	return all
}
