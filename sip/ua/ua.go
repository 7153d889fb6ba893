// Package ua carries a switch's SIP messages between its sockets and its calls:
// it hears UDP, TCP and TLS on each network, finds the call by Call-ID in the order
// of the wire, keeps the phones' registrations, and answers by itself whatever
// belongs to no call. It sends what legs want sent, by the transport the peer
// has, without ever holding the caller up.
//
// The sockets are ours on all transports. sipgo's UDP reader drops malformed
// requests silently, logs their payload and grows a map with every source port;
// its TCP reader closes the connection at the first malformed message and
// shares one connection pool between networks, so that neither the 400 that
// an emergency line owes its callers nor a write queue with a deadline for each
// connection fits in. Messages, URIs and printing are sipgo's.
package ua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/sip/auth"
	"liandong/sip/leg"
)

// Handler is asked about each INVITE or SUBSCRIBE that begins something new.
// Incoming runs on the reader's goroutine in the order of the wire and must not
// block. The request is in p and is not posted again; all later messages of its
// Call-ID go to the Sink, until Unbind. nil: no capacity, the caller is told 503.
type Handler interface {
	Incoming(o Origin, p leg.Packet) Sink
}

// Sink takes what arrives for a Call-ID. Post must not block; false means that
// there is no room. It may be called from any goroutine.
type Sink interface {
	Post(Inbound) bool
}

// Inbound is a message for a Sink, or, with Err, one of ours that could not be sent.
type Inbound struct {
	Packet leg.Packet
	Err    error
}

// Errors of Inbound.Err; the cause is wrapped.
var (
	ErrStopped     = errors.New("ua: stopped")
	ErrNoTransport = errors.New("ua: no such network or transport")
	ErrNoTarget    = errors.New("ua: target cannot be resolved")
	ErrUnreachable = errors.New("ua: peer cannot be reached")
	ErrBacklog     = errors.New("ua: peer does not read")
)

// UA is the socket layer. All methods may be called from any goroutine.
type UA struct {
	cfg      Config // immutable, as the following from Start on
	secret   []byte
	restored bool                    // the secret is that of a process before this one
	rests    map[string][]byte       // of kept connections: what had come of the next message
	glimpses map[string]glimpse      // of kept connections: what was being read
	notes    map[string][]note       // of those: messages that had been read and not taken
	origins  atomic.Pointer[origins] // what a reload changes
	handler  Handler
	log      *limitedLog
	digest   *auth.Server

	registrar *registrar
	limiter   *limiter
	guesses   *guessTable
	replies   *replies
	resolver  *resolver
	conns     *connTable
	keys      *keyring
	reach     *reach
	held      held
	gate      *gate
	controls  *controls
	counts    counts
	serial    atomic.Uint64 // of requests of our own
	orphans   orphans

	mu     sync.RWMutex
	owners map[string][]*owner // guarded by mu, as what they point to; by Call-ID

	// Set by Start, then immutable.
	udp     map[string]*net.UDPConn
	resumed []*conn // of the process before
	opened  bool
	began   time.Time
	listen  map[door]*net.TCPListener

	ctx    context.Context
	cancel context.CancelFunc
	life   sync.Mutex // guards stopped, and wg.Go against wg.Wait
	stop   bool
	wg     sync.WaitGroup

	draining atomic.Bool // who asks by OPTIONS is told to go elsewhere

	leaving atomic.Bool    // set under life: another process goes on with the sockets
	readers sync.WaitGroup // those that StopHearing waits for
}

// New checks the configuration; no socket is open before Start.
func New(cfg Config, h Handler, log *slog.Logger) (*UA, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ua: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = SteadyClock()
	}
	u := &UA{
		cfg: cfg, secret: newSecret(cfg.Secret), restored: len(cfg.Secret) > 0, rests: map[string][]byte{},
		glimpses: map[string]glimpse{},
		notes:    map[string][]note{},
		handler:  h, log: newLimitedLog(log),
		registrar: newRegistrar(cfg.MaxContacts), limiter: newLimiter(cfg.MaxRate, cfg.MaxBurst),
		guesses: newGuessTable(),
		replies: newReplies(), reach: newReach(), owners: map[string][]*owner{},
		conns: newConnTable(), keys: newKeyring(cfg, log), udp: map[string]*net.UDPConn{},
		listen: map[door]*net.TCPListener{},
	}
	u.origins.Store(newOrigins(cfg))
	u.registrar.keep = u.keepRecords
	u.registrar.share, u.registrar.node, u.registrar.longest = cfg.Share, cfg.Node, cfg.MaxExpires
	u.digest = newDigest(cfg.Realm, u.secret, u.keepNonce)
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.resolver, u.gate, u.controls = newResolver(u), newGate(u), newControls()
	return u, nil
}

// Reload lets other phones, trunks and sources in from now on, as cfg has them. Sockets, certificates and the realm
// stay as they were made; phones that are registered stay so until their time is over.
func (u *UA) Reload(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("ua: %w", err)
	}
	u.origins.Store(newOrigins(cfg))
	return nil
}

// door is where a network takes connections.
type door struct {
	network string
	secure  bool
}

// Open opens the sockets of all networks, or none, and takes up the connections of the process before. What is sent
// goes out; nothing is heard before Start.
func (u *UA) Open() error {
	u.keep(keptSecret, u.secret)
	if err := u.keys.look(time.Now()); err != nil {
		u.Stop()
		return fmt.Errorf("ua: TLS: %w", err)
	}
	for _, name := range sortedKeys(u.cfg.Networks) {
		if err := u.open(name, u.cfg.Networks[name]); err != nil {
			u.Stop()
			return fmt.Errorf("ua: networks.%s.sip: %w", name, err)
		}
	}
	u.resume()
	u.missing()
	u.opened = true
	return nil
}

