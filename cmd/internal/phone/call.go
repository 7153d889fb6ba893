package phone

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ErrState is wrapped when a call is not, or will never be, in the state that was asked for.
var ErrState = errors.New("phone: the call is not in that state")

// State is how far a call is; it only goes forward.
type State int

// Calling: the INVITE is out or in. Ringing: a provisional response beyond 100 went or came. Confirmed: the ACK of the
// 200 went or came. Ended: over, whatever the way.
const (
	Calling State = iota
	Ringing
	Confirmed
	Ended
)

func (s State) String() string { return [...]string{"calling", "ringing", "confirmed", "ended"}[s] }

// Ending is how a call ended.
type Ending struct {
	// final response of an INVITE that failed (487 when cancelled); 200 for a BYE; 0 for what the wire does not show
	Code    int
	Phrase  string // of the response, or what happened
	Local   bool   // by ourselves
	Reasons []string
}

// Call is one call of a phone. Its methods may be called from any goroutine.
type Call struct {
	phone    *Phone
	ID       string // Call-ID
	Outgoing bool

	// Owned by the phone's loop.
	dialog
	flow       flow
	request0   *Message // our INVITE, to be sent again with credentials
	client     *clientTx
	server     *serverTx // the peer's INVITE, or re-INVITE, until acknowledged
	offered    bool      // our INVITE had SDP
	taken      bool      // the SDP of the INVITE has been negotiated
	answered   bool      // a 2xx went out
	cancelling bool
	cancelled0 bool // the CANCEL is out
	hangLater  []Header
	hanging    bool
	wins       map[uint32]*Message // our ACKs by CSeq
	tries      int
	resend     *timer
	giveUp     *timer
	session    sessionTimer
	policy     Policy
	local      localSDP
	wish       Direction // what we want; the wire shows it met with the peer's
	modifying  bool
	remoteCSeq uint32
	rack       reliable
	bye        bool

	board
	// Guarded by board.mu.
	reached  [4]time.Time
	state    State
	ending   Ending
	invite   *Message // the first INVITE, ours or theirs
	sound    Voice
	media    *media // sound, when it is the phone's own
	info     []byte
	peerHold Direction
}

func callKey(id, tag string) string { return id + "|" + tag }

func (p *Phone) newCall(id string, outgoing bool) *Call {
	c := &Call{phone: p, ID: id, Outgoing: outgoing, wish: SendRecv, wins: map[uint32]*Message{}, peerHold: SendRecv}
	c.callID, c.localTag, c.cseq = id, token(), random32()>>8
	c.local = localSDP{session: uint64(random32()), codecs: p.cfg.Codecs, events: 101}
	if p.cfg.NoEvents {
		c.local.events = 0
	}
	c.reached[Calling] = time.Now()
	p.calls[callKey(id, c.localTag)] = c
	return c
}

// open gives the call its media. Called by the loop.
func (c *Call) open() error {
	if c.Voice() != nil {
		return nil
	}
	v, err := c.phone.newVoice()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.sound = v
	c.media, _ = v.(*media)
	c.mu.Unlock()
	c.local.audio = v.Addr()
	return nil
}

// Voice is what carries the call's sound; nil before there is any.
func (c *Call) Voice() Voice {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sound
}

func (c *Call) voice() *media {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.media
}

// reach moves the state forward and wakes those who wait for it.
func (c *Call) reach(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s <= c.state {
		return
	}
	c.state = s
	c.reached[s] = time.Now()
	c.touch()
}

// end is the one way out of every call: the sound stops, the record stays.
func (c *Call) end(e Ending) {
	if c.State() == Ended {
		return
	}
	for _, t := range []*timer{c.resend, c.giveUp, c.session.timer, c.rack.again} {
		t.stop()
	}
	c.mu.Lock()
	c.ending = e
	v := c.sound
	c.mu.Unlock()
	if v != nil {
		v.Close()
	}
	c.reach(Ended)
	// The dialog stays known for a while, to acknowledge late 2xx and answer late requests.
	c.phone.after(64*c.phone.cfg.T1, func() { delete(c.phone.calls, callKey(c.ID, c.localTag)) })
}

// State is where the call is now.
func (c *Call) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// At is when the call reached a state; zero when it has not.
func (c *Call) At(s State) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reached[s]
}

// Ending is how the call ended; the zero Ending before that.
func (c *Call) Ending() Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// WaitState waits until the call has reached a state, and fails at once when it ended without.
func (c *Call) WaitState(ctx context.Context, s State) error {
	err := c.wait(ctx, func() bool { return !c.reached[s].IsZero() || c.state == Ended })
	if err != nil {
		return fmt.Errorf("phone: %s waits for %s, is %s: %w", c.phone.cfg.Name, s, c.State(), err)
	}
	if c.At(s).IsZero() {
		e := c.Ending()
		return fmt.Errorf("%w: %s ended (%d %s), never %s", ErrState, c.phone.cfg.Name, e.Code, e.Phrase, s)
	}
	return nil
}

