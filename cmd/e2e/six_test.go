package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

var here6 = netip.IPv6Loopback()

// sixLab is a lab whose desks are on a network of IPv6, while the trunk is on one of IPv4.
type sixLab struct {
	*lab
	at6 netip.AddrPort // SIP, UDP and TCP
}

func startSixLab(t testing.TB) *sixLab {
	t.Helper()
	if c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: here6.AsSlice()}); err != nil {
		t.Skipf("there is no IPv6 on loopback: %v", err)
	} else {
		c.Close()
	}
	l, rtp := &sixLab{at6: freePort(t, here6)}, 40000+400*rand.IntN(24)
	set := []string{
		"networks.six.sip.udp=" + l.at6.String(), "networks.six.sip.tcp=" + l.at6.String(),
		"networks.six.rtp.address=" + here6.String(),
		fmt.Sprintf("networks.six.rtp.ports=%d-%d", rtp, rtp+399), "networks.six.allow=::1/128",
		"trunks.pstn.network=lab",
		"hotlines.110.network=six", "hotlines.12345.network=six",
	}
	l.lab = startSwitch(t, miniredis.RunT(t).Addr(), set...)
	return l
}

func (l *sixLab) desk6(t testing.TB, user, transport string, hz float64, policy phone.Policy) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.at6,
		Transport: transport, Listen: netip.AddrPortFrom(here6, 0),
		Policy: policy, Speech: phone.Tone(hz, time.Second), RTCP: true})
	must(t, p.Register(within(t, 10*time.Second)))
	return p
}

// bracketed fails on an IPv6 address that stands without its brackets: RFC 5118 §4.1, RFC 3261 §25.1 IPv6reference. In
// SDP and in received it has none: RFC 4566 §5.7, RFC 5118 §4.5.
func bracketed(t testing.TB, p *phone.Phone) {
	t.Helper()
	for _, m := range p.Messages() {
		head, body, _ := bytes.Cut(m.Message.Bytes(), []byte("\r\n\r\n"))
		for line := range strings.Lines(string(head)) {
			line = strings.NewReplacer("[::1]", "six", "received=::1", "received=six").Replace(line)
			if strings.Contains(line, "::1") && !strings.HasPrefix(line, "Call-ID") { // which is a word, RFC 3261 §25.1
				t.Errorf("%s: no brackets: %s", p.Name(), line)
			}
		}
		if bytes.Contains(body, []byte("[::1]")) || bytes.Contains(body, []byte("c=IN IP4")) && !m.Out {
			t.Errorf("%s: SDP\n%s", p.Name(), body)
		}
	}
}

// A whole call by IPv6, with a hand-over, a hold, and keys: caller, first desk and partner are all at ::1.
func TestHandoverByIPv6(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			l := startSixLab(t)
			caller := l.desk6(t, "1101", transport, callerTone, phone.Policy{})
			first := l.desk6(t, "2101", transport, deskTone, phone.AnswerAfter(0))
			partner := l.desk6(t, "1102", transport, partnerTone, phone.AnswerAfter(200*time.Millisecond))
			c, err := caller.Call("12345", phone.CallOptions{})
			must(t, err)
			d := next(t, first)
			hears(t, waitConfirmed(t, c), deskTone)
			hears(t, d, callerTone)
			must(t, d.Hold(within(t, 10*time.Second)))
			must(t, d.Resume(within(t, 10*time.Second)))
			must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
			p := waitConfirmed(t, next(t, partner))
			hears(t, c, partnerTone)
			hears(t, p, callerTone)
			must(t, c.Hangup(within(t, 10*time.Second)))
			must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
			unbroken(t, c)
			for _, p := range []*phone.Phone{caller, first, partner} {
				bracketed(t, p)
			}
		})
	}
}

// The citizen comes by IPv4 and the desks are on IPv6: sound and signalling are carried over.
func TestIPv4CallerAndIPv6Desks(t *testing.T) {
	t.Parallel()
	l := startSixLab(t)
	first := l.desk6(t, "1101", "udp", deskTone, phone.AnswerAfter(0))
	partner := l.desk6(t, "2101", "tcp", partnerTone, phone.AnswerAfter(200*time.Millisecond))
	c := l.call(t, l.caller(t, callerTone), "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	hears(t, d, callerTone)
	must(t, d.SendDTMF(within(t, 10*time.Second), "*3", phone.RFC4733))
	p := waitConfirmed(t, next(t, partner))
	must(t, c.WaitHeard(within(t, 15*time.Second), 400*time.Millisecond, func(pcm []int16) bool {
		return phone.Share(pcm, deskTone) > 0.3 && phone.Share(pcm, partnerTone) > 0.3
	}))
	must(t, d.Hangup(within(t, 10*time.Second)))
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	unbroken(t, c)
	bracketed(t, first)
	bracketed(t, partner)
}
