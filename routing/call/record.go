package call

import (
	"liandong/routing/desk"
	"liandong/routing/verb"
)

// Channel is a party's place in a recording. Who follows in a role has its
// channel.
type Channel uint8

// The channels.
const (
	CallerChannel Channel = iota + 1
	FirstLine             // the desk of the line that was called first
	OtherLine             // the desk of another line
	// a supervisor who has joined; recordings of lines that have none are without it
	SupervisorChannel
)

// ChannelNames are the roles as recordings name them, in the order of the
// channels.
var ChannelNames = []string{"caller", "first_line", "other_line", "supervisor"}

// RecordingState is what is known of the call's recording.
type RecordingState struct {
	Ref    string // its id, whether it has begun or not
	Begun  bool
	On     bool // goes on now; begun and not on is a pause
	Wanted bool // by a desk's key
	Told   bool // somebody at a desk has heard the announcement with the caller
}

// ref is the id of a recording that there is.
func (r RecordingState) ref() string {
	if !r.Begun {
		return ""
	}
	return r.Ref
}

// record derives whether the call is to be recorded, and orders what has
// changed. Like what is heard it follows from the state as a whole.
func (m *machine) record() {
	line, on := m.recordedLine()
	r := &m.Recording
	before := *r
	r.On, r.Begun = on, r.Begun || on
	switch {
	case on && !before.Begun:
		m.do(StartRecording{Ref: r.Ref}, Tell{What: "recording", Note: "started"})
		if m.Matter != nil {
			m.enriched() // its entries so far did not know of it
		}
	case on && !before.On:
		m.do(ResumeRecording{}, Tell{What: "recording", Note: "resumed"})
	case !on && before.On:
		m.do(PauseRecording{}, Tell{What: "recording", Note: "paused"})
	}
	if on && (!before.On || !r.Told && m.Desk != 0) {
		r.Told = m.Desk != 0
		m.announce(line.Recording.Announce)
	}
	if r.Begun {
		m.recordLegs()
		m.noteSupervisors()
	}
}

// recordedLine finds a line whose calls are recorded among those whose desks are
// in the call, or with the line that has the caller in hand. Nothing is
// recorded before the caller is answered.
func (m *machine) recordedLine() (*desk.Hotline, bool) {
	if !m.Answered || m.Test {
		return nil, false
	}
	lines := []string{}
	for _, id := range []LegID{m.Desk, m.Partner} {
		if l, ok := m.Leg(id); ok {
			lines = append(lines, l.Hotline)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, m.inHand())
	}
	for _, id := range lines {
		if h, ok := m.dir.Hotlines[id]; ok && m.records(h) {
			return h, true
		}
	}
	return nil, false
}

func (m *machine) records(h *desk.Hotline) bool {
	return h.Recording.Mode == desk.RecordAlways || h.Recording.Mode == desk.RecordByKey && m.Recording.Wanted
}

// announce lets every party hear that the call is recorded.
func (m *machine) announce(clip string) {
	for _, l := range m.Legs {
		if l.Up {
			m.notice(l.ID, clip)
		}
	}
}

// recordLegs gives each party that is there a channel.
func (m *machine) recordLegs() {
	for i := range m.Legs {
		if l := &m.Legs[i]; l.Up && l.Channel == 0 {
			l.Channel = m.channelOf(*l)
			m.do(RecordLeg{Leg: l.ID, Channel: l.Channel})
		}
	}
	m.recordTaker()
}

// recordTaker takes the taker's channel from the line that he speaks on.
func (m *machine) recordTaker() {
	l, ok := m.Leg(m.Desk)
	second := m.Second.Up && m.talksOn() == m.Second.ID
	if !ok || second == m.Second.Taped {
		return
	}
	m.Second.Taped = second
	from, to := m.Desk, m.Second.ID
	if !second {
		from, to = to, from
	}
	m.do(RecordLeg{Leg: from}, RecordLeg{Leg: to, Channel: l.Channel})
}

// channelOf is a leg's channel by its line; of two desks of one line, or of two
// lines that both were not called first, the second takes the one that is free.
func (m *machine) channelOf(l Leg) Channel {
	if l.ID == CallerLeg {
		return CallerChannel
	}
	own, other := OtherLine, FirstLine
	if l.Hotline == m.Hotline {
		own, other = FirstLine, OtherLine
	}
	for _, o := range m.Legs {
		if o.Channel == own {
			return other
		}
	}
	return own
}

// wantRecording is a desk's key. Of a line that records always the desk cannot
// stop it, and of one that never records not begin it.
func (m *machine) wantRecording(who Leg, on bool) outcome {
	h, ok := m.dir.Hotlines[who.Hotline]
	if ok && h.Recording.Mode == desk.RecordByKey {
		m.Recording.Wanted = on
	}
	if _, will := m.recordedLine(); will != on {
		return refused
	}
	m.notice(who.ID, m.prompts().Confirm)
	return done
}

// recordAsked is a phone's record key, which says what it wants.
func (m *machine) recordAsked(e RecordAsked) {
	if l, ok := m.pressedBy(KeyPressed{Leg: e.Leg}); ok && m.wantRecording(*l, e.On) == refused {
		m.do(Tell{What: "refused", Leg: l.ID, Note: string(verb.Record)})
		m.notice(l.ID, m.prompts().Refuse)
		m.ignore("recording cannot be %s", map[bool]string{true: "begun", false: "stopped"}[e.On])
	}
}

// stopRecording ends it with the call.
func (m *machine) stopRecording() {
	if m.Recording.Begun {
		m.Recording.On = false
		m.do(StopRecording{}, Tell{What: "recording", Note: "stopped"})
	}
}
