package exchange

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"liandong/media/engine"
	"liandong/media/pcm"
	"liandong/media/record"
	"liandong/media/srtp"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/routing/news"
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
	Rosters *Rosters
	Trunks  Trunks // nil: each trunk is reached at its Target alone
	Tickets Tickets
	Places  func(user string) []Place                         // where the phones of a seat are
	Local   func(network, transport string) (leg.Local, bool) // our address in a network
	Offer   func(call.SeatsFound) bool                        // tells this call of a free seat
	Tell    func(news.Item)                                   // call events, best effort
	NewID   func(at time.Time) string                         // ULIDs for stubs, entries and recordings
	Wall    func(time.Time) time.Time                         // a time of ours by the wall clock; nil: the same
	Find    func(callID string) (ref string, ok bool)         // another call that has this dialog
	Keep    func(...journal.Entry)                            // stores them, all or none; nil: nothing is stored
	Timed   func(store func())                                // stores the call by it; nil: nobody looks at the clock
	Post    func(Letter) bool                                 // brings a letter to another call; false: it is over
	Record  Recorder
	Retape  Retaper // nil: a recording ends with the process
	// Trace is Tell for whoever looks at the messages; nil: nobody does.
	Trace  func(news.Item)
	Astray func() // counts a state that no call can be in; nil: nobody does
	// records of calls are stored with their end, for who is told of them to delete
	Accounts bool
	Bug      func(r any) // is told of a panic that has been got over; nil: a panic goes on
	Skip     uint32      // CSeqs that are left out in a dialog that is gone on with
	// Renew is after what time the next session that is gone on with is offered again; nil: none is
	Renew func() time.Duration
	Leg   leg.Config
	Keys  verb.Keymap // of desks
	Log   *slog.Logger
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
type Recorder func(c record.Call, now time.Time) (LiveRecording, error)

// LiveRecording takes the sound of one call. None of its methods waits.
type LiveRecording interface {
	engine.Tap
	Pause(now time.Time)
	Resume(now time.Time)
	Concern(line string) // whose recording it is as well
	// who is in the call as a supervisor from now on, and nobody else
	Attended(list []record.Attendance, now time.Time)
	Position() record.Position // for who goes on with it
	Stop(now time.Time)
}

// Retaper goes on with a recording of the process before.
type Retaper func(p record.Position, now time.Time) (LiveRecording, error)

// Place is where a phone or a trunk is reached.
type Place struct {
	URI    string   // request URI
	Before []string // Contacts of the phone before this one
	Path   []string // URIs of the proxies before the phone
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

	parties   []*party          // in the order of their ids, those not done
	queue     []call.Event      // facts found while effects were carried out
	shows     []string          // lamps that it changes
	acts      []act             // to be done when the input is over
	taken     string            // the letter that the input is; "": it is none
	unstored  []journal.Entry   // what the journal has kept until the call has taken it
	entries   []journal.Entry   // scratch: as they are stored
	stored    uint64            // the sum of the call as the journal has it; 0: it is not known
	storing   func()            // store, as it is timed
	shining   func()            // shine, as it is done
	lentOut   []*party          // those whose legs another call has
	moved     map[string]string // which call has the leg of a Call-ID that was here
	wishes    []wish            // joins asked for, in the order of their facts
	tape      LiveRecording     // nil: the call is not recorded, or nothing records
	tapeBegan *record.Position  // how the recording was begun; nil: none was
	now       time.Time
	lamps     []LampState // as shown last
	drawn     []LampState // scratch: as they would be
	glanced   glance      // as told last
	same      same        // words for them
	rang      []string    // agents whose ringing was told last
	attended  bool        // a phone has put two of its calls together, and the caller's side has not been told
	seconds   call.LegID  // second dialogs so far
	origin    ua.Origin
	before    before // the caller's INVITE
	reasons   carried
	hops      int // Max-Forwards for the legs that go out

	account   account
	idle      bool // a leg forgets what it waits for no longer: the next process would by itself
	answering bool // what came last was an answer, and no request of a party's own
}

