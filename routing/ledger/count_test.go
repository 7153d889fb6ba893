package ledger

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"liandong/routing/category"
	"liandong/routing/hotspot"
	"liandong/routing/indicator"
	"liandong/routing/link/redistest"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

// china is the zone of these tests.
var china = time.FixedZone("", 8*3600)

// write puts an entry into a stream as the outbox does; what it leaves open is that of a matter from 110 to 12345.
func (o office) write(e ticket.Entry) {
	o.Helper()
	e.EventID, e.From, e.To = ids.New(time.Now()), "110", "12345"
	if e.Mode == "" {
		e.Mode = ticket.Direct
	}
	o.add(stream12345, e.Fields()...)
}

// again lets the ledgers read everything anew, as if none of it had been written into the matters: what a node leaves
// that died after it had counted and raised, and before it had kept the matter.
func (o office) again(stubs []string) {
	o.Helper()
	for _, stub := range stubs {
		o.c.Del(o.Context(), "liandong:"+stub, seenKey(stub))
	}
	for _, s := range []string{stream12345, Updates} {
		if err := o.c.XGroupSetID(o.Context(), s, Group, "0").Err(); err != nil {
			o.Fatal(err)
		}
	}
	o.settled(stream12345, Updates)
}

func (o office) sums(cfg Config, line string, at time.Time) indicator.Sums {
	o.Helper()
	from, err := OpenIndicators(cfg.Config)
	if err != nil {
		o.Fatal(err)
	}
	defer from.Close()
	sums, err := from.Sums(o.Context(), indicator.DayKey(line, at), indicator.HourKey(line, at))
	if err != nil {
		o.Fatal(err)
	}
	if !maps.Equal(sums[0], sums[1]) {
		o.Errorf("of the hour %v, of the day %v", sums[1], sums[0])
	}
	return sums[0]
}

// Everything counts once, with two nodes, with nodes that end in the middle, and when all is read again.
func TestCountsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	cfg := config(server.Addr(), "a")
	cfg.Zone, cfg.Kinds = china, category.List{{Code: "03", Owner: "12345", Modes: []string{ticket.TicketOnly}}}
	o := newOffice(t, server.Addr())
	other := cfg
	other.Node = "b"
	busy, _ := start(t, other)

	now := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	const matters = 40
	var stubs []string
	for i := range matters {
		if i%10 == 0 { // a node comes, works perhaps, and goes
			one, _ := start(t, cfg)
			time.AfterFunc(time.Duration(i)*time.Millisecond, one.Stop)
		}
		stub, ref := ids.New(time.Now()), fmt.Sprint("call-", i)
		stubs = append(stubs, stub)
		if i < matters/2 { // of a process that ends before it has counted them
			o.add(Calls, "event", "arrived", "call_ref", ref, "hotline", "110", "at", now.Format(time.RFC3339Nano))
		}
		busy.Event(arrived(ref, "110", now))
		busy.Event(arrived(ref, "110", now))
		busy.Event(arrived(ref, "119", now)) // a line of another Redis
		o.write(ticket.Entry{StubID: stub, Event: ticket.Opened, At: now, KeyAt: now, CallRef: ref, CategoryCode: "03"})
		o.write(ticket.Entry{StubID: stub, Event: ticket.Answered, At: now, KeyAt: now,
			AnsweredAt: now.Add(4 * time.Second), CallRef: ref, CategoryCode: "03"})
		for _, e := range []string{"received", "signed", "accepted", "assigned", "first_feedback", "closed"} {
			o.add(Updates, "event_id", e, "stub_id", stub, "event", e, "at", now.Format(time.RFC3339Nano))
		}
	}
	o.settled(stream12345, Updates)
	want110 := indicator.Sums{
		indicator.Calls: matters, indicator.AskedDirect: matters, indicator.Answered: matters, indicator.Due: matters,
		indicator.KeyToAnswer: 4000 * matters, indicator.OtherMode: matters,
	}
	want12345 := indicator.Sums{indicator.Feedback: matters, indicator.FeedbackInTime: matters,
		indicator.Closed: matters, indicator.ClosedInTime: matters}
	for range 2 {
		eventually(t, "calls are counted", func() bool {
			return o.day("110",
				now)[indicator.Calls] == fmt.Sprint(matters)
		})
		got := o.sums(cfg, "110", now)
		maps.DeleteFunc(got, func(name string, n int64) bool { return strings.Contains(name, "_le_") && n == matters })
		if !maps.Equal(got, want110) {
			t.Errorf("110: %v, want %v", got, want110)
		}
		if got := o.sums(cfg, "12345", now); !maps.Equal(got, want12345) {
			t.Errorf("12345: %v, want %v", got, want12345)
		}
		o.again(stubs)
	}
	if got := o.sums(cfg, "119", now); len(got) > 0 {
		t.Errorf("119 is of another Redis: %v", got)
	}
	if ttl := o.c.PTTL(t.Context(), indicator.DayKey("110", now)).Val(); ttl <= cfg.KeepHours || ttl > cfg.KeepDays {
		t.Errorf("the day stays for %v", ttl)
	}
}

