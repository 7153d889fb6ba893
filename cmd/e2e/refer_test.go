package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/outbox/redistest"
)

// The phone's own transfer key: the desk is told of the real progress, whenever it hangs up itself; the partner sees
// the citizen, and who refers.
func TestSIPpRefers(t *testing.T) {
	for _, bye := range []string{"at once", "at the end", "theirs"} {
		t.Run(bye, func(t *testing.T) {
			l := startSwitch(t, redistest.Start(t).Addr(), "timers.settle=200ms")
			partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(1500*time.Millisecond))
			desk := l.sippDesk(t, "1101", "phone_refers.xml", deskTone, nil, map[string]any{"to": "<sip:12345@liandong.lab>", "end": "SIP/2.0 200 OK", "bye": bye})
			c := l.call(t, l.caller(t, callerTone), "110")
			waitConfirmed(t, c)
			p := next(t, partner)
			if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) == 0 || !strings.Contains(id.PAI[0], number) {
				t.Errorf("the partner sees %+v", id)
			}
			waitConfirmed(t, p)
			desk.wait(t)
			hears(t, c, partnerTone)
			hears(t, p, callerTone)
			must(t, c.Hangup(within(t, 10*time.Second)))
			must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
			unbroken(t, c)
			if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "answered" || e[1]["from_agent"] != "1101" {
				t.Errorf("entries %v", e)
			}
		})
	}
}

// The partner refuses: the desk is told why, and talks to the caller as before.
func TestSIPpRefersInVain(t *testing.T) {
	l := startSwitch(t, redistest.Start(t).Addr())
	l.desk(t, "2101", partnerTone, phone.Busy())
	desk := l.sippDesk(t, "1101", "phone_refers.xml", deskTone, nil, map[string]any{"to": "sip:12345@liandong.lab:5060", "busy": true, "end": "SIP/2.0 486 Busy Here", "bye": "later"})
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
	if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "failed" || e[1]["result"] != "busy" {
		t.Errorf("entries %v", e)
	}
}

// No transfer runs up charges, and none is for the caller.
func TestReferIsForDesks(t *testing.T) {
	h := talking(t, phone.AnswerAfter(0))
	for to, from := range map[string]*phone.Call{
		"<sip:0900123456@liandong.lab>":                            h.desk,
		"<sip:12345@liandong.lab>":                                 h.caller,
		"<sip:12345@h;method=SUBSCRIBE>":                           h.desk,
		"<sip:12345@h?Replaces=c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>": h.desk,
	} {
		_, err := from.Request(within(t, 10*time.Second), "REFER", []phone.Header{{Name: "Refer-To", Value: to}}, nil)
		var refused *phone.StatusError
		if !errors.As(err, &refused) || refused.Code != 603 {
			t.Errorf("REFER to %s: %v", to, err)
		}
	}
	hears(t, h.caller, deskTone)
	hears(t, h.desk, callerTone)
}

// The transfer key of a phone that others wrote.
func TestBaresipTransfers(t *testing.T) {
	l := startSwitch(t, redistest.Start(t).Addr())
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain, tone: deskTone})
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
