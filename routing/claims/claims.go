package claims

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

const (
	channel = "liandong:seats"          // on which switches are told that something has changed
	held    = "{liandong:seats}:held"   // see claims.lua, as of those below
	leases  = "{liandong:seats}:lease:" // and the switch
	waits   = "{liandong:seats}:waiting"
	keeps   = "{liandong:seats}:kept"
	hears   = "{liandong:seats}:said"
	changes = "{liandong:seats}:changes"

	beat    = 500 * time.Millisecond // so often the lease is renewed, and all seats are read
	quietly = 50 * time.Millisecond  // so long after they were read they are not read again
	rest    = 9                      // nor so many times as long as reading them has taken: a tenth of Redis' time
	old     = Lease / 2              // an answer is not believed any more
)

// Config of one Redis. Immutable.
type Config struct {
	link.Config
	Node string // this switch; no other has its name

	// Changed is told of seats that other switches have now, or have no more, and once when that begins to be known, or
	// cannot be; nobody waits for it.
	Changed func(seats []string)

	// Learn is told what other switches have said of desks.
	Learn func(news []Word)
	Now   func() time.Time // steady: by which calls came, and words are said
}

// Claims is what this switch and others have of the seats. Safe for use by several goroutines; no method waits.
type Claims struct {
	cfg  Config
	log  *slog.Logger
	link *link.Link
	wake chan struct{}

	mu      sync.Mutex
	machine *machine // guarded by mu
	up      bool     // guarded by mu
	tried   bool     // guarded by mu: an exchange has ended, well or not
	stale   bool     // guarded by mu; other switches have changed something

	process string // no other has it
	number  uint64 // of the last exchange; owned by run
	failing bool   // owned by run
}

// Stats is how the claims stand.
type Stats struct {
	Up           bool // Redis has answered last
	Mine, Others int  // seats of this switch, and of others
	Waiting      int  // calls that wait at other switches
}

// New makes the way; Redis need not be there.
func New(cfg Config, log *slog.Logger) (*Claims, error) {
	cfg.Timeout = Lease / 4 // whatever the config says: a lease that is renewed later has ended
	l, err := link.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Claims{cfg: cfg, log: log, link: l, wake: make(chan struct{}, 1), machine: newMachine(),
		process: rand.Text()}, nil
}

// Start begins to claim. Call it once.
func (c *Claims) Start() {
	c.link.Go(c.run)
	c.link.Go(c.watch)
	c.link.Go(func(ctx context.Context) {
		c.link.Listen(ctx, channel, link.Hearing{Joined: func() { c.heard("") }, Heard: c.heard, Deaf: func(error) {}})
	})
}

// Stop ends it. The seats stay this switch's for a lease: another process may go on with its calls.
func (c *Claims) Stop() { c.link.Close() }

// Taken says that a call of this switch has a seat, Given that none has it any more. A call that wants it in its turn
// is by; zero: its turn does not matter.
func (c *Claims) Taken(seat string, by Waiter) { c.with(func(m *machine) { m.taken(seat, by) }) }

// Given is the end of Taken.
func (c *Claims) Given(seat string) { c.with(func(m *machine) { m.given(seat) }) }

// Queued says that a call waits for a seat of a line, Unqueued that it does not any more.
func (c *Claims) Queued(w Waiter) { c.with(func(m *machine) { m.queued(w) }) }

// Unqueued is the end of Queued.
func (c *Claims) Unqueued(call string) { c.with(func(m *machine) { m.unqueued(call) }) }

// Say tells the others of a desk.
func (c *Claims) Say(w Word) { c.with(func(m *machine) { m.said.say(w) }) }

// Ask waits for Redis' word about seats that were just taken: done is told which of them another switch has, or are
// kept for calls that have come earlier and wait at another. It is called within Patience, on the goroutine that renews
// the lease, and must not block; without word by what is known, and while Redis is away at once.
func (c *Claims) Ask(seats []string, done func(denied []string)) {
	c.with(func(m *machine) {
		until := time.Now()
		if c.up || !c.tried {
			until = until.Add(Patience)
		}
		m.ask(until, seats, done)
	})
}

// Bars says that a seat is not to be had as far as is known: another switch has it, or it is kept for a call there.
func (c *Claims) Bars(seat string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.bars(seat)
}

// Waiting counts the calls that wait for a line at other switches.
func (c *Claims) Waiting(line string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.others[line]
}

