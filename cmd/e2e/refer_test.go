package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// The phone's own transfer key: the desk is told of the real progress, whenever it hangs up itself; the partner sees
// the citizen, and who refers.
func TestSIPpRefers(t *testing.T) {
	t.Parallel()
	for _, bye := range []string{"at once", "at the end", "theirs"} {
		t.Run(bye, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr(), "timers.settle=200ms")
			partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(1500*time.Millisecond))
			desk := l.sippDesk(t, "1101", "phone_refers.xml", deskTone, nil,
				map[string]any{"to": "<sip:12345@liandong.lab>", "end": "SIP/2.0 200 OK", "bye": bye})
			c := l.call(t, l.caller(t, callerTone), "110")
			waitConfirmed(t, c)
			p := next(t, partner)
			if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) == 0 ||
				!strings.Contains(id.PAI[0], number) {
				t.Errorf("the partner sees %+v", id)
			}
			waitConfirmed(t, p)
			desk.wait(t)
			hears(t, c, partnerTone)
			hears(t, p, callerTone)
			must(t, c.Hangup(within(t, 10*time.Second)))
			must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
			unbroken(t, c)
			if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "answered" ||
				e[1]["from_agent"] != "1101" {
				t.Errorf("entries %v", e)
			}
		})
	}
}

// The partner refuses: the desk is told why, and talks to the caller as before.
func TestSIPpRefersInVain(t *testing.T) {
	t.Parallel()
	l := startSwitch(t, redistest.Start(t).Addr())
	l.desk(t, "2101", partnerTone, phone.Busy())
	desk := l.sippDesk(t, "1101", "phone_refers.xml", deskTone, nil,
		map[string]any{"to": "sip:12345@liandong.lab:5060", "busy": true, "end": "SIP/2.0 486 Busy Here",
			"bye": "later"})
	again := l.desk(t, "1102", 0, phone.NeverAnswer())
	c := l.call(t, l.caller(t, callerTone), "110")
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	desk.wait(t) // it hangs up 1.5 s after the end, which is taken for the transfer's
	must(t, next(t, again).WaitState(within(t, 10*time.Second), phone.Ended))
	must(t, next(t, again).WaitState(within(t, 10*time.Second), phone.Ringing))
	if c.State() != phone.Confirmed {
		t.Errorf("the caller is %v: the desk's BYE has ended the call", c.State())
	}
	if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "failed" ||
		e[1]["result"] != "busy" {
		t.Errorf("entries %v", e)
	}
}

// The transfer key of a phone that others wrote.
func TestBaresipTransfers(t *testing.T) {
	t.Parallel()
	l := startSwitch(t, redistest.Start(t).Addr())
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain,
		tone: deskTone})
	b.registered(t)
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(500*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	b.event(t, "CALL_INCOMING", 1)
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, c), deskTone)
	b.do(t, "transfer", "sip:12345@"+l.server.String())
	p := waitConfirmed(t, next(t, partner))
	b.event(t, "CALL_CLOSED", 1)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "answered" {
		t.Errorf("entries %v", e)
	}
}

// replaces names a call of a phone, as its transfer key does once the other side has answered or rings.
func replaces(t testing.TB, c *phone.Call) string {
	t.Helper()
	m, err := c.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
		return !l.Out && l.Message.Code >= 180 && l.Message.Code < 300 && strings.Contains(l.Message.Get("To"), "tag=")
	})
	must(t, err)
	tag := func(name string) string {
		_, tag, _ := strings.Cut(m.Message.Get(name), "tag=")
		return tag
	}
	return url.QueryEscape(c.ID + ";to-tag=" + tag("To") + ";from-tag=" + tag("From"))
}

func (h handing) transfers(t testing.TB, second *phone.Call) {
	t.Helper()
	_, err := h.desk.Request(within(t, 10*time.Second), "REFER",
		[]phone.Header{{Name: "Refer-To", Value: "<sip:12345@" + domain + "?Replaces=" + replaces(t, second) + ">"}},
		nil)
	must(t, err)
}

