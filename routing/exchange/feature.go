package exchange

import (
	"liandong/routing/desk"
	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/notifier"
)

// features is the event package as-feature-event, by which the do-not-disturb key of a phone has its seat not ready,
// and shows it when somebody else has.
type features struct {
	dir   func() *desk.Directory // the newest
	agent func(user string) Agent
	set   func(user string, to AgentState)
}

// featureEvent is its name.
const featureEvent = "as-feature-event"

func (x *Exchange) features() features {
	return features{dir: x.directory, agent: x.seats.Agent,
		set: func(user string, to AgentState) { x.seats.SetAgent(user, to, "", x.now()) }}
}

func (features) Type() string { return event.FeatureEvent }

// Find: each phone its own seat's.
func (f features) Find(user string, to header.URI) (resource string, code int) {
	if _, ok := f.dir().At(user); !ok || to.User != user {
		return "", 403
	}
	return user, 0
}

// Write is the state of the seat as the phone knows it.
func (f features) Write(v notifier.View) []byte {
	return event.DoNotDisturb{Device: v.To.User, On: f.agent(v.Resource).State == NotReady}.XML()
}

// Asked takes what the key asks for. A seat that is not ready stays so for its reason; off ends after-call work too.
func (f features) Asked(user, resource string, body []byte) {
	d, ok := event.ReadDoNotDisturb(body)
	switch {
	case !ok || user != resource:
	case !d.On:
		f.set(user, Ready)
	case f.agent(user).State != NotReady:
		f.set(user, NotReady)
	}
}
