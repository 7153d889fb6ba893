package e2e

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/playout"
)

// TestElsewhere is what goes wrong with other switches, each by the shortest flow in which it would show.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wrong string
		flow  func(*testing.T)
	}{
		{"the target shows the transferring desk's number", showsTheCitizen},
		{"the transferor's BYE kills the call", aByeIsTheDesksOwn},
		{"INVITE with Replaces is taken for a new call", replacesNamesACall},
		{"success is reported before the target has answered", reportsWhatIs},
		{"dead air", nobodyHearsNothing},
		{"488 for want of a codec", everyCodecIsOffered},
		{"DTMF is lost, doubled, or heard by the caller", eachKeyOnce},
		{"the caller hangs up while the target rings, and somebody hangs", allAreReleased},
		{"REFER goes to a trunk", referEndsHere},
		{"lamps are stuck", lampsFollow},
		{"a lamp is stuck", lampsGoOut},
		{"delay grows over a long conference", delayStays},
	} {
		t.Run(c.wrong, func(t *testing.T) { t.Parallel(); c.flow(t) })
	}
}

// refers sends a REFER of the first desk.
func (h handing) refers(t testing.TB, to string, headers ...phone.Header) {
	t.Helper()
	_, err := h.desk.Request(within(t, 10*time.Second), "REFER",
		append(headers, phone.Header{Name: "Refer-To", Value: to}), nil)
	must(t, err)
}

// notified are the bodies of the NOTIFYs that a call's phone got, first lines only, with the state of the subscription.
func notified(c *phone.Call) (codes, states []string) {
	for _, l := range c.Messages() {
		if l.Message.Method == "NOTIFY" && !l.Out && !l.Again {
			code, _, _ := strings.Cut(strings.TrimPrefix(string(l.Message.Body), "SIP/2.0 "), " ")
			codes, states = append(codes, code), append(states, l.Message.Get("Subscription-State"))
		}
	}
	return codes, states
}

// The citizen is in From and P-Asserted-Identity of the first INVITE, whichever way the desk hands over.
func showsTheCitizen(t *testing.T) {
	for way, hand := range map[string]func(handing){
		"key":      func(h handing) { pushes(t, h.desk, "*1") },
		"REFER":    func(h handing) { h.refers(t, "<sip:12345@"+domain+">") },
		"attended": func(h handing) { h.transfers(t, waitConfirmed(t, h.dials(t, "12345"))) },
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.AnswerAfter(100*time.Millisecond))
			hand(h)
			p := next(t, h.partner)
			if id := p.Caller(); !strings.Contains(id.From, number) || len(id.PAI) != 1 ||
				!strings.Contains(id.PAI[0], number) {
				t.Errorf("the target sees %+v", id)
			}
			waitConfirmed(t, p)
			ended(t, h.desk)
			hears(t, h.caller, partnerTone)
		})
	}
}

// After a transfer was accepted a BYE is the desk's goodbye alone. A desk that waits gets ours after the last NOTIFY.
func aByeIsTheDesksOwn(t *testing.T) {
	for name, leaves := range map[string]bool{"at once": true, "waits": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.AnswerAfter(time.Second))
			h.refers(t, "<sip:12345@"+domain+">")
			p := next(t, h.partner)
			if leaves {
				hangUp(t, h.desk)
			}
			waitConfirmed(t, p)
			ended(t, h.desk)
			hears(t, h.caller, partnerTone)
			hears(t, p, callerTone)
			unbroken(t, h.caller)
			if codes, _ := notified(h.desk); !leaves && (len(codes) == 0 || codes[len(codes)-1] != "200") {
				t.Errorf("the desk was told %v before the BYE", codes)
			}
		})
	}
}

// What names no call of ours is refused and rings nowhere; a call that still rings can be named as well as one that is
// up.
func replacesNamesACall(t *testing.T) {
	h := talking(t, phone.AnswerAfter(time.Second))
	c, err := h.first.Call("sip:12345@"+h.server.String(), phone.CallOptions{Headers: []phone.Header{
		{Name: "Replaces", Value: "nobody@" + domain + ";to-tag=a;from-tag=b"}}})
	must(t, err)
	ended(t, c)
	if e := c.Ending(); e.Code != 481 {
		t.Errorf("a Replaces that names nothing ended %+v", e)
	}
	second := h.dials(t, "12345")
	p := next(t, h.partner) // the first that rings is of the second line
	if p.State() >= phone.Confirmed {
		t.Error("the partner has answered before the transfer")
	}
	h.transfers(t, second)
	waitConfirmed(t, p)
	ended(t, h.desk, second)
	hears(t, h.caller, partnerTone)
}