func (h handing) dials(t testing.TB, to string) *phone.Call {
	t.Helper()
	must(t, h.desk.Hold(within(t, 10*time.Second)))
	c, err := h.first.Call("sip:"+to+"@"+h.server.String(), phone.CallOptions{})
	must(t, err)
	return c
}

// Hold, the partner's number on the second line, a talk in private, transfer: the partner sees the citizen from the
// first ring on, and it is one matter with one stub.
func TestAttendedTransfer(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(300*time.Millisecond), "trunks.pstn.pai=true")
	second := waitConfirmed(t, h.dials(t, "12345"))
	p := waitConfirmed(t, next(t, h.partner))
	if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) == 0 ||
		!strings.Contains(id.PAI[0], number) {
		t.Errorf("the partner sees %+v", id)
	}
	hears(t, p, deskTone)
	hears(t, second, partnerTone)
	must(t, h.caller.WaitHeard(within(t, 15*time.Second), 500*time.Millisecond, func(pcm []int16) bool {
		return phone.Loudness(pcm) > 50 && phone.Share(pcm, deskTone) < 0.2 && phone.Share(pcm, partnerTone) < 0.2
	}))
	h.transfers(t, second)
	must(t, h.desk.WaitState(within(t, 10*time.Second), phone.Ended))
	must(t, second.WaitState(within(t, 10*time.Second), phone.Ended))
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	shown(t, h.caller, ":12345@")
	must(t, h.caller.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	unbroken(t, h.caller)
	unbroken(t, p)
	if e := readEntries(t, h.redis, "liandong:tickets:12345", 2); e[0]["event"] != "opened" ||
		e[1]["event"] != "answered" || e[0]["stub_id"] != e[1]["stub_id"] {
		t.Errorf("entries %v", e)
	}
}

// The transfer key while the second line still rings.
func TestSemiAttendedTransfer(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(2*time.Second))
	second := h.dials(t, "12345")
	p := next(t, h.partner)
	h.transfers(t, second)
	must(t, second.WaitState(within(t, 10*time.Second), phone.Ended))
	waitConfirmed(t, p)
	must(t, h.desk.WaitState(within(t, 10*time.Second), phone.Ended))
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	must(t, h.caller.Hangup(within(t, 10*time.Second)))
}

// Hanging up the second line lets the partner go; the phone takes the caller back.
func TestSecondLineGivenUp(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer())
	second := h.dials(t, "12345")
	p := next(t, h.partner)
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ringing))
	must(t, second.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	must(t, h.desk.Resume(within(t, 10*time.Second)))
	hears(t, h.caller, deskTone)
	hears(t, h.desk, callerTone)
	if e := readEntries(t, h.redis, "liandong:tickets:12345", 2); e[1]["event"] != "failed" {
		t.Errorf("entries %v", e)
	}
}

// A speed dial to a verb: the conference is on the line that has dialled it, or the line ends at once, as configured.
func TestSecondLineConference(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"move", "stay"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.AnswerAfter(300*time.Millisecond), "second_line="+where)
			line := h.dials(t, "conference")
			if where == "stay" {
				must(t, line.WaitState(within(t, 10*time.Second), phone.Ended))
				if e := line.Ending(); e.Code != 480 {
					t.Errorf("the second line ended %+v", e)
				}
				must(t, h.desk.Resume(within(t, 10*time.Second)))
				line = h.desk
			}
			p := waitConfirmed(t, next(t, h.partner))
			for c, tones := range map[*phone.Call][2]float64{h.caller: {deskTone, partnerTone},
				line: {callerTone, partnerTone}, p: {callerTone, deskTone}} {
				must(t, c.WaitHeard(within(t, 20*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
					return phone.Share(pcm, tones[0]) > 0.3 && phone.Share(pcm, tones[1]) > 0.3
				}))
			}
			must(t, h.caller.Hangup(within(t, 10*time.Second)))
		})
	}
}

