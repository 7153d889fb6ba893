// Package phone is a SIP phone with a voice, driven from Go: it registers, calls, answers, speaks, listens, presses
// keys, holds and hangs up over real UDP and TCP sockets with real RTP, and writes down everything that passed.
//
// It is the switch's counterpart in the demo and in end-to-end tests, and so shares none of the switch's signalling
// or media code: a mistake made twice would cancel out. Sound is 8 kHz mono, 16-bit.
package phone

import (
	"cmp"
	"container/heap"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrClosed is returned by everything asked of a phone after Close.
var ErrClosed = errors.New("phone: closed")

// ErrNotAllowed is wrapped when a message or sound would go to an address that Config.Allow refuses.
var ErrNotAllowed = errors.New("phone: address not allowed")

// Config says who the phone is and how it behaves. Only Listen is needed.
type Config struct {
	Name      string         // in ladders and logs; User when empty
	Listen    netip.AddrPort // SIP over UDP and TCP; port 0 is any that is free for both. RTP is on the same address
	User      string         // user part of our address
	Password  string         // for digest challenges
	Server    netip.AddrPort // where requests outside a call go; zero: to the host of the URI called
	Domain    string         // host of our address and of short numbers; Server or Listen when empty
	Transport string         // "udp" (default), "tcp" or "tls"
	// of tls: what the phone believes, and shows; with a certificate it listens for TLS in the place of TCP
	TLS *tls.Config
	// the only digest algorithm to answer ("MD5", "SHA-256"); empty: the first offered that we know
	Algorithm string
	Expires   time.Duration // registration asked for; 60 s when zero
	UserAgent string

	Codecs []Codec // in order of preference; A-law then µ-law when empty
	// RTP/SAVP with SDES in our offers, each with a new key; offers and answers without keys are refused
	SRTP     bool
	First    uint16  // number of the first RTP packet; 0: any
	NoEvents bool    // no telephone-event in our SDP
	Speech   []int16 // looped while in a call; silence when empty
	// each call's sound, where the phone is not to carry it itself; Speech, Record and RTCP have no meaning then
	Voice  func() (Voice, error)
	Record bool // keep what was heard
	RTCP   bool // open RTCP beside RTP and send a report each 5 s

	SessionExpires time.Duration // session timer asked for (RFC 4028); zero: none of our own, the peer's is kept
	T1             time.Duration // 500 ms when zero
	Policy         Policy        // what to do with incoming calls; the zero Policy rings and leaves it to Incoming

	// Registrar makes the phone answer REGISTER with digest for these users and passwords: a stand-in for a server.
	Registrar map[string]string
	Digests   []string // algorithms the stand-in offers, in order; SHA-256 and MD5 when empty
	// Lose, when set, is asked for each SIP message (out: ours) and drops it when it says true. Called by the phone's
	// loop.
	Lose func(out bool, m *Message) bool
	// Extra stands in each message of ours, and Attributes behind each session description, as a= lines: what a phone's
	// vendor, or a proxy on the way, adds.
	Extra      []Header
	Attributes []string
	// Tap, when set, is given all that comes, signalling and sound, as it came. It may be called from any goroutine.
	Tap func([]byte)
	// Note, when set, is told each SIP message instead of the phone's keeping it: Messages is empty then. Called by the
	// phone's loop.
	Note func(Logged)
	// Allow, when set, says which addresses the phone may deal with: it neither hears nor sends anything else, and
	// refuses sound that would go elsewhere. It may be called from any goroutine.
	Allow func(netip.Addr) bool
	Log   *slog.Logger
}

// Phone is one device. Its methods may be called from any goroutine.
type Phone struct {
	cfg      Config
	log      *slog.Logger
	udp      *net.UDPConn
	listener net.Listener // TCP or TLS
	addr     netip.AddrPort
	inbox    chan func()
	done     chan struct{}
	closing  sync.Once
	wg       sync.WaitGroup
	incoming chan *Call

	// Owned by loop.
	timers  timers
	conns   map[netip.AddrPort]net.Conn
	clients map[string]*clientTx
	servers map[string]*serverTx
	calls   map[string]*Call
	policy  Policy
	reg     registration
	watched map[string]bool // Call-IDs of our subscriptions
	book    registrar

	journal journal
}

// journal is every message that passed.
type journal struct {
	board
	entries []Logged // guarded by mu
}

// New binds the sockets and starts the phone. Close it.
func New(cfg Config) (*Phone, error) {
	cfg = cfg.filled()
	p := &Phone{
		cfg: cfg, log: cfg.Log.With("phone", cfg.Name), policy: cfg.Policy,
		inbox: make(chan func(), 256), done: make(chan struct{}), incoming: make(chan *Call, 256),
		conns: map[netip.AddrPort]net.Conn{}, clients: map[string]*clientTx{},
		servers: map[string]*serverTx{}, calls: map[string]*Call{}, watched: map[string]bool{},
		reg: registration{callID: token(), tag: token()}, book: newRegistrar(cfg),
	}
	if err := p.bind(); err != nil {
		return nil, err
	}
	if p.cfg.Domain == "" {
		p.cfg.Domain = cmp.Or(cfg.Server, p.addr).Addr().String()
	}
	p.wg.Add(3)
	go p.loop()
	go p.readUDP()
	go p.acceptTCP()
	return p, nil
}

func (c Config) filled() Config {
	c.Transport = cmp.Or(c.Transport, "udp")
	c.Name = cmp.Or(c.Name, c.User)
	c.T1 = cmp.Or(c.T1, 500*time.Millisecond)
	c.Expires = cmp.Or(c.Expires, time.Minute)
	c.UserAgent = cmp.Or(c.UserAgent, "liandong-test-phone")
	if len(c.Digests) == 0 {
		c.Digests = []string{"SHA-256", "MD5"}
	}
	c.Speech = slices.Clone(c.Speech)
	if len(c.Codecs) == 0 {
		c.Codecs = []Codec{PCMA, PCMU}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// bind takes one port for both transports; a free UDP port may be taken on TCP, so it tries a few.
func (p *Phone) bind() (err error) {
	for range 20 {
		p.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(p.cfg.Listen))
		if err != nil {
			return fmt.Errorf("phone: %w", err)
		}
		p.addr = p.udp.LocalAddr().(*net.UDPAddr).AddrPort()
		p.addr = netip.AddrPortFrom(p.addr.Addr().Unmap(), p.addr.Port())
		if p.listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(p.addr)); err == nil {
			if p.listensTLS() {
				p.listener = tls.NewListener(p.listener, p.cfg.TLS)
			}
			return nil
		}
		p.udp.Close()
		if p.cfg.Listen.Port() != 0 {
			break
		}
	}
	return fmt.Errorf("phone: %w", err)
}

func (p *Phone) listensTLS() bool { return p.cfg.Transport == "tls" && len(p.cfg.TLS.Certificates) > 0 }

// Addr is where the phone listens, UDP and TCP.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// Name is the phone's name in ladders.
func (p *Phone) Name() string { return p.cfg.Name }

// Incoming gives each incoming call once, whatever the policy does with it. A caller that never reads loses the 257th.
func (p *Phone) Incoming() <-chan *Call { return p.incoming }

// SetPolicy changes what happens to calls from now on.
func (p *Phone) SetPolicy(policy Policy) error { return p.do(func() { p.policy = policy }) }

// Close ends every call (without waiting for the answers), closes the sockets and waits for all goroutines.
func (p *Phone) Close() {
	p.closing.Do(func() {
		p.do(func() {
			for _, c := range p.calls {
				c.hangUp(nil)
			}
		})
		close(p.done)
		p.udp.Close()
		p.listener.Close()
	})
	p.wg.Wait()
}

// loop owns the signalling: each message, timer and order runs here, one after the other.
func (p *Phone) loop() {
	defer p.wg.Done()
	defer p.shut()
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		clock.Reset(p.timers.wait(time.Now()))
		select {
		case <-p.done:
			return
		case fn := <-p.inbox:
			fn()
		case now := <-clock.C:
			p.timers.run(now)
		}
	}
}

