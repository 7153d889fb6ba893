// Package trunk keeps an eye on the neighbours that a switch calls through: it
// knows the addresses of each, asks them by OPTIONS whether they are there, and
// says in which order a call is to try them.
//
// What decides is pure: [Choice], and the machines of this package that no one
// else sees. [Keeper] is the edge: one goroutine that lets them all work, over
// the sockets of sip/ua.
package trunk

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/txn"
	"liandong/sip/ua"
)

// Trunk is one neighbour. Immutable.
type Trunk struct {
	Network   string
	Transport string        // as of ua.Trunk
	Targets   []Target      // by their Host; none: the trunk only calls us
	SRV       string        // a domain instead, whose SRV records tell the targets
	Options   time.Duration // between two pings of a target; 0: none
	Register  *Register     // our account there; nil: none
}

// Config is what a keeper is made of.
type Config struct {
	Trunks    map[string]Trunk
	UserAgent string
	Rand      func() uint64 // tags, branches, Call-IDs, weights
	Names     Names         // nil: the system's resolver

	// Now is steady: it is not moved when the wall clock is set. nil: such a one of its own.
	Now func() time.Time
	// Keep is told what a process after this one has to know. It must not block. nil: nothing is kept.
	Keep func(trunk string, value []byte)
}

// Wire is the part of sip/ua that a keeper uses.
type Wire interface {
	Send(leg.Packet)
	Bind(callID string, s ua.Sink)
	Unbind(callID string, s ua.Sink)
	Local(network, transport string) (leg.Local, bool)
}

// Keeper watches over all trunks. Order, Called and Stats may be called from
// any goroutine.
type Keeper struct {
	cfg    Config
	wire   Wire
	log    *slog.Logger
	in     chan ua.Inbound
	found  chan found
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	kept      map[string]kept // of a process before this one, until Start
	suspended atomic.Bool

	neighbours []*neighbour // by name; what is in them is owned by run but for the choice

	mu sync.Mutex // guards all choices
}

// neighbour is a trunk and what is known of it.
type neighbour struct {
	name   string
	trunk  Trunk
	log    *slog.Logger
	me     self
	choice Choice // guarded by Keeper.mu
	pings  []*ping
	enrol  *registration // nil: none
	up     bool          // registered; guarded by Keeper.mu
	told   []byte        // what was kept last
	lookup time.Time     // when its names are looked up again; zero: it has none, or it is being done
}

// found is the answer of a lookup.
type found struct {
	of      *neighbour
	targets []Target
	err     error
}

// inboxRoom is how many messages may wait; what finds no room is as if lost.
const inboxRoom = 256

