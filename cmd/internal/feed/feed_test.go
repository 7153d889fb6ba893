package feed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/news"
	"liandong/routing/number"
	"liandong/routing/ticket"
)

func tell(f *Feed, event string, fields map[string]string) { f.Call(item(event, fields)) }

func item(event string, fields map[string]string) news.Item {
	who := cmp.Or(fields["caller_e164"], fields["caller_raw"])
	return news.Item{Event: event, Caller: number.Mask(who), Fields: news.From(fields)}
}

func state(f *Feed, ref, lines string) {
	tell(f, "state", map[string]string{"event": "state", "call_ref": ref, "hotline": "12345", "lines": lines,
		"caller_e164": "+8613812345678"})
}

// read is what a reader gets: the data of each event, and whether it has lost some.
func (r *Reader) read(t *testing.T) (ids, data []string, lost bool) {
	t.Helper()
	text, lost, _ := r.Next(nil)
	for one := range strings.SplitSeq(string(text), "\n\n") {
		if one == "" {
			continue
		}
		lines := strings.Split(one, "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "id: ") || !strings.HasPrefix(lines[1], "event: ") ||
			!strings.HasPrefix(lines[2], "data: {") {
			t.Fatalf("%q", one)
		}
		ids, data = append(ids, lines[0][4:]), append(data, lines[2][6:])
	}
	return ids, data, lost
}

// A reader that comes again goes on where it was; one whose place is gone, or of another process, learns that.
func TestResume(t *testing.T) {
	f := New(4, time.Unix(1, 0))
	r, resumed := f.Reader("", Audience{})
	if resumed {
		t.Error("who comes for the first time resumes")
	}
	for range 3 {
		state(f, "a", "12345")
	}
	ids, _, lost := r.read(t)
	if len(ids) != 3 || lost {
		t.Fatalf("%d %v", len(ids), lost)
	}
	again, resumed := f.Reader(ids[0], Audience{})
	if rest, _, _ := again.read(t); !resumed || !slices.Equal(rest, ids[1:]) {
		t.Errorf("%v %q", resumed, rest)
	}
	for range 5 {
		state(f, "a", "12345")
	}
	for _, id := range []string{ids[0], "x-1", "nonsense", string(New(4, time.Unix(2, 0)).appendID(nil, 2)),
		string(f.appendID(nil, 99))} {
		if _, resumed := f.Reader(id, Audience{}); resumed {
			t.Errorf("%s is not known any more", id)
		}
	}
	if ids, _, lost := r.read(t); !lost || len(ids) != 0 {
		t.Errorf("a slow reader lost nothing, and reads %d", len(ids))
	}
}

// Nobody sees an event of another line, nor a number unmasked. Who saw a call that concerns him no more learns that
// it is gone, and nothing else of it.
func TestSight(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	police, _ := f.Reader("", Audience{Lines: []string{"110"}})
	all, _ := f.Reader("", Audience{Attends: true})
	state(f, "a", "12345")
	state(f, "a", "12345,110")
	state(f, "a", "12345")
	tell(f, "ended", map[string]string{"event": "ended", "call_ref": "a", "hotline": "12345", "lines": "12345",
		"caller_raw": "sip:13812345678@x"})
	f.Entry(ticket.Entry{Event: ticket.Opened, From: "12345", To: "110", CallerE164: "+8613812345678",
		Content: "secret", Place: "secret"})
	tell(f, "arrived", map[string]string{"event": "arrived", "call_ref": "b", "hotline": "12345"})
	tell(f, "supervisor", map[string]string{"event": "supervisor", "call_ref": "b", "hotline": "110", "lines": "110"})
	_, seen, _ := police.read(t)
	if len(seen) != 3 || !strings.Contains(seen[0], `"state"`) || seen[1] != `{"call_ref":"a","event":"gone"}` ||
		!strings.Contains(seen[2], `"stub"`) {
		t.Errorf("110 sees %q", seen)
	}
	_, seen, _ = all.read(t)
	if text := strings.Join(seen, " "); len(seen) != 7 || strings.Contains(text, "12345678") ||
		strings.Contains(text, "secret") || !strings.Contains(seen[6], `"supervisor"`) {
		t.Errorf("who sees all sees %q", seen)
	}
}

// Readers are woken soon after what is told at one moment, and for what follows it not before their pace.
func TestReadersAreCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(16, time.Unix(1, 0))
		defer f.Close()
		r, _ := f.Reader("", Audience{})
		var came []string
		_, _, more := r.Next(nil)
		began := time.Now()
		for at, n := range map[time.Duration]int{0: 3, 5 * time.Millisecond: 1, 20 * time.Millisecond: 2,
			60 * time.Millisecond: 1, 500 * time.Millisecond: 1} {
			time.AfterFunc(at, func() {
				for range n {
					state(f, "a", "110")
				}
			})
		}
		for range 3 {
			<-more
			ids, _, _ := r.read(t)
			came = append(came, fmt.Sprint(len(ids), " at ", time.Since(began)))
			_, _, more = r.Next(nil)
		}
		if got := strings.Join(came, ", "); got != "4 at 10ms, 3 at 90ms, 1 at 510ms" {
			t.Error(got)
		}
	})
}