// shut is the loop's last act: nothing is left that could wait for an answer.
func (p *Phone) shut() {
	for _, c := range p.calls {
		c.end(Ending{Code: 0, Phrase: "phone closed", Local: true})
	}
	for _, conn := range p.conns {
		conn.Close()
	}
	p.reg.finish(ErrClosed)
}

// post hands fn to the loop; it waits for room. Never called from the loop.
func (p *Phone) post(fn func()) {
	select {
	case p.inbox <- fn:
	case <-p.done:
	}
}

// do runs fn in the loop and waits for it.
func (p *Phone) do(fn func()) error {
	ran := make(chan struct{})
	p.post(func() { fn(); close(ran) })
	select {
	case <-ran:
		return nil
	case <-p.done:
		return ErrClosed
	}
}

// Lag is how long something new now waits for the phone's loop: its own share in the times that are measured with it.
func (p *Phone) Lag() time.Duration {
	from := time.Now()
	_ = p.do(func() {}) // a closed phone is no slower
	return time.Since(from)
}

// allows says whether the phone may deal with an address.
func (p *Phone) allows(a netip.Addr) bool { return p.cfg.Allow == nil || p.cfg.Allow(a.Unmap()) }

func (p *Phone) after(d time.Duration, fn func()) *timer { return p.timers.add(time.Now().Add(d), fn) }

// timer is one thing to do later; owned by the phone's loop.
type timer struct {
	at time.Time
	fn func()
}

// stop may be called on nil and after it ran.
func (t *timer) stop() {
	if t != nil {
		t.fn = nil
	}
}

// timers is a heap by time.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

func (t *timers) add(at time.Time, fn func()) *timer {
	one := &timer{at, fn}
	heap.Push(t, one)
	return one
}

func (t *timers) wait(now time.Time) time.Duration {
	for len(*t) > 0 && (*t)[0].fn == nil {
		heap.Pop(t)
	}
	if len(*t) == 0 {
		return time.Hour
	}
	return max(0, (*t)[0].at.Sub(now))
}

func (t *timers) run(now time.Time) {
	for len(*t) > 0 && !(*t)[0].at.After(now) {
		if fn := heap.Pop(t).(*timer).fn; fn != nil {
			fn()
		}
	}
}
