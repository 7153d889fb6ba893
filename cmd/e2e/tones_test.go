package e2e

import (
	"net/netip"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// A desk's phone without telephone-event presses by the sound. The caller, whose phone has none
// either, has no keys: what the caller dials goes to the desk as it is.
func TestKeysAsTones(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	first := l.plainDesk(t, "1101", deskTone)
	c := l.call(t, l.plainCaller(t, callerTone), "110")
	desk := waitConfirmed(t, next(t, first))
	hears(t, c, deskTone)

	must(t, c.SendDTMF(within(t, 10*time.Second), "*1", phone.InBand))
	hears(t, desk, callerTone)
	select {
	case <-partner.Incoming():
		t.Fatal("what the caller dialled was read as a key")
	case <-time.After(time.Second): // longer than an echo of the caller's tones may take
	}

	must(t, desk.SendDTMF(within(t, 10*time.Second), "*1", phone.InBand))
	p := next(t, partner)
	if id := p.Caller(); id.From != "+86"+number && id.From != number {
		t.Errorf("the partner sees %+v", id)
	}
	waitConfirmed(t, p)
	ended(t, desk)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	if keys := c.Digits(); keys != "" {
		t.Errorf("the caller heard keys %q", keys)
	}
	unbroken(t, c)
	hangUp(t, c)
	ended(t, p)
}

// plainDesk is a registered phone that has no telephone-event.
func (l *lab) plainDesk(t testing.TB, user string, hz float64) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.server,
		Policy: phone.AnswerAfter(0),
		Speech: phone.Tone(hz, time.Second), NoEvents: true})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

func (l *lab) plainCaller(t testing.TB, hz float64) *phone.Phone {
	t.Helper()
	return newPhone(t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: l.server,
		Speech: phone.Tone(hz, time.Second), NoEvents: true})
}
