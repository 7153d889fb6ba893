package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"liandong/cmd/internal/keeper"
	"liandong/configs"
)

// Process is the one that a switch runs in: started by a keeper, who keeps what outlives it, or alone.
type Process struct {
	line    *keeper.Line // nil: alone
	version string
}

// Under is this process; line is nil when no keeper has started it.
func Under(line *keeper.Line, version string) *Process { return &Process{line: line, version: version} }

// wait waits until this process is to be the switch. answers is asked every second from then on: a process that does
// not say yes for ten is put out of its place.
func (p *Process) wait(ctx context.Context, answers func() bool) error {
	if p.line == nil {
		return nil
	}
	return p.line.Wait(ctx, keeper.Hello{Version: p.version, Takes: true}, answers)
}

// Status is who carries the calls.
func (p *Process) Status() keeper.Status {
	switch {
	case p == nil:
		return keeper.Status{Worker: os.Getpid()}
	case p.line == nil:
		return keeper.Status{Worker: os.Getpid(), Version: p.version}
	}
	return p.line.Status()
}

// sockets keeps descriptors for the process that comes after this one.
type sockets interface {
	Kept(prefix string) []string
	Take(name string) (fd int, ok bool)
	Hold(name string, fd int)
	Drop(name string)
}

// sockets is nil where nothing outlives this process.
func (p *Process) sockets() sockets {
	if p == nil || p.line == nil {
		return nil
	}
	return p.line
}

// Run is the switch from start to stop: it returns when ctx ends, when another process is to go on with the calls, or
// when it could not start. With a keeper it waits until it is told to begin. read reads the config again; that happens
// then, when SIGHUP comes, and when it is asked for by HTTP.
func (p *Process) Run(ctx context.Context, cfg *configs.Config, read func() (*configs.Config, error),
	log *slog.Logger) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // which would end the process, and all calls
	defer signal.Stop(hangups)
	if err := vacant(cfg.Run()); err != nil {
		return err
	}
	a, err := prepare(cfg, p, log)
	if err != nil {
		return err
	}
	fresh := keepFresh(cfg, read)
	if err := p.wait(ctx, a.answers); err != nil {
		fresh()
		a.Stop()
		return err
	}
	cfg, a.read = newest(cfg, fresh, log), read
	defer collectLater()()
	ceased, up, err := p.begin(ctx, a, cfg)
	if a.pair != nil {
		defer a.pair.stop()
	}
	if !up {
		return err
	}
	return p.carry(ctx, a, hangups, ceased)
}

// begin takes over what the process before has left, and starts all parts. False: the switch does not carry calls here.
// ceased is closed when another machine is to carry them; nil: there is none.
func (p *Process) begin(ctx context.Context, a *App, cfg *configs.Config) (ceased <-chan struct{}, up bool, err error) {
	log := a.log
	run := cfg.Run()
	a.openJournal(run, p.Status().Row)
	if err := a.pairUp(cfg, run); err != nil {
		return nil, false, err
	}
	if a.pair != nil {
		if carries, err := a.standBy(ctx, run); !carries {
			return nil, false, err
		}
		ceased = a.pair.ceased
	}
	if err := a.build(cfg); err != nil {
		return nil, false, err
	}
	if up, err := a.startUnless(ctx, ceased); !up {
		return nil, false, err
	}
	for _, w := range cfg.Warnings() {
		log.Warn("config", "what", w.String())
	}
	if what, ok := cfg.Placeholders(); ok {
		log.Warn("config", "what", what)
	}
	log.Info("ready", "node", cfg.Node, "what", cfg.Summary())
	if p.line != nil {
		a.serves.Store(true)
		p.line.Ready(keeper.Ready{Control: run.Control, JSON: cfg.Log.Format == "json", Tests: a.tester != nil})
	}
	return ceased, true, nil
}

