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
	"crypto/rand"
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
	cfg     Config // immutable, as the following
	secret  []byte
	origins *origins
	handler Handler
	log     *quiet
	digest  *auth.Server

	registrar *registrar
	limiter   *limiter
	replies   *replies
	resolver  *resolver
	conns     *connTable
	keys      *keyring
	reach     *reach
	counts    counts
	serial    atomic.Uint64 // of requests of our own

	mu    sync.RWMutex
	sinks map[string]Sink // guarded by mu; by Call-ID

	// Set by Start, then immutable.
	udp    map[string]*net.UDPConn
	listen map[door]*net.TCPListener

	ctx    context.Context
	cancel context.CancelFunc
	life   sync.Mutex // guards stopped, and wg.Go against wg.Wait
	stop   bool
	wg     sync.WaitGroup
}

// New checks the configuration; no socket is open before Start.
func New(cfg Config, h Handler, log *slog.Logger) (*UA, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ua: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	secret := cfg.Secret
	if len(secret) == 0 {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // never fails, crypto/rand says
	}
	u := &UA{
		cfg: cfg, secret: secret, origins: newOrigins(cfg), handler: h, log: newQuiet(log),
		registrar: newRegistrar(cfg.MaxContacts), limiter: newLimiter(cfg.MaxRate, cfg.MaxBurst),
		replies: newReplies(), reach: newReach(), sinks: map[string]Sink{},
		conns: newConnTable(), keys: newKeyring(cfg, log), udp: map[string]*net.UDPConn{}, listen: map[door]*net.TCPListener{},
	}
	u.digest = newDigest(cfg.Realm, secret)
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.resolver = newResolver(u)
	return u, nil
}

// door is where a network takes connections.
type door struct {
	network string
	secure  bool
}

// Start opens the sockets of all networks, or none.
func (u *UA) Start() error {
	if err := u.keys.look(u.cfg.Now()); err != nil {
		u.Stop()
		return fmt.Errorf("ua: TLS: %w", err)
	}
	for _, name := range sortedKeys(u.cfg.Networks) {
		if err := u.open(name, u.cfg.Networks[name]); err != nil {
			u.Stop()
			return fmt.Errorf("ua: networks.%s.sip: %w", name, err)
		}
	}
	for name, c := range u.udp {
		u.spawn(func() { u.readUDP(name, c) })
	}
	for d, l := range u.listen {
		u.spawn(func() { u.accept(d, l) })
	}
	u.spawn(u.watchExpiry)
	return nil
}

func (u *UA) open(name string, n Network) error {
	if n.UDP.IsValid() {
		c, err := net.ListenUDP(family("udp", n.UDP.Addr()), net.UDPAddrFromAddrPort(n.UDP))
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
		l, err := net.ListenTCP(family("tcp", at.Addr()), net.TCPAddrFromAddrPort(at))
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

// Bind directs all that comes with this Call-ID to s. A leg that calls out is
// bound before its first Send.
func (u *UA) Bind(callID string, s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sinks[callID] = s
}

// Unbind forgets a Call-ID; what still comes with it gets 481.
func (u *UA) Unbind(callID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.sinks, callID)
}

// Sink is where what comes with a Call-ID goes.
func (u *UA) Sink(callID string) (Sink, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	s, ok := u.sinks[callID]
	return s, ok
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

// Locate lists the phones that answer for a user now: those reached by TLS
// first, then the newest.
func (u *UA) Locate(user string) []Binding {
	all := u.registrar.live(u.cfg.Now(), user)
	slices.SortStableFunc(all, func(a, b Binding) int {
		switch secure := a.Flow.Transport == "tls"; {
		case secure == (b.Flow.Transport == "tls"):
			return 0
		case secure:
			return -1
		}
		return 1
	})
	return all
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
			_ = u.keys.look(u.cfg.Now()) // which has said in the log what is wrong
		}
	}
}

func (u *UA) expire(now time.Time) {
	for _, user := range u.registrar.expire(now) {
		u.tellBindings(now, user)
	}
}

func (u *UA) tellBindings(now time.Time, user string) {
	if u.cfg.Bindings != nil {
		defer u.survive()
		u.cfg.Bindings(user, u.registrar.live(now, user))
	}
}
