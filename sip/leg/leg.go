// Package leg speaks SIP with one party of a call: it is told what the call
// wants (ring, answer, hold, end) and tells what the party did, and does
// everything in between itself, whatever the network loses, doubles or
// reorders.
//
// A Leg is a pure machine. Messages, commands and the time go in; messages for
// the wire and events come out. It owns no socket, reads no clock, and takes
// its random numbers from Config.Rand, so that a whole call can be replayed.
// A Leg is owned by one goroutine.
//
// The owner feeds every message with the leg's Call-ID to Receive in the order
// of the wire, calls Tick when Deadline has come, sends Out.Packets in their
// order, and forgets the leg when it is Done. After the End command, or after
// an Ended or Failed event, a leg becomes Done in bounded time.
package leg

import (
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/snapshot"
)

// Leg is one party's signalling. Owned by one goroutine.
type Leg struct {
	cfg  Config
	self self
	out  Out

	State // what a leg is restored from; only the leg changes it
}

// NewOutbound is a leg that will call: Do(Invite) begins. Its Call-ID is known
// at once.
func NewOutbound(cfg Config, local Local) *Leg {
	l := &Leg{cfg: cfg, State: State{Caller: true, Others: local.Others}}
	l.self = newSelf(&l.cfg, local)
	l.Name = l.token() + l.token()
	l.Media.begin(local, cfg.Rand)
	return l
}

// NewInbound is a leg that is called by the INVITE in p. Without an Invited
// event the leg has refused the INVITE by itself; it has to be kept until Done
// like any other, as the refusal may have to be resent, and the caller may mend
// its INVITE, which then gives Invited from Receive.
func NewInbound(cfg Config, now time.Time, p Packet, local Local) (*Leg, Out) {
	l := &Leg{cfg: cfg, State: State{Phase: over, Flow: p.Flow, Others: local.Others}}
	l.self = newSelf(&l.cfg, local)
	l.Media.begin(local, cfg.Rand)
	l.Dialog.LocalTag = l.token()
	l.Accept.Open = true
	if id := p.Msg.CallID(); id != nil {
		l.Name = id.Value()
	}
	return l, l.Receive(now, p)
}

// CallID names the leg on the wire.
func (l *Leg) CallID() string { return l.Name }

// Named says whether a Replaces names the leg's dialog. RFC 3891 §3: to-tag is
// the local tag and from-tag the remote one; phones that write them the other way
// round are understood too, as the Call-ID is hard to guess.
func (l *Leg) Named(r header.Replaces) bool {
	if l.Phase == over || r.CallID != l.Name {
		return false
	}
	if l.Phase == proceeding && (r.To == "" || r.To == "0") {
		// RFC 3891 §3: "0" is a tag that is not there. A phone that has had no more than a
		// 100 knows none of ours.
		return r.From == l.Dialog.RemoteTag
	}
	is := func(d *dialog.Dialog) bool {
		ours := r.To == d.LocalTag && r.From == d.RemoteTag || r.From == d.LocalTag && r.To == d.RemoteTag
		return d.RemoteTag != "" && ours
	}
	return is(&l.Dialog) || slices.ContainsFunc(l.Invite.Forks, func(f *fork) bool { return is(&f.Dialog) })
}

// Tags are ours and the party's of the leg's dialog, of an early one too; "" while
// there is none.
func (l *Leg) Tags() (ours, theirs string) {
	d := &l.Dialog
	if n := len(l.Invite.Forks); l.Phase == calling && n > 0 {
		d = &l.Invite.Forks[n-1].Dialog
	}
	return d.LocalTag, d.RemoteTag
}

// Answered says that the call was taken, by either side, and goes on.
func (l *Leg) Answered() bool { return l.Phase == talking }

// Do carries out a command.
func (l *Leg) Do(now time.Time, c Command) Out {
	switch c := c.(type) {
	case Invite:
		l.doInvite(now, c)
	case Progress:
		l.doProgress(now, c)
	case Answer:
		l.doAnswer(now, c)
	case Reject:
		l.doReject(now, c)
	case End:
		l.doEnd(now, c)
	case Modify:
		l.doModify(c)
	case Conference:
		l.Focus = c.Name
		l.self.setFocus(l.Focus)
	case ConnectedIdentity:
		l.doConnectedIdentity(c)
	case Report:
		l.doReport(now, c)
	case Renew:
		l.Modify.Renewal = now.Add(c.After)
		l.tickModify(now)
	case Probe:
		l.doProbe(now, c)
	case Move:
		l.move(c.Flow)
	}
	return l.flush(now)
}

