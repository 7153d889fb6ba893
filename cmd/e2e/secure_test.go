package e2e

import (
	"crypto/tls"
	"net/netip"
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
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.tls, Transport: "tls", TLS: l.believes(),
		Policy: policy, Speech: phone.Tone(hz, time.Second)})
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
	l := startSecureLab(t, miniredis.RunT(t).Addr(), "networks.lab.tls=required", "timers.settle=0s", "networks.lab.sip.client_ca="+a.File(),
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

// A phone that others wrote, by TLS: it registers, is called, and hands the call over.
func TestBaresipByTLS(t *testing.T) {
	t.Parallel()
	l := startSecureLab(t, redistest.Start(t).Addr(), "phones.1101.tls=required")
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.tls, domain: domain, transport: "tls", ca: l.authority.File(), tone: deskTone})
	b.registered(t)
	l.baresipHandsOver(t, b)
}

// baresipHandsOver: the baresip of 1101 takes a citizen's call and hands it over with one key.
func (l *secureLab) baresipHandsOver(t testing.TB, b *baresip) {
	t.Helper()
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	b.event(t, "CALL_INCOMING", 1)
	b.do(t, "accept", "")
	hears(t, waitConfirmed(t, c), deskTone)
	b.do(t, "hold", "")
	b.do(t, "resume", "")
	hears(t, c, deskTone)
	b.do(t, "sndcode", "*1")
	p := waitConfirmed(t, next(t, partner))
	b.event(t, "CALL_CLOSED", 1)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	if s := phone.Share(b.heard(t), callerTone); s < 0.3 {
		t.Errorf("baresip heard %.2f of the caller", s)
	}
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	unbroken(t, c)
}