// WaitMessage waits for a message of this call that ok likes, among those that passed already too.
func (c *Call) WaitMessage(ctx context.Context, ok func(Logged) bool) (found Logged, err error) {
	j, looked := &c.phone.journal, 0
	err = j.wait(ctx, func() bool {
		for ; looked < len(j.entries); looked++ {
			if found = j.entries[looked]; found.Message.Get("Call-ID") == c.ID && ok(found) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return Logged{}, fmt.Errorf("phone: %s: no such message: %w", c.phone.cfg.Name, err)
	}
	return found, nil
}

// Invite is the first INVITE of the call as it stood on the wire.
func (c *Call) Invite() *Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.invite
}

// Identity is what an INVITE says about who is calling: what a phone would show.
type Identity struct {
	Display, From string   // of From: the display name, and the user part or number
	PAI           []string // P-Asserted-Identity: user part or number of each
}

// Caller is the identity in the call's first INVITE.
func (c *Call) Caller() Identity {
	m := c.Invite()
	display, uri, _ := cutAddr(m.Get("From"))
	id := Identity{Display: display, From: uriUser(uri)}
	for _, v := range m.All("P-Asserted-Identity") {
		_, uri, _ := cutAddr(v)
		id.PAI = append(id.PAI, uriUser(uri))
	}
	return id
}

// InfoKeys is the keys that came by INFO.
func (c *Call) InfoKeys() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.info)
}

// RemoteDirection is what the peer's latest SDP says, as the peer sees it: "sendonly" when it put us on hold.
func (c *Call) RemoteDirection() Direction {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peerHold
}

// WaitRemoteDirection waits until the peer's SDP says d.
func (c *Call) WaitRemoteDirection(ctx context.Context, d Direction) error {
	err := c.wait(ctx, func() bool { return c.peerHold == d || c.state == Ended })
	if err == nil && c.RemoteDirection() != d {
		err = ErrState
	}
	if err != nil {
		return fmt.Errorf("phone: the peer's direction is %s, not %s: %w", c.RemoteDirection(), d, err)
	}
	return nil
}

// dialog is RFC 3261 §12: what a request inside a call is made of.
type dialog struct {
	callID, localTag, remoteTag string
	localAddr, remoteAddr       string // From and To without tags
	target                      string
	routes                      []string
	cseq                        uint32
}

// request makes a request in the dialog, its CSeq the next one (ACK: the caller sets it).
func (d *dialog) request(method string, headers ...Header) *Message {
	d.cseq++
	m := &Message{Method: method, URI: d.target}
	routes := d.routes
	if len(routes) > 0 {
		_, first, _ := cutAddr(routes[0])
		if _, loose := param(first, "lr"); !loose {
			// RFC 3261 §12.2.1.1: a strict router gets itself as Request-URI and the target last.
			m.URI = first
			routes = append(slices.Clone(routes[1:]), "<"+d.target+">")
		}
	}
	for _, r := range routes {
		m.add("Route", r)
	}
	m.add("Max-Forwards", "70")
	m.add("From", d.localAddr+";tag="+d.localTag)
	to := d.remoteAddr
	if d.remoteTag != "" {
		to += ";tag=" + d.remoteTag
	}
	m.add("To", to)
	m.add("Call-ID", d.callID)
	m.add("CSeq", fmt.Sprintf("%d %s", d.cseq, method))
	m.Headers = append(m.Headers, headers...)
	return m
}

// refresh takes the remote target from a Contact (RFC 3261 §12.2).
func (d *dialog) refresh(m *Message) {
	if contacts := m.All("Contact"); len(contacts) > 0 && contacts[0] != "" {
		_, d.target, _ = cutAddr(contacts[0])
	}
}

// hop is where a request in the dialog goes: by route or target, on the open connection where there is one, unless they
// say UDP.
func (c *Call) hop() flow {
	next := c.target
	if len(c.routes) > 0 {
		_, next, _ = cutAddr(c.routes[0])
	}
	transport, said := param(next, "transport")
	transport = strings.ToLower(transport)
	if c.flow.transport != "udp" && transport != "udp" && c.phone.conns[c.flow.remote] != nil {
		return c.flow
	}
	at, ok := uriAddr(next)
	if !ok || !c.phone.allows(at.Addr()) {
		return c.flow
	}
	if !said {
		transport = "udp"
	}
	return flow{transport, at}
}

// bare is an address without its tag and other parameters, always in brackets.
func bare(address string) string {
	display, uri, _ := cutAddr(address)
	if display != "" {
		return fmt.Sprintf("%q <%s>", display, uri)
	}
	return "<" + uri + ">"
}

// Peer is the signalling address of the other end.
func (c *Call) Peer() netip.AddrPort {
	var at netip.AddrPort
	c.phone.do(func() { at = c.flow.remote })
	return at
}