// party is a leg with its signalling, media and key presses.
type party struct {
	ID          call.LegID
	leg         *leg.Leg
	kept        *leg.State // of a party that was read: what leg is to be made of
	Leg         []byte     // a leg.State, as the leg was after its last input but for those that written tells of
	written     *leg.Leg   // of which Leg is up to date
	Network     string
	Agent       string           // the desk as tickets name it, see [call.Leg.Agent]; "" the caller
	Focus       string           // the conference that its phone has called in this dialog
	shownRoster Roster           // as shown last
	Seat        string           // claimed for it, to be released with it
	User        string           // whose phone it is; "" the caller, or a desk behind a trunk
	Contact     string           // where its phone has said to be, which a move does not change
	Transport   string           // by which it was reached at first
	Trunk       string           // behind which it is; "" a phone
	Route       *route           // of a desk behind it; nil: it is reached at one place
	Calls       bool             // its phone has sent the INVITE
	Watches     bool             `cbor:",omitempty"` // as a supervisor's, or did
	Silent      bool             // there is no sign of it, as the media engine has said last
	Answers     bool             // it has been asked whether it is there, and has answered
	Media       bool             // has a port in the media engine
	Addr        netip.AddrPort   // that port
	Can         bool             // has a codec of wideband, as it has said
	Wide        bool             // talks wideband
	Widened     bool             // that was offered to it anew
	Signaller   netip.Addr       // whence its signalling comes
	Stream      *engine.Stream   // the last that was ordered there
	Sound       *engine.LegState // how its sound stood last, but for Stream
	Lender      lender           // of a party that is another call's as yet
	Gone        bool             // no longer of the call; only its farewell goes on
	ForkOf      call.LegID       // the desk for which it rings beside another phone of the user
	Refused     int              // what other phones of the user have said
	Keys        verb.Collector
	traced      traced // for whom it was told whose its dialog is
}

// NewCore makes the call of an INVITE. Nothing happens until [Core.Start].
func NewCore(world World, dir *desk.Directory, origin ua.Origin, ref string) *Core {
	c := &Core{world: world, dir: dir, origin: origin, state: call.Call{Ref: ref}}
	c.storing, c.shining = c.store, c.shine
	return c
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
	c.perform()
	c.forget()
	c.world.Media.Close()
	c.world.Lamps.Show(c.state.Ref, nil)
	if c.tape != nil { // a call that could not end as it should
		c.tape.Stop(c.wall(c.now))
	}
}

// Start takes the INVITE that opens the call.
func (c *Core) Start(now time.Time, p leg.Packet) {
	c.now = now
	c.hears(p)
	caller := &party{
		ID: call.CallerLeg, Network: c.origin.Network, Transport: p.Flow.Transport, Trunk: c.origin.Trunk,
		Contact: p.Contact(), Calls: true, Signaller: p.Flow.Remote.Addr(),
	}
	addr, err := c.port(caller)
	caller.Media, caller.Addr = err == nil, addr
	local := c.local(c.origin.User, c.origin.Network, p.Flow.Transport, addr,
		c.protection(c.origin.User, c.origin.Trunk))
	local.Others = c.waysTo(c.origin.Trunk)
	l, out := leg.NewInbound(c.world.Leg, now, p, local)
	caller.leg = l
	c.parties = append(c.parties, caller)
	if err != nil {
		c.world.Log.Error("no media port for a caller", "network", c.origin.Network, "err", err)
		out.Events = nil
	}
	c.result(caller, out)
	if err != nil {
		c.command(caller, leg.Reject{Code: 503, Phrase: "No Media Port", Fields: retryAfter})
		if e, ok := missedAtDoor(c.dir, c.origin, p, c.state.Ref, c.newID(), c.wall(now)); ok {
			c.later(act{entry: &e})
		}
	}
	c.settle()
}

// Receive takes a message of one of the call's legs, in wire order.
func (c *Core) Receive(now time.Time, p leg.Packet) {
	c.now = now
	c.receive(p)
	c.settle()
}