// Start begins to hear, and opens the sockets unless Open has.
func (u *UA) Start() error {
	if !u.opened {
		if err := u.Open(); err != nil {
			return err
		}
	}
	u.began, u.orphans.byes = u.now(), map[string]bool{}
	for _, c := range u.resumed {
		if !u.hear(c.read) {
			c.close(net.ErrClosed)
		}
	}
	for name, c := range u.udp {
		u.hear(func() { u.readUDP(name, c) })
	}
	for d, l := range u.listen {
		u.hear(func() { u.accept(d, l) })
	}
	u.spawn(u.watchExpiry)
	u.spawn(u.gate.run)
	u.spawn(u.gate.watch)
	return nil
}

func (u *UA) open(name string, n Network) error {
	if n.UDP.IsValid() {
		c, err := u.bindUDP(n.UDP)
		if err != nil {
			return err
		}
		u.udp[name] = c
		if u.cfg.ReadBuffer > 0 {
			_ = c.SetReadBuffer(u.cfg.ReadBuffer) // the kernel gives what it allows
		}
	}
	for d, at := range map[door]netip.AddrPort{{name, false}: n.TCP, {name, true}: n.TLS.Listen} {
		if !at.IsValid() {
			continue
		}
		l, err := u.bindTCP(at)
		if err != nil {
			return err
		}
		u.listen[d] = l
	}
	return nil
}

// family keeps an IPv4 address on an IPv4 socket.
func family(transport string, ip netip.Addr) string {
	if ip.Is4() {
		return transport + "4"
	}
	return transport
}

// Stop closes everything and waits for all goroutines. Nothing is posted after it.
func (u *UA) Stop() {
	u.life.Lock()
	u.stop = true
	u.life.Unlock()
	u.cancel()
	for _, c := range u.udp {
		_ = c.Close()
	}
	for _, l := range u.listen {
		_ = l.Close()
	}
	u.conns.closeAll()
	u.wg.Wait()
}

// Drain tells all who ask by OPTIONS that no calls are taken any more.
func (u *UA) Drain() { u.draining.Store(true) }

// spawn runs f on a goroutine that Stop waits for; false after Stop.
func (u *UA) spawn(f func()) bool {
	u.life.Lock()
	defer u.life.Unlock()
	if u.stop {
		return false
	}
	u.wg.Go(f)
	return true
}

// Addr is the address a network's transport is really bound to.
func (u *UA) Addr(network, transport string) (netip.AddrPort, bool) {
	switch c, l := u.udp[network], u.listen[door{network, transport == "tls"}]; {
	case transport == "udp" && c != nil:
		return unmap(c.LocalAddr().(*net.UDPAddr).AddrPort()), true
	case (transport == "tcp" || transport == "tls") && l != nil:
		return unmap(l.Addr().(*net.TCPAddr).AddrPort()), true
	}
	return netip.AddrPort{}, false
}

// Local is our side of a leg on this network: what goes into Contact and Via.
// Media is left to the caller. false: the network has no such transport.
func (u *UA) Local(network, transport string) (leg.Local, bool) {
	addr, ok := u.Addr(network, transport)
	if !ok {
		return leg.Local{}, false
	}
	host := addr.String()
	if adv := u.cfg.Networks[network].Advertise; adv != "" {
		host = joinHost(adv, addr.Port())
	}
	return leg.Local{
		Contact: "sip:" + host + ";transport=" + transport, ViaHost: host, Transport: transport,
	}, true
}

func joinHost(host string, port uint16) string {
	if ip, ok := hostIP(host); ok {
		return netip.AddrPortFrom(ip, port).String()
	}
	return fmt.Sprintf("%s:%d", host, port)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Locate lists the phones that answer for a user now, each once: those reached by TLS
// first, then the newest.
func (u *UA) Locate(user string) []Binding {
	all := u.registrar.live(u.cfg.Now(), user)
	secureFirst(all)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(b Binding) bool {
		again := b.phone != "" && seen[b.phone]
		seen[b.phone] = true
		return again || b.Flow.Transport != "tls" && slices.ContainsFunc(all, b.alsoBy)
	})
}

// Reachable says that a phone answers for a user now.
func (u *UA) Reachable(user string) bool { return u.registrar.reachable(u.cfg.Now(), user) }

// alsoBy says that other is the same phone by TLS.
func (b Binding) alsoBy(other Binding) bool {
	return other.Flow.Transport == "tls" && other.UserAgent == b.UserAgent &&
		other.Flow.Remote.Addr() == b.Flow.Remote.Addr() &&
		contactAddr(other.Contact).Addr() == contactAddr(b.Contact).Addr()
}

func secureFirst(all []Binding) {
	slices.SortStableFunc(all, func(a, b Binding) int {
		switch secure := a.Flow.Transport == "tls"; {
		case secure == (b.Flow.Transport == "tls"):
			return 0
		case secure:
			return -1
		}
		return 1
	})
}

func (u *UA) watchExpiry() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-u.ctx.Done():
			return
		case <-tick.C:
			u.expire(u.cfg.Now())
			u.holdOpen(u.cfg.Now())
			_ = u.keys.look(time.Now()) // by the calendar, as certificates go; it has said in the log what is wrong
		}
	}
}

func (u *UA) expire(now time.Time) {
	for _, user := range u.registrar.expire(now) {
		u.tellBindings(now, user)
	}
}

// now is the time by which everything here ends but certificates.
func (u *UA) now() time.Time { return u.cfg.Now() }

func (u *UA) tellBindings(now time.Time, user string) {
	if u.cfg.Bindings != nil {
		defer u.survive()
		u.cfg.Bindings(user, u.registrar.live(now, user))
	}
}
