package api

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"liandong/cmd/internal/feed"
	"liandong/routing/exchange"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

// Business counts what a hotline's manager asks about, from the events of calls and the entries of tickets.
type Business struct {
	calls, answered, abandoned *prometheus.CounterVec
	wait                       *prometheus.HistogramVec
	linked                     *prometheus.CounterVec
	key                        *prometheus.HistogramVec
	threeWay                   *prometheus.CounterVec

	mu      sync.Mutex
	lines   []string             // guarded by mu
	waiting map[string]waiting   // guarded by mu: calls that no desk has answered yet
	pressed map[string]time.Time // guarded by mu: stubs whose other line has not answered yet
}

type waiting struct {
	hotline string
	since   time.Time
}

// NewBusiness counts from zero.
func NewBusiness() *Business {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "liandong_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "liandong_" + name, Help: help, Buckets: []float64{2, 5, 10, 15, 20, 30, 60, 120, 300},
		}, labels)
	}
	return &Business{
		calls:     counter("hotline_calls_total", "Calls that came for a hotline.", "hotline"),
		answered:  counter("hotline_answered_total", "Calls that a desk answered.", "hotline"),
		abandoned: counter("hotline_abandoned_total", "Calls that ended before a desk answered.", "hotline"),
		wait:      histogram("hotline_answer_seconds", "From a call's coming to its first desk's answer.", "hotline"),
		linked: counter("linked_total",
			"Hand-overs, three-way calls and stubs without a call, by what became of them.", "from", "to", "mode",
			"result"),
		key:      histogram("key_answer_seconds", "From the desk's key to the other line's answer.", "from", "to"),
		threeWay: counter("three_way_total", "Three-way calls that have ended.", "hotline"),
		waiting:  map[string]waiting{}, pressed: map[string]time.Time{},
	}
}

// Lines names the hotlines: where nothing has happened yet the figures are zero, not absent, so that alerts have a
// beginning.
func (b *Business) Lines(hotlines []string) {
	b.mu.Lock()
	b.lines = hotlines
	b.mu.Unlock()
	for _, line := range hotlines {
		for _, c := range []*prometheus.CounterVec{b.calls, b.answered, b.abandoned, b.threeWay} {
			c.WithLabelValues(line)
		}
		b.wait.WithLabelValues(line)
	}
}

// maxOpen bounds what is kept of calls and stubs whose end is never told.
const maxOpen = 100_000

// Told takes an event of a call.
func (b *Business) Told(event string, fields news.Fields, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ref, hotline := fields.Get("call_ref"), fields.Get("hotline")
	waits, on := b.waiting[ref]
	switch event {
	case "arrived":
		b.calls.WithLabelValues(hotline).Inc()
		if len(b.waiting) < maxOpen {
			b.waiting[ref] = waiting{hotline, now}
		}
	case "answered":
		if on {
			delete(b.waiting, ref)
			b.answered.WithLabelValues(waits.hotline).Inc()
			b.wait.WithLabelValues(waits.hotline).Observe(now.Sub(waits.since).Seconds())
		}
	case "ended":
		if on {
			delete(b.waiting, ref)
			b.abandoned.WithLabelValues(waits.hotline).Inc()
		}
	case "three_way_ended":
		b.threeWay.WithLabelValues(hotline).Inc()
	}
}

// Wrote takes an entry of a ticket.
func (b *Business) Wrote(e ticket.Entry, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Event {
	case ticket.Opened:
		if len(b.pressed) < maxOpen {
			b.pressed[e.StubID] = now
		}
		return
	case ticket.Answered:
		if at, ok := b.pressed[e.StubID]; ok {
			b.key.WithLabelValues(e.From, e.To).Observe(now.Sub(at).Seconds())
		}
	case ticket.Failed, ticket.Abandoned:
	default:
		return
	}
	delete(b.pressed, e.StubID)
	b.linked.WithLabelValues(e.From, e.To, string(e.Mode), string(e.Event)).Inc()
}

func (b *Business) parts() []prometheus.Collector {
	return []prometheus.Collector{b.calls, b.answered, b.abandoned, b.wait, b.linked, b.key, b.threeWay}
}

// Describe says which figures there are.
func (b *Business) Describe(out chan<- *prometheus.Desc) {
	for _, p := range b.parts() {
		p.Describe(out)
	}
	out <- waitingDesc
	out <- longestDesc
}

var (
	waitingDesc = prometheus.NewDesc("liandong_hotline_waiting", "Calls that no desk has answered yet.",
		[]string{"hotline"}, nil)
	longestDesc = prometheus.NewDesc("liandong_hotline_longest_wait_seconds", "How long the longest of them waits.",
		[]string{"hotline"}, nil)
	seatsDesc = prometheus.NewDesc("liandong_seats",
		"Seats of a hotline by state: free, ringing, talking, busy (by another switch), after_call, not_ready, unregistered.",
		[]string{"hotline", "state"}, nil)
)

// Collect reads all figures.
func (b *Business) Collect(out chan<- prometheus.Metric) {
	for _, p := range b.parts() {
		p.Collect(out)
	}
	number, longest := map[string]int{}, map[string]time.Duration{}
	b.mu.Lock()
	for _, line := range b.lines {
		number[line] = 0
	}
	for _, w := range b.waiting {
		number[w.hotline]++
		longest[w.hotline] = max(longest[w.hotline], time.Since(w.since))
	}
	b.mu.Unlock()
	for hotline, n := range number {
		out <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(n), hotline)
		out <- prometheus.MustNewConstMetric(longestDesc, prometheus.GaugeValue, longest[hotline].Seconds(), hotline)
	}
}

// The states of a seat.
var seatStates = []string{"free", "ringing", "talking", "busy", "after_call", "not_ready", "unregistered"}

// countSeats counts the seats of each line by state: a line of which none is free, talking or busy has nobody.
func (s *Server) countSeats(out chan<- prometheus.Metric) {
	count := map[[2]string]int{}
	for user, seat := range s.conf().Seats {
		for _, state := range seatStates {
			count[[2]string{seat.Hotline, state}] += 0
		}
		if c, ok := s.Chair(user); ok {
			count[[2]string{seat.Hotline, c.State}]++
		}
	}
	for of, n := range count {
		out <- prometheus.MustNewConstMetric(seatsDesc, prometheus.GaugeValue, float64(n), of[0], of[1])
	}
}

// Chair is the state of a user's seat now; false: there is none.
func (s *Server) Chair(user string) (feed.Chair, bool) {
	seat, ok := s.conf().Seats[user]
	if !ok || !seat.Takes {
		return feed.Chair{}, false
	}
	c := feed.Chair{User: user, Name: seat.Name, Hotline: seat.Hotline, State: "free", Phones: len(s.phones(user))}
	ref, talks := s.sw.Calls.Seat(user)
	node, held := s.sw.Calls.HeldBy(user)
	a := s.sw.Calls.Agent(user)
	c.Agent, c.Reason = string(a.State), a.Reason
	switch {
	case talks:
		c.State = "talking"
	case ref != "":
		c.State = "ringing"
	case held:
		c.State, c.Switch = "busy", node
	case c.Phones == 0:
		c.State = "unregistered"
	case a.State != exchange.Ready:
		c.State = c.Agent
	}
	c.Call = ref
	return c, true
}

// seatGauge reads the seats of a server.
type seatGauge struct{ *Server }

// Describe says which figure there is.
func (seatGauge) Describe(out chan<- *prometheus.Desc) { out <- seatsDesc }

// Collect counts now.
func (g seatGauge) Collect(out chan<- prometheus.Metric) { g.countSeats(out) }