// The desk is told 100, 180 and then what has come of it; until then, and when it has failed, it has the caller.
func reportsWhatIs(t *testing.T) {
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		h := talking(t, phone.Policy{Action: phone.Refuse, After: time.Second, Code: 486, Phrase: "Busy Here"})
		h.refers(t, "<sip:12345@"+domain+">")
		must(t, next(t, h.partner).WaitState(within(t, 10*time.Second), phone.Ringing))
		_, err := h.desk.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
			return strings.Contains(string(l.Message.Body), "SIP/2.0 180")
		})
		must(t, err)
		if codes, _ := notified(h.desk); slices.ContainsFunc(codes, func(c string) bool { return c >= "200" }) {
			t.Errorf("while the target rang the desk was told %v", codes)
		}
		_, err = h.desk.WaitMessage(within(t, 10*time.Second), func(l phone.Logged) bool {
			return strings.HasPrefix(l.Message.Get("Subscription-State"), "terminated")
		})
		must(t, err)
		codes, states := notified(h.desk)
		if strings.Join(codes, " ") != "100 180 486" || states[len(states)-1] != "terminated;reason=noresource" {
			t.Errorf("the desk was told %v, %v", codes, states)
		}
		hears(t, h.caller, deskTone)
		hears(t, h.desk, callerTone)
	})
	t.Run("Refer-Sub: false", func(t *testing.T) {
		t.Parallel()
		h := talking(t, phone.AnswerAfter(100*time.Millisecond))
		h.refers(t, "<sip:12345@"+domain+">", phone.Header{Name: "Refer-Sub", Value: "false"})
		waitConfirmed(t, next(t, h.partner))
		ended(t, h.desk)
		if codes, _ := notified(h.desk); len(codes) > 0 {
			t.Errorf("a desk that wanted no NOTIFY was told %v", codes)
		}
	})
}

// The desk stays until the target answers, the caller's stream does not stop, and nobody was in silence for a second.
func nobodyHearsNothing(t *testing.T) {
	h := talking(t, phone.AnswerAfter(2*time.Second))
	pushes(t, h.desk, "*1")
	p := next(t, h.partner)
	hearsNone(t, h.caller, deskTone, partnerTone)
	if h.desk.State() != phone.Confirmed {
		t.Error("the desk is gone before the target has answered")
	}
	waitConfirmed(t, p)
	ended(t, h.desk)
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	unbroken(t, h.caller)
	if page := h.page(t, "/metrics"); !strings.Contains(page, "liandong_media_silences_total 0\n") {
		t.Error("somebody heard nothing for a second")
	}
}

// page is what the switch's HTTP has there.
func (l *lab) page(t testing.TB, path string) string {
	t.Helper()
	res, err := http.Get("http://" + l.http + path)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return string(body)
}

// Caller and target have no codec in common.
func everyCodecIsOffered(t *testing.T) {
	l := startLab(t)
	with := func(c phone.Codec, user string, listen phone.Config) *phone.Phone {
		listen.Codecs, listen.User, listen.Server = []phone.Codec{c}, user, l.server
		if user != "" {
			listen.Password, listen.Domain = "lab-"+user, domain
		}
		return newPhone(t, listen)
	}
	desk := with(phone.PCMA, "1101", phone.Config{Speech: phone.Tone(deskTone, time.Second),
		Policy: phone.AnswerAfter(0)})
	partner := with(phone.PCMU, "2101", phone.Config{Speech: phone.Tone(partnerTone, time.Second),
		Policy: phone.AnswerAfter(0)})
	must(t, desk.Register(within(t, 10*time.Second)))
	must(t, partner.Register(within(t, 10*time.Second)))
	c := l.call(t, with(phone.PCMA, "", phone.Config{Listen: netip.AddrPortFrom(citizen, 0),
		Speech: phone.Tone(callerTone, time.Second)}), "110")
	d := waitConfirmed(t, next(t, desk))
	pushes(t, d, "*1")
	p := waitConfirmed(t, next(t, partner))
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
}

// A digit goes on to the caller once and a code not at all, whichever ways the phone sends them.
func eachKeyOnce(t *testing.T) {
	for name, how := range map[string]phone.Method{"RFC 4733": phone.RFC4733, "INFO": phone.InfoRelay,
		"both": phone.Both} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.NeverAnswer())
			must(t, h.desk.SendDTMF(within(t, 15*time.Second), "55*1", how))
			next(t, h.partner)
			must(t, h.caller.WaitDigits(within(t, 10*time.Second), "55"))
			must(t, h.desk.SendDTMF(within(t, 15*time.Second), "*49", how)) // takes the call back
			must(t, h.caller.WaitDigits(within(t, 10*time.Second), "9"))
			if keys := h.caller.Digits(); keys != "559" {
				t.Errorf("the caller heard keys %q, want 559", keys)
			}
			select {
			case <-h.partner.Incoming():
				t.Error("the code was read twice")
			default:
			}
		})
	}
}

