package e2e

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
	"liandong/sip/ua/certtest"
)

// secureLab is a lab whose network has TLS too, with an authority of its own.
type secureLab struct {
	*lab
	authority *certtest.Authority
	tls       netip.AddrPort
}

func startSecureLab(t testing.TB, redis string, set ...string) *secureLab {
	t.Helper()
	a, at := certtest.New(t), freePort(t, here)
	cert, key := a.Pair("switch", time.Now().AddDate(1, 0, 0), here.String())
	return &secureLab{authority: a, tls: at, lab: startSwitch(t, redis, append([]string{
		"networks.lab.sip.tls=" + at.String(), "networks.lab.sip.cert_file=" + cert, "networks.lab.sip.key_file=" + key,
	}, set...)...)}
}

// believes is a phone's side of TLS.
func (l *secureLab) believes(shows ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: l.authority.Pool(), Certificates: shows}
}

// secureDesk is a phone that registers by TLS.
func (l *secureLab) secureDesk(t testing.TB, user string, hz float64, policy phone.Policy) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.tls, Transport: "tls",
		TLS:    l.believes(),
		Policy: policy, Speech: phone.Tone(hz, time.Second)})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

// srtpDesk is a phone that registers by TLS and has SRTP.
func (l *secureLab) srtpDesk(t testing.TB, user string, hz float64, policy phone.Policy) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.tls, Transport: "tls",
		TLS:  l.believes(),
		SRTP: true, RTCP: true, Policy: policy, Speech: phone.Tone(hz, time.Second)})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

// plainly fails when a phone has sent or got anything outside of TLS.
func plainly(t testing.TB, phones ...*phone.Phone) {
	t.Helper()
	for _, p := range phones {
		for _, m := range p.Messages() {
			if m.Transport != "tls" {
				t.Errorf("%s: by %s\n%s", p.Name(), m.Transport, m.Message.Bytes())
			}
		}
	}
}

// All three parties are behind TLS, the trunk by certificates of both sides: not a word is said in the open.
func TestHandoverByTLS(t *testing.T) {
	t.Parallel()
	a := certtest.New(t) // of the trunk's side
	trunk := freePort(t, citizen)
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "networks.lab.tls=required", "timers.settle=0s",
		"networks.lab.sip.client_ca="+a.File(),
		"trunks.pstn.transport=tls", "trunks.pstn.target="+trunk.String(), "trunks.pstn.ca_file="+a.File())
	partner := l.secureDesk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	first := l.secureDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller := newPhone(t, phone.Config{Name: "caller", Listen: trunk, Server: l.tls, Transport: "tls",
		TLS: l.believes(a.Certificate(citizen.String())), Speech: phone.Tone(callerTone, time.Second)})
	c := l.call(t, caller, "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner))
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	must(t, p.Hangup(within(t, 10*time.Second)))
	must(t, c.WaitState(within(t, 10*time.Second), phone.Ended)) // by a connection of ours
	unbroken(t, c)
	plainly(t, partner, first, caller)
}

// All three have TLS and SRTP, with a hand-over, holds that bring new keys, and a three-way call. Nothing of the sound
// is in the open, and nothing of the keys in the log.
func TestHandoverBySRTP(t *testing.T) {
	t.Parallel()
	a := certtest.New(t)
	trunk := freePort(t, citizen)
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "networks.lab.tls=required", "networks.lab.srtp=required",
		"networks.lab.sip.client_ca="+a.File(),
		"trunks.pstn.transport=tls", "trunks.pstn.target="+trunk.String(), "trunks.pstn.ca_file="+a.File())
	partner := l.srtpDesk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	first := l.srtpDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller := newPhone(t, phone.Config{Name: "caller", Listen: trunk, Server: l.tls, Transport: "tls", SRTP: true,
		RTCP: true,
		TLS:  l.believes(a.Certificate(citizen.String())), Speech: phone.Tone(callerTone, time.Second)})
	c := l.call(t, caller, "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	hears(t, d, callerTone)
	must(t, d.Hold(within(t, 10*time.Second))) // each re-INVITE of these phones has a new key
	must(t, d.Resume(within(t, 10*time.Second)))
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	must(t, d.SendDTMF(within(t, 10*time.Second), "*3", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner))
	must(t, c.WaitHeard(within(t, 15*time.Second), 400*time.Millisecond, func(pcm []int16) bool {
		return phone.Share(pcm, deskTone) > 0.3 && phone.Share(pcm, partnerTone) > 0.3
	}))
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	must(t, d.WaitState(within(t, 10*time.Second), phone.Ended))
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	for _, call := range []*phone.Call{c, d, p} {
		unbroken(t, call)
		if n := call.Continuity().Unopened; n != 0 {
			t.Errorf("%d packets could not be opened", n)
		}
	}
	plainly(t, partner, first, caller)
	l.keysUnseen(t, partner, first, caller)
}

