package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/configs"
	"liandong/media/uptime"
	"liandong/routing/ledger"
	"liandong/routing/link"
	"liandong/routing/mirror"
	"liandong/routing/tenure"
)

// pair is this machine as one of two that carry the switch by turns: it knows for how long this one may act, and has
// the two ways to the other one. Its times are those since the machine was started.
type pair struct {
	cfg      *configs.Pair
	log      *slog.Logger
	me       int
	sender   *mirror.Sender
	receiver *mirror.Receiver
	witness  *ledger.Witness  // nil: VRRP has the third voice
	asks     chan tenure.Word // capacity 1: the newest question to it
	file     *os.File         // of the turn, for the process that comes next
	yield    string           // the file by which keepalived is asked to give the address away

	until   atomic.Int64 // this machine acts until then
	orderly atomic.Bool  // its turn ends so that the other machine waits for what this one hands on

	begun, ceased chan struct{} // capacity 1
	cancel        context.CancelFunc
	done          sync.WaitGroup
	stopped       sync.Once

	mu      sync.Mutex
	machine *tenure.Machine // guarded by mu
	here    bool            // guarded by mu: the addresses that move are here
}

// errWhere: neither machine of the cluster is this one.
var errWhere = errors.New("app: cluster.machines: neither is an address of this machine")

// openPair makes this machine one of the two. It takes part from start on.
func openPair(cfg *configs.Pair, run configs.Run, redis link.Config, log *slog.Logger) (*pair, error) {
	p := &pair{
		cfg: cfg, log: log.With("part", "cluster"), yield: filepath.Join(run.Dir, "yield"),
		asks:  make(chan tenure.Word, 1),
		begun: make(chan struct{}, 1), ceased: make(chan struct{}, 1), cancel: func() {},
	}
	local, err := localAddresses()
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	p.me = slices.IndexFunc(cfg.Machines[:], func(m netip.AddrPort) bool { return slices.Contains(local, m.Addr()) })
	if p.me < 0 {
		return nil, fmt.Errorf("%w: %v", errWhere, cfg.Machines)
	}
	if p.file, err = os.OpenFile(filepath.Join(run.Dir, "turn"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	ends := mirror.Config{
		Node: cfg.Node, Listen: cfg.Machines[p.me], Partner: cfg.Machines[1-p.me], Secret: cfg.Secret,
		Gather: mirror.DefaultGather, Patience: mirror.DefaultPatience, Log: p.log,
	}
	if p.sender, err = mirror.NewSender(ends, func(word []byte) { p.receive(word, nil) }); err != nil {
		return nil, err
	}
	if p.receiver, err = mirror.NewReceiver(ends, p.receive); err != nil {
		return nil, err
	}
	if cfg.Witness {
		if p.witness, err = ledger.NewWitness(redis, cfg.Node); err != nil {
			return nil, err
		}
	}
	p.machine = p.remember(tenure.Config{Lease: tenure.DefaultLease, Witness: cfg.Witness, First: p.me == 0})
	return p, nil
}

func localAddresses() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, a := range list {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all, nil
}

// start takes part: the partner is heard, and told.
func (p *pair) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	first, stop := context.WithTimeout(ctx, lockPatience)
	defer stop()
	if err := p.receiver.Start(first); err != nil {
		return err
	}
	p.sender.Start()
	moved := make(chan struct{}, 1)
	p.done.Go(func() { watchAddresses(ctx, moved) })
	p.done.Go(func() { p.run(ctx, moved) })
	if p.witness != nil {
		p.done.Go(func() { p.consult(ctx) })
	}
	return nil
}

// stop leaves the partner alone. The turn is another process's, if it is this machine's.
func (p *pair) stop() {
	p.stopped.Do(func() {
		p.cancel()
		closes := []func(){}
		if p.witness != nil {
			closes = append(closes, p.witness.Close)
		}
		link.Finish(p.done.Wait, closes...)
		p.sender.Stop()
		p.receiver.Stop()
		_ = p.file.Close()
	})
}

// run tells the machine of time and of where the addresses are.
func (p *pair) run(ctx context.Context, moved <-chan struct{}) {
	tick := time.NewTicker(tenure.Config{Lease: tenure.DefaultLease}.Beat() / 2)
	defer tick.Stop()
	for {
		here, s := p.addressed(), p.sender.Stats()
		ready := s.Connected && s.Lag < tenure.DefaultLease/2
		p.with(nil, func(m *tenure.Machine, now time.Duration) []tenure.Effect {
			p.here = here
			return m.Addressed(now, here, ready)
		})
		select {
		case <-ctx.Done():
			return
		case <-moved:
		case <-tick.C:
		}
	}
}

// addressed says that all addresses that move are this machine's.
func (p *pair) addressed() bool {
	local, err := localAddresses()
	return err == nil && !slices.ContainsFunc(p.cfg.Moving,
		func(a netip.Addr) bool { return !slices.Contains(local, a.Unmap()) })
}

// receive is a word of the partner.
func (p *pair) receive(word []byte, answer func([]byte)) {
	w, err := tenure.Decode(word)
	if err != nil {
		return // of a later version
	}
	p.with(answer, func(m *tenure.Machine, now time.Duration) []tenure.Effect { return m.Heard(now, w) })
}

// consult puts questions to the witness, the newest first.
func (p *pair) consult(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-p.asks:
			within, cancel := context.WithTimeout(ctx, tenure.DefaultLease)
			a, err := p.witness.Ask(within, q)
			cancel()
			if err == nil {
				p.with(nil, func(m *tenure.Machine, now time.Duration) []tenure.Effect { return m.Witnessed(now, a) })
			}
		}
	}
}