// day are the sums of a day alone, while counting may still go on.
func (o office) day(line string, at time.Time) map[string]string {
	o.Helper()
	return o.c.HGetAll(o.Context(), indicator.DayKey(line, at)).Val()
}

func arrived(ref, line string, at time.Time) news.Fields {
	return news.From(map[string]string{"event": "arrived", "call_ref": ref, "hotline": line,
		"at": at.Format(time.RFC3339Nano)})
}

// Call events wait for a Redis that is away, and count once when it is back; what a process had not counted when it
// ended is counted from the stream by the next.
func TestTally(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "always")
	cfg := config(server.Addr(), "a")
	cfg.Zone = china
	o, now := newOffice(t, server.Addr()), time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	calls := func(n int64) func() bool {
		return func() bool { return o.day("110", now)[indicator.Calls] == fmt.Sprint(n) }
	}
	one, log := start(t, cfg)
	for i := range 1200 {
		one.Event(arrived(fmt.Sprint(i), "110", now))
	}
	eventually(t, "counted", calls(1200))
	server.Kill()
	for i := range 1500 {
		one.Event(arrived(fmt.Sprint(i), "110", now))
	}
	eventually(t, "it tries, in vain", log.has("call events are not counted"))
	server.Restart()
	eventually(t, "counted", calls(1500))
	one.Event(arrived("last", "110", now))
	one.Stop()
	if !calls(1501)() {
		t.Error("what was left at the end is not counted")
	}
	o.add(Calls, "event", "arrived", "call_ref", "unseen", "hotline", "110", "at", now.Format(time.RFC3339Nano))
	o.add(Calls, "event", "arrived", "call_ref", "7", "hotline", "110", "at", now.Format(time.RFC3339Nano))
	start(t, cfg)
	eventually(t, "counted from the stream", calls(1502))
}

