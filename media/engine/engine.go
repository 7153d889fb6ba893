package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"liandong/media/prompt"
	"liandong/media/socket"
	"liandong/media/socket/kernel"
)

var (
	// ErrClosed says that the session or the engine has ended.
	ErrClosed = errors.New("engine: closed")
	// ErrNetwork says that the config has no network of that name.
	ErrNetwork = errors.New("engine: unknown network")
	// ErrLeg says that the session has a leg of that name already.
	ErrLeg = errors.New("engine: leg exists")
)

// bindTries bounds the search for a port that no other program holds.
const bindTries = 64

// Engine owns the RTP ports of all networks and the threads that carry sound.
// Its fields but refused and kernel do not change after New.
type Engine struct {
	cfg    Config
	ports  map[string]*ports
	shards []*shard
	log    *slog.Logger
	look   sync.Once
	kernel atomic.Pointer[kernel.Relay] // nil: the kernel relays nothing, or not yet
	stop   sync.Once
	sinks  sync.WaitGroup

	refused atomic.Uint64
}

// New starts an engine that runs until Stop.
func New(cfg Config, log *slog.Logger) (*Engine, error) {
	sockets := socket.Default()
	sockets.Keeper = cfg.Keeper
	return start(cfg, sockets, log)
}

// spareFiles are those that a switch opens beside its RTP ports.
const spareFiles = 256

// warnOfFiles says at once when the limit of open files will end calls before the ports do.
func warnOfFiles(cfg Config, log *slog.Logger) {
	limit, known := socket.OpenFiles()
	needed := uint64(spareFiles)
	for _, n := range cfg.Networks {
		needed += 2 * uint64(n.pairs()) // RTP and RTCP
	}
	if known && limit < needed {
		log.Warn("the limit of open files is too low for all RTP ports: parties beyond it are refused",
			"limit", limit, "needed", needed, "remedy", "ulimit -n, or LimitNOFILE in the systemd unit")
	}
}

// bindable says at once that an address is not this machine's: else every call would be refused, one by one.
func bindable(cfg Config, net socket.Transport) error {
	for _, name := range slices.Sorted(maps.Keys(cfg.Networks)) {
		addr := cfg.Networks[name].Address
		s, err := net.Open(netip.AddrPortFrom(addr, 0))
		if err != nil {
			return fmt.Errorf("engine: networks.%s.rtp.address: no RTP port on %v, which must be an address of this machine: %w", name, addr, err)
		}
		net.Close(s)
	}
	return nil
}

func start(cfg Config, sockets socket.Config, log *slog.Logger) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	nets, err := socket.Open(cfg.shards(), sockets, log)
	if err != nil {
		return nil, err
	}
	if err := bindable(cfg, nets[0]); err != nil {
		socket.StopAll(nets)
		return nil, err
	}
	cfg.clips = &atomic.Pointer[prompt.Library]{}
	cfg.clips.Store(cfg.Prompts)
	e := &Engine{cfg: cfg, log: log, ports: map[string]*ports{}}
	for name, network := range cfg.Networks {
		e.ports[name] = newPorts(network, cfg.PortQuarantine)
	}
	reserved.add(len(nets))
	for _, net := range nets {
		if cfg.Silent != nil {
			net = &hushed{Transport: net, silent: cfg.Silent}
		}
		s := newShard(cfg, log, net, e.ports)
		e.shards = append(e.shards, s)
		go s.run()
		e.sinks.Go(s.deliver)
	}
	warnOfFiles(cfg, log)
	log.Info("media engine started", "shards", len(e.shards), "transport", e.transport(), "networks",
		len(cfg.Networks))
	return e, nil
}

// openKernel has the kernel relay from the first session on: a process that only waits to carry calls has it do
// nothing, and what the process before has left is not here before.
func (e *Engine) openKernel() {
	r, err := e.kernelRelay()
	if err != nil {
		e.log.Warn("nothing is relayed in the kernel", "err", err)
	}
	if r == nil {
		return
	}
	e.kernel.Store(r)
	for i, s := range e.shards {
		s.post(order{what: func() {
			s.kernel, s.routes = r, r.Routes()
			if i == 0 {
				s.sweepAt = s.now.Add(sweepAfter)
			}
		}})
	}
	drivers, refused := r.Front()
	if refused != nil {
		e.log.Warn("not all drivers send packets back by themselves", "err", refused)
	}
	e.log.Info("what needs nothing of the switch is relayed in the kernel", "drivers", drivers)
}