func (c *Core) receive(p leg.Packet) {
	if who := c.byCallID(p.CallID()); who != nil {
		c.hears(p)
		who.Signaller, c.answering = p.Flow.Remote.Addr(), p.Method() == ""
		c.result(who, who.leg.Receive(c.now, p))
		if p.Method() != "" {
			c.asks(who)
		}
	} else if to, ok := c.moved[p.CallID()]; ok {
		c.post(Letter{To: to, packet: &ua.Inbound{Packet: p}})
	} else {
		c.hears(p)
	}
}

// hears takes a message.
func (c *Core) hears(p leg.Packet) {
	if p.Kept != "" {
		c.takes(journal.Registration, p.Kept) // it stands among all that sip/ua keeps
	}
}

// takes notes an input that the journal keeps for no longer than until what comes of it is stored.
func (c *Core) takes(k journal.Kind, key string) {
	c.unstored = append(c.unstored, journal.Entry{Kind: k, Key: key, Gone: true})
}

// Unsent takes a message of ours that the transport could not send.
func (c *Core) Unsent(now time.Time, p leg.Packet) {
	c.now = now
	c.unsent(p)
	c.settle()
}

func (c *Core) unsent(p leg.Packet) {
	if who := c.byCallID(p.CallID()); who != nil {
		c.result(who, who.leg.Failed(c.now, p))
	} else if to, ok := c.moved[p.CallID()]; ok {
		c.post(Letter{To: to, packet: &ua.Inbound{Packet: p, Err: errUnsent}})
	}
}

// MediaEvent takes an event of the media engine.
func (c *Core) MediaEvent(now time.Time, e engine.Event) {
	c.now = now
	switch e := e.(type) {
	case engine.DigitReceived:
		c.digit(call.LegID(e.Leg), e.Digit, method(e))
		if p := c.party(call.LegID(e.Leg)); p != nil {
			p.Keys.Hold()
			p.pressed(e)
		}
	case engine.DigitReleased:
		if p := c.party(call.LegID(e.Leg)); p != nil {
			p.Keys.Release(now)
		}
	case engine.PlayDone:
		c.fact(call.PlayDone{Leg: call.LegID(e.Leg), ID: e.ID})
	case engine.Checkpoint:
		c.sounded(e.State)
	case engine.MediaLost:
		c.world.Log.Warn("no sound from a party", "leg", e.Leg)
		c.earlySilence(call.LegID(e.Leg), true)
	case engine.MediaBack:
		c.earlySilence(call.LegID(e.Leg), false)
	case engine.Silent:
		c.silent(e.Leg, true)
	case engine.Alive:
		c.silent(e.Leg, false)
	case engine.Talking:
		c.talking(e)
		c.perform() // it changes nothing that is stored
		return
	case engine.Measured:
		c.legMeasured(e)
		c.perform() // it changes nothing that is stored
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
	c.follow(user)
	c.settle()
}

// follow has all that concerns a phone go to where it is reached now.
func (c *Core) follow(user string) {
	places := c.world.Places(user)
	for _, p := range slices.Clone(c.parties) {
		if desk := c.party(p.ForkOf); c.userOf(p) != user && (desk == nil || desk.User != user) {
			continue
		}
		for _, place := range places {
			if p.Contact == place.URI || slices.Contains(place.Before, p.Contact) {
				c.command(p, leg.Move{Flow: place.Flow})
			}
		}
	}
}

// Press takes a verb that came by another way than keys: from the desk of
// this user. An error says why it could not be done.
func (c *Core) Press(now time.Time, user string, v verb.Verb) error {
	c.now = now
	for _, l := range c.state.Legs {
		if l.Seat == user && l.Up {
			c.fact(call.KeyPressed{Leg: l.ID, Verb: v, Stub: c.newID()})
			c.settle()
			return nil
		}
	}
	return fmt.Errorf("exchange: %s has no desk in this call", user)
}

// End releases everybody, who talks after a while: the switch is going down.
func (c *Core) End(now time.Time, grace time.Duration) {
	c.now = now
	c.fact(call.SwitchStops{Grace: grace})
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
		earlier(p.Keys.Deadline())
	}
	return at, ok
}