// New makes a keeper that knows the targets that need no DNS. Nothing is sent
// before Start.
func New(cfg Config, w Wire, log *slog.Logger) *Keeper {
	if cfg.Names == nil {
		cfg.Names = net.DefaultResolver
	}
	if cfg.Now == nil {
		cfg.Now = ua.SteadyClock()
	}
	k := &Keeper{
		kept: map[string]kept{}, cfg: cfg, wire: w, log: log,
		in: make(chan ua.Inbound, inboxRoom), found: make(chan found),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	for name, t := range cfg.Trunks {
		n := &neighbour{name: name, trunk: t, log: log.With("trunk", name)}
		n.choice.Set(t.asWritten())
		k.neighbours = append(k.neighbours, n)
	}
	slices.SortFunc(k.neighbours, func(a, b *neighbour) int { return strings.Compare(a.name, b.name) })
	return k
}

// Start begins to ask. The sockets of the transport are open.
func (k *Keeper) Start() {
	now := k.cfg.Now()
	for _, n := range k.neighbours {
		local, ok := k.wire.Local(n.trunk.Network, n.trunk.Transport)
		if !ok {
			n.log.Error("no address of ours towards a trunk",
				"network", n.trunk.Network, "transport", n.trunk.Transport)
			continue
		}
		n.me = self{
			flow:  leg.Flow{Network: n.trunk.Network, Transport: n.trunk.Transport},
			local: local, agent: k.cfg.UserAgent, rand: k.cfg.Rand,
			timing: txn.Timing{
				T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second,
				Reliable: n.trunk.Transport != "udp",
			},
		}
		if n.trunk.named() {
			n.lookup = now
		}
		if n.trunk.Register != nil {
			n.enrol = newRegistration(now, n.me, *n.trunk.Register, n.trunk.domain())
			k.kept[n.name].goOn(now, n.enrol)
			n.up = n.enrol.registered(now)
			k.wire.Bind(n.enrol.callID, k)
		}
		k.watch(now, n)
	}
	k.wg.Go(k.run)
}

// Stop takes our Contacts away where we are registered, as far as that is done at
// once, ends the goroutine and waits for it.
func (k *Keeper) Stop() {
	k.cancel()
	k.wg.Wait()
}

// Suspend ends the goroutine and waits for it, and says nothing to anybody: another process goes on.
func (k *Keeper) Suspend() {
	k.suspended.Store(true)
	k.Stop()
}

// Post takes a message from the transport (ua.Sink).
func (k *Keeper) Post(in ua.Inbound) bool {
	select {
	case k.in <- in:
		return true
	default:
		return false
	}
}

// Order lists the targets of a trunk as a call is to try them, none for a trunk
// that cannot be called.
func (k *Keeper) Order(trunk string) []Target {
	n := k.neighbour(trunk)
	if n == nil {
		return nil
	}
	return k.order(k.cfg.Now(), n)
}

func (k *Keeper) order(now time.Time, n *neighbour) []Target {
	k.mu.Lock()
	defer k.mu.Unlock()
	return n.choice.Order(now, k.cfg.Rand)
}

// Called takes what became of a call's INVITE to a target.
func (k *Keeper) Called(trunk string, t Target, o Outcome) {
	if n := k.neighbour(trunk); n != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		n.choice.Called(k.cfg.Now(), t, o)
	}
}

// TargetStats tells of one target.
type TargetStats struct {
	Trunk, Target string
	Up            bool // it is a first choice of calls
}

// Registrations says of each trunk that is to know where we are whether it does.
func (k *Keeper) Registrations() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]bool{}
	for _, n := range k.neighbours {
		if n.trunk.Register != nil {
			all[n.name] = n.up
		}
	}
	return all
}

// Stats lists all targets, by trunk.
func (k *Keeper) Stats() []TargetStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.cfg.Now()
	var all []TargetStats
	for _, n := range k.neighbours {
		for _, t := range n.choice.targets {
			all = append(all, TargetStats{n.name, t.String(), n.choice.Up(now, t)})
		}
	}
	return all
}

func (k *Keeper) neighbour(name string) *neighbour {
	i := slices.IndexFunc(k.neighbours, func(n *neighbour) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return k.neighbours[i]
}

// run lets everything act that is due, or that has come.
func (k *Keeper) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-k.ctx.Done():
			if !k.suspended.Load() {
				k.leave()
			}
			return
		case in := <-k.in:
			k.take(k.cfg.Now(), in)
		case f := <-k.found:
			k.resolved(k.cfg.Now(), f)
		case <-timer.C:
			k.tick(k.cfg.Now())
		}
		k.keep()
		now := k.cfg.Now()
		timer.Reset(max(k.deadline(now).Sub(now), 0))
	}
}

func (k *Keeper) deadline(now time.Time) time.Time {
	at := now.Add(time.Hour)
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	for _, n := range k.neighbours {
		earlier(n.lookup)
		if n.enrol != nil {
			earlier(n.enrol.deadline())
		}
		for _, p := range n.pings {
			earlier(p.deadline())
		}
	}
	return at
}

