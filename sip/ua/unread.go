package ua

import (
	"bytes"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// A call that is refused unread is a missed call all the same. One of a caller and an hour is kept as it came, and read
// when there is time: a flood costs no more by it than so much memory.
const (
	maxUnread     = 4096
	maxUnreadSize = 4 << 10 // bytes of a message
	callerLife    = time.Hour
	unreadCalm    = 500 // that are read a second
	unreadBusy    = 20  // while new calls are being refused
)

// unread is an INVITE that was refused.
type unread struct {
	data  []byte
	flow  leg.Flow
	trunk string
	at    time.Time
}

// miss keeps the call of somebody whose last one was not kept within the hour. Caller holds mu.
func (g *gate) miss(now time.Time, n *newCall) {
	if g.u.cfg.TurnedAway == nil || n.trunk == "" || len(g.unread) >= maxUnread || len(n.arrival.data) > maxUnreadSize {
		return
	}
	who := caller(n)
	if g.callers.has(now, who) {
		return
	}
	g.callers.add(now, who)
	g.unread = append(g.unread, unread{n.arrival.data, n.flow, n.trunk, now})
}

// caller is what tells callers apart in a message that is not read: From without its tag, the names that a trunk
// vouches for, and whom they call.
func caller(n *newCall) mark {
	from := n.peek.from
	if at := bytes.IndexByte([]byte(from), '>'); at >= 0 {
		from = from[:at]
	}
	return mark{from, vouched(n.arrival.data), n.peek.called()}
}

// vouched is what stands in P-Asserted-Identity (RFC 3325) and Remote-Party-ID.
func vouched(data []byte) (names string) {
	head, _ := cutHead(data)
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		if len(line) == 0 || line[0]|0x20 != 'p' && line[0]|0x20 != 'r' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimSpace(name); bytes.EqualFold(name, []byte("P-Asserted-Identity")) ||
			bytes.EqualFold(name, []byte("Remote-Party-ID")) {
			names += string(bytes.TrimSpace(value)) + "\n"
		}
	}
	return names
}

// watch tells what has been refused, in the log and call by call.
func (g *gate) watch() {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-g.u.ctx.Done():
			return
		case <-look.C:
			g.report()
			g.readSome()
		}
	}
}

// readSome reads some of the calls that were refused.
func (g *gate) readSome() {
	g.mu.Lock()
	most := unreadCalm
	if g.queue.Overloaded(g.u.now()) {
		most = unreadBusy
	}
	some := g.unread[:min(most, len(g.unread))]
	if g.unread = g.unread[len(some):]; len(g.unread) == 0 {
		g.unread = nil
	}
	g.mu.Unlock()
	for _, n := range some {
		g.u.missed(n)
	}
}

func (u *UA) missed(n unread) {
	defer u.survive()
	m, err := read(n.data)
	if err != nil || m.fault.code != 0 {
		return
	}
	if req, is := m.msg.(*gosip.Request); is {
		in := &inbound{message: m, req: req, method: req.Method, flow: n.flow, trunk: n.trunk}
		u.cfg.TurnedAway(Origin{Network: n.flow.Network, Trunk: n.trunk, Test: u.test(in)}, in.packet(), n.at)
	}
}