// Tick lets all timers run that are due.
func (c *Core) Tick(now time.Time) {
	c.now = now
	c.idle = true
	defer func() { c.idle = false }() // after a panic as well
	for _, p := range slices.Clone(c.parties) {
		if at, ok := p.leg.Deadline(); ok && !now.Before(at) {
			out := p.leg.Tick(now)
			c.idle = c.idle && len(out.Events) == 0
			c.result(p, out)
		}
		if digits := p.Keys.Expire(now); digits != "" {
			c.fact(call.DigitsPressed{Leg: p.ID, Digits: digits})
			c.fact(call.KeyCutShort{Leg: p.ID})
		}
	}
	if at, ok := c.state.Deadline(); ok && !now.Before(at) {
		c.fact(call.Ticked{})
	}
	c.idle = c.idle && len(c.queue)+len(c.acts) == 0
	c.settle()
}

// fact queues an event for the call's machine.
func (c *Core) fact(e call.Event) { c.queue = append(c.queue, e) }

// settle ends an input: it steps the call until no fact is left, forgets parties that are done, has the state stored,
// and only then does what the input has come to.
func (c *Core) settle() {
	c.drain()
	c.reasons = carried{}
	c.attend()
	c.traceDialogs()
	c.parties = slices.DeleteFunc(c.parties, func(p *party) bool {
		if !p.leg.Done() {
			return false
		}
		c.farewell(p)
		c.world.Wire.Unbind(p.leg.CallID())
		return true
	})
	c.updateLamps()
	c.look()
	c.commit()
	if c.state.Over() {
		c.thin()
	}
}

// thin lets go of what a call that is over needs no longer, while its legs repeat their farewells for half a minute.
func (c *Core) thin() {
	c.queue, c.drawn, c.shows, c.unstored, c.entries = nil, nil, nil, nil, nil
	for _, p := range c.parties {
		if p.Leg, p.written = nil, nil; !p.Media {
			p.Stream, p.Sound = nil, nil
		}
	}
}

func (c *Core) drain() {
	for c.silences(); len(c.queue) > 0; {
		e := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		if c.step(e); len(c.queue) == 0 {
			c.silences()
		}
	}
}

// command gives a leg an order and takes what comes of it.
func (c *Core) command(p *party, cmd leg.Command) { c.result(p, p.leg.Do(c.now, cmd)) }

// result sends what a leg wants sent and turns its events into facts.
func (c *Core) result(p *party, out leg.Out) {
	p.written = nil
	for i := range out.Packets {
		c.later(act{packet: &out.Packets[i]})
	}
	for _, e := range out.Events {
		if p.leg == nil {
			return // it has gone back to the call it came from
		}
		if !c.mended(func() { c.legEvent(p, e) }) {
			c.unheard(p, e)
		}
	}
}

func (c *Core) legEvent(p *party, e leg.Event) {
	if p.Lender.Ref != "" && c.guest(p, e) {
		return
	}
	if c.forked(p, e) {
		return
	}
	switch e := e.(type) {
	case leg.Invited:
		c.invited(p, e)
	case leg.Progressed:
		c.targetAnswered(p, e.Code)
		c.earlyMedia(p, e.Media)
		c.fact(call.LegRinging{Leg: p.ID})
	case leg.Referred:
		c.referred(p, e)
	case leg.Alive:
		p.Answers = p.Answers || c.answering
		c.fact(call.LegAlive{Leg: p.ID})
	case leg.Unanswered:
		c.unanswered(p)
	case leg.Answered:
		c.targetAnswered(p, 200)
		if p.Seat != "" {
			c.world.Seats.Answered(c.state.Ref, p.Seat)
		}
		c.negotiated(p, e.Media)
		c.fact(call.LegAnswered{Leg: p.ID})
	case leg.MediaChanged:
		if l, ok := c.state.Leg(p.ID); ok && !l.Up && p.Route != nil {
			c.earlyMedia(p, &e.Media) // by UPDATE or PRACK, before the answer
			return
		}
		c.negotiated(p, e.Media)
	case leg.InfoReceived:
		for _, d := range []byte(e.Keys) {
			c.digit(p.ID, d, verb.ByINFO)
		}
		if on, ok := recordKeys[strings.ToLower(strings.TrimSpace(e.RecordHeader))]; ok {
			c.fact(call.RecordAsked{Leg: p.ID, On: on})
		}
	case leg.Failed:
		if c.failOver(p, e) {
			return
		}
		c.reasons = carried{p.Network, e.Reasons}
		c.inVain(p, e.Code == 486 || e.Code == 600)
		c.farewell(p)
		if better(p.Refused, e.Code) {
			e.Code = p.Refused
		}
		c.fact(call.LegFailed{Leg: p.ID, Code: failure(p, e)})
	case leg.Ended:
		c.reasons = carried{p.Network, e.Reasons}
		c.farewell(p)
		c.fact(call.LegEnded{Leg: p.ID, Lost: e.Cause != leg.Bye && e.Cause != leg.Cancel})
	}
}

