package exchange

import (
	"strings"
	"time"

	"liandong/routing/desk"
	"liandong/routing/ticket"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// A citizen who is turned away at the door, since the switch has no room or goes down, is a missed call as one who gave
// up waiting is.

// turned are calls that were turned away of late, by Call-ID: the INVITE comes again until it is known that it was
// answered (RFC 3261 §17.1.1.2), for no longer than copiesFor.
type turned map[string]time.Time

// maxTurned bounds them.
const maxTurned = 8192

// first notes a call that is turned away; false: it is known already.
func (t turned) first(callID string, now time.Time) bool {
	if _, again := t[callID]; again {
		return false
	}
	if len(t) >= maxTurned {
		for id, at := range t {
			if now.Sub(at) > copiesFor {
				delete(t, id)
			}
		}
	}
	if len(t) < maxTurned {
		t[callID] = now
	}
	return true
}

// TurnedAway tells the line of a citizen for whom there was no room, or no time.
func (x *Exchange) TurnedAway(o ua.Origin, p leg.Packet, now time.Time) {
	x.mu.Lock()
	first := x.turned.first(p.CallID(), now)
	x.mu.Unlock()
	if !first {
		return
	}
	wall := x.cfg.Clock.Wall(now)
	e, ok := missedAtDoor(x.directory(), o, p, x.cfg.NewRef(), x.cfg.NewID(wall), wall)
	if !ok {
		return
	}
	x.cfg.Tickets.Put(e, func(err error) {
		if err != nil {
			x.log.Error("a ticket entry is not on disk", "stub", e.StubID, "event", e.Event, "err", err)
		}
	})
}

// missedAtDoor is the entry of a citizen who was turned away; false: it is none, or has called no line. id is that of
// what would have been the recording.
func missedAtDoor(dir *desk.Directory, o ua.Origin, p leg.Packet, ref, id string,
	at time.Time) (e ticket.Entry, ok bool) {
	trunk := dir.Trunks[o.Trunk]
	if trunk == nil || o.User != "" || o.Test || p.Method() != "INVITE" {
		return e, false
	}
	if _, enters := leg.Entered(p); enters {
		return e, false
	}
	identity, called, to := leg.Claimed(p)
	dialed := calledNumber(called)
	if trunk.Contact != "" && dialed == trunk.Contact {
		dialed = calledNumber(to)
	}
	line, ok := dir.LineByNumber(dialed)
	if !ok {
		return e, false
	}
	dialed, _, _ = strings.Cut(dialed, ";")
	who := dir.Plan.Read(identity, trunk.Trusted)
	return ticket.Entry{
		EventID: ticket.DerivedID(id, "missed"), StubID: ticket.DerivedID(id, "stub"), Event: ticket.Missed, At: at,
		From: line.ID, To: line.ID, Mode: ticket.TicketOnly, CallRef: ref, CallerE164: who.E164, CallerRaw: who.Raw,
		CallerStatus: who.Status.String(), CallerSource: who.Source, Dialed: dialed, CallAt: at,
		Result: "failed", Reason: ticket.Overload, Waited: "0",
	}, true
}
