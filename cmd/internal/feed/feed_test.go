package feed

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/ticket"
)

func state(f *Feed, ref, lines string) {
	f.Call("state", map[string]string{"event": "state", "call_ref": ref, "hotline": "12345", "lines": lines,
		"caller_e164": "+8613812345678"})
}

// A reader that comes again goes on where it was; one whose place is gone, or of another process, learns that.
func TestResume(t *testing.T) {
	f := New(4, time.Unix(1, 0))
	r, resumed := f.Reader("")
	if resumed {
		t.Error("who comes for the first time resumes")
	}
	for range 3 {
		state(f, "a", "12345")
	}
	list, lost, _ := r.Next()
	if len(list) != 3 || lost {
		t.Fatalf("%d %v", len(list), lost)
	}
	again, resumed := f.Reader(r.IDOf(list[0]))
	if list, _, _ := again.Next(); !resumed || len(list) != 2 {
		t.Errorf("%v %d", resumed, len(list))
	}
	for range 5 {
		state(f, "a", "12345")
	}
	for _, id := range []string{r.IDOf(list[0]), "x-1", "nonsense", New(4, time.Unix(2, 0)).id(2), f.id(99)} {
		if _, resumed := f.Reader(id); resumed {
			t.Errorf("%s is not known any more", id)
		}
	}
	if list, lost, _ := r.Next(); !lost || len(list) != 0 {
		t.Errorf("a slow reader lost nothing, and reads %d", len(list))
	}
}

// Nobody sees an event of another line, nor a number unmasked. Who saw a call that concerns him no more learns that
// it is gone, and nothing else of it.
func TestSight(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	r, _ := f.Reader("")
	state(f, "a", "12345")
	state(f, "a", "12345,110")
	state(f, "a", "12345")
	f.Call("ended", map[string]string{"event": "ended", "call_ref": "a", "hotline": "12345", "lines": "12345",
		"caller_raw": "sip:13812345678@x"})
	f.Entry(ticket.Entry{Event: ticket.Opened, From: "12345", To: "110", CallerE164: "+8613812345678",
		Content: "secret", Place: "secret"})
	f.Call("arrived", map[string]string{"event": "arrived", "call_ref": "b", "hotline": "12345"})
	list, _, _ := r.Next()
	var seen []string
	for _, e := range list {
		if name, data, ok := e.Sight([]string{"110"}); ok {
			seen = append(seen, name)
			if name == Gone && string(data) != `{"call_ref":"a","event":"gone"}` {
				t.Errorf("%s", data)
			}
		}
		if _, data, ok := e.Sight(nil); !ok || strings.Contains(string(data), "12345678") ||
			strings.Contains(string(data), "secret") {
			t.Errorf("%s", data)
		}
	}
	if got := strings.Join(seen, " "); got != "state gone stub" {
		t.Errorf("110 sees %q", got)
	}
}

// Somebody whose line has the call until its end learns of the end.
func TestTheEndIsToldToAll(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	r, _ := f.Reader("")
	state(f, "a", "12345,110")
	f.Call("ended", map[string]string{"event": "ended", "call_ref": "a", "hotline": "12345", "lines": "12345"})
	list, _, _ := r.Next()
	if name, _, ok := list[1].Sight([]string{"110"}); !ok || name != "ended" {
		t.Errorf("%s %v", name, ok)
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
		r, _ := f.Reader("")
		look := func() string {
			f.Touch("1101")
			f.Touch("none")
			synctest.Wait()
			list, _, _ := r.Next()
			var all []string
			for _, e := range list {
				all = append(all, string(e.Data))
			}
			return strings.Join(all, "\n")
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
		if _, _, more := r.Next(); more != nil {
			t.Error("a closed feed has an end")
		}
		f.Touch("1101")
		f.Call("arrived", map[string]string{})
	})
}

// A call that another switch has begun has that one's call_ref; its story is found by the id that it has here, too, and
// that is told to nobody.
func TestStoryByOwnID(t *testing.T) {
	f := New(16, time.Unix(1, 0))
	for _, event := range []string{"arrived", "ended"} {
		f.Call(event, map[string]string{"event": event, "call_ref": "theirs", "ref": "ours", "hotline": "110"})
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
