package exchange

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"liandong/media/engine"
	"liandong/media/record"
	"liandong/media/srtp"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/leg"
	"liandong/sip/sdp"
	"liandong/sip/ua"
)

// World is what a call needs of the rest of the switch. Every method returns
// at once; results that take time come back as inputs of the [Core].
type World struct {
	Wire    Wire
	Media   Media
	Seats   *Seats
	Lamps   *Lamps
	Rooms   *Rooms
	Trunks  Trunks // nil: each trunk is reached at its Target alone
	Tickets Tickets
	Place   func(user string) (Place, bool)                   // where a seat's phone is
	Local   func(network, transport string) (leg.Local, bool) // our address in a network
	Offer   func(call.SeatsFound) bool                        // tells this call of a free seat
	Tell    func(event string, fields map[string]string)      // call events, best effort
	NewID   func(now time.Time) string                        // ULIDs for stubs, entries and recordings
	Find    func(callID string) (Peer, bool)                  // another call that has this dialog
	Self    Peer                                              // this call as others see it
	Record  Recorder
	Leg     leg.Config
	Log     *slog.Logger
}

// Wire sends signalling.
type Wire interface {
	Send(leg.Packet)
	Bind(callID string)
	Unbind(callID string)
}

// Media is this call's session in the media engine.
type Media interface {
	Open(id engine.LegID, network string) (netip.AddrPort, error)
	Do(engine.Command)
	Close()
}

// Tickets is the durable outbox.
type Tickets interface {
	Put(e ticket.Entry, done func(error))
}

// Recorder begins recordings; nil: the switch makes none.
type Recorder func(c record.Call, now time.Time) (Recording, error)

// Recording takes the sound of one call. None of its methods waits.
type Recording interface {
	engine.Tap
	Pause(now time.Time)
	Resume(now time.Time)
	Stop(now time.Time)
}

// Place is where a phone or a trunk is reached.
type Place struct {
	URI    string // request URI
	Flow   leg.Flow
	Target string // host:port to resolve when Flow.Remote is not known
	SRTP   sdp.Protection
}

// Core is one call with its legs: it runs [call.Step] and carries out the
// effects. It is pure but for the World it is given, so that the simulation
// runs the very code that the switch runs. Owned by the call's actor.
type Core struct {
	world World
	dir   *desk.Directory
	state call.Call
	keys  verb.Keymap

	parties  []*party        // in the order of their ids, those not done
	queue    []call.Event    // facts found while effects were carried out
	lentOut  []*party        // those whose legs another call has
	moved    map[string]Peer // who has the leg of a Call-ID that was here
	wishes   []wish          // joins asked for, in the order of their facts
	tape     Recording       // nil: not recorded
	now      time.Time
	lit      []Light    // as shown last
	attended bool       // a phone has put two of its calls together, and the caller's side has not been told
	seconds  call.LegID // second dialogs so far
	origin   ua.Origin
	before   before // the caller's INVITE
	reasons  carried
	hops     int // Max-Forwards for the legs that go out
}

// party is a leg with its signalling, media and key presses.
type party struct {
	id        call.LegID
	leg       *leg.Leg
	network   string
	agent     string         // the desk as tickets name it, see [call.Leg.Agent]; "" the caller
	focus     string         // the conference that its phone has called in this dialog
	room      Room           // as shown last
	seat      string         // claimed for it, to be released with it
	user      string         // whose phone it is; "" the caller, or a desk behind a trunk
	contact   string         // where its phone has said to be, which a move does not change
	transport string         // by which it was reached at first
	trunk     string         // behind which it is; "" a phone
	route     *route         // of a desk behind it; nil: it is reached at one place
	calls     bool           // its phone has sent the INVITE
	media     bool           // has a port in the media engine
	addr      netip.AddrPort // that port
	lender    lender         // of a party that is another call's as yet
	gone      bool           // no longer of the call; only its farewell goes on
	keys      verb.Collector
}