// Somebody whose line has the call until its end learns of the end.
func TestTheEndIsToldToAll(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	r, _ := f.Reader("", Audience{Lines: []string{"110"}})
	state(f, "a", "12345,110")
	tell(f, "ended", map[string]string{"event": "ended", "call_ref": "a", "hotline": "12345", "lines": "12345"})
	if _, data, _ := r.read(t); len(data) != 2 || !strings.Contains(data[1], `"ended"`) {
		t.Errorf("%q", data)
	}
}

// Seats are looked at when they are touched, and told of when they are another way; phones that come and go are told
// once.
func TestSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(16, time.Unix(1, 0))
		now := Chair{User: "1101", Hotline: "110", State: "unregistered"}
		var told []string
		f.Watch([]string{"1101", "none"}, func(u string) (Chair, bool) { return now, u == "1101" },
			func(event string, _ Chair) { told = append(told, event) })
		r, _ := f.Reader("", Audience{})
		look := func() string {
			f.Touch("1101")
			f.Touch("none")
			synctest.Wait()
			_, data, _ := r.read(t)
			return strings.Join(data, "\n")
		}
		if got := look(); got != "" {
			t.Errorf("nothing has changed: %s", got)
		}
		now.State, now.Phones = "free", 1
		if got := look(); !strings.Contains(got, `"state":"free"`) || !strings.Contains(got, `"was":"unregistered"`) {
			t.Errorf("registered: %s", got)
		}
		now.Phones = 2
		if got := look(); got != "" {
			t.Errorf("a second phone: %s", got)
		}
		now.State, now.Call = "ringing", "a"
		if got := look(); !strings.Contains(got, `"call":"a"`) {
			t.Errorf("ringing: %s", got)
		}
		now = Chair{User: "1101", Hotline: "110", State: "unregistered"}
		look()
		if got := strings.Join(told, " "); got != "registered unregistered" {
			t.Errorf("told %q", got)
		}
		if all := f.Chairs([]string{"110"}); len(all) != 1 || all[0].State != "unregistered" ||
			len(f.Chairs([]string{"12345"})) != 0 {
			t.Errorf("%+v", all)
		}
		f.Close()
		if _, _, more := r.Next(nil); more != nil {
			t.Error("a closed feed has an end")
		}
		f.Touch("1101")
		tell(f, "arrived", map[string]string{})
	})
}

// A call that another switch has begun has that one's call_ref; its story is found by the id that it has here, too, and
// that is told to nobody.
func TestStoryByOwnID(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	for _, event := range []string{"arrived", "ended"} {
		tell(f, event, map[string]string{"event": event, "call_ref": "theirs", "ref": "ours", "hotline": "110"})
	}
	f.Entry(ticket.Entry{Event: ticket.Opened, From: "12345", To: "110", CallRef: "theirs"})
	state(f, "b", "110")
	for ref, want := range map[string]int{"ours": 3, "theirs": 3, "b": 1, "c": 0} {
		list := f.Of(ref, nil, true)
		if len(list) != want {
			t.Errorf("%s: %d events, want %d", ref, len(list), want)
		}
		for _, data := range list {
			if strings.Contains(string(data), "ours") {
				t.Errorf("%s", data)
			}
		}
	}
}

// What was asked for stays as it was when its place in the feed has become another event's.
func TestOfStays(t *testing.T) {
	f := New(4, time.Unix(1, 0))
	state(f, "a", "12345")
	story := f.Of("a", nil, true)
	if len(story) != 1 || !strings.Contains(string(story[0]), `"call_ref":"a"`) {
		t.Fatalf("%s", story)
	}
	was := string(story[0])
	for range 9 {
		state(f, "b", "110")
	}
	if is := string(story[0]); is != was {
		t.Errorf("%s, it was %s", is, was)
	}
}

// Whose affair a call is changes with what is told of it.
func TestConcern(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	for _, lines := range []string{"12345", "12345", "12345,110", "12345"} {
		state(f, "a", lines)
	}
	if n := len(f.Of("a", []string{"110"}, true)); n != 2 { // while it was, and that it is no more
		t.Errorf("the other line sees %d", n)
	}
	if n := len(f.Of("a", []string{"12345"}, true)); n != 4 {
		t.Errorf("its own line sees %d", n)
	}
}

// An event that is told while nobody listens costs nothing.
func TestCallAllocates(t *testing.T) {
	f := New(4, time.Unix(1, 0))
	it := item("answered", map[string]string{"event": "answered", "call_ref": "a", "hotline": "12345", "lines": "12345",
		"caller_e164": "+8613812345678", "agent": "2101"})
	f.Concern("a", []string{"12345"})
	if n := testing.AllocsPerRun(100, func() { f.Call(it) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
