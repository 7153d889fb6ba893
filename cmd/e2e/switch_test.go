package e2e

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/phone"
	"liandong/configs"
)

// lab is a switch with the lab's config on ports of its own.
type lab struct {
	server netip.AddrPort // SIP, UDP and TCP
	trunk  netip.AddrPort // where calls to the trunk go
	redis  string         // host:port
	http   string         // host:port
	app    *app.App
	log    *lines // what it logs
}

const domain = "liandong.lab"

// startSwitch runs a switch until the test ends; set overrides the lab's config.
func startSwitch(t testing.TB, redis string, set ...string) *lab {
	t.Helper()
	return startFrom(t, labFile, redis, set...)
}

var labFile = filepath.Join("..", "..", "configs", "lab.yaml")

// startFrom is startSwitch with a file that was made of the lab's.
func startFrom(t testing.TB, file, redis string, set ...string) *lab {
	t.Helper()
	l := &lab{server: freePort(t, here), trunk: freePort(t, citizen), redis: redis, http: freePort(t, here).String()}
	cfg, err := configs.Load(file, configs.Options{Set: append([]string{
		"networks.lab.sip.udp=" + l.server.String(), "networks.lab.sip.tcp=" + l.server.String(),
		"networks.lab.rtp.ports=" + freeRTP(), "trunks.pstn.target=" + l.trunk.String(),
		"redis.url=redis://" + redis + "/0", "outbox.path=" + filepath.Join(t.TempDir(), "outbox.db"),
		"http.listen=" + l.http,
	}, set...)})
	must(t, err)
	out := &lines{}
	l.log = out
	l.app, err = app.New(cfg, nil, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	must(t, err)
	must(t, l.app.Start())
	t.Cleanup(func() {
		l.app.Stop()
		for _, secret := range []string{number, "lab-1101", "lab-2101"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("the log shows %q", secret)
			}
		}
		if t.Failed() {
			t.Log("switch\n" + out.String())
		}
	})
	return l
}

// startLab is a switch with an embedded Redis, for tests that need no other program.
func startLab(t testing.TB, set ...string) *lab {
	t.Helper()
	m := miniredis.RunT(t)
	return startSwitch(t, m.Addr(), set...)
}

// desk is a registered phone of the lab.
func (l *lab) desk(t testing.TB, user string, hz float64, policy phone.Policy) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.server, Policy: policy,
		Speech: phone.Tone(hz, time.Second), RTCP: true})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

// caller is a phone behind the trunk.
func (l *lab) caller(t testing.TB, hz float64) *phone.Phone {
	t.Helper()
	return newPhone(t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: l.server,
		Speech: phone.Tone(hz, time.Second), RTCP: true})
}

const number = "13812345678"

func (l *lab) call(t testing.TB, p *phone.Phone, to string) *phone.Call {
	t.Helper()
	c, err := p.Call("sip:"+to+"@"+l.server.Addr().String(),
		phone.CallOptions{From: number, PAI: []string{"tel:+86" + number}})
	must(t, err)
	return c
}

// The tones of the parties, Hz; no one is a harmonic of another.
const (
	callerTone  = 440.0
	deskTone    = 710.0
	partnerTone = 1130.0
)

// handing is the lab with a call between caller and first desk, and a partner desk with a policy.
type handing struct {
	*lab
	caller, desk   *phone.Call
	first, partner *phone.Phone
}

func talking(t testing.TB, partner phone.Policy, set ...string) handing {
	t.Helper()
	l := startLab(t, set...)
	h := handing{lab: l, partner: l.desk(t, "2101", partnerTone, partner)}
	h.first = l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	h.caller = l.call(t, l.caller(t, callerTone), "110")
	h.desk = next(t, h.first)
	waitConfirmed(t, h.caller)
	hears(t, h.caller, deskTone)
	hears(t, h.desk, callerTone)
	return h
}

// unbroken fails when a party's stream changed its source or SSRC, went back in its sequence, or its timestamp left the
// clock. A machine that is busy with other tests may hold a party up or lose what a socket has no room for: the
// timestamp then makes a step with the clock, and the sequence one of less than a second, which is no break.
func unbroken(t testing.TB, c *phone.Call) {
	t.Helper()
	s := c.Continuity()
	broken := slices.ContainsFunc(s.Jumps, func(j phone.Jump) bool { return j.Off < -4000 || j.Off > 4000 })
	torn := slices.ContainsFunc(s.Gaps, func(g phone.Gap) bool { return g.Lost >= 50 })
	if len(s.SSRCs) != 1 || len(s.Sources) != 1 || torn || s.Late != 0 || broken {
		t.Errorf("the stream broke: %+v", s)
	}
}

