package exchange

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/ua"
)

// asksFor is the SUBSCRIBE by which a phone's do-not-disturb key is told, and tells.
func asksFor(t *testing.T, user, to, body string) leg.Packet {
	t.Helper()
	p := subscribe(t, user, to)
	text := strings.NewReplacer("Event: dialog", "Event: as-feature-event", "application/dialog-info+xml",
		"application/x-as-feature-event+xml", "-watches-", "-features-",
		"Content-Length: 0",
		"Content-Type: application/x-as-feature-event+xml\r\nContent-Length: "+strconv.Itoa(len(body)),
	).Replace(p.Msg.String()) + body
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	p.Msg = m
	return p
}

func dnd(on string) string {
	return `<?xml version="1.0" encoding="ISO-8859-1"?><SetDoNotDisturb ` +
		`xmlns="http://www.ecma-international.org/standards/ecma-323/csta/ed3"><device/><doNotDisturbOn>` + on +
		`</doNotDisturbOn></SetDoNotDisturb>`
}

// The do-not-disturb key of a phone has its seat not ready, and shines when another way has; of another's seat it is
// neither told nor asked.
func TestDoNotDisturbKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		told := func(on string) {
			t.Helper()
			synctest.Wait()
			w.answerNotifies(t, 0)
			time.Sleep(3 * time.Second) // NOTIFYs are paced
			synctest.Wait()
			if m, ok := w.find("NOTIFY"); !ok || !strings.Contains(m, "<doNotDisturbOn>"+on+"</doNotDisturbOn>") {
				t.Errorf("want %s, told\n%s", on, m)
			}
			w.answerNotifies(t, 0)
		}
		p := asksFor(t, "1101", "1101", dnd("true"))
		w.Bind(p.CallID(), x.Incoming(ua.Origin{Network: "lab", User: "1101"}, p))
		told("true")
		if a := x.Agent("1101"); a.State != NotReady {
			t.Errorf("%+v", a)
		}
		if _, err := x.SetAgent("1101", Ready, ""); err != nil {
			t.Fatal(err)
		}
		told("false")
		p = asksFor(t, "1102", "1101", dnd("true"))
		x.Incoming(ua.Origin{Network: "lab", User: "1102"}, p)
		synctest.Wait()
		if _, ok := w.find("SIP/2.0 403"); !ok {
			t.Error("a colleague's key is taken")
		}
		if a := x.Agent("1101"); a.State != Ready {
			t.Errorf("%+v", a)
		}
	})
}
