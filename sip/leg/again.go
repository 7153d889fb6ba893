package leg

import (
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// again sends a refused request once more with what the refusal asks for: an
// answer to its challenge, or a longer session interval.
func (l *Leg) again(now time.Time, c *client, o outcome) bool {
	res := o.res
	if o.req == nil || c.Tries >= 4 || (l.Phase == over && c.Method != gosip.BYE) {
		return false
	}
	next := *c
	var fields []header.Field
	switch res.StatusCode {
	case 401, 407:
		if fields = l.credentials(o); refusedProof(c, o.res, fields) {
			return false // refused with an answer: it is not going to like it better
		}
		next.Proved = append(slices.Clone(c.Proved), names(fields)...)
	case 422:
		fields = l.longer(o)
	case 488, 606:
		if fields = l.inTheOpen(c); fields != nil {
			next.Proved = nil // its answer to a challenge was for the INVITE that was refused
		}
	}
	if fields == nil {
		return false
	}
	next.Invite, next.Other, next.Acks = txn.ClientInvite{}, txn.Client{}, nil
	next.Cancel = cancelling{Patience: c.Cancel.Patience}
	next.Tries++
	req := l.rebuild(c, o.req, fields)
	if res.StatusCode == 488 || res.StatusCode == 606 {
		header.SetBody(req, l.Media.offer(true))
	}
	l.resent(c, &next, req)
	l.start(now, &next, req)
	return true
}

// refusedProof says that a request had credentials of the kind that it is asked for, and
// was refused for them and not for their age: RFC 7616 §3.3, stale: "the client may wish
// to simply retry the request with a new encrypted response".
func refusedProof(c *client, res *gosip.Response, proof []header.Field) bool {
	had := slices.ContainsFunc(proof, func(f header.Field) bool { return slices.Contains(c.Proved, f.Name) })
	return had && !stale(res)
}

func stale(res *gosip.Response) bool {
	for _, name := range [...]string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, v := range values(res, name) {
			if auth.Stale(v) {
				return true
			}
		}
	}
	return false
}

func names(fields []header.Field) (list []string) {
	for _, f := range fields {
		list = append(list, f.Name)
	}
	return list
}

// inTheOpen says that a first INVITE which was refused for its SRTP may be sent
// again without, as far as SRTP was only preferred; nil: it may not.
func (l *Leg) inTheOpen(c *client) []header.Field {
	if c.ID != l.Invite.Client || l.Invite.Delayed || l.Media.Local.Protection != sdp.Preferred ||
		l.Media.Local.Profile != sdp.Secure {
		return nil
	}
	l.Media.Opened = true
	return []header.Field{}
}

// rebuild copies a request with a new Via and CSeq, replacing the headers that
// fields name.
func (l *Leg) rebuild(c *client, old *gosip.Request, fields []header.Field) *gosip.Request {
	return l.recast(old, c.Flow.Transport, l.nextSeq(c), fields)
}

func (l *Leg) nextSeq(c *client) uint32 {
	if d := l.dialogBy(c); d != nil {
		return d.Next()
	}
	return c.Seq + 1 // the first INVITE, or the last word in a fork's dialog
}

func named(fields []header.Field, name string) bool {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// resent lets the acts that wait for a client wait for the one that takes its
// place, which is about to be started.
func (l *Leg) resent(old, next *client, req *gosip.Request) {
	if old.ID == l.Invite.Client {
		// early dialogs of the refused INVITE went with it
		l.Invite.Forks = nil
		l.Invite.Half.LocalSeq = req.CSeq().SeqNo
	}
	for _, waits := range [...]*clientID{&l.Invite.Client, &l.Refer.Notice, &l.Modify.Client, &l.Probe.Client} {
		if *waits == old.ID {
			*waits = l.Begun + 1
		}
	}
}
