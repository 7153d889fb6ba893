package keeper

import (
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Config is what a keeper needs to know of its children.
type Config struct {
	Path           string   // of the binary; an upgrade starts the file that lies there then
	Args           []string // of every child, the program's name first
	Stdout, Stderr *os.File // of every child
	Signals        <-chan os.Signal
	Systemd        *Systemd // nil: nobody there
}

// Keeper holds the descriptors and minds the processes. All of it but the channels is owned by the loop of Run.
type Keeper struct {
	cfg     Config
	log     *slog.Logger
	inputs  chan func()
	ended   chan struct{}
	readers sync.WaitGroup
	control *control

	held    held
	binary  *binary
	worker  *child    // nil: it has died, and rests
	sounder *child    // has left the calls to the worker and still carries their sound; nil: nobody does
	words   []message // that it has for who asks for the sound
	spare   *child    // nil: there is none, or not yet
	upgrade *upgrade

	pace     pace // of the worker
	sparing  pace // of the spare
	restarts int
	row      int  // crashes of workers that had hardly lived
	settled  bool // a worker has been ready
	replaces bool // the worker leaves as soon as there is a spare; until another one is ready
	stopping bool
	over     bool
	code     int
}

// Times that are given to a process.
const (
	startWait   = 30 * time.Second       // from begin to ready, when there is nobody else
	yieldWait   = time.Second            // to leave the calls to another
	spareDelay  = 300 * time.Millisecond // after ready: a call that goes on first needs the processor more
	hardlyLived = 2 * time.Second        // of a worker that may owe its death to what it was to go on with
	pingEvery   = time.Second
	maxPings    = 10 // unanswered: the worker is hung
	leave       = syscall.SIGTERM
)

// New makes a keeper that has started nothing yet.
func New(cfg Config) (*Keeper, error) {
	b, err := openBinary(cfg.Path)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, inputs: make(chan func()), ended: make(chan struct{}), held: held{}, binary: b}
	k.logs(false)
	for name, fd := range cfg.Systemd.inherited() {
		k.held.put([]string{name}, []int{fd})
	}
	return k, nil
}

// logs chooses the form of the log, which is the worker's.
func (k *Keeper) logs(json bool) {
	var h slog.Handler = slog.NewTextHandler(k.cfg.Stderr, nil)
	if json {
		h = slog.NewJSONHandler(k.cfg.Stderr, nil)
	}
	k.log = slog.New(h).With("part", "keeper")
}

// Run keeps a worker running until a signal ends it, or until the first one could not start. It gives the exit code.
func (k *Keeper) Run() int {
	runtime.LockOSThread() // the children's death signal hangs on the thread that started them
	defer runtime.UnlockOSThread()
	k.startWorker()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for !k.over {
		select {
		case f := <-k.inputs:
			f()
		case s := <-k.cfg.Signals:
			k.signalled(s)
		case <-tick.C:
			k.lookAfter()
		}
	}
	k.end()
	return k.code
}

// end waits for all that was started.
func (k *Keeper) end() {
	close(k.ended)
	for _, c := range k.children() {
		c.kill()
	}
	k.readers.Wait()
	k.control.close()
	k.binary.close()
	for _, fd := range k.held {
		_ = unix.Close(fd)
	}
}

