package exchange

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/routing/call"
	"liandong/routing/journal"
	"liandong/routing/news"
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

// fields adds the record of a call that has ended to what every event of it says.
func (a *account) fields(c *Core, to *news.Fields) {
	began, ended := c.state.At, c.now
	seconds := func(d time.Duration) string { return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64) }
	to.Set("ended_at", c.wall(ended).Format(time.RFC3339Nano))
	to.Set("duration_s", seconds(ended.Sub(began)))
	if a.Answered.IsZero() {
		to.Set("wait_s", to.Get("duration_s"))
	} else {
		to.Set("answered_at", c.wall(a.Answered).Format(time.RFC3339Nano))
		to.Set("wait_s", seconds(a.Answered.Sub(began)))
		to.Set("talk_s", seconds(ended.Sub(a.Answered)))
	}
	for _, f := range [...]news.Field{
		{Name: "desks", Value: strings.Join(a.Desks, ",")}, {Name: "stub_id", Value: a.Stub},
		{Name: "from", Value: a.From}, {Name: "to", Value: a.To}, {Name: "mode", Value: a.Mode},
		{Name: "result", Value: a.Result}, {Name: "to_agent", Value: a.Agent},
	} {
		if f.Value != "" {
			to.Set(f.Name, f.Value)
		}
	}
	if a.Linked > 0 {
		to.Set("linked", strconv.Itoa(a.Linked))
	}
	if a.ThreeWay > 0 {
		to.Set("three_way_s", seconds(time.Duration(a.ThreeWay)*time.Millisecond))
	}
}

// accounts notes what an event of an agent comes to; the last one is followed by the record of all.
func (c *Core) accounts(t call.Tell, agent string) {
	c.account.note(t.What, agent, t.Note, c.now)
	if t.What == "ended" {
		t.What = "record"
		record := c.about(t)
		c.account.fields(c, &record.Fields)
		c.owe(record.Fields)
		c.publish(record)
	}
}

// owe has the record stored with the end of its call, so that it is written down whenever the process ends.
func (c *Core) owe(record news.Fields) {
	if !c.world.Accounts || c.state.Test {
		return
	}
	fields := record.Map()
	delete(fields, "at")
	b, err := snapshot.Encode(fields)
	if err != nil {
		c.world.Log.Error("bug: the record of a call cannot be stored", "err", err)
		return
	}
	c.unstored = append(c.unstored, journal.Entry{Kind: journal.Account, Key: record.Get("call_ref"), Value: b})
}