// NewCore makes the call of an INVITE. Nothing happens until [Core.Start].
func NewCore(world World, dir *desk.Directory, origin ua.Origin, ref string) (*Core, error) {
	keys, err := verb.NewKeymap(dir.Keys)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	return &Core{world: world, dir: dir, keys: keys, origin: origin, state: call.Call{Ref: ref}}, nil
}

// State is a copy of the call's state.
func (c *Core) State() call.Call { return c.state }

// Done says that the call is over and nothing is left to resend.
func (c *Core) Done() bool { return len(c.parties) == 0 && (c.state.Over() || c.state.Phase == "") }

// Close frees what the call holds outside of itself.
func (c *Core) Close() {
	for _, p := range c.parties {
		c.farewell(p)
		c.world.Wire.Unbind(p.leg.CallID())
	}
	for _, p := range c.lentOut {
		c.farewell(p)
	}
	c.attend()
	c.world.Media.Close()
	c.world.Lamps.Show(c.state.Ref, nil)
	if c.tape != nil { // a call that could not end as it should
		c.tape.Stop(c.now)
	}
}

// Start takes the INVITE that opens the call.
func (c *Core) Start(now time.Time, p leg.Packet) {
	c.now = now
	addr, err := c.world.Media.Open(engine.LegID(call.CallerLeg), c.origin.Network)
	l, out := leg.NewInbound(c.world.Leg, now, p, c.local(c.origin.Network, p.Flow.Transport, addr, c.protection(c.origin.User, c.origin.Trunk)))
	caller := &party{
		id: call.CallerLeg, leg: l, network: c.origin.Network, transport: p.Flow.Transport, trunk: c.origin.Trunk,
		contact: p.Contact(), calls: true, media: err == nil, addr: addr,
	}
	c.parties = append(c.parties, caller)
	if err != nil {
		c.world.Log.Error("no media port for a caller", "network", c.origin.Network, "err", err)
		out.Events = nil
	}
	c.result(caller, out)
	if err != nil {
		c.command(caller, leg.Reject{Code: 503, Phrase: "No Media Port", Fields: retryAfter})
	}
	c.settle()
}

// Receive takes a message of one of the call's legs, in wire order.
func (c *Core) Receive(now time.Time, p leg.Packet) {
	c.now = now
	if who := c.byCallID(p.CallID()); who != nil {
		c.result(who, who.leg.Receive(now, p))
	} else if to, ok := c.moved[p.CallID()]; ok {
		to.Ask(func(now time.Time, o *Core) { o.Receive(now, p) })
	}
	c.settle()
}

// Unsent takes a message of ours that the transport could not send.
func (c *Core) Unsent(now time.Time, p leg.Packet) {
	c.now = now
	if who := c.byCallID(p.CallID()); who != nil {
		c.result(who, who.leg.Failed(now, p))
	} else if to, ok := c.moved[p.CallID()]; ok {
		to.Ask(func(now time.Time, o *Core) { o.Unsent(now, p) })
	}
	c.settle()
}

// Heard takes an event of the media engine.
func (c *Core) Heard(now time.Time, e engine.Event) {
	c.now = now
	switch e := e.(type) {
	case engine.DigitReceived:
		c.digit(call.LegID(e.Leg), e.Digit, method(e))
	case engine.PlayDone:
		c.fact(call.PlayDone{Leg: call.LegID(e.Leg), ID: e.ID})
	case engine.MediaLost:
		c.world.Log.Warn("no sound from a party", "leg", e.Leg)
		c.fact(call.LegSilent{Leg: call.LegID(e.Leg), Silent: true})
	case engine.MediaBack:
		c.fact(call.LegSilent{Leg: call.LegID(e.Leg)})
	case engine.Talking:
		c.talking(e)
		return
	case engine.QualityChanged:
		c.qualityChanged(e)
	}
	c.settle()
}

// SeatFree takes the word of the seat register that a seat was claimed for
// this call while it waited.
func (c *Core) SeatFree(now time.Time, e call.SeatsFound) {
	c.now = now
	c.fact(e)
	c.settle()
}

