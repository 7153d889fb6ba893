package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"liandong/cmd/internal/keeper"
	"liandong/configs"
	"liandong/routing/journal"
	"liandong/routing/mirror"
	"liandong/routing/outbox"
)

// The names of what one machine keeps of the other: the calls, and of each Redis what has yet to be shipped to it.
const (
	callsSink  = "calls"
	outboxSink = "outbox "
)

// unseenRequests is how many requests of one dialog the other machine may have sent that the copy does not tell of: it
// is some milliseconds behind.
const unseenRequests = 16

// comesSoon is how often a machine that stands by looks whether it could carry the calls.
const comesSoon = 20 * time.Millisecond

// errOtherMachine ends a process without a keeper whose machine has lost the calls.
var errOtherMachine = errors.New("app: the other machine carries the calls")

// pairUp makes this process one of a pair of machines, if the config says so.
func (a *App) pairUp(cfg *configs.Config, run configs.Run) error {
	two := cfg.Pair()
	if two == nil {
		return nil
	}
	if a.journal == nil {
		return errors.New("app: cluster: without a journal no other machine can go on with the calls")
	}
	var err error
	if a.pair, err = openPair(two, run, cfg.Outbox().Config, a.log); err != nil {
		return err
	}
	if err := a.pair.start(); err != nil { // first: the turn of the process before is to be prolonged
		return fmt.Errorf("app: cluster: %w", err)
	}
	if a.stores, err = openStores(cfg, a.log); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	return a.openCopies()
}

// openCopies opens what is kept of the other machine's outboxes.
func (a *App) openCopies() error {
	a.copies = map[string]*journal.Journal{}
	for _, one := range a.stores.all {
		path := configs.PartnersOutbox(one.file)
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("app: %w", err)
		}
		j, err := journal.Open(f)
		if err != nil {
			return fmt.Errorf("app: %s: %w", path, err)
		}
		a.copies[one.name] = j
	}
	return nil
}

// leavePair leaves the machine's turn, and its place at the other one, to the process that comes next. What still
// sounds here falls silent when the turn would have to be prolonged.
func (a *App) leavePair() {
	if a.pair == nil {
		return
	}
	a.pair.stop()
	for _, j := range a.copies {
		_ = j.Release()
	}
}

// standBy keeps a copy of what the other machine carries until this one is to carry it; false: the process ends
// instead. The entries that this machine has made in a turn of its own, and not shipped, are shipped meanwhile.
func (a *App) standBy(ctx context.Context, run configs.Run) (bool, error) {
	if a.pair.Turn() != 0 && a.goesOn(ctx) {
		return true, nil
	}
	a.pair.away(true) // until this machine could go on: an address that comes before is silent
	a.stores.ship()
	sinks := map[string]mirror.Sink{callsSink: a.journal}
	for name, j := range a.copies {
		sinks[outboxSink+name] = j
	}
	a.pair.receiver.Take(sinks)
	defer a.pair.receiver.Take(nil)
	defer a.answer()()
	a.log.Info("standing by", "node", a.pair.cfg.Node, "partner", a.pair.cfg.Machines[1-a.pair.me])
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	line := a.process.line
	var yielded, lost <-chan struct{}
	if line != nil {
		yielded, lost = line.Yielded(), line.Lost()
		line.Ready(keeper.Ready{Control: run.Control, JSON: a.json})
	}
	look := time.NewTicker(comesSoon)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if a.pair.mayCome() {
				a.pair.away(false)
				look.Stop()
			}
		case <-a.pair.begun:
			a.skip = unseenRequests
			return true, nil
		case <-hangups:
			if line != nil {
				line.Replace() // by one that reads the config again
			}
		case <-yielded:
			return false, nil
		case <-lost:
			return false, fmt.Errorf("app: %w", keeper.ErrLost)
		case <-ctx.Done():
			return false, nil
		}
	}
}

// goesOn waits for a word on the turn of the process before: this one goes on with it, unless the partner has begun.
func (a *App) goesOn(ctx context.Context) bool {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for a.pair.silent() {
		select {
		case <-look.C:
		case <-a.pair.ceased:
			a.pair.resigned(false)
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// takeOver brings to the outboxes what those of the other machine have not shipped. What they have is known in Redis by
// its id, and comes once.
func (a *App) takeOver() {
	for name, j := range a.copies {
		kept := j.All(journal.Ticket)
		if len(kept) > 0 {
			a.log.Warn("entries of the other machine are shipped from here", "redis", name, "entries", len(kept))
		}
		for _, e := range kept {
			outbox.Bring(e.Value, func(stream string) *outbox.Outbox { return a.stores.findStream(stream).outbox },
				func(err error) {
					if err != nil {
						a.log.Error("an entry of the other machine cannot be taken over", "err", err)
						return
					}
					j.Delete(journal.Ticket, e.Key)
				})
		}
	}
}

// stream has the other machine follow what this one does.
func (a *App) stream() {
	m := a.pair.sender
	sources := []mirror.Named{{Name: callsSink, Source: a.journal.Follow(m.Wake)}}
	for _, one := range a.stores.all {
		sources = append(sources, mirror.Named{Name: outboxSink + one.name, Source: one.outbox.Follow(m.Wake)})
	}
	m.Stream(sources...)
}

// handOver is how long the other machine is waited for to have all.
const handOver = 2 * time.Second

// handOn lets go of the calls for the other machine. When that waits for them it gets them as they are now; else it has
// begun already, and what is here counts no more.
func (a *App) handOn() {
	orderly := a.pair.orderly.Load()
	began := time.Now()
	a.letGo(orderly)
	all := false
	if orderly {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		defer cancel()
		all = a.pair.sender.Caught(ctx) == nil
	}
	a.pair.sender.Stream()
	a.pair.resigned(all)
	a.log.Info("the other machine goes on with the calls", "has_all", all, "took", time.Since(began))
	a.api.Stop()
	a.stores.stop()
	_ = a.journal.Close()
}

// startUnless starts the switch; false: its turn has ended meanwhile, or it could not start. A turn that is handed over
// goes when all is up; of one that is lost all stands still, and would for ever, also when the process is to end.
func (a *App) startUnless(ctx context.Context, ceased <-chan struct{}) (bool, error) {
	started := make(chan error, 1)
	go func() { started <- a.Start() }()
	select {
	case err := <-started:
		return err == nil, err
	case <-ceased:
	case <-ctx.Done():
		if a.pair != nil && a.pair.still() {
			return false, nil
		}
		err := <-started
		return err == nil, err
	}
	if !a.pair.orderly.Load() {
		a.pair.resigned(false)
		return false, a.replaced(ctx)
	}
	if err := <-started; err != nil {
		return false, err
	}
	return false, a.stepDown(ctx)
}

// stepDown hands the calls on, and leaves the place to a process that stands by.
func (a *App) stepDown(ctx context.Context) error {
	a.handOn()
	return a.replaced(ctx)
}

// replaced waits until a process that stands by has this one's place.
func (a *App) replaced(ctx context.Context) error {
	line := a.process.line
	if line == nil {
		return errOtherMachine
	}
	line.DropAll()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		line.Replace()
		select {
		case <-line.Yielded():
			return nil
		case <-line.Lost():
			return nil
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// askAgain is when a process that waits to be replaced asks once more: until it is, no machine stands by.
const askAgain = 30 * time.Second

// handsOver says that the other machine can go on with the calls at once: whoever stops this one need not end them.
func (a *App) handsOver() bool {
	if a.pair == nil || a.pair.Turn() == 0 {
		return false
	}
	s := a.pair.sender.Stats()
	return s.Connected && s.Lag < time.Second
}