// keysUnseen fails when a key that was said in SDP stands in the switch's log.
func (l *secureLab) keysUnseen(t testing.TB, phones ...*phone.Phone) {
	t.Helper()
	keys := 0
	for _, p := range phones {
		for _, m := range p.Messages() {
			for _, line := range strings.Split(string(m.Message.Body), "\r\n") {
				if _, key, ok := strings.Cut(line, "inline:"); ok {
					keys++
					if strings.Contains(l.log.String(), key) {
						t.Errorf("the log shows a key")
					}
				}
			}
		}
	}
	if keys == 0 || strings.Contains(l.log.String(), "inline:") {
		t.Errorf("%d keys were said; the log must not hold SDP", keys)
	}
}

// Where SRTP is required a phone without it is told why, and gets no call.
func TestPlainPhoneWhereSRTPIsRequired(t *testing.T) {
	t.Parallel()
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "phones.1101.tls=required", "phones.1101.srtp=required")
	desk := l.secureDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	out, err := desk.Call("12345", phone.CallOptions{})
	must(t, err)
	must(t, out.WaitState(within(t, 10*time.Second), phone.Ended))
	if w := said(t, desk, false, 488).Get("Warning"); !strings.HasPrefix(w, "302 ") ||
		!strings.Contains(w, "SRTP is required") {
		t.Errorf("Warning %q", w)
	}
	c := l.call(t, l.caller(t, callerTone), "110")
	said(t, desk, true, 488) // by the phone: our offer has RTP/SAVP alone, and is not made again without
	must(t, c.Hangup(within(t, 10*time.Second)))
	invites := 0
	for _, m := range desk.Messages() {
		if !m.Out && m.Message.Method == "INVITE" && !m.Again {
			invites++
		}
	}
	if invites != 1 {
		t.Errorf("%d INVITEs", invites)
	}
}

// said waits for a response that a phone has sent or got.
func said(t testing.TB, p *phone.Phone, out bool, code int) *phone.Message {
	t.Helper()
	for ctx := within(t, 10*time.Second); ; {
		for _, m := range p.Messages() {
			if m.Out == out && m.Message.Code == code {
				return m.Message
			}
		}
		select {
		case <-time.After(10 * time.Millisecond): // there is nothing to be told by
		case <-ctx.Done():
			t.Fatalf("%s: no %d", p.Name(), code)
		}
	}
}

// Where SRTP is preferred a phone without it is called again without it, at once.
func TestPlainPhoneWhereSRTPIsPreferred(t *testing.T) {
	t.Parallel()
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "networks.lab.srtp=preferred")
	first := l.secureDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	partner := l.srtpDesk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := l.call(t, l.caller(t, callerTone), "110")
	d := next(t, first) // after it has refused RTP/SAVP
	said(t, first, true, 488)
	hears(t, waitConfirmed(t, c), deskTone)
	hears(t, d, callerTone)
	must(t, d.Hold(within(t, 10*time.Second)))
	must(t, d.Resume(within(t, 10*time.Second)))
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner)) // which has it, and gets it
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	l.keysUnseen(t, partner)
}

// A phone that others wrote, by TLS and SRTP: as it offers it and as it is offered.
func TestBaresipBySRTP(t *testing.T) {
	t.Parallel()
	// RTP/SAVP alone; RTP/AVP with keys, and RTP/SAVP when it is offered
	for _, mode := range []string{"srtp-mand", "srtp"} {
		l := startSecureLab(t, redistest.Start(t).Addr(), "phones.1101.tls=required", "phones.1101.srtp=required")
		b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.tls, domain: domain,
			transport: "tls",
			ca:        l.authority.File(), srtp: mode, tone: deskTone})
		b.registered(t)
		partner, c := l.baresipHandsOver(t, b)
		oneStream(t, c)
		if strings.Contains(l.log.String(), "inline:") {
			t.Error("the log shows a key")
		}
		b.do(t, "dial", "sip:12345@"+domain) // now it offers
		p := next(t, partner)
		hears(t, p, deskTone)
		must(t, p.Hangup(within(t, 10*time.Second)))
	}
}

// A phone that others wrote, by TLS: it registers, is called, and hands the call over.
func TestBaresipByTLS(t *testing.T) {
	t.Parallel()
	l := startSecureLab(t, redistest.Start(t).Addr(), "phones.1101.tls=required")
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.tls, domain: domain, transport: "tls",
		ca: l.authority.File(), tone: deskTone})
	b.registered(t)
	_, c := l.baresipHandsOver(t, b)
	oneStream(t, c)
}