// with lets the machine take something, and does what it wants.
func (p *pair) with(answer func([]byte), f func(*tenure.Machine, time.Duration) []tenure.Effect) {
	p.mu.Lock()
	do := f(p.machine, uptime.Now())
	p.until.Store(int64(p.machine.Until()))
	p.save()
	for _, e := range do {
		if e.Begin || e.Cease {
			p.turns(e)
		}
	}
	p.mu.Unlock()
	for _, e := range do {
		switch {
		case e.Cease && !e.Orderly:
			p.away(true)
		case e.Say != nil && answer != nil:
			answer(e.Say.Encode())
		case e.Say != nil:
			p.sender.Say(e.Say.Encode())
		case e.Consult != nil:
			select {
			case <-p.asks:
			default:
			}
			select {
			case p.asks <- *e.Consult:
			default:
			}
		}
	}
}

// turns is the beginning or the end of a turn. Caller holds mu.
func (p *pair) turns(e tenure.Effect) {
	if e.Begin {
		p.log.Warn("this machine carries the calls", "turn", p.machine.Epoch(), "why", e.Why)
		nudge(p.begun)
		return
	}
	p.orderly.Store(e.Orderly)
	p.log.Warn("this machine stops carrying the calls", "turn", p.machine.Epoch(), "why", e.Why)
	nudge(p.ceased)
}

// nudge leaves a note that somebody reads later; one note is enough.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// silent says that nothing is to leave this machine: the other one may act.
func (p *pair) silent() bool { return int64(uptime.Now()) >= p.until.Load() }

// still says that calls are not to go on either. While they are being handed over they may, so that they are handed
// over as they are.
func (p *pair) still() bool { return p.silent() && !p.orderly.Load() }

// Turn is the number of this machine's turn; 0: it is not its.
func (p *pair) Turn() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.machine.Epoch()
}

// mayCome says that this machine could carry the calls: it has a copy of them, or there is nobody who carries any.
func (p *pair) mayCome() bool {
	if p.receiver.Stats().Copied {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.machine.Alone(uptime.Now())
}

// away is giveAway where nobody could be told that it fails.
func (p *pair) away(yes bool) {
	if err := p.giveAway(yes); err != nil {
		p.log.Error("keepalived cannot be told where the addresses may be", "here", !yes, "err", err)
	}
}

// giveAway asks keepalived to move the addresses to the other machine, or says that they may come here: it watches the
// file.
func (p *pair) giveAway(yes bool) error {
	text := "0\n"
	if yes {
		text = "1\n"
	}
	return os.WriteFile(p.yield, []byte(text), 0o644)
}

// resign stops this machine's turn.
func (p *pair) resign() {
	p.with(nil, func(m *tenure.Machine, now time.Duration) []tenure.Effect { return m.Resign(now) })
}

// resigned says that the calls are carried no more; all: the partner has them as they were.
func (p *pair) resigned(all bool) {
	p.with(nil, func(m *tenure.Machine, now time.Duration) []tenure.Effect { return m.Ceased(now, all) })
}

// The file of the turn: boot 16, turn 8, until 8, CRC of these 4.
const turnSize = 36

// save notes the turn for the process that comes next. Caller holds mu.
func (p *pair) save() {
	b := make([]byte, turnSize)
	boot := uptime.Boot()
	copy(b, boot[:])
	binary.LittleEndian.PutUint64(b[16:], p.machine.Epoch())
	binary.LittleEndian.PutUint64(b[24:], uint64(p.machine.Until()))
	binary.LittleEndian.PutUint32(b[32:], crc32.ChecksumIEEE(b[:32]))
	if _, err := p.file.WriteAt(b, 0); err != nil && !errors.Is(err, os.ErrClosed) {
		p.log.Error("the turn cannot be written: the next process will not know of it", "err", err)
	}
}

// remember goes on with the turn of the process before.
func (p *pair) remember(cfg tenure.Config) *tenure.Machine {
	b, boot, now := make([]byte, turnSize), uptime.Boot(), uptime.Now()
	_, err := p.file.ReadAt(b, 0)
	turn := binary.LittleEndian.Uint64(b[16:])
	if err != nil || turn == 0 || [16]byte(b[:16]) != boot ||
		binary.LittleEndian.Uint32(b[32:]) != crc32.ChecksumIEEE(b[:32]) {
		return tenure.New(cfg, now)
	}
	m := tenure.Resume(cfg, now, turn, time.Duration(binary.LittleEndian.Uint64(b[24:])))
	p.until.Store(int64(m.Until()))
	return m
}
