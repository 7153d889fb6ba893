package trunk

import (
	"context"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/ua"
)

// leaveWait bounds how long a stop waits for registrars.
const leaveWait = time.Second

// domain is the host of our address of record.
func (t Trunk) domain() string {
	if t.SRV != "" {
		return t.SRV
	}
	if len(t.Targets) == 0 {
		return ""
	}
	host, _ := hostPort(t.Targets[0].Host)
	return host
}

// take is receive for what the transport brings.
func (r *registration) take(now time.Time, in ua.Inbound) *gosip.Request {
	if in.Err != nil {
		if r.limit.IsZero() {
			return nil
		}
		return r.failed(now, Outcome{})
	}
	if res, ok := in.Packet.Msg.(*gosip.Response); ok {
		return r.receive(now, res)
	}
	return nil
}

// enrolled sends what a registration wants sent, and says when it has changed.
func (k *Keeper) enrolled(now time.Time, n *neighbour, req *gosip.Request) {
	if req != nil {
		k.send(n, n.enrol.to(), req)
	}
	up := n.enrol.registered(now)
	k.mu.Lock()
	was := n.up
	n.up = up
	k.mu.Unlock()
	switch {
	case up && !was:
		n.log.Info("registered at a trunk", "until", n.enrol.until)
	case n.enrol.leaving:
	case !up && was:
		n.log.Error("no longer registered at a trunk", "code", n.enrol.code)
	case !up && req == nil && n.enrol.fails == 1 && n.enrol.limit.IsZero():
		n.log.Error("a trunk does not register us", "code", n.enrol.code)
	}
}

// leave takes our Contacts away before the goroutine ends.
func (k *Keeper) leave() {
	now, waiting := k.cfg.Now(), 0
	for _, n := range k.neighbours {
		if n.enrol == nil {
			continue
		}
		if req := n.enrol.leave(now, k.order(now, n)); req != nil {
			k.send(n, n.enrol.to(), req)
			waiting++
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
	defer cancel()
	for waiting > 0 {
		select {
		case <-ctx.Done():
			return
		case in := <-k.in:
			k.take(k.cfg.Now(), in)
		}
		waiting = 0
		for _, n := range k.neighbours {
			if n.enrol != nil && !n.enrol.limit.IsZero() {
				waiting++
			}
		}
	}
}
