package exchange

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/routing/call"
	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/sip/snapshot"
)

// account is what a call comes to, told in one event at its end (a call detail record). It outlives the process with
// the call.
type account struct {
	Answered time.Time `cbor:",omitempty"` // by the first desk; zero: by none
	Desks    []string  `cbor:",omitempty"` // who have had the caller, in the order in which they came
	Stub     string    `cbor:",omitempty"` // of the last matter
	From, To string    `cbor:",omitempty"` // its lines
	Mode     string    `cbor:",omitempty"`
	Result   string    `cbor:",omitempty"` // of its last hand-over
	Agent    string    `cbor:",omitempty"` // the other line's desk that answered
	Linked   int       `cbor:",omitempty"` // matters of the call
	ThreeWay int64     `cbor:",omitempty"` // milliseconds
}

// mostDesks bounds the desks that are named.
const mostDesks = 32

// note takes in a call event.
func (a *account) note(event, agent, detail string, now time.Time) {
	switch event {
	case "answered", "partner_answered", "picked_up", "joined":
		if a.Answered.IsZero() {
			a.Answered = now
		}
		if agent != "" && len(a.Desks) < mostDesks && !slices.Contains(a.Desks, agent) {
			a.Desks = append(slices.Clip(a.Desks), agent)
		}
	case "three_way_ended":
		if ms, err := strconv.ParseInt(detail, 10, 64); err == nil {
			a.ThreeWay += ms
		}
	}
}

// wrote takes in an entry of a ticket.
func (a *account) wrote(e ticket.Entry) {
	switch e.Event {
	case ticket.Opened:
		a.Stub, a.From, a.To, a.Mode, a.Result, a.Agent = e.StubID, e.From, e.To, e.Mode, "", ""
		a.Linked++
	case ticket.Answered, ticket.Failed, ticket.Abandoned:
		if e.StubID == a.Stub {
			a.Result, a.Agent = e.Result, e.ToAgent
		}
	}
}

// fields are the record of a call that has ended, added to what every event of it says.
func (a *account) fields(c *Core, fields map[string]string) map[string]string {
	began, ended := c.state.At, c.now
	seconds := func(d time.Duration) string { return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64) }
	fields["ended_at"] = c.wall(ended).Format(time.RFC3339Nano)
	fields["duration_s"] = seconds(ended.Sub(began))
	if a.Answered.IsZero() {
		fields["wait_s"] = fields["duration_s"]
	} else {
		fields["answered_at"] = c.wall(a.Answered).Format(time.RFC3339Nano)
		fields["wait_s"], fields["talk_s"] = seconds(a.Answered.Sub(began)), seconds(ended.Sub(a.Answered))
	}
	for name, v := range map[string]string{
		"desks": strings.Join(a.Desks, ","), "stub_id": a.Stub, "from": a.From, "to": a.To, "mode": a.Mode,
		"result": a.Result, "to_agent": a.Agent,
	} {
		if v != "" {
			fields[name] = v
		}
	}
	if a.Linked > 0 {
		fields["linked"] = strconv.Itoa(a.Linked)
	}
	if a.ThreeWay > 0 {
		fields["three_way_s"] = seconds(time.Duration(a.ThreeWay) * time.Millisecond)
	}
	return fields
}

// accounts notes what an event comes to; the last one is followed by the record of all.
func (c *Core) accounts(t call.Tell, fields map[string]string) {
	c.account.note(t.What, fields["agent"], t.Note, c.now)
	if t.What == "ended" {
		record := c.account.fields(c, c.about(t))
		c.owe(record)
		c.publish("record", record)
	}
}

// owe has the record stored with the end of its call, so that it is written down whenever the process ends.
func (c *Core) owe(record map[string]string) {
	if !c.world.Accounts || c.state.Test {
		return
	}
	b, err := snapshot.Encode(record)
	if err != nil {
		c.world.Log.Error("bug: the record of a call cannot be stored", "err", err)
		return
	}
	c.unstored = append(c.unstored, journal.Entry{Kind: journal.Account, Key: record["call_ref"], Value: b})
}
