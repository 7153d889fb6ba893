package configs

import (
	"maps"
	"reflect"
	"slices"

	"liandong/media/codec"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/sip/sdp"
	"liandong/sip/ua"
)

// Directory is what routing needs: a new snapshot each time, that shares nothing with the config.
func (c *Config) Directory() *desk.Directory {
	d := &desk.Directory{
		Hotlines:   map[string]*desk.Hotline{},
		Seats:      make(map[string]*desk.Seat, len(c.Phones)),
		Trunks:     map[string]*desk.Trunk{},
		Keys:       maps.Clone(c.Keys),
		Services:   maps.Clone(c.Services),
		OneLine:    c.SecondLine == "stay",
		Categories: c.Known(),
		Plan:       c.plan(),
		Realm:      c.Realm,
		Emergency:  c.Emergency,
		MaxCalls:   c.MaxCalls,
		Codecs:     slices.Clone(c.Codecs),
		NetCodecs:  map[string][]codec.ID{},
		Timers: desk.Timers{
			KeyGap: c.Timers.KeyGap, Settle: c.Timers.Settle, TrunkRing: c.Timers.TrunkRing, MaxCall: c.Timers.MaxCall,
		},
	}
	for id, h := range c.Hotlines {
		d.Hotlines[id] = h.line(id)
		d.Hotlines[id].Transfer = h.Transfer.permitted(c.plan())
	}
	for name, n := range c.Networks {
		d.NetCodecs[name] = slices.Clone(n.Codecs)
	}
	seats := make([]desk.Seat, 0, len(c.Phones))
	for user, p := range c.Phones {
		seats = append(seats, desk.Seat{User: user, Hotline: p.Hotline, Name: p.Name, Network: p.Network,
			SRTP:   protections[p.SRTP],
			Codecs: slices.Clone(p.Codecs),
		})
		d.Seats[user] = &seats[len(seats)-1]
	}
	for id, h := range c.Hotlines {
		for _, user := range h.Seats {
			if seat := d.Seats[user]; seat != nil && seat.Hotline == id {
				seat.Takes = true
			}
		}
	}
	for name, t := range c.Trunks {
		d.Trunks[name] = t.neighbour(name)
	}
	return d
}

// protections are the words for SRTP.
var protections = map[string]sdp.Protection{ua.Off: sdp.Off, ua.Preferred: sdp.Preferred, ua.Required: sdp.Required}

func (h *Hotline) line(id string) *desk.Hotline {
	ring, _ := desk.RingByName(h.Ring)
	q := h.Queue
	return &desk.Hotline{
		ID: id, Name: h.Name, Numbers: slices.Clone(h.Numbers), Network: h.Network,
		Seats: slices.Clone(h.Seats), Supervisors: slices.Clone(h.Supervisors), Ring: ring,
		RingEach: h.RingEach, NoAnswer: h.NoAnswer,
		AfterCall: h.AfterCall, Unanswered: h.UnansweredLimit, LastResort: h.NotReady == notReadyLast,
		Trunk: h.Trunk, TrunkNumber: h.TrunkNumber, Partner: h.Partner,
		Queue: desk.Queue{
			MaxWait: q.MaxWait, MaxCalls: q.MaxCalls, Answer: q.Answer,
			Overflow: desk.Overflow{Hotline: q.Overflow.Hotline, Trunk: q.Overflow.Trunk, Number: q.Overflow.Number},
		},
		Callback: desk.Callback{Trunk: h.Callback.Trunk, Number: h.Callback.Number},
		Prompts:  h.Prompts.clips(), Recording: h.Recording.line(), RevealRestricted: h.RevealRestricted,
	}
}

func (t Transfer) permitted(p number.Plan) desk.Transfer {
	d := desk.Transfer{Trunk: t.Trunk}
	for _, n := range t.Numbers {
		if r, ok := p.Range(n); ok {
			d.Numbers = append(d.Numbers, r)
		}
	}
	return d
}

func (t *Trunk) neighbour(name string) *desk.Trunk {
	from, _ := desk.FromByName(t.From)
	return &desk.Trunk{
		Name: name, Network: t.Network, Target: first(t.hosts()), Transport: t.Transport, Match: slices.Clone(t.Match),
		SRTP:    protections[t.SRTP],
		Trusted: t.Trusted, From: from, OwnNumber: t.OwnNumber, PAI: t.PAI, Diversion: t.Diversion,
		HistoryInfo: t.HistoryInfo, MaxCalls: t.MaxCalls,
		Contact: t.contact(), Username: t.Username, Password: t.Password,
	}
}

// first is the first of some words, "" of none.
func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// clips are the roles as routing reads them: silence is an empty name there.
func (r Roles) clips() desk.Prompts {
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		if v.Field(i).String() == silence {
			v.Field(i).SetString("")
		}
	}
	return desk.Prompts(r)
}