// HeldBy is the other switch that has a seat.
func (c *Claims) HeldBy(seat string) (node string, held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	node, held = c.machine.other[seat]
	return node, held
}

// Stats may be called at any time.
func (c *Claims) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Up: c.up, Mine: len(c.machine.mine), Others: len(c.machine.other)}
	for _, n := range c.machine.others {
		s.Waiting += n
	}
	return s
}

func (c *Claims) with(f func(*machine)) {
	c.mu.Lock()
	f(c.machine)
	c.mu.Unlock()
	c.nudge()
}

// nudge leaves a note that there is something to tell Redis; one is enough.
func (c *Claims) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run tells Redis what has changed, and renews the lease. An exchange that takes long keeps nobody waiting beyond his
// patience: another goroutine answers them.
func (c *Claims) run(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	again := time.NewTimer(time.Hour)
	defer again.Stop()
	read, pause := time.Now(), quietly
	c.exchange(ctx, true)
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			all = true
		case <-again.C:
		case <-c.wake:
			if c.failing {
				continue // until the next beat; who asks is answered by what is known
			}
		}
		c.mu.Lock()
		stale := c.stale
		c.mu.Unlock()
		switch wait := pause - time.Since(read); {
		case all || stale && wait <= 0:
			all, read = true, time.Now()
		case stale:
			again.Reset(wait)
		}
		c.exchange(ctx, all)
		if all {
			pause = max(quietly, rest*time.Since(read))
		}
	}
}

// watch answers who has waited long enough.
func (c *Claims) watch(ctx context.Context) {
	tick := time.NewTicker(Patience / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.mu.Lock()
			answers, changed := c.machine.late(time.Now())
			c.mu.Unlock()
			c.deliver(answers, changed)
		}
	}
}

// deliver gives those who wait the answers, and tells whose seats have changed.
func (c *Claims) deliver(answers []answer, changed []string) {
	for _, a := range answers {
		a.done(a.denied)
	}
	if len(changed) > 0 {
		c.cfg.Changed(changed)
	}
}

//go:embed claims.lua
var claimText string

var claim = redis.NewScript(claimText)

// errOld: this switch stood still, and what Redis has granted may be another's by now.
var errOld = errors.New("claims: the answer is older than the lease")

// exchange is one round trip.
func (c *Claims) exchange(ctx context.Context, all bool) {
	steady := c.cfg.Now()
	c.mu.Lock()
	r, some := c.machine.change(time.Now(), steady, all)
	if all {
		c.stale = false
	}
	c.mu.Unlock()
	if !some {
		return
	}
	a, err := c.send(ctx, r)
	if err == nil && time.Since(r.asked) > old {
		err = errOld
	}
	steady = c.cfg.Now()
	if redis.HasErrorPrefix(err, "MOVED") {
		c.link.Follow()
	}
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	first := !c.tried
	c.up, c.tried = err == nil, true
	var answers []answer
	var changed []string
	var news []Word
	if err == nil {
		answers, changed = c.machine.told(c.cfg.Node, r, a)
		news = c.machine.said.took(steady, r, a)
		if r.more || a.More || all && len(c.machine.open)+len(c.machine.queue) > 0 {
			c.nudge() // the rest, or what Redis has lost
		}
	} else {
		c.machine.failed(r)
	}
	c.mu.Unlock()
	if len(news) > 0 {
		c.cfg.Learn(news)
	}
	switch {
	case err != nil && !c.failing:
		c.log.Warn("seats are not shared, each switch goes by what it knows", "err", link.Plain(err))
	case err == nil && c.failing:
		c.log.Info("seats are shared again")
	}
	c.failing = err != nil
	if c.deliver(answers, changed); first && len(changed) == 0 {
		c.cfg.Changed(nil)
	}
}

// send runs the script.
func (c *Claims) send(ctx context.Context, r request) (a reply, err error) {
	c.number++
	r.Node, r.Process, r.Number, r.Channel = c.cfg.Node, c.process, c.number, channel
	text, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	keys := []string{held, leases + c.cfg.Node, waits, keeps, hears, changes}
	answer, err := claim.Run(ctx, c.link.Client(), keys, text).Text()
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal([]byte(answer), &a)
}

// heard: a switch has changed something. What was not heard while there was no subscription the beat finds.
func (c *Claims) heard(node string) {
	if node != c.cfg.Node {
		c.mu.Lock()
		c.stale = true
		c.mu.Unlock()
		c.nudge()
	}
}