// carry carries calls until ctx ends, or another process or machine is to go on with them.
func (p *Process) carry(ctx context.Context, a *App, hangups <-chan os.Signal, ceased <-chan struct{}) error {
	var yielded, lost <-chan struct{}
	if p.line != nil {
		yielded, lost = p.line.Yielded(), p.line.Lost()
	}
	for {
		select {
		case <-hangups:
			_, _ = a.Reload() // which has logged what became of it
		case <-yielded:
			if p.line.Lasts() && a.journal != nil {
				a.leaveSounding()
			} else {
				a.leave()
			}
			a.log.Info("another process goes on with the calls")
			return nil
		case <-lost:
			return fmt.Errorf("app: %w", keeper.ErrLost)
		case <-ceased:
			return a.stepDown(ctx)
		case <-ctx.Done():
			if a.handsOver() {
				_ = a.pair.giveAway(true)
				a.pair.resign()
				a.handOn()
				return nil
			}
			a.end(a.holds.Load().Shutdown.Drain)
			return nil
		}
	}
}

// keepFresh reads the config again whenever its files have changed while a spare waits, so that nothing has to be read
// when it is needed. What it returns ends that, and is the config as it is in the files now.
func keepFresh(cfg *configs.Config, read func() (*configs.Config, error)) func() (*configs.Config, error) {
	type state struct {
		cfg *configs.Config
		err error
	}
	stop, last := make(chan struct{}), make(chan state, 1)
	again := func(s state) state {
		if s.cfg == nil || !s.cfg.Unchanged() {
			s.cfg, s.err = read()
		}
		return s
	}
	go func() {
		s := state{cfg: cfg}
		for {
			select {
			case <-stop:
				last <- s
				return
			case <-time.After(freshness):
				s = again(s)
			}
		}
	}()
	return func() (*configs.Config, error) {
		close(stop)
		s := again(<-last)
		return s.cfg, s.err
	}
}

// freshness is how often a spare looks whether the config's files have changed.
const freshness = 2 * time.Second

// newest is the config as it is in the files now. One that is refused, or that wants other sockets than those which are
// open, waits for a reload or a restart.
func newest(cfg *configs.Config, fresh func() (*configs.Config, error), log *slog.Logger) *configs.Config {
	now, err := fresh()
	if err != nil {
		log.Error("the config is not taken, the last one holds", "err", err)
		return cfg
	}
	if now == cfg {
		return cfg
	}
	for _, c := range configs.Differences(cfg, now) {
		if c.Restart {
			log.Warn("the config is not taken, the last one holds", "restart", c.String())
			return cfg
		}
	}
	return now
}

// tested tells the keeper how the first self-test ended.
func (p *Process) tested(faults map[string]error) {
	if p == nil || p.line == nil {
		return
	}
	var all []string
	for _, line := range slices.Sorted(maps.Keys(faults)) {
		all = append(all, fmt.Sprintf("line %s %v", line, faults[line]))
	}
	p.line.Tested(strings.Join(all, "; "))
}

// Taken says that a run_dir is another switch's, which runs.
type Taken struct {
	Dir string
	PID int // of its keeper; 0: it is not known
}

func (t *Taken) Error() string {
	if t.PID == 0 {
		return fmt.Sprintf("app: run_dir: %s: another switch runs with it", t.Dir)
	}
	return fmt.Sprintf("app: run_dir: %s: another switch runs with it, process %d", t.Dir, t.PID)
}

// vacant makes the run_dir, and fails where the keeper of another switch has it. A switch that was told to end has some
// time to do so: the lock of the journal waits for it.
func vacant(run configs.Run) error {
	if err := private(run.Dir); err != nil {
		return fmt.Errorf("app: run_dir: %w", err)
	}
	if pid, there := keeper.Holder(run.Control); there && pid != os.Getppid() {
		return &Taken{run.Dir, pid}
	}
	return nil
}

// private makes a directory that belongs to the switch's own user alone.
func private(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: not a directory", dir)
	case !owned(info):
		return errors.New(dir + " belongs to another user")
	}
	return nil
}
