package call

import (
	"cmp"
	"slices"
	"time"
)

// announceTime is how long an announcement of ours to the caller is safe from
// the partner's early sound. The longest that is shipped takes 7.9 s.
const announceTime = 8 * time.Second

// legEarly: whoever leads to a desk behind a trunk has something to say before
// the desk answers. It is heard in the place of our ringing tone.
func (m *machine) legEarly(id LegID) {
	l, ok := m.Leg(id)
	if ok && id == CallerLeg && m.callsCitizen() {
		l.Early, l.Silent = true, false
		return
	}
	if !ok || l.Up || m.Hunt == nil || id == CallerLeg {
		m.ignore("leg %d is not being rung", id)
		return
	}
	l.Early, l.Silent = true, false
	if h := m.Hunt; m.Met && m.now.Before(h.Since.Add(announceTime)) {
		h.EarlyAt = h.Since.Add(announceTime)
	}
	if m.running() {
		m.secondEarly()
	} else {
		m.reach(false)
	}
}

// earlyLeg is the leg that is heard before its answer, 0 for none. One that falls
// silent is not: there is never nothing to hear.
func (m *machine) earlyLeg() LegID {
	i := slices.IndexFunc(m.Legs, func(l Leg) bool { return l.Early && !l.Silent })
	if i < 0 {
		return 0
	}
	return m.Legs[i].ID
}

// ringback is what somebody who waits hears of a desk that is rung: its early
// sound, or else our tone, after an announcement if there is one.
func (m *machine) ringback(announcement string) Ear {
	if id := m.earlyLeg(); id != 0 {
		return Ear{From: []LegID{id}}
	}
	return playing(announcement, cmp.Or(m.prompts().Ringback, clipRing))
}

// callerRingback is ringback for the caller, to whom our announcement is said to the end.
func (m *machine) callerRingback(announcement string) Ear {
	if m.Hunt != nil && !m.Hunt.EarlyAt.IsZero() {
		return playing(announcement, cmp.Or(m.prompts().Ringback, clipRing))
	}
	return m.ringback(announcement)
}
