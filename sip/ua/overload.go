package ua

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/admission"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// RFC 7339: a trunk that is trusted, as the switch of the other line is, says in its answers by how much fewer calls it
// is to be sent, and is told so by ours. Both stand in the topmost Via.

// controls is what trunks have asked for, and are asked.
type controls struct {
	mu   sync.Mutex
	asks map[string]*admission.Control   // guarded by mu
	told map[string]*admission.Obedience // guarded by mu
}

func newControls() *controls {
	return &controls{asks: map[string]*admission.Control{}, told: map[string]*admission.Obedience{}}
}

// note: a call of a trunk was begun or refused.
func (c *controls) note(now time.Time, trunk string, refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asks[trunk] == nil {
		c.asks[trunk] = &admission.Control{}
	}
	c.asks[trunk].Note(now, refused)
}

func (c *controls) loss(now time.Time, trunk string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ask := c.asks[trunk]; ask != nil {
		return ask.Loss(now)
	}
	return 0
}

func (c *controls) hear(now time.Time, trunk string, percent int, validity time.Duration, seq float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told[trunk] == nil {
		c.told[trunk] = &admission.Obedience{}
	}
	c.told[trunk].Told(now, percent, validity, seq)
}

func (c *controls) leavesOut(now time.Time, trunk string, rnd uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told[trunk]
	return told != nil && told.LeavesOut(now, rnd)
}

// partner is the trusted trunk of a flow; "": it is none.
func (u *UA) partner(f leg.Flow) string {
	o := u.origins.Load()
	name := o.trunk(f)
	if !o.neighbours[name].Trusted {
		return ""
	}
	return name
}

// ocAsked is what a Via says of who obeys (RFC 7339 §4.1, §4.2).
const ocAsked = `;oc;oc-algo="loss"`

// controlled puts into a message what RFC 7339 wants said in its topmost Via.
func (u *UA) controlled(o *outgoing) {
	switch o.packet.Msg.(type) {
	case *gosip.Request:
		flow := o.packet.Flow
		flow.Remote = o.to
		if u.partner(flow) != "" {
			o.data = inTopVia(o.data, func(via string) string { return via + ocAsked })
		}
	case *gosip.Response:
		if trunk := u.partner(o.packet.Flow); trunk != "" {
			o.data = inTopVia(o.data, func(via string) string { return u.saysLoss(via, trunk) })
		}
	}
}

// saysLoss answers a Via that has asked: §4.2 to §4.4.
func (u *UA) saysLoss(via, trunk string) string {
	at := strings.Index(via, ";oc;")
	if at < 0 || !strings.Contains(via, "loss") { // we know that algorithm alone
		return via
	}
	now := u.now()
	return fmt.Sprintf("%s;oc=%d;oc-validity=%d;oc-seq=%d.%03d%s", via[:at], u.controls.loss(now, trunk),
		admission.ControlValidity.Milliseconds(), now.Unix(), now.Nanosecond()/1e6, via[at+len(";oc"):])
}

// inTopVia changes the value of a message's first Via.
func inTopVia(data []byte, change func(via string) string) []byte {
	at := bytes.Index(data, []byte("\r\nVia: "))
	if at < 0 {
		return data
	}
	at += len("\r\nVia: ")
	end := at + bytes.IndexByte(data[at:], '\r')
	if end < at {
		return data
	}
	if comma := bytes.IndexByte(data[at:end], ','); comma >= 0 {
		end = at + comma
	}
	was := string(data[at:end])
	via := change(was)
	if via == was {
		return data
	}
	return bytes.Join([][]byte{data[:at], []byte(via), data[end:]}, nil)
}

// obeys takes in what an answer of a partner says.
func (u *UA) obeys(res gosip.Message, flow leg.Flow) {
	via := res.Via()
	if via == nil {
		return
	}
	oc, ok := via.Params.Get("oc")
	if !ok || oc == "" {
		return
	}
	trunk := u.partner(flow)
	percent, err := strconv.Atoi(oc)
	if trunk == "" || err != nil {
		return
	}
	validity := 500 * time.Millisecond // §4.4: without a word of it
	if v, ok := via.Params.Get("oc-validity"); ok {
		ms, err := strconv.Atoi(v)
		if err != nil || ms < 0 {
			return
		}
		validity = time.Duration(ms) * time.Millisecond
	}
	text, _ := via.Params.Get("oc-seq")
	seq, _ := strconv.ParseFloat(text, 64) // none is 0
	u.controls.hear(u.now(), trunk, percent, validity, seq)
}

// leftOut: a new call that a partner has asked not to be sent is answered in its place: §5.10. Emergency calls and what
// has a priority go (§5.10.1).
func (u *UA) leftOut(o outgoing) bool {
	req, ok := o.packet.Msg.(*gosip.Request)
	if !ok || req.Method != gosip.INVITE || req.To() == nil || req.To().Params.Has("tag") || prior(o.data) {
		return false
	}
	flow := o.packet.Flow
	flow.Remote = o.to
	trunk, called := u.partner(flow), header.Unescape(req.Recipient.User)
	if trunk == "" || u.cfg.Emergency != nil && u.cfg.Emergency(called) ||
		!u.controls.leavesOut(u.now(), trunk, rand.Uint64()) {
		return false
	}
	sink, ok := u.Sink(o.callID)
	if !ok {
		return false
	}
	res := gosip.NewResponseFromRequest(req, gosip.StatusServiceUnavailable, "Service Unavailable", nil)
	res.AppendHeader(gosip.NewHeader("Retry-After", "1"))
	u.counts.leftOut.Add(1)
	return sink.Post(Inbound{Packet: leg.Packet{Msg: res, Flow: flow}})
}
