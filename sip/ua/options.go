package ua

import (
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// options says what we can do: RFC 3261 §11.2. Max-Forwards 0 is no obstacle, as
// the question ends here (RFC 4475 §3.3.11).
func (u *UA) options(in *inbound) {
	if a, ok := demandsTooMuch(in.req, leg.Supported); ok {
		u.respond(in, a)
		return
	}
	if u.draining.Load() || u.gate.overloaded() {
		u.respond(in, unavailable()) // an edge that asks sends its calls elsewhere
		return
	}
	u.respond(in, say(gosip.StatusOK, "OK",
		header.Field{Name: "Allow", Value: allow},
		header.Field{Name: "Accept", Value: "application/sdp"},
		header.Field{Name: "Supported", Value: leg.Supported},
		header.Field{Name: "Allow-Events", Value: event.Allowed},
	))
}

// demandsTooMuch: RFC 3261 §8.2.2.3, 420 names what of Require we lack.
func demandsTooMuch(req *gosip.Request, have string) (answer, bool) {
	var lacking []string
	for h := range header.All(req, "Require") {
		for _, tag := range strings.Split(h.Value(), ",") {
			if tag = trim(tag); tag != "" && !contains(have, tag) {
				lacking = append(lacking, tag)
			}
		}
	}
	if len(lacking) == 0 {
		return answer{}, false
	}
	return say(gosip.StatusBadExtension, "Bad Extension",
		header.Field{Name: "Unsupported", Value: strings.Join(lacking, ", ")}), true
}

func contains(have, tag string) bool {
	for _, h := range strings.Split(have, ",") {
		if strings.EqualFold(trim(h), tag) {
			return true
		}
	}
	return false
}
