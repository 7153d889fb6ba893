package ua

import (
	"strings"
	"sync"
	"testing"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/capture"
	"liandong/sip/leg"
)

// quick is a handler whose calls answer before it has said whose they are.
type quick struct {
	Handler
	r *rig
}

func (q quick) Incoming(_ Origin, p leg.Packet) Sink {
	res := gosip.NewResponseFromRequest(p.Msg.(*gosip.Request), 180, "Ringing", nil)
	q.r.Send(leg.Packet{Msg: res, Flow: p.Flow})
	return called{q.r.inbox}
}

// called is a Sink of a call.
type called struct{ *inbox }

func (called) Ref() string { return "the call" }

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
	r.inbox.set(func(b *inbox) { b.instead = quick{r: r} })
	p := r.udp(trunkHost)
	q := p.request("INVITE", "110")
	wantCode(t, p.ask(q.String()), 180)
	eventually(t, "both are captured", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(all) == 2
	})
	for i, begins := range []string{"INVITE ", "SIP/2.0 180"} {
		if m := all[i]; m.Ref != "the call" || m.CallID != q.callID || m.Out != (i == 1) ||
			!strings.HasPrefix(string(m.Text), begins) {
			t.Errorf("captured: %+v", m)
		}
	}
}