// Moved follows a phone that has registered anew, from another port or over
// another connection, to where it is reached now. Another phone of the same
// user is none of this call's.
func (c *Core) Moved(now time.Time, user string) {
	c.now = now
	place, ok := c.world.Place(user)
	for _, p := range c.parties {
		if ok && c.userOf(p) == user && p.contact == place.URI {
			c.command(p, leg.Move{Flow: place.Flow})
		}
	}
	c.settle()
}

// Press takes a verb that came by another way than keys: from the desk of
// this user. An error says why it could not be done.
func (c *Core) Press(now time.Time, user string, v verb.Verb) error {
	c.now = now
	for _, l := range c.state.Legs {
		if l.Seat == user && l.Up {
			c.fact(call.KeyPressed{Leg: l.ID, Verb: v, Stub: c.world.NewID(now)})
			c.settle()
			return nil
		}
	}
	return fmt.Errorf("exchange: %s has no desk in this call", user)
}

// End releases everybody: the switch is going down.
func (c *Core) End(now time.Time) {
	c.now = now
	c.fact(call.Broken{Why: "the switch stops"})
	c.settle()
}

// Deadline is when Tick has something to do.
func (c *Core) Deadline() (at time.Time, ok bool) {
	earlier := func(t time.Time, some bool) {
		if some && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	earlier(c.state.Deadline())
	for _, p := range c.parties {
		earlier(p.leg.Deadline())
		earlier(p.keys.Deadline())
	}
	return at, ok
}

// Tick lets all timers run that are due.
func (c *Core) Tick(now time.Time) {
	c.now = now
	for _, p := range slices.Clone(c.parties) {
		if at, ok := p.leg.Deadline(); ok && !now.Before(at) {
			c.result(p, p.leg.Tick(now))
		}
		if digits := p.keys.Expire(now); digits != "" {
			c.fact(call.DigitsPressed{Leg: p.id, Digits: digits})
		}
	}
	if at, ok := c.state.Deadline(); ok && !now.Before(at) {
		c.fact(call.Ticked{})
	}
	c.settle()
}

// fact queues an event for the call's machine.
func (c *Core) fact(e call.Event) { c.queue = append(c.queue, e) }

// settle steps the call until no fact is left, then forgets parties that are
// done.
func (c *Core) settle() {
	for len(c.queue) > 0 {
		e := c.queue[0]
		c.queue = c.queue[1:]
		state, effects := call.Step(c.state, c.dir, c.now, e)
		c.state = state
		for _, x := range effects {
			c.carryOut(x)
		}
	}
	c.reasons = carried{}
	c.attend()
	c.parties = slices.DeleteFunc(c.parties, func(p *party) bool {
		if !p.leg.Done() {
			return false
		}
		c.farewell(p)
		c.world.Wire.Unbind(p.leg.CallID())
		return true
	})
	c.light()
}

// command gives a leg an order and takes what comes of it.
func (c *Core) command(p *party, cmd leg.Command) { c.result(p, p.leg.Do(c.now, cmd)) }

// result sends what a leg wants sent and turns its events into facts.
func (c *Core) result(p *party, out leg.Out) {
	for _, packet := range out.Packets {
		c.world.Wire.Send(packet)
	}
	for _, e := range out.Events {
		if p.leg == nil {
			return // it has gone back to the call it came from
		}
		c.legEvent(p, e)
	}
}

func (c *Core) legEvent(p *party, e leg.Event) {
	if p.lender.peer != nil && c.guest(p, e) {
		return
	}
	switch e := e.(type) {
	case leg.Invited:
		c.invited(p, e)
	case leg.Progressed:
		c.heard(p, e.Code)
		c.early(p, e.Media)
		c.fact(call.LegRinging{Leg: p.id})
	case leg.Referred:
		c.referred(p, e)
	case leg.Answered:
		c.heard(p, 200)
		if p.seat != "" {
			c.world.Seats.Answered(c.state.Ref, p.seat)
		}
		c.negotiated(p, e.Media)
		c.fact(call.LegAnswered{Leg: p.id})
	case leg.MediaChanged:
		if l, ok := c.state.Leg(p.id); ok && !l.Up && p.route != nil {
			c.early(p, &e.Media) // by UPDATE or PRACK, before the answer
			return
		}
		c.negotiated(p, e.Media)
	case leg.InfoReceived:
		for _, d := range []byte(e.Keys) {
			c.digit(p.id, d, verb.ByINFO)
		}
		if on, ok := recordKeys[strings.ToLower(strings.TrimSpace(e.RecordHeader))]; ok {
			c.fact(call.RecordAsked{Leg: p.id, On: on})
		}
	case leg.Failed:
		if c.failOver(p, e) {
			return
		}
		c.reasons = carried{p.network, e.Reasons}
		c.farewell(p)
		c.fact(call.LegFailed{Leg: p.id, Code: failure(p, e)})
	case leg.Ended:
		c.reasons = carried{p.network, e.Reasons}
		c.farewell(p)
		c.fact(call.LegEnded{Leg: p.id, Lost: e.Cause != leg.Bye && e.Cause != leg.Cancel})
	}
}

// recordKeys are the values of the Record header that phones send in an INFO when their
// record key is pressed.
var recordKeys = map[string]bool{"on": true, "off": false}

// negotiated applies an offer/answer to the media, and tells a hold.
func (c *Core) negotiated(p *party, s sdp.Session) {
	if p.gone {
		return
	}
	stream := streamOf(p, s)
	stream.ToneKeys = p.id != call.CallerLeg && len(s.DTMFRecv) == 0
	c.world.Media.Do(stream)
	c.fact(call.LegHeld{Leg: p.id, Held: !stream.Send})
}

// streamOf is what offer and answer came to, in the words of the media engine.
func streamOf(p *party, s sdp.Session) engine.Stream {
	return engine.Stream{
		Leg: engine.LegID(p.id), Remote: s.Remote, RemoteRTCP: s.RemoteRTCP, RTCPMux: s.RTCPMux,
		Codec: s.Codec, PT: s.PT, Recv: s.Recv, DTMFSend: s.DTMFSend, DTMFRecv: s.DTMFRecv, Ptime: s.Ptime,
		Seal: srtp.Key{Suite: s.Seal.Suite, Material: s.Seal.Key}, Open: srtp.Key{Suite: s.Open.Suite, Material: s.Open.Key},
		Send: s.Direction == sdp.SendRecv || s.Direction == sdp.SendOnly, Receive: s.Direction == sdp.SendRecv || s.Direction == sdp.RecvOnly,
	}
}

// digit takes one key press. What the caller dials is never a key.
func (c *Core) digit(id call.LegID, digit byte, m verb.Method) {
	p := c.party(id)
	if p == nil || p.gone {
		return
	}
	verbs, passed := p.keys.Press(c.now, digit, m)
	if passed != "" {
		c.fact(call.DigitsPressed{Leg: id, Digits: passed})
	}
	for _, v := range verbs {
		c.fact(call.KeyPressed{Leg: id, Verb: v, Stub: c.world.NewID(c.now)})
	}
}

// method is the way by which a key came through the media engine.
func method(e engine.DigitReceived) verb.Method {
	if e.Tone {
		return verb.ByTone
	}
	return verb.ByRTP
}

// farewell takes a party out of the call: its seat and its port are free. Its
// leg stays until it has nothing left to resend.
func (c *Core) farewell(p *party) {
	if p.gone {
		return
	}
	p.gone = true
	if p.media {
		c.world.Media.Do(engine.Close{Leg: engine.LegID(p.id), About: c.leaving(p)})
		p.media = false
	}
	if p.seat != "" && !c.seated(p.seat) {
		c.world.Seats.Release(c.state.Ref, p.seat, c.now)
	}
}

// seated says that a seat has another leg in the call: its phone has picked up what
// rang it too, or has taken the call over.
func (c *Core) seated(seat string) bool {
	return slices.ContainsFunc(c.parties, func(p *party) bool { return p.seat == seat && !p.gone })
}

func (c *Core) party(id call.LegID) *party {
	for _, p := range c.parties {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (c *Core) byCallID(id string) *party {
	for _, p := range c.parties {
		if p.leg.CallID() == id {
			return p
		}
	}
	return nil
}