func (k *Keeper) tick(now time.Time) {
	for _, n := range k.neighbours {
		if !n.lookup.IsZero() && !now.Before(n.lookup) {
			n.lookup = time.Time{}
			k.wg.Go(func() { k.resolve(n) })
		}
		if n.enrol != nil {
			k.enrolled(now, n, n.enrol.tick(now, k.order(now, n)))
		}
		for _, p := range n.pings {
			req, told := p.tick(now)
			if req != nil {
				k.send(n, p.target, req)
			}
			k.pinged(now, n, p, told)
		}
	}
}

func (k *Keeper) send(n *neighbour, to Target, req *gosip.Request) {
	flow := n.me.flow
	flow.Remote = to.Addr
	k.wire.Send(leg.Packet{Msg: req, Flow: flow, Target: to.Host})
}

// take finds whose message it is.
func (k *Keeper) take(now time.Time, in ua.Inbound) {
	for _, n := range k.neighbours {
		if n.enrol != nil && n.enrol.callID == in.Packet.CallID() {
			k.enrolled(now, n, n.enrol.take(now, in))
			return
		}
		for _, p := range n.pings {
			if p.callID != in.Packet.CallID() {
				continue
			}
			if in.Err != nil {
				k.pinged(now, n, p, p.unsent(now))
			} else if res, ok := in.Packet.Msg.(*gosip.Response); ok {
				k.pinged(now, n, p, p.receive(now, res))
			}
			return
		}
	}
}

func (k *Keeper) pinged(now time.Time, n *neighbour, p *ping, o *Outcome) {
	if o == nil {
		return
	}
	k.mu.Lock()
	changed := n.choice.Pinged(now, p.target, *o)
	up := !n.choice.state[p.target.String()].down
	k.mu.Unlock()
	switch {
	case changed && up:
		n.log.Info("a target of a trunk answers again", "target", p.target.String())
	case changed:
		n.log.Error("a target of a trunk is down", "target", p.target.String(), "code", o.Code)
	}
}

// resolve looks the names of a trunk up.
func (k *Keeper) resolve(n *neighbour) {
	ctx, cancel := context.WithTimeout(k.ctx, lookupWait)
	defer cancel()
	l := lookup{dns: k.cfg.Names, transport: n.trunk.Transport, family: family(n.me.local)}
	targets, err := l.all(ctx, n.trunk)
	select {
	case k.found <- found{n, targets, err}:
	case <-k.ctx.Done():
	}
}

// family: a socket bound to IPv4 cannot send to IPv6.
func family(local leg.Local) string {
	if at, ok := numeric(local.ViaHost); ok && at.Addr().Is4() {
		return "ip4"
	}
	return "ip"
}

func (k *Keeper) resolved(now time.Time, f found) {
	if f.err != nil {
		f.of.lookup = now.Add(lookupAgain)
		f.of.log.Warn("a trunk's name cannot be looked up, its last addresses hold", "err", f.err)
		return
	}
	f.of.lookup = now.Add(lookupEvery)
	k.mu.Lock()
	f.of.choice.Set(f.targets)
	k.mu.Unlock()
	k.watch(now, f.of)
}

// watch pings the targets there are, and no others.
func (k *Keeper) watch(now time.Time, n *neighbour) {
	k.mu.Lock()
	targets := slices.Clone(n.choice.targets)
	k.mu.Unlock()
	stays := func(p *ping) bool { return slices.Contains(targets, p.target) }
	for _, p := range n.pings {
		if !stays(p) {
			k.wire.Unbind(p.callID, k)
		}
	}
	n.pings = slices.DeleteFunc(n.pings, func(p *ping) bool { return !stays(p) })
	for _, t := range targets {
		known := slices.ContainsFunc(n.pings, func(p *ping) bool { return p.target == t })
		if n.trunk.Options > 0 && !known && t.Addr.IsValid() {
			p := newPing(now, n.me, t, n.trunk.Options)
			k.wire.Bind(p.callID, k)
			n.pings = append(n.pings, p)
		}
	}
}
