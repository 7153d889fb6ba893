package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// sippCaller is SIPp on the trunk, calling 110.
func (l *lab) sippCaller(t testing.TB, file string, values map[string]any) *sipp {
	t.Helper()
	values["caller"], values["pai"] = number, "+86"+number
	return startSIPp(t, scenario{file: file, at: freePort(t, citizen), server: l.server, service: "110",
		tone: callerTone, values: values})
}

// sippDesk is SIPp as a registered phone with one call to come.
func (l *lab) sippDesk(t testing.TB, user, file string, tone float64, keys []keyPress, values map[string]any) *sipp {
	t.Helper()
	at := freePort(t, here)
	l.sippRegister(t, at, user)
	return startSIPp(t, scenario{file: file, at: at, service: user, tone: tone, keys: keys, values: values})
}

func (l *lab) sippRegister(t testing.TB, at netip.AddrPort, user string) {
	t.Helper()
	sippRegisters(t, l.server, at, domain, user, "lab-"+user)
}

// All three parties are SIPp, the entries go to a real Redis: nothing of ours but the switch.
func TestSIPpHandover(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]struct {
		keys []keyPress
		info []info
	}{
		"RFC 4733": {keys: presses(1500*time.Millisecond, "*1")},
		"dtmf-relay": {info: []info{{"application/dtmf-relay", "Signal= *\n      Duration= 160"},
			{"application/dtmf-relay", "Signal=1"}}},
		"dtmf": {info: []info{{"application/dtmf", "10"}, {"application/dtmf", "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr(), "timers.settle=200ms")
			desk := l.sippDesk(t, "1101", "phone_answers.xml", deskTone, first.keys,
				map[string]any{"info": first.info, "before": 1500})
			partner := l.sippDesk(t, "2101", "phone_answers.xml", partnerTone, nil, map[string]any{"hangup": 1000})
			caller := l.sippCaller(t, "trunk_call.xml", map[string]any{})
			desk.wait(t)
			partner.wait(t)
			caller.wait(t)
			e := readEntries(t, l.redis, "liandong:tickets:12345", 2)
			if e[0]["event"] != "opened" || e[1]["event"] != "answered" || e[1]["to_agent"] != "2101" ||
				e[0]["caller_e164"] != "+86"+number {
				t.Errorf("entries %v", e)
			}
			partner.saw(t, "INVITE", "From: ", number)
			partner.saw(t, "INVITE", "P-Asserted-Identity: ", number)
		})
	}
}

// A trunk that leaves the offer to us (RFC 3261 §13.2.1): it sends back what it hears, so that a desk which hears its
// own voice is heard there too. Its answer is the ACK's, here with one codec of the two that we offer.
func TestSIPpDelayedOffer(t *testing.T) {
	t.Parallel()
	l := startLab(t, "timers.settle=0s")
	desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	caller := startSIPp(t, scenario{file: "trunk_call.xml", at: freePort(t, citizen), server: l.server, service: "110",
		echo:   true,
		values: map[string]any{"caller": number, "pai": "+86" + number, "delayed": "0"}})
	d := waitConfirmed(t, next(t, desk))
	hears(t, d, deskTone)
	pushes(t, d, "*1")
	p := waitConfirmed(t, next(t, partner))
	hears(t, p, partnerTone)
	ended(t, d)
	hangUp(t, p)
	caller.wait(t)
	caller.saw(t, "SIP/2.0 200", "m=audio ", " RTP/AVP 8 0 ")
}

// An answer that nobody can speak by ends the call, for the trunk with the reason; the desk does not sit in silence.
func TestSIPpDelayedOfferBadlyAnswered(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller := startSIPp(t, scenario{file: "trunk_call.xml", at: freePort(t, citizen), server: l.server, service: "110",
		values: map[string]any{"caller": number, "pai": "+86" + number, "delayed": "18"}})
	d := next(t, desk)
	caller.wait(t)
	caller.saw(t, "BYE", "Reason: ", "cause=488")
	ended(t, d)
}

func TestSIPpPartnerRefusesOrRings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, result string
		values       map[string]any
	}{
		"busy":      {"phone_refuses.xml", "busy", map[string]any{"code": 486, "phrase": "Busy Here"}},
		"broken":    {"phone_refuses.xml", "failed", map[string]any{"code": 500, "phrase": "Server Internal Error"}},
		"declined":  {"phone_refuses.xml", "", map[string]any{"code": 603, "phrase": "Decline"}},
		"no answer": {"phone_rings.xml", "no_answer", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr(), "hotlines.12345.no_answer=2s")
			partner := l.sippDesk(t, "2101", c.file, 0, nil, c.values)
			desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
			caller := l.sippCaller(t, "trunk_call.xml", map[string]any{})
			d := next(t, desk)
			hears(t, d, callerTone)
			must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
			partner.wait(t)
			e := readEntries(t, l.redis, "liandong:tickets:12345", 2)
			if e[1]["event"] != "failed" || c.result != "" && e[1]["result"] != c.result {
				t.Errorf("entries %v", e)
			}
			hears(t, d, callerTone)
			must(t, d.Hangup(within(t, 10*time.Second)))
			caller.wait(t)
		})
	}
}

