package ua

import (
	"strings"
	"sync"
	"testing"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/capture"
	"liandong/sip/leg"
)

// What a call answers at once, before the socket layer knows that it is its, is captured too.
func TestTraceOfAQuickAnswer(t *testing.T) {
	var mu sync.Mutex
	var all []capture.Message
	r := newRig(t, func(c *Config) {
		c.Trace = func(m capture.Message) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, m)
		}
	})
	r.inbox.set(func(b *inbox) {
		b.hook = func(p leg.Packet) {
			res := gosip.NewResponseFromRequest(p.Msg.(*gosip.Request), 180, "Ringing", nil)
			r.Send(leg.Packet{Msg: res, Flow: p.Flow})
		}
	})
	p := r.udp(trunkHost)
	q := p.request("INVITE", "110")
	wantCode(t, p.ask(q.String()), 180)
	r.inbox.next(t)
	mu.Lock()
	defer mu.Unlock()
	for _, m := range all {
		if m.Out && m.CallID == q.callID && strings.HasPrefix(string(m.Text), "SIP/2.0 180") {
			return
		}
	}
	t.Errorf("captured: %+v", all)
}