// A phone that others wrote consults on its second line, and goes back to the caller.
func TestBaresipConsults(t *testing.T) {
	t.Parallel()
	l := startSwitch(t, redistest.Start(t).Addr())
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain,
		tone: deskTone})
	b.registered(t)
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(300*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	b.event(t, "CALL_INCOMING", 1)
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, c), deskTone)
	b.do(t, "hold", "")
	b.do(t, "dial", "sip:12345@"+l.server.String())
	p := waitConfirmed(t, next(t, partner))
	hears(t, p, deskTone)
	b.do(t, "hangup", "")
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	b.do(t, "resume", "")
	hears(t, c, deskTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "failed" {
		t.Errorf("entries %v", e)
	}
}

// The pick-up key of a phone names a call that it may not take over: that is no new call for the line.
func TestPickUpIsNoNewCall(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer())
	idle := h.lab.desk(t, "1102", partnerTone, phone.NeverAnswer())
	for _, p := range []*phone.Phone{idle, h.first} {
		for _, name := range []string{"Replaces", "Join"} {
			c, err := p.Call("sip:110@"+h.server.String(), phone.CallOptions{Headers: []phone.Header{{Name: name,
				Value: "c@h;to-tag=a;from-tag=b"}}})
			must(t, err)
			must(t, c.WaitState(within(t, 10*time.Second), phone.Ended))
			if e := c.Ending(); e.Code != 481 {
				t.Errorf("%s ended %+v", name, e)
			}
		}
	}
	hears(t, h.caller, deskTone)
}

// A number outside that the line permits has the citizen by its trunk, who is shown as the trunk's policy has it; one
// that is not permitted, or at another host, costs nothing.
func TestTransferOutside(t *testing.T) {
	t.Parallel()
	doctor := gateway(t, phone.AnswerAfter(300*time.Millisecond))
	h := talking(t, phone.NeverAnswer(), "trunks.beyond.target="+doctor.Addr().String(), "trunks.beyond.trusted=true",
		"trunks.beyond.pai=true",
		"hotlines.110.transfer.numbers=0311*", "hotlines.110.transfer.trunk=beyond")
	refers := func(to string) error {
		_, err := h.desk.Request(within(t, 10*time.Second), "REFER", []phone.Header{{Name: "Refer-To", Value: to}}, nil)
		return err
	}
	for _, to := range []string{"<sip:01087654321@" + domain + ">", "<sip:031187654321@evil.example>",
		"<sip:031187654321,,1@" + domain + ">"} {
		if err := refers(to); err == nil || !strings.Contains(err.Error(), "603") {
			t.Errorf("%s is answered %v", to, err)
		}
	}
	must(t, refers("<sip:+8631187654321@"+domain+";user=phone>"))
	p := waitConfirmed(t, next(t, doctor))
	if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) != 1 ||
		!strings.Contains(id.PAI[0], number) {
		t.Errorf("outside is shown %+v", id)
	}
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	ended(t, h.desk)
	pushes(t, p, "*1") // no verb: it is the caller who gets the digits
	hangUp(t, h.caller)
	ended(t, p)
	unbroken(t, h.caller)
	select {
	case <-h.partner.Incoming():
		t.Error("somebody outside has a key")
	default:
	}
}

// A transfer that comes to nothing leaves the citizen's trunk in peace at the key press after it.
func TestKeyAfterFailedTransfer(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer(), "trunks.pstn.pai=true", "hotlines.12345.no_answer=1s")
	second := h.dials(t, "12345")
	next(t, h.partner)
	must(t, second.WaitState(within(t, 10*time.Second), phone.Ringing))
	h.transfers(t, second)
	told(t, h.desk, "SIP/2.0 4")
	must(t, h.desk.Resume(within(t, 10*time.Second)))
	hears(t, h.caller, deskTone)
	must(t, h.partner.SetPolicy(phone.AnswerAfter(0)))
	pushes(t, h.desk, "*1")
	p := waitConfirmed(t, next(t, h.partner))
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	hangUp(t, h.caller)
	for _, l := range h.caller.Messages() {
		if !l.Out && l.Message.Get("P-Asserted-Identity") != "" {
			t.Errorf("the trunk is told in the middle of the call:\n%s", l.Message.Method)
		}
	}
}
