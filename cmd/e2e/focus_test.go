package e2e

import (
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// focused is a desk's phone with the citizen on one line and the partner on the other, which has called the conference
// URI.
type focused struct {
	handing
	second, focus, far *phone.Call
	uri                string // of the conference, as its Contact says
}

func callsConference(t testing.TB, set ...string) focused {
	t.Helper()
	f := focused{handing: talking(t, phone.AnswerAfter(100*time.Millisecond), set...)}
	f.second = waitConfirmed(t, f.dials(t, "12345"))
	f.far = waitConfirmed(t, next(t, f.partner))
	must(t, f.second.Hold(within(t, 10*time.Second)))
	var err error
	f.focus, err = f.first.Call("sip:conference@"+f.server.String(), phone.CallOptions{})
	must(t, err)
	waitConfirmed(t, f.focus)
	m, err := f.focus.WaitMessage(within(t, 10*time.Second),
		func(l phone.Logged) bool { return !l.Out && l.Message.Code == 200 })
	must(t, err)
	contact := m.Message.Get("Contact")
	if !strings.HasPrefix(contact, "<sip:conf-") || !strings.HasSuffix(contact, ">;isfocus") {
		t.Errorf("Contact: %s", contact)
	}
	f.uri = strings.TrimSuffix(strings.TrimPrefix(contact, "<"), ">;isfocus")
	return f
}

func referTo(t testing.TB, c *phone.Call, to string) {
	t.Helper()
	_, err := c.Request(within(t, 10*time.Second), "REFER", []phone.Header{{Name: "Refer-To", Value: "<" + to + ">"}},
		nil)
	must(t, err)
}

func (f focused) three(t testing.TB) {
	t.Helper()
	for c, tones := range map[*phone.Call][2]float64{f.caller: {deskTone, partnerTone},
		f.focus: {callerTone, partnerTone}, f.far: {callerTone, deskTone}} {
		must(t, c.WaitHeard(within(t, 20*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
			return phone.Share(pcm, tones[0]) > 0.3 && phone.Share(pcm, tones[1]) > 0.3
		}))
	}
}

// rosterEnds waits until a phone's subscription to a conference has ended with the conference (RFC 6665 §4.1.3); what
// it is told last has nobody in it, and before that it was told who talked.
func rosterEnds(t testing.TB, p *phone.Phone) {
	t.Helper()
	patience := within(t, 20*time.Second)
	for patience.Err() == nil {
		said := 0
		for _, l := range p.Messages() {
			m := l.Message
			if l.Out || m.Method != "NOTIFY" || m.Get("Event") != "conference" {
				continue
			}
			talks := strings.Contains(string(m.Body), "<user ")
			if m.Get("Subscription-State") == "terminated;reason=noresource" {
				if talks || said == 0 {
					t.Errorf("after %d rosters the last is\n%s", said, m.Body)
				}
				return
			}
			if talks {
				said++
			}
		}
		select {
		case <-patience.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Error("the roster outlives its conference")
}

// The phone's own network conference, in both of the ways that phones have (RFC 4579 §5.5, §5.6): each line is referred
// to the conference, or the conference to each line. It keeps the conference's dialog alone, and puts a party out
// there.
func TestConferenceFocus(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"A", "B"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			f := callsConference(t)
			for _, line := range []*phone.Call{f.desk, f.second} {
				if form == "A" {
					referTo(t, line, f.uri)
					told(t, line, "SIP/2.0 200")
				} else {
					referTo(t, f.focus, "sip:x@"+domain+"?Replaces="+dialogOf(t, line))
				}
			}
			ended(t, f.desk, f.second)
			f.three(t)
			must(t, f.first.WatchConference(within(t, 10*time.Second), f.uri))
			referTo(t, f.focus, "sip:2101@"+domain+";method=BYE")
			ended(t, f.far)
			hears(t, f.caller, deskTone)
			hears(t, f.focus, callerTone)
			unbroken(t, f.caller)
			hangUp(t, f.focus)
			ended(t, f.caller)
			rosterEnds(t, f.first)
			e := readEntries(t, f.redis, "liandong:tickets:12345", 3)
			if e[1]["event"] != "answered" || e[1]["mode"] != "three_way" || e[2]["event"] != "decided" {
				t.Errorf("entries %v", e)
			}
		})
	}
}