func TestSIPpCallerGivesUp(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	one := l.sippDesk(t, "1101", "phone_rings.xml", 0, nil, nil)
	two := l.sippDesk(t, "1102", "phone_rings.xml", 0, nil, nil)
	caller := startSIPp(t, scenario{file: "trunk_cancel.xml", at: freePort(t, citizen), server: l.server,
		service: "110",
		values:  map[string]any{"caller": number, "pai": "+86" + number, "after": 1000}})
	caller.wait(t)
	one.wait(t)
	two.wait(t)
}

// A desk phone that others wrote: registration, an incoming call with the caller's number, hold, keys.
func TestBaresipDesk(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr())
			b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain,
				transport: transport, tone: deskTone})
			b.registered(t)
			_, c := l.baresipHandsOver(t, b)
			unbroken(t, c)
			if e := readEntries(t, l.redis, "liandong:tickets:12345", 2); e[1]["event"] != "answered" {
				t.Errorf("entries %v", e)
			}
		})
	}
}

// baresipHandsOver: the baresip of 1101 takes a citizen's call, holds it, and hands it over with one key.
func (l *lab) baresipHandsOver(t testing.TB, b *baresip) (partner *phone.Phone, caller *phone.Call) {
	t.Helper()
	partner = l.desk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	if e := b.event(t, "CALL_INCOMING", 1); !strings.Contains(e.Peer, number) {
		t.Errorf("baresip shows %q", e.Peer)
	}
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, c), deskTone)
	b.do(t, "hold", "")
	must(t, c.WaitHeard(within(t, 15*time.Second), 500*time.Millisecond, func(pcm []int16) bool {
		return phone.Loudness(pcm) > 50 && phone.Share(pcm, deskTone) < 0.2
	}))
	b.do(t, "resume", "")
	hears(t, c, deskTone)
	b.do(t, "sndcode", "*1")
	p := waitConfirmed(t, next(t, partner))
	b.event(t, "CALL_CLOSED", 1)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	if s := phone.Share(b.heard(t), callerTone); s < 0.1 { // silence has none; a busy machine leaves gaps
		t.Errorf("baresip heard %.2f of the caller", s)
	}
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	return partner, c
}

// A desk phone that others wrote and that speaks G.722 alone: the caller and the partner, who have G.711, hear it and
// are heard, in a call of two and of three.
func TestBaresipSpeaksWideband(t *testing.T) {
	t.Parallel()
	l := startSwitch(t, redistest.Start(t).Addr())
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain,
		tone: deskTone, wideband: true})
	b.registered(t)
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	b.event(t, "CALL_INCOMING", 1)
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, c), deskTone)
	b.do(t, "sndcode", "*3")
	p := waitConfirmed(t, next(t, partner))
	for call, tones := range map[*phone.Call][2]float64{p: {deskTone, callerTone}, c: {deskTone, partnerTone}} {
		must(t, call.WaitHeard(within(t, 15*time.Second), 400*time.Millisecond, func(pcm []int16) bool {
			return phone.Share(pcm, tones[0]) > 0.3 && phone.Share(pcm, tones[1]) > 0.3
		}))
	}
	must(t, p.Hangup(within(t, 10*time.Second)))
	hears(t, c, deskTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	b.event(t, "CALL_CLOSED", 1)
	unbroken(t, c)
	for _, tone := range []float64{callerTone, partnerTone} { // kept at 16 kHz, so as if it were half as high
		if s := phone.Share(b.heard(t), tone/2); s < 0.05 {
			t.Errorf("baresip heard %.2f of %v Hz", s, tone)
		}
	}
}

// Redis dies before the key and comes back after the call: the call does not notice, the entries follow, each once.
func TestRedisDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := startSwitch(t, redis.Addr())
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	c := l.call(t, l.caller(t, callerTone), "110")
	d := next(t, desk)
	hears(t, waitConfirmed(t, c), deskTone)
	redis.Kill()
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner))
	hears(t, c, partnerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	redis.Restart()
	e := readEntries(t, l.redis, "liandong:tickets:12345", 2)
	if e[0]["event"] != "opened" || e[1]["event"] != "answered" || e[0]["event_id"] == e[1]["event_id"] {
		t.Errorf("entries %v", e)
	}
	unbroken(t, c)
}