// The target's ringing ends and the desk is free, at once and with the right words.
func allAreReleased(t *testing.T) {
	h := talking(t, phone.NeverAnswer())
	pushes(t, h.desk, "*1")
	p := next(t, h.partner)
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ringing))
	hangUp(t, h.caller)
	ended(t, h.desk, p)
	if e := p.Ending(); e.Code != 487 {
		t.Errorf("the partner's phone ended %+v", e)
	}
	if l := readEntries(t, h.redis, "liandong:tickets:12345", 2); l[1]["event"] != "abandoned" {
		t.Errorf("entries %v", l)
	}
	again := h.call(t, h.lab.caller(t, callerTone), "110")
	next(t, h.first) // its desk is free
	waitConfirmed(t, again)
}

// delayStays has a party whose clock is too fast, and one whose clock is too slow, by 200 ppm each, in a conference of
// an hour: their sound is as late at its end as at its beginning.
func delayStays(t *testing.T) {
	const hour, second = 3600 * 50, 50 // in frames of 20 ms
	for name, frame := range map[string]time.Duration{"fast": 19996 * time.Microsecond,
		"slow": 20004 * time.Microsecond} {
		p := playout.New(jitter.Default())
		start := time.Unix(1712109600, 0)
		payload := slices.Repeat([]byte{0x55, 0xd5, 0x2a, 0xaa}, 40) // A-law, not silent
		sent, early, late := 0, time.Duration(0), time.Duration(0)
		for tick := range hour {
			now := start.Add(time.Duration(tick) * 20 * time.Millisecond)
			for ; !start.Add(time.Duration(sent) * frame).After(now); sent++ {
				p.Push(now, codec.PCMA, uint16(sent), uint32(sent*160), payload)
			}
			p.Pull(now, 8000)
			switch delay := p.Stats().Delay; {
			case tick >= 10*second && tick < 20*second:
				early = max(early, delay)
			case tick >= hour-10*second:
				late = max(late, delay)
			}
		}
		if early == 0 || late > early+40*time.Millisecond || late < early-40*time.Millisecond {
			t.Errorf("%s: %v late at the beginning, %v at the end", name, early, late)
		}
	}
}

// No transfer runs up charges, and none is for the caller: what a REFER asks for is done here or refused here, and the
// trunk hears nothing of it.
func referEndsHere(t *testing.T) {
	h := talking(t, phone.AnswerAfter(0))
	trunk := newPhone(t, phone.Config{Name: "trunk", Listen: h.trunk})
	for to, from := range map[string]*phone.Call{
		"<sip:0900123456@liandong.lab>":                            h.desk,
		"<sip:0900123456@" + h.trunk.String() + ">":                h.desk,
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
	if m := trunk.Messages(); len(m) > 0 {
		t.Errorf("the trunk got %s", m[0].Message.Short())
	}
}

// A lamp that a colleague watches lights up, says who is there, and goes out, by documents that are never empty and
// whose versions rise one by one.
func lampsGoOut(t *testing.T) {
	l := startLab(t)
	colleague, first := l.desk(t, "1102", 0, phone.NeverAnswer()), l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	must(t, colleague.Watch(within(t, 10*time.Second), "1101"))
	shows := func(state string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if lamps := lampsOf(colleague); len(lamps) > 0 &&
				strings.Contains(lamps[len(lamps)-1], "<state>"+state+"</state>") {
				return
			}
		}
		t.Fatalf("the lamp does not show %s: %q", state, lampsOf(colleague))
	}
	shows("terminated")
	for range 3 {
		c := l.call(t, l.caller(t, callerTone), "110")
		waitConfirmed(t, next(t, first))
		shows("confirmed")
		hangUp(t, c)
		shows("terminated")
	}
	version := ""
	for _, lamp := range lampsOf(colleague) {
		_, rest, _ := strings.Cut(lamp, `dialog-info" version="`)
		now, _, _ := strings.Cut(rest, `"`)
		if !strings.Contains(lamp, "<dialog ") || len(now) < len(version) ||
			len(now) == len(version) && now <= version {
			t.Errorf("behind version %s comes %s", version, lamp)
		}
		if version = now; strings.Contains(lamp, "confirmed") && !strings.Contains(lamp, number) {
			t.Errorf("the lamp does not say who is there: %s", lamp)
		}
	}
}

// lampsOf are the bodies of the NOTIFYs about lamps that a phone got.
func lampsOf(p *phone.Phone) (all []string) {
	for _, m := range p.Messages() {
		if m.Message.Method == "NOTIFY" && !m.Out && !m.Again && strings.HasPrefix(m.Message.Get("Event"), "dialog") {
			all = append(all, string(m.Message.Body))
		}
	}
	return all
}