var errPair = errors.New("engine: one of a pair of machines must be able to fall silent at once")

// kernelRelay is nil when the kernel is not to relay.
func (e *Engine) kernelRelay() (*kernel.Relay, error) {
	if !e.cfg.Kernel || e.cfg.Silent != nil {
		kernel.End(e.cfg.Keeper)
		if e.cfg.Kernel {
			return nil, errPair
		}
		return nil, nil
	}
	var addresses []netip.Addr
	for _, n := range e.cfg.Networks {
		addresses = append(addresses, n.Address)
	}
	return kernel.Open(addresses, kernelTables(), e.cfg.Driver, e.cfg.Keeper)
}

// transport is how datagrams are moved, for the log and the metrics.
func (e *Engine) transport() string {
	name := e.shards[0].net.Name()
	if r := e.kernel.Load(); r != nil {
		name += "+kernel"
		if drivers, _ := r.Front(); drivers > 0 {
			name += "+xdp"
		}
	}
	return name
}

// SetPrompts gives playlists that begin from now on other clips.
func (e *Engine) SetPrompts(l *prompt.Library) { e.cfg.clips.Store(l) }

// cores is how many threads can really run at once.
var cores = runtime.GOMAXPROCS(0)

// procs are places in the Go scheduler that media threads have to themselves, so that they and everything else never
// wait for each other there: who runs first is for the kernel to say. Each engine of a process needs as many as it has
// threads. Guarded by mu.
type procs struct {
	mu   sync.Mutex
	n    int // of all engines
	base int // what there is without them
	set  int // what there is by the last add
}

var reserved procs

// spareProcs is how much more than the cores is busy at once when there is much to do: the garbage collector, readers,
// what waits for a disk. A thread that comes back after longer, or whose place the scheduler's monitor has taken, has
// any that is free, and what else is busy takes those, too.
const spareProcs = 3

// add makes places, or takes them away (n < 0). It stops the world for a moment, after the collection that is under
// way: tens of milliseconds, perhaps. Under a quota of CPU time there are none to spare: the collector would use it up
// by them at once.
func (p *procs) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := runtime.GOMAXPROCS(0); now != p.set {
		p.base = now
	}
	p.n += n
	p.set = p.base + p.n
	if p.n > 0 && p.base >= runtime.NumCPU() {
		p.set += spareProcs
	}
	runtime.GOMAXPROCS(p.set)
}

// leave forgets places that stay as they are until there is time.
func (p *procs) leave(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n -= n
}

// Stop ends every session and waits for all that New started. A sink that waits for
// Stop's caller makes it wait for ever.
func (e *Engine) Stop() {
	e.halt(stopShard{})
}

func (e *Engine) halt(how any) {
	e.stop.Do(func() {
		for _, s := range e.shards {
			s.post(order{what: how})
		}
		for _, s := range e.shards {
			<-s.done
		}
		if _, leaves := how.(leaveShard); leaves { // the process ends, and the next one waits for its word
			reserved.leave(len(e.shards))
		} else {
			reserved.add(-len(e.shards))
		}
		e.sinks.Wait()
		e.look.Do(func() {}) // nobody opens it any more
		if r := e.kernel.Load(); r != nil {
			r.Close()
		}
	})
}

// Leave stops all threads where they are, after a last Checkpoint of each leg: what goes on does so in another process,
// to which a keeper hands the ports. Nothing is said to the parties. It waits as Stop does.
func (e *Engine) Leave() { e.halt(leaveShard{}) }

// Mark gives a last Checkpoint of each leg, and waits until the sinks have had them; the sound goes on. For as long as
// reservedPackets last another process may be made ready meanwhile to take over.
func (e *Engine) Mark() {
	for _, s := range e.shards {
		s.post(order{what: func() {
			for _, rooms := range s.groups {
				s.leave(rooms)
			}
			s.marked, s.closedAt = true, time.Time{}
		}})
	}
	e.Turn()
	for _, s := range e.shards {
		all := make(delivered)
		s.occurred <- occurrence{event: all}
		<-all
	}
}

// Hold has all orders wait until Go: the process before still carries the sound of the legs that are to go on here.
func (e *Engine) Hold() {
	for _, s := range e.shards {
		s.mail.hold(true)
	}
}