// inVain tells the register of seats that a desk's phone was rung and did not answer.
func (c *Core) inVain(p *party, busy bool) {
	if p != nil && p.Seat != "" && !p.Calls && !p.Gone && !p.leg.Answered() {
		c.world.Seats.RangInVain(c.state.Ref, p.Seat, busy, c.now)
	}
}

// recordKeys are the values of the Record header that phones send in an INFO when their
// record key is pressed.
var recordKeys = map[string]bool{"on": true, "off": false}

// negotiated applies an offer/answer to the media, and tells a hold.
func (c *Core) negotiated(p *party, s sdp.Session) {
	if p.Gone {
		return
	}
	p.Can, p.Wide = s.Wideband, s.Codec.Rate() > pcm.Rate
	stream := streamOf(p, s)
	stream.ToneKeys = p.ID != call.CallerLeg && len(s.DTMFRecv) == 0
	c.stream(p, stream)
	c.widen(p)
	c.fact(call.LegHeld{Leg: p.ID, Held: !stream.Send})
}

// streamOf is what offer and answer came to, in the words of the media engine.
func streamOf(p *party, s sdp.Session) engine.Stream {
	return engine.Stream{
		Leg: engine.LegID(p.ID), Remote: s.Remote, Signaller: p.Signaller, RemoteRTCP: s.RemoteRTCP, RTCPMux: s.RTCPMux,
		Codec: s.Codec, PT: s.PT, Recv: s.Recv, DTMFSend: s.DTMFSend, DTMFRecv: s.DTMFRecv, Ptime: s.Ptime,
		Seal: srtp.Key{Suite: s.Seal.Suite, Material: s.Seal.Key},
		Open: srtp.Key{Suite: s.Open.Suite, Material: s.Open.Key},
		Send: s.Direction == sdp.SendRecv || s.Direction == sdp.SendOnly, Receive: s.Direction == sdp.SendRecv ||
			s.Direction == sdp.RecvOnly,
	}
}

// digit takes one key press. What the caller dials is never a key.
func (c *Core) digit(id call.LegID, digit byte, m verb.Method) {
	p := c.party(id)
	if p == nil || p.Gone {
		return
	}
	if _, ok := c.state.Supervisor(id); ok {
		c.superviseByKey(p, digit, m)
		return
	}
	verbs, passed := p.Keys.Press(c.now, digit, m)
	if passed != "" {
		c.fact(call.DigitsPressed{Leg: id, Digits: passed})
	}
	for _, v := range verbs {
		c.fact(call.KeyPressed{Leg: id, Verb: v, Stub: c.newID()})
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
	if p.Gone {
		return
	}
	p.Gone = true
	if p.Media {
		c.media(engine.Close{Leg: engine.LegID(p.ID), About: c.leaving(p)})
		p.Media = false
	}
	if p.Seat != "" && !c.seated(p.Seat) {
		c.world.Seats.Release(c.state.Ref, p.Seat, c.now)
	}
}

// seated says that a seat has another leg in the call: its phone has picked up what
// rang it too, or has taken the call over.
func (c *Core) seated(seat string) bool {
	return slices.ContainsFunc(c.parties, func(p *party) bool { return p.Seat == seat && !p.Gone })
}

func (c *Core) party(id call.LegID) *party {
	for _, p := range c.parties {
		if p.ID == id {
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
