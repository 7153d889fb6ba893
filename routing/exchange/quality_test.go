package exchange

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/news"
	"liandong/sip/ua"
)

// endings keeps what legs were closed with, as the media engine gives it back; the engine itself is slow.
type endings struct {
	fakeMedia
	mu     sync.Mutex
	sink   func(engine.Event)
	closed []engine.Close
}

func (m *endings) Do(c engine.Command) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := c.(engine.Close); ok {
		m.closed = append(m.closed, c)
	}
}

// told keeps the call events of a kind.
type told struct {
	mu     sync.Mutex
	events []map[string]string
}

func (k *told) tell(it news.Item) {
	what, fields := it.Event, it.Map()
	k.mu.Lock()
	defer k.mu.Unlock()
	if what == "quality" {
		k.events = append(k.events, fields)
	}
}

func watched() (*fakeWire, *endings, *told, *Exchange) {
	w, m, k := &fakeWire{sinks: map[string]ua.Sink{}}, &endings{}, &told{}
	x := exchangeOf(w, func(c *Config) {
		c.Tell = k.tell
		c.Sessions = func(_ string, sink func(engine.Event)) Media { m.sink = sink; return m }
	})
	return w, m, k, x
}

var bad = engine.Quality{
	Network: "lab", RTT: 81234 * time.Microsecond,
	In: engine.Direction{Known: true, Packets: 3000, Loss: 0.0512, Jitter: 4500 * time.Microsecond, R: 77, MOSLQ: 3.9,
		MOSCQ: 3.875},
	Out: engine.Direction{Packets: 2990},
}

// The last figures of a leg are told although its call is over and forgotten.
func TestQualityAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, k, x := watched()
		if x.Incoming(pstn, invite(t, "110")) == nil {
			t.Fatal("refused")
		}
		synctest.Wait()
		x.Stop()
		if s := x.Stats(); s.Live != 0 || len(m.closed) != 2 {
			t.Fatalf("%+v, closed %v", s, m.closed)
		}
		for _, c := range m.closed {
			m.sink(engine.LegClosed{Leg: c.Leg, About: c.About, Quality: bad})
		}
		// never spoke
		m.sink(engine.LegClosed{Leg: 3, About: &news.Item{}, Quality: engine.Quality{Network: "lab"}})
		// nobody closed it
		m.sink(engine.LegClosed{Leg: 4, Quality: bad})
		if len(k.events) != 2 {
			t.Fatalf("told %v", k.events)
		}
		want := map[string]string{
			"call_ref": "00000000-0000-4000-8000-000000000001", "hotline": "110", "dialed": "110",
			"detail":      "leg_closed",
			"caller_e164": "+8613812345678", "packets": "3000", "packets_sent": "2990",
			"loss_percent": "5.12", "jitter_ms": "4.5", "rtt_ms": "81.2", "mos": "3.88", "mos_lq": "3.90",
			"remote_mos": "",
		}
		parties := map[string]string{}
		for _, e := range k.events {
			compare(t, e, want)
			parties[e["party"]] = e["agent"]
		}
		compare(t, parties, map[string]string{"caller": "", "desk": "1101"})
	})
}

// A supervisor hears of a leg that sounds poor while the call is on, and when it is fair again.
func TestQualityChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, k, x := watched()
		x.Incoming(pstn, invite(t, "110"))
		synctest.Wait()
		m.sink(engine.QualityChanged{Leg: 2, Poor: true, Quality: bad})
		m.sink(engine.QualityChanged{Leg: 2, Quality: bad})
		m.sink(engine.QualityChanged{Leg: 9, Poor: true, Quality: bad}) // of no leg of this call
		synctest.Wait()
		if len(k.events) != 2 {
			t.Fatalf("told %v", k.events)
		}
		compare(t, k.events[0], map[string]string{"detail": "poor", "party": "desk", "agent": "1101",
			"phase": "ringing", "mos": "3.88"})
		compare(t, k.events[1], map[string]string{"detail": "fair", "party": "desk", "agent": "1101"})
		x.Stop()
	})
}

// How a leg sounds is told with whose it is to whoever looks at the call afterwards, and to nobody else; of a
// supervisor with his line, so that others are not told.
func TestMeasured(t *testing.T) {
	var told []map[string]string
	dir := simDirectory()
	dir.Hotlines["110"].Supervisors = []string{"1109"}
	c := &Core{dir: dir, state: call.Call{Ref: "r", Phase: call.Talking, Hotline: "110",
		Legs: []call.Leg{{ID: call.CallerLeg, Up: true}, {ID: 2, Hotline: "110", Seat: "1101", Up: true}},
		Supervisors: []call.Supervisor{
			{Leg: call.Leg{ID: 9, Hotline: "110", Seat: "1109", Up: true}, Act: call.Whisper}}},
		parties: []*party{{ID: call.CallerLeg}, {ID: 2, Agent: "1101"},
			{ID: 9, User: "1109", Agent: "1109", Watches: true}, {ID: 5, Agent: "1102", Gone: true}}}
	c.world.Trace = func(it news.Item) {
		event, fields := it.Event, it.Map()
		if event == measuredTold {
			told = append(told, fields)
		}
	}
	for _, leg := range []engine.LegID{1, 2, 9, 5, 77} {
		c.MediaEvent(time.Now(), engine.Measured{Leg: leg, Quality: bad})
	}
	if len(told) != 3 {
		t.Fatalf("told %v", told)
	}
	compare(t, told[0], map[string]string{"party": "caller", "call_ref": "r", "lines": "110", "supervisor": "",
		"mos": "3.88", "loss_percent": "5.12", "jitter_ms": "4.5", "rtt_ms": "81.2", "remote_mos": ""})
	compare(t, told[1], map[string]string{"party": "1101", "supervisor": "", "lines": "110"})
	compare(t, told[2], map[string]string{"party": "1109", "supervisor": "1", "lines": "110"})
}

// Nobody but his own line hears of a supervisor whom the desks are not to know: not as he whispers, nor as he goes.
func TestSupervisorIsNotTold(t *testing.T) {
	dir := simDirectory()
	dir.Hotlines["110"].Supervisors = []string{"1109"}
	c := &Core{dir: dir, state: call.Call{Phase: call.ThreeWay, Supervisors: []call.Supervisor{
		{Leg: call.Leg{ID: 9, Hotline: "110", Seat: "1109", Up: true}, Act: call.Whisper}}}}
	if c.talking(engine.Talking{Leg: 9, On: true}); len(c.acts) != 0 {
		t.Error("who whispers is told to talk")
	}
	c.state.Supervisors[0].Act = call.Join
	if c.talking(engine.Talking{Leg: 9, On: true}); len(c.acts) != 1 {
		t.Error("who has joined is not told to talk")
	}
	c.state.Supervisors = nil
	if got := c.leaving(&party{ID: 9, User: "1109", Agent: "1109", Watches: true}); got.Get("lines") != "110" {
		t.Errorf("who goes is told to %q", got.Get("lines"))
	}
}