// Go has the legs go on, and returns when they do. seamless: the process before has sent and read until now, so that
// what waits in the sockets is no older than that.
func (e *Engine) Go(seamless bool) {
	for _, s := range e.shards {
		s.mail.hold(false)
		s.post(order{what: func() { s.seamless = seamless }})
	}
	e.Turn()
}

// NewSession places a call on the shard that has fewest. ref names it in the log.
// sink gets the session's events in order, one at a time, on a goroutine that it shares
// with other sessions: it may post commands but must not block. A sink that does
// delays events, never sound. After Close nothing comes but a LegClosed for each leg.
func (e *Engine) NewSession(ref string, sink func(Event)) *Session {
	e.look.Do(e.openKernel)
	least := e.shards[0]
	for _, s := range e.shards[1:] {
		if s.sessions.Load() < least.sessions.Load() {
			least = s
		}
	}
	least.sessions.Add(1)
	session := &Session{engine: e, shard: least, ref: ref, sink: sink, legs: map[LegID]bool{}}
	session.room = &room{session: session, shard: least}
	return session
}

// Restore takes over a call that another process has carried: its legs go on in the same streams, on the same ports.
// Who hears whom, announcements and recordings are to be commanded again. On an error nothing is restored. It has to be
// done before other sessions take ports.
func (e *Engine) Restore(ref string, sink func(Event), legs []LegState) (*Session, error) {
	s := e.NewSession(ref, sink)
	for _, l := range legs {
		if err := s.restore(l); err != nil {
			s.Close()
			return nil, fmt.Errorf("engine: leg %d of %s cannot go on: %w", l.ID, ref, err)
		}
	}
	return s, nil
}

// rebind opens the port pair that a leg had.
func (e *Engine) rebind(l LegState, net socket.Transport) (pair, error) {
	pool, ok := e.ports[l.Network]
	if !ok {
		return pair{}, fmt.Errorf("%w: %q", ErrNetwork, l.Network)
	}
	if !pool.claim(l.Port) {
		return pair{}, fmt.Errorf("%w: %d in network %q is not free", ErrNoPorts, l.Port, l.Network)
	}
	p := pair{network: l.Network, port: l.Port}
	if err := p.open(net, e.cfg.Networks[l.Network].Address); err != nil {
		pool.give(l.Port, time.Now())
		return pair{}, err
	}
	return p, nil
}

// bind opens a port pair of a network on a shard's transport.
func (e *Engine) bind(network string, net socket.Transport) (pair, error) {
	pool, ok := e.ports[network]
	if !ok {
		return pair{}, fmt.Errorf("%w: %q", ErrNetwork, network)
	}
	if k := pool.reuse(net, time.Now(), max(pool.rest, keptRest)); k != nil {
		return k.pair, nil
	}
	addr := e.cfg.Networks[network].Address
	var last error
	for range bindTries {
		port, err := pool.take(time.Now())
		if err != nil {
			if k := pool.reuse(net, time.Now(), pool.rest); k != nil {
				return k.pair, nil
			}
			e.wantPorts()
			e.refused.Add(1)
			return pair{}, errors.Join(fmt.Errorf("%w in network %q", err, network), last)
		}
		p := pair{network: network, port: port}
		if last = p.open(net, addr); last == nil {
			return p, nil
		}
		pool.give(port, time.Now())
		if !errors.Is(last, syscall.EADDRINUSE) {
			break
		}
	}
	e.refused.Add(1)
	return pair{}, last
}

// wantPorts has all shards look in their next step for ports to close, where there are no more.
func (e *Engine) wantPorts() {
	for _, s := range e.shards {
		s.post(order{what: func() { s.closedAt = time.Time{} }})
	}
}

// putBack is for a pair that no leg has got.
func (e *Engine) putBack(p pair, net socket.Transport) {
	pool := e.ports[p.network]
	if p.kept != nil {
		pool.putBack(p.kept, net)
		return
	}
	net.Close(p.rtp)
	net.Close(p.rtcp)
	pool.give(p.port, time.Now())
}

// open binds RTP and RTCP: RFC 3550 §11, an even port and the next odd one.
func (p *pair) open(net socket.Transport, addr netip.Addr) (err error) {
	if p.rtp, err = net.Open(netip.AddrPortFrom(addr, p.port)); err != nil {
		return err
	}
	if p.rtcp, err = net.Open(netip.AddrPortFrom(addr, p.port+1)); err != nil {
		net.Close(p.rtp)
	}
	return err
}