// oneStream fails when a call's stream has changed its source; packets that a busy machine has lost are no matter.
func oneStream(t testing.TB, c *phone.Call) {
	t.Helper()
	if s := c.Continuity(); len(s.SSRCs) != 1 || len(s.Sources) != 1 {
		t.Errorf("the stream broke: %+v", s)
	}
}

func TestHandover(t *testing.T) {
	t.Parallel()
	for _, how := range []phone.Method{phone.RFC4733, phone.InfoRelay, phone.InfoDTMF, phone.InfoNortel, phone.Both} {
		t.Run(fmt.Sprint(how), func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.AnswerAfter(200*time.Millisecond))
			must(t, h.desk.SendDTMF(within(t, 10*time.Second), "*1", how))
			p := next(t, h.partner)
			if id := p.Caller(); id.From != "+86"+number && id.From != number || len(id.PAI) == 0 {
				t.Errorf("the partner sees %+v", id)
			}
			waitConfirmed(t, p)
			must(t, h.desk.WaitState(within(t, 10*time.Second), phone.Ended))
			hears(t, h.caller, partnerTone)
			hears(t, p, callerTone)
			if keys := h.caller.Digits(); keys != "" {
				t.Errorf("the caller heard keys %q", keys)
			}
			must(t, h.caller.Hangup(within(t, 10*time.Second)))
			must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
			unbroken(t, h.caller)
			unbroken(t, p)
			l := readEntries(t, h.redis, "liandong:tickets:12345", 2)
			if l[0]["event"] != "opened" || l[1]["event"] != "answered" || l[0]["stub_id"] != l[1]["stub_id"] ||
				l[0]["caller_e164"] != "+86"+number {
				t.Errorf("entries %v", l)
			}
		})
	}
}

func TestHandoverRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy phone.Policy
		result string
	}{"busy": {phone.Busy(), "busy"}, "no answer": {phone.NeverAnswer(), "no_answer"},
		"declined": {phone.Decline(), ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := talking(t, c.policy, "hotlines.12345.no_answer=1s")
			must(t, h.desk.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
			p := next(t, h.partner)
			must(t, p.WaitState(within(t, 15*time.Second), phone.Ended))
			hears(t, h.caller, deskTone)
			hears(t, h.desk, callerTone)
			l := readEntries(t, h.redis, "liandong:tickets:12345", 2)
			if l[1]["event"] != "failed" || c.result != "" && l[1]["result"] != c.result {
				t.Errorf("entries %v", l)
			}
			unbroken(t, h.caller)
			unbroken(t, h.desk)
		})
	}
}

// A partner that answers and hangs up at once has not taken the call over: the first line's seat rings again.
func TestPartnerHangsUpAtOnce(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(0).HangUp(300*time.Millisecond))
	must(t, h.desk.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	must(t, next(t, h.partner).WaitState(within(t, 10*time.Second), phone.Ended))
	again := next(t, h.first)
	waitConfirmed(t, again)
	hears(t, h.caller, deskTone)
	hears(t, again, callerTone)
	must(t, again.Hangup(within(t, 10*time.Second)))
	must(t, h.caller.WaitState(within(t, 10*time.Second), phone.Ended))
	unbroken(t, h.caller)
}

func TestThreeWay(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(200*time.Millisecond))
	must(t, h.desk.SendDTMF(within(t, 10*time.Second), "*3", phone.RFC4733))
	p := waitConfirmed(t, next(t, h.partner))
	both := func(c *phone.Call, one, two float64) {
		t.Helper()
		err := c.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
			return phone.Share(pcm, one) > 0.3 && phone.Share(pcm, two) > 0.3
		})
		if err != nil {
			t.Fatalf("%v and %v Hz: %v", one, two, err)
		}
	}
	both(h.caller, deskTone, partnerTone)
	both(h.desk, callerTone, partnerTone)
	both(p, callerTone, deskTone)
	must(t, p.SendDTMF(within(t, 10*time.Second), "*5", phone.RFC4733))
	must(t, h.desk.Hangup(within(t, 10*time.Second)))
	hears(t, h.caller, partnerTone)
	hears(t, p, callerTone)
	must(t, h.caller.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	unbroken(t, h.caller)
	unbroken(t, p)
}

// The first answer wins; the other seat gets CANCEL with the reason.
func TestFirstSeatWins(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	slow := l.desk(t, "1101", deskTone, phone.NeverAnswer())
	fast := l.desk(t, "1102", partnerTone, phone.AnswerAfter(100*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	ringing, talks := next(t, slow), next(t, fast)
	waitConfirmed(t, talks)
	must(t, ringing.WaitState(within(t, 10*time.Second), phone.Ended))
	if e := ringing.Ending(); e.Code != 487 || len(e.Reasons) == 0 {
		t.Errorf("the slow seat ended %+v", e)
	}
	hears(t, c, partnerTone)
	must(t, talks.Hangup(within(t, 10*time.Second)))
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ended))
}