// One report whose clock had stepped by a year takes no other away and keeps nothing from being raised.
func TestHotspotClockStep(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	cfg := config(server.Addr(), "a")
	cfg.Hotspots = hotspot.Policy{Place: hotspot.Limits{Day: 3}}
	start(t, cfg)
	o := newOffice(t, server.Addr())
	day := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	for i, at := range []time.Time{day, day.Add(time.Minute), day.Add(365 * 24 * time.Hour),
		day.Add(-365 * 24 * time.Hour), day.Add(2 * time.Minute)} {
		o.write(ticket.Entry{StubID: ids.New(time.Now()), Event: ticket.Opened, At: at, CallRef: fmt.Sprint(i),
			Place: "中山路1号"})
	}
	o.settled(stream12345)
	if got := o.hotspots(); got["place 1d 3"] != 1 || len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// hotspots are the hotspot entries in the stream, as "kind window count place".
func (o office) hotspots() map[string]int {
	o.Helper()
	list, err := o.c.XRange(o.Context(), stream12345, "-", "+").Result()
	if err != nil {
		o.Fatal(err)
	}
	count := map[string]int{}
	for _, m := range list {
		if m.Values["event"] == "hotspot" {
			if kind := m.Values["hotspot"]; (kind == "person") != (m.Values["caller_e164"] == number) {
				o.Errorf("%v", m.Values)
			}
			count[fmt.Sprint(m.Values["hotspot"], " ", m.Values["hotspot_window"], " ", m.Values["hotspot_count"])]++
		}
	}
	return count
}

// forgetHotspots takes the hotspot entries out of the stream.
func (o office) forgetHotspots() {
	o.Helper()
	for _, m := range o.c.XRange(o.Context(), stream12345, "-", "+").Val() {
		if m.Values["event"] == "hotspot" {
			o.c.XDel(o.Context(), stream12345, m.ID)
		}
	}
	o.c.Del(o.Context(), "{"+stream12345+"}:seen")
}

const number = "+8613812345678"

// A place or a person is raised when a number of reports is reached, again when it has doubled, and when it comes back
// after the window; each time once.
func TestHotspots(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	cfg := config(server.Addr(), "a")
	cfg.Hotspots = hotspot.Policy{Place: hotspot.Limits{Week: 3}, Person: hotspot.Limits{Day: 3, Month: 9}}
	_, j := start(t, cfg)
	o := newOffice(t, server.Addr())
	var stubs []string
	report := func(n int, at time.Time, place string) {
		for i := range n {
			stub, ref := ids.New(time.Now()), fmt.Sprint("call-", len(stubs))
			stubs = append(stubs, stub)
			at := at.Add(time.Duration(i) * time.Second)
			e := ticket.Entry{StubID: stub, At: at, CallRef: ref, CallerE164: number, CallerStatus: "ok"}
			e.Event = ticket.Opened
			o.write(e)
			// a second matter of the same call is no second report
			e.StubID, e.Mode = ids.New(time.Now()), ticket.TicketOnly
			stubs = append(stubs, e.StubID)
			o.write(e)
			e.StubID, e.Event, e.Mode, e.Place, e.CategoryCode = stub, ticket.Enriched, ticket.Direct, place, "03"
			o.write(e)
			o.write(e) // the place is known already
		}
		o.settled(stream12345)
	}
	day := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	report(2, day, "中山路1号")
	if got := o.hotspots(); len(got) > 0 {
		t.Fatalf("two reports: %v", got)
	}
	report(4, day.Add(time.Minute), "中山路 １#")
	report(3, day.Add(48*time.Hour), "裕华路2号")
	want := map[string]int{
		"person 1d 3": 2, // on the first day, and anew on the third
		"person 1d 6": 1, "person 30d 9": 1,
		"place 7d 3": 2, "place 7d 6": 1, // one of the other place
	}
	for range 2 {
		if got := o.hotspots(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		for _, stub := range stubs {
			o.c.Del(t.Context(), "liandong:"+stub, seenKey(stub))
		}
		if err := o.c.XGroupSetID(t.Context(), stream12345, Group, "0").Err(); err != nil {
			t.Fatal(err)
		}
		o.settled(stream12345)
	}
	if j.has("1381234")() || !j.has("hotspot")() {
		t.Error("the log tells who, or nothing")
	}
	keys := o.c.Keys(t.Context(), "liandong:hotspot:*").Val()
	for _, k := range keys {
		if ttl := o.c.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > hotspot.Kept {
			t.Errorf("%s stays for %v", k, ttl)
		}
	}
	if len(keys) != 6 { // two places and a person, each with what was raised
		t.Errorf("%v", keys)
	}
}

// A node that dies after a hotspot was noted and before it was told leaves it to the next.
func TestHotspotUntold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	cfg := config(server.Addr(), "a")
	cfg.Hotspots = hotspot.Policy{Place: hotspot.Limits{Day: 2}}
	start(t, cfg)
	o := newOffice(t, server.Addr())
	stubs := []string{ids.New(time.Now()), ids.New(time.Now())}
	for i, stub := range stubs {
		at := time.Date(2024, 4, 3, 12, 0, i, 0, china)
		o.write(ticket.Entry{StubID: stub, Event: ticket.Opened, At: at, CallRef: stub, Place: "中山路1号"})
	}
	o.settled(stream12345)
	o.forgetHotspots()
	if got := o.hotspots(); len(got) > 0 {
		t.Fatal(got)
	}
	o.again(stubs)
	if got := o.hotspots(); got["place 1d 2"] != 1 {
		t.Errorf("%v", got)
	}
}

// A place that turns out to be another one is no report about the first any more.
func TestHotspotMoved(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "no")
	cfg := config(server.Addr(), "a")
	cfg.Hotspots = hotspot.Policy{Place: hotspot.Limits{Day: 2}}
	start(t, cfg)
	o := newOffice(t, server.Addr())
	first, second := ids.New(time.Now()), ids.New(time.Now())
	now := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	o.write(ticket.Entry{StubID: first, Event: ticket.Opened, At: now, CallRef: "1", Place: "中山路1号"})
	o.settled(stream12345)
	o.send(first, "received", "place", "裕华路2号")
	o.settled(Updates)
	o.write(ticket.Entry{StubID: second, Event: ticket.Opened, At: now, CallRef: "2", Place: "中山路1号"})
	o.settled(stream12345)
	if got := o.hotspots(); len(got) > 0 {
		t.Errorf("%v", got)
	}
	o.write(ticket.Entry{StubID: second, Event: ticket.Enriched, At: now, CallRef: "2", Place: "裕华路2号"})
	o.settled(stream12345)
	if got := o.hotspots(); got["place 1d 2"] != 1 || len(got) != 1 {
		t.Errorf("%v", got)
	}
}