func (k *Keeper) children() (list []*child) {
	for _, c := range []*child{k.worker, k.sounder, k.spare, k.upgrade.candidate()} {
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}

// do runs f in the loop. Once the loop has ended nothing is done.
func (k *Keeper) do(f func()) {
	select {
	case k.inputs <- f:
	case <-k.ended:
	}
}

func (k *Keeper) after(d time.Duration, f func()) { time.AfterFunc(d, func() { k.do(f) }) }

// startWorker lets the spare be the worker, or a new process where there is no spare.
func (k *Keeper) startWorker() {
	c := k.spare
	k.spare = nil
	if c == nil {
		var err error
		if c, err = k.spawn(k.binary); err != nil {
			k.cannotStart(err)
			return
		}
	}
	k.worker = c
	if c.waits {
		k.begin(c)
	}
}

// cannotStart is the system's refusal to run the binary at all.
func (k *Keeper) cannotStart(err error) {
	k.log.Error("the worker cannot be started", "err", err)
	if !k.settled {
		k.over, k.code = true, 1
		return
	}
	k.after(k.pace.died(time.Now()), k.startWorker)
}

// begin tells a process that waits that it is the worker.
func (k *Keeper) begin(c *child) {
	c.begun = time.Now()
	if err := c.begin(k.held, k.status()); err != nil {
		k.log.Error("the worker does not take what is kept", "pid", c.pid(), "err", err)
		c.kill()
		return
	}
	k.after(startWait, func() {
		if k.worker == c && c.ready.IsZero() {
			k.log.Error("the worker is not ready in time", "pid", c.pid(), "after", startWait)
			c.kill()
		}
	})
}

func (k *Keeper) startSpare() {
	if k.spare != nil || k.stopping || k.worker == nil || k.worker.ready.IsZero() {
		return
	}
	c, err := k.spawn(k.binary)
	if err != nil {
		k.log.Error("no spare can be started", "err", err)
		k.after(max(k.sparing.died(time.Now()), firstRest), k.startSpare)
		return
	}
	k.spare = c
}

// receive is what a child has said.
func (k *Keeper) receive(c *child, m message) {
	switch m.kind {
	case hold:
		if c != k.worker {
			closeAll(m.fds) // of one that has left, or does not know its place
			return
		}
		k.cfg.Systemd.forget(m.names)
		k.held.put(m.names, m.fds)
		k.cfg.Systemd.store(m.names, m.fds)
	case drop:
		if c == k.worker {
			k.held.drop(m.names)
			k.cfg.Systemd.forget(m.names)
		}
	case waiting:
		k.waits(c, parse[Hello](m.body))
	case ready:
		k.isReady(c, parse[Ready](m.body))
	case verdict:
		k.tested(c, string(m.body))
	case leftCalls:
		k.leaves(c)
	case takeSound:
		k.asksForSound(c)
	case lastWord, soundStopped:
		k.passOn(c, m)
	case soundGoesOn:
		c.mute = time.Since(c.asked)
	case replace:
		k.replace(c)
	case pong:
		c.pings = 0
	}
}

// waits is a process that has done all it can before it is told to go.
func (k *Keeper) waits(c *child, h Hello) {
	c.waits, c.version, c.takes = true, h.Version, h.Takes
	switch {
	case c == k.worker:
		k.begin(c)
	case c == k.upgrade.candidate():
		if k.upgrade.fault == "" {
			k.yield(k.worker)
		}
	case c == k.spare && k.replaces && k.upgrade == nil:
		k.yield(k.worker)
	default:
		k.tell()
	}
}

func (k *Keeper) isReady(c *child, r Ready) {
	if c != k.worker || !c.ready.IsZero() {
		return
	}
	c.ready = time.Now()
	if k.sounder != nil { // nobody has asked for its sound
		k.sounder.kill()
	}
	k.logs(r.JSON)
	k.replaces = false
	k.open(r.Control)
	if k.settled {
		k.log.Info("the worker is ready", "pid", c.pid(), "version", c.version, "took", c.ready.Sub(c.begun))
	}
	k.settled = true
	k.cfg.Systemd.ready(c.pid())
	if k.upgrade.candidate() == c {
		k.watch(c, r)
	}
	k.after(spareDelay, k.startSpare)
	k.tell()
}

// replace starts a worker that reads the config again in the place of the present one: at once, or when the upgrade
// under way has failed. One that asks before it was ready has no spare yet.
func (k *Keeper) replace(c *child) {
	if c != k.worker {
		return
	}
	k.replaces = true
	switch {
	case k.upgrade != nil:
	case c.ready.IsZero():
		k.yield(c)
	default:
		k.renew()
	}
}

// renew has a spare that reads the config again.
func (k *Keeper) renew() {
	if old := k.spare; old != nil {
		k.spare = nil
		old.kill()
	}
	k.startSpare()
}

// yield asks the worker to leave the calls to another. One that does not is killed: it is as good as gone, the journal
// has all.
func (k *Keeper) yield(c *child) {
	if c == nil || c.yielded {
		return
	}
	c.yielded = true
	m := message{kind: yield}
	if n := k.next(); n != nil && n.takes && k.sounder == nil {
		m.body = []byte(lasting)
	}
	if err := c.wire.send(m); err != nil {
		c.kill()
		return
	}
	k.after(yieldWait, func() {
		if k.worker == c {
			k.log.Warn("the worker does not leave in time", "pid", c.pid(), "after", yieldWait)
			c.kill()
		}
	})
}

// died is the end of a process.
func (k *Keeper) died(c *child, err error) {
	switch c {
	case k.worker:
		k.worker = nil
		k.workerDied(c, err)
	case k.sounder:
		k.hushed(false)
	case k.spare:
		k.spare = nil
		k.spareDied(c, err)
	case k.upgrade.candidate():
		k.abandon(c, err)
	}
}

func (k *Keeper) workerDied(c *child, err error) {
	switch code := exitCode(err); {
	case k.stopping:
		k.over, k.code = true, code
	case !k.settled && code == 1: // it has said why
		k.over, k.code = true, code
	case k.upgrade != nil:
		k.upgradeGoesOn(c, err)
	case c.yielded:
		k.startWorker()
	default:
		k.count(c, err)
		rest := k.pace.died(time.Now())
		k.log.Error("the worker has died", "pid", c.pid(), "how", how(err), "restarts", k.restarts, "rest", rest)
		if rest == 0 {
			k.startWorker()
			return
		}
		k.after(rest, k.startWorker)
	}
}

func (k *Keeper) spareDied(c *child, err error) {
	if k.stopping {
		return
	}
	k.log.Error("the spare has died", "pid", c.pid(), "how", how(err))
	k.after(max(k.sparing.died(time.Now()), firstRest), k.startSpare)
	k.tell()
}

// count notes a death that nobody has asked for. A worker that was not told to begin yet, or that has said why it ends,
// owes it to its config or to the machine.
func (k *Keeper) count(c *child, err error) {
	k.restarts++
	switch {
	case !c.ready.IsZero() && time.Since(c.ready) >= hardlyLived:
		k.row = 0
	case c.begun.IsZero() || said(err):
	default:
		k.row++
	}
}

// said: the process has ended by itself, with an error that it has logged. A panic's code is 2.
func said(err error) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.ExitCode() == 1
}