// Receive takes any message of this Call-ID, in the order of the wire.
func (l *Leg) Receive(now time.Time, p Packet) Out {
	switch m := p.Msg.(type) {
	case *gosip.Request:
		l.receiveRequest(now, p, m)
	case *gosip.Response:
		l.receiveResponse(now, p, m)
	}
	return l.flush(now)
}

// Failed says that the transport could not send p. RFC 3261 §8.1.3.1: that is
// as a 503 for the transaction.
func (l *Leg) Failed(now time.Time, p Packet) Out {
	if req, ok := p.Msg.(*gosip.Request); ok {
		l.unsendable(now, req)
	}
	return l.flush(now)
}

// Tick lets everything act that is due.
func (l *Leg) Tick(now time.Time) Out {
	// Each round moves every due timer on, so that two are enough; the bound
	// is there for a clock that makes no sense.
	for range 8 {
		if at, ok := l.Deadline(); !ok || at.After(now) {
			break
		}
		l.tick(now)
	}
	return l.flush(now)
}

func (l *Leg) tick(now time.Time) {
	if due(l.Farewell.Limit, now) {
		l.drop()
		return
	}
	for _, c := range l.Clients {
		l.tickClient(now, c)
	}
	for _, s := range l.Servers {
		l.tickServer(now, s)
	}
	l.tickInvite(now)
	l.tickAccept(now)
	l.tickProvisional(now)
	l.tickUnacked(now)
	l.tickProbe(now)
	l.tickModify(now)
	l.tickTimer(now)
	l.tickReferrals(now)
	l.tickFarewell(now)
	l.sweep()
}

// Deadline is when Tick wants to be called; false: never, as things stand.
func (l *Leg) Deadline() (time.Time, bool) {
	var d deadline
	d.at(l.Farewell.Limit)
	for _, c := range l.Clients {
		d.any(c.deadline())
	}
	for _, s := range l.Servers {
		d.any(s.deadline())
	}
	for i := range l.Unacked {
		d.at(l.Unacked[i].Resend)
		d.at(l.Unacked[i].End)
	}
	d.at(l.Invite.Patience)
	d.at(l.Accept.Repeat)
	d.at(l.Accept.Expires)
	d.at(l.Provisional.Resend)
	d.at(l.Provisional.End)
	d.at(l.Probe.Until)
	d.at(l.Modify.Retry)
	d.at(l.Modify.Renewal)
	d.at(l.Timer.Refresh)
	d.at(l.Timer.Expire)
	d.at(l.referralDeadline())
	d.at(l.Farewell.Grace)
	return time.Time(d), !time.Time(d).IsZero()
}

// Done says that the leg has ended and has nothing left to resend: it may be
// forgotten.
func (l *Leg) Done() bool {
	return l.Phase == over && len(l.Clients) == 0 && len(l.Servers) == 0 && len(l.Unacked) == 0 &&
		len(l.Refer.Referrals) == 0 && !l.Farewell.Late
}

// flush hands out what has come up.
func (l *Leg) flush(now time.Time) Out {
	l.sweep()
	l.takeTurn(now)
	l.takeNotice(now)
	if l.Done() {
		l.Farewell.Limit = time.Time{}
	} else if l.Phase == over && l.Farewell.Limit.IsZero() {
		// Each transaction ends by itself after 64*T1, and there are at most
		// four in a row (INVITE, CANCEL, late answer, BYE): this is the net
		// under all of them.
		l.Farewell.Limit = now.Add(5 * l.life())
	}
	out := l.out
	l.out = Out{}
	return out
}

func (l *Leg) tell(e Event) {
	if l.Phase != over {
		l.out.Events = append(l.out.Events, e)
	}
}

// put sends a message; text is what the state has of it, nil: the state does not have it.
func (l *Leg) put(m gosip.Message, text *snapshot.Text, flow Flow, target string) {
	if text == nil {
		text = snapshot.Keep(m).Text()
	}
	l.out.Packets = append(l.out.Packets, Packet{Msg: m, Text: text, Flow: flow, Target: target})
}

// life is how long a transaction waits for the other side.
func (l *Leg) life() time.Duration { return 64 * l.cfg.T1 }

// deadline gathers the earliest of several timers, of which zero does not run.
type deadline time.Time

func (d *deadline) at(t time.Time) {
	if old := time.Time(*d); !t.IsZero() && (old.IsZero() || t.Before(old)) {
		*d = deadline(t)
	}
}

func (d *deadline) any(t time.Time, ok bool) {
	if ok {
		d.at(t)
	}
}

func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }
