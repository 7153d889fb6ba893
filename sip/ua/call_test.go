package ua

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// actor is the smallest consumer: one real leg that answers at once.
type actor struct {
	u *UA

	mu    sync.Mutex
	leg   *leg.Leg
	ended chan leg.Cause
}

func (a *actor) Incoming(_ Origin, p leg.Packet) Sink {
	a.mu.Lock()
	defer a.mu.Unlock()
	cfg := leg.Default()
	n := uint64(0)
	cfg.Rand = func() uint64 { n++; return n }
	local, _ := a.u.Local(p.Flow.Network, p.Flow.Transport)
	local.Media = sdp.Local{Addr: netip.MustParseAddrPort("127.0.0.1:20000"), SessionID: 1,
		Codecs: []codec.ID{codec.PCMA}, Ptime: 20 * time.Millisecond}
	l, out := leg.NewInbound(cfg, time.Now(), p, local)
	a.leg = l
	a.carryOut(out)
	a.carryOut(l.Do(time.Now(), leg.Answer{}))
	return a
}

func (a *actor) Post(in Inbound) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carryOut(a.leg.Receive(time.Now(), in.Packet))
	return true
}

func (a *actor) carryOut(out leg.Out) {
	for _, p := range out.Packets {
		a.u.Send(p)
	}
	for _, e := range out.Events {
		if e, ok := e.(leg.Ended); ok {
			a.ended <- e.Cause
		}
	}
}

func TestWholeCallWithALeg(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			a := &actor{ended: make(chan leg.Cause, 1)}
			r := newRig(t, nil)
			a.u = r.UA
			r.inbox.set(func(b *inbox) { b.instead = a })
			p := r.udp(trunkHost)
			if transport == "tcp" {
				p = r.tcp(trunkHost)
			}
			q := p.request("INVITE", "13812345678").with("Contact: <sip:x@"+p.conn.LocalAddr().String()+">",
				"Content-Type: application/sdp")
			q.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n"
			p.send(q.String())
			answer := p.receive()
			for strings.HasPrefix(answer, "SIP/2.0 1") {
				answer = p.receive()
			}
			wantCode(t, answer, 200)
			q.to, q.body, q.more = field(t, answer, "To"), "", nil
			q.method = "ACK"
			p.send(q.String())
			q.method, q.cseq = "BYE", 2
			for answer = p.ask(q.String()); field(t, answer, "CSeq") != "2 BYE"; {
				answer = p.receive()
			}
			wantCode(t, answer, 200)
			if cause := <-a.ended; cause != leg.Bye {
				t.Errorf("ended by %v", cause)
			}
		})
	}
}
