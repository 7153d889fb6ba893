package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// apart is a desk's phone with two calls that have nothing to do with each other: it has called 12345 by itself, and a
// citizen has called it since.
type apart struct {
	handing
	own  *phone.Call // the desk's own call, to the partner
	with *phone.Call // its other end, at the partner
}

func callsApart(t testing.TB, partner phone.Policy, set ...string) apart {
	t.Helper()
	l := startLab(t, set...)
	a := apart{handing: handing{lab: l, partner: l.desk(t, "2101", partnerTone, partner),
		first: l.desk(t, "1101", deskTone, phone.AnswerAfter(0))}}
	var err error
	a.own, err = a.first.Call("sip:12345@"+l.server.String(), phone.CallOptions{})
	must(t, err)
	a.with = next(t, a.partner)
	if !strings.Contains(a.with.Caller().From, "1101") {
		t.Errorf("the partner sees %+v", a.with.Caller())
	}
	a.caller = l.call(t, l.caller(t, callerTone), "110")
	a.desk = waitConfirmed(t, next(t, a.first))
	waitConfirmed(t, a.caller)
	return a
}

// dialogOf names a call of a phone for a Replaces that the switch is to read.
func dialogOf(t testing.TB, c *phone.Call) string {
	t.Helper()
	if c.Outgoing {
		return replaces(t, c)
	}
	m, err := c.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
		return l.Out &&
			l.Message.Code == 200
	})
	must(t, err)
	tag := func(name string) string {
		_, tag, _ := strings.Cut(m.Message.Get(name), "tag=")
		return tag
	}
	return url.QueryEscape(c.ID + ";to-tag=" + tag("From") + ";from-tag=" + tag("To"))
}

// refers presses the transfer key: one call is to be joined to the other.
func refers(t testing.TB, one, other *phone.Call) {
	t.Helper()
	_, err := one.Request(within(t, 10*time.Second), "REFER",
		[]phone.Header{{Name: "Refer-To", Value: "<sip:x@" + domain + "?Replaces=" + dialogOf(t, other) + ">"}}, nil)
	must(t, err)
}

// told waits for the NOTIFY that tells the end of a REFER.
func told(t testing.TB, c *phone.Call, line string) {
	t.Helper()
	m, err := c.WaitMessage(within(t, 15*time.Second), func(l phone.Logged) bool {
		return !l.Out && l.Message.Method == "NOTIFY" && strings.HasPrefix(l.Message.Get("Subscription-State"),
			"terminated")
	})
	must(t, err)
	if got := string(m.Message.Body); !strings.HasPrefix(got, line) {
		t.Errorf("told %q, want %q", got, line)
	}
}

// shown waits until a phone is told in the middle of its call whom it talks with.
func shown(t testing.TB, c *phone.Call, who string) {
	t.Helper()
	_, err := c.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
		m := l.Message
		return !l.Out && (m.Method == "INVITE" || m.Method == "UPDATE") && strings.Contains(m.Get("To"), "tag=") &&
			strings.Contains(m.Get("P-Asserted-Identity"), who)
	})
	if err != nil {
		t.Errorf("not shown %s: %v", who, err)
	}
}

// An attended transfer of two calls that began apart, from whichever of them: the partner stays on the line, hears the
// citizen and sees the citizen's number, and it is one matter with one stub.
func TestJoinsTwoCalls(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"the citizen's", "its own"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			a := callsApart(t, phone.AnswerAfter(0), "trunks.pstn.pai=true")
			waitConfirmed(t, a.own)
			hears(t, a.with, deskTone)
			one, other := a.desk, a.own
			if from == "its own" {
				one, other = other, one
			}
			must(t, other.Hold(within(t, 10*time.Second)))
			refers(t, one, other)
			told(t, one, "SIP/2.0 200")
			ended(t, a.desk, a.own)
			hears(t, a.caller, partnerTone)
			hears(t, a.with, callerTone)
			shown(t, a.with, number)
			shown(t, a.caller, ":12345@")
			unbroken(t, a.caller)
			hangUp(t, a.caller)
			ended(t, a.with)
			e := readEntries(t, a.redis, "liandong:tickets:12345", 2)
			if e[0]["event"] != "opened" || e[1]["event"] != "answered" || e[1]["from_agent"] != "1101" ||
				e[1]["to_agent"] != "2101" || e[1]["answered_at"] < e[1]["key_at"] {
				t.Errorf("entries %v", e)
			}
		})
	}
}

// The desk's own call still rings: 12345 is rung for the citizen in its place, and shows the citizen from the first
// ring.
func TestJoinsRingingCall(t *testing.T) {
	t.Parallel()
	a := callsApart(t, phone.NeverAnswer())
	must(t, a.partner.SetPolicy(phone.AnswerAfter(200*time.Millisecond)))
	refers(t, a.desk, a.own)
	ended(t, a.own, a.with)
	p := waitConfirmed(t, next(t, a.partner))
	if !strings.Contains(p.Caller().From, number) {
		t.Errorf("the partner sees %+v", p.Caller())
	}
	told(t, a.desk, "SIP/2.0 200")
	hears(t, a.caller, partnerTone)
	hangUp(t, a.caller)
}

// The other call is in the middle of something else: both go on, and the desk is told so.
func TestJoinsInVain(t *testing.T) {
	t.Parallel()
	a := callsApart(t, phone.AnswerAfter(0))
	waitConfirmed(t, a.own)
	asked := a.lab.desk(t, "1102", callerTone, phone.NeverAnswer())
	pushes(t, a.with, "*2")
	must(t, next(t, asked).WaitState(within(t, 10*time.Second), phone.Ringing))
	refers(t, a.desk, a.own)
	told(t, a.desk, "SIP/2.0 491")
	hears(t, a.caller, deskTone)
	hears(t, a.desk, callerTone)
	pushes(t, a.with, "*4")
	hears(t, a.own, partnerTone)
	hears(t, a.with, deskTone)
}