// exitCode is what the keeper ends with when this child was the last. A child that was killed has failed.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	return 1
}

// how says how a process has ended.
func how(err error) string {
	if err == nil {
		return "it ended by itself"
	}
	return err.Error()
}

// signalled passes a signal on to the worker. The first that ends the switch ends the spare as well; a second one makes
// haste, which is the worker's to know.
func (k *Keeper) signalled(s os.Signal) {
	ends := s == os.Interrupt || s == leave
	if ends && !k.stopping {
		k.stopping = true
		k.cfg.Systemd.stopping()
		k.control.close() // the next keeper may start, and waits for the journal
		k.control = nil
		for _, c := range k.children() {
			if c != k.worker {
				c.kill()
			}
		}
		if k.worker == nil { // it rests
			k.over, k.code = true, 1
			return
		}
	}
	if k.worker == nil {
		return
	}
	if ends {
		s = leave
	}
	_ = k.worker.cmd.Process.Signal(s)
}

// lookAfter asks the worker whether it is alive, and tells systemd that somebody looks after it.
func (k *Keeper) lookAfter() {
	k.cfg.Systemd.alive()
	c := k.worker
	if c == nil || c.ready.IsZero() {
		return
	}
	if c.pings >= maxPings {
		k.log.Error("the worker does not answer", "pid", c.pid(), "for", maxPings*pingEvery)
		c.kill()
		return
	}
	c.pings++
	if err := c.wire.send(message{kind: ping}); err != nil {
		c.kill()
	}
}

func (k *Keeper) status() Status {
	s := Status{Keeper: os.Getpid(), Restarts: k.restarts, Row: k.row, Trial: k.upgrade != nil}
	if k.sounder != nil {
		s.Sounding = k.sounder.pid()
	}
	if k.worker != nil {
		s.Worker, s.Version = k.worker.pid(), k.worker.version
	}
	if k.spare != nil && k.spare.waits {
		s.Spare = k.spare.pid()
	}
	return s
}

// tell the worker what the processes are.
func (k *Keeper) tell() {
	if k.worker != nil && !k.worker.begun.IsZero() {
		_ = k.worker.wire.tell(status, k.status()) // one that does not read is found by its pings
	}
}
