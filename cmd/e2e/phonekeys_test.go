package e2e

import (
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// TestPhoneKeys is each form in which a desk phone's key comes over the wire, and what the call is then about.
func TestPhoneKeys(t *testing.T) {
	t.Parallel()
	sends := func(keys string, how phone.Method) func(*testing.T, handing) {
		return func(t *testing.T, h handing) { must(t, h.desk.SendDTMF(within(t, 10*time.Second), keys, how)) }
	}
	for _, c := range []struct {
		key   string
		press func(*testing.T, handing)
		phase string
	}{
		{"programmable DTMF key", sends("*1", phone.RFC4733), "handing_over"},
		{"macro", sends("*3", phone.RFC4733), "conferencing"},
		{"hard key set to DTMF, of a phone that sends both ways", sends("*2", phone.Both), "consulting"},
		{"INFO dtmf-relay with blanks", informs("application/dtmf-relay", "Signal= *\r\nDuration= 100\r\n",
			"Signal= 1\r\n"), "handing_over"},
		{"INFO dtmf with codes", informs("application/dtmf", "10", "1"), "handing_over"},
		{"INFO of Nortel", informs("application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\nd=*\r\n", "d=3\r\n"),
			"conferencing"},
		{"INFO telephone-event", informs("audio/telephone-event", "\x0a\x8a\x03\x20", "\x01\x8a\x03\x20"),
			"handing_over"},
		{"INFO hook-flash ahead of a code", informs("application/hook-flash", "", "\x00*1"), "handing_over"},
		{"blind transfer", refersTo("<sip:12345@" + domain + ">"), "handing_over"},
		{"blind transfer without <>", refersTo("sip:12345@" + domain), "handing_over"},
		{"blind transfer with a port", refersTo("<sip:12345@" + domain + ":5060>"), "handing_over"},
		{"blind transfer without a host", refersTo("<sip:12345>"), "handing_over"},
		{"blind transfer with a name", refersTo(`"Government, line" <sip:12345@10.0.0.1;user=phone>`), "handing_over"},
		{"blind transfer to tel", refersTo("<tel:12345>"), "handing_over"},
		{"BLF in a call, by REFER", refersTo("<sip:conference@" + domain + ">"), "conferencing"},
		{"BLF in a call, by a second line", seconds("handover"), "handing_over"},
		{"speed dial to the partner in a call", seconds("12345"), "consulting"},
		{"speed dial to a verb in a call", seconds("conference"), "conferencing"},
		{"attended transfer while it rings", func(t *testing.T, h handing) { h.transfers(t, h.dials(t, "12345")) },
			"handing_over"},
		{"action URL", func(t *testing.T, h handing) { h.page(t, "/v1/keys/handover?user=1101") }, "handing_over"},
	} {
		t.Run(c.key, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.NeverAnswer())
			c.press(t, h)
			p := next(t, h.partner)
			if id := p.Caller(); !strings.Contains(id.From, number) {
				t.Errorf("the partner sees %+v", id)
			}
			h.isAbout(t, c.phase)
		})
	}
}

// isAbout waits until the one call there is has come to a phase.
func (h handing) isAbout(t testing.TB, phase string) {
	t.Helper()
	var page string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if page = h.page(t, "/v1/calls"); strings.Contains(page, `"phase":"`+phase+`"`) {
			return
		}
	}
	t.Errorf("the calls are %s, want one that is %s", page, phase)
}

// informs sends INFOs of a content type, each of which must be answered with 200. A body behind \x00 is dtmf-relay's.
func informs(kind string, bodies ...string) func(*testing.T, handing) {
	return func(t *testing.T, h handing) {
		for _, body := range bodies {
			if keys, ok := strings.CutPrefix(body, "\x00"); ok {
				must(t, h.desk.SendDTMF(within(t, 10*time.Second), keys, phone.InfoRelay))
				continue
			}
			_, err := h.desk.Request(within(t, 10*time.Second), "INFO",
				[]phone.Header{{Name: "Content-Type", Value: kind}}, []byte(body))
			must(t, err)
		}
	}
}

func refersTo(to string) func(*testing.T, handing) {
	return func(t *testing.T, h handing) { h.refers(t, to) }
}

// seconds holds the caller and dials on the phone's second line.
func seconds(to string) func(*testing.T, handing) {
	return func(t *testing.T, h handing) { h.dials(t, to) }
}

// The phone's own conference: both of its lines active, and no word of it. Its hanging up drops both.
func TestLocalMix(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(100*time.Millisecond))
	second := waitConfirmed(t, h.dials(t, "12345"))
	p := waitConfirmed(t, next(t, h.partner))
	h.isAbout(t, "consulting")
	must(t, h.desk.Resume(within(t, 10*time.Second)))
	hears(t, h.desk, callerTone)
	hears(t, second, partnerTone)
	hangUp(t, second)
	hangUp(t, h.desk)
	ended(t, p)
}

// A lamp's key of an idle phone dials: the other line's desk sees who it is.
func TestDeskCallsALine(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c, err := l.desk(t, "1101", deskTone, phone.NeverAnswer()).Call("12345", phone.CallOptions{})
	must(t, err)
	p := waitConfirmed(t, next(t, partner))
	if id := p.Caller(); id.From != "1101" {
		t.Errorf("the line sees %+v", id)
	}
	hears(t, c, partnerTone)
	hears(t, p, deskTone)
	hangUp(t, c)
	ended(t, p)
}

// Each way to hold gives the caller music and is answered by what lets the phone send nothing; each way back gives the
// desk.
func TestEveryHold(t *testing.T) {
	t.Parallel()
	for _, hold := range []phone.Direction{phone.SendOnly, phone.Inactive, phone.ZeroHold} {
		for _, method := range []string{"INVITE", "UPDATE", phone.Delayed} {
			t.Run(string(hold)+" by "+method, func(t *testing.T) {
				t.Parallel()
				h := talking(t, phone.NeverAnswer())
				must(t, h.desk.Modify(within(t, 10*time.Second), method, hold))
				// A delayed hold is the phone's answer: the offer before it is all that we can do.
				if d := h.desk.RemoteDirection(); method != phone.Delayed &&
					(d == phone.SendRecv || d == phone.SendOnly) {
					t.Errorf("a hold was answered %s", d)
				}
				hearsNone(t, h.caller, deskTone)
				must(t, h.desk.Modify(within(t, 10*time.Second), method, phone.SendRecv))
				hears(t, h.caller, deskTone)
				hears(t, h.desk, callerTone)
				unbroken(t, h.caller)
			})
		}
	}
}
