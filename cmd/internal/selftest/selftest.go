// Package selftest is the call by which the switch finds out that it would take a citizen's: through its own sockets,
// as if from each trunk, to each line, with a real INVITE and sound. It is marked by a secret that nobody else has: no
// desk rings, and it counts nowhere.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"liandong/cmd/internal/phone"
)

// Way is one call: as if from a trunk, to a line.
type Way struct {
	Trunk, Line string
	Number      string         // of the line
	User        string         // whom the switch calls when it calls itself so
	Server      netip.AddrPort // where the trunk's network is heard
	Transport   string         // "udp" or "tcp"
}

// Tester makes the calls between Start and Stop.
type Tester struct {
	every time.Duration
	log   *slog.Logger
	tell  func(Round)

	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	lines  []line         // guarded by mu
	failed map[string]int // guarded by mu; by line, in a row
}

// line is one with the ways to it, which take turns.
type line struct {
	id   string
	ways []Way
}

// Round is how a call to each line ended.
type Round struct {
	First  bool             // of this process
	Faults map[string]error // by line; none: all is well
	Alarms []string         // the lines that have failed before, too
}

const (
	alarmAfter = 2               // failures in a row
	answerWait = 4 * time.Second // for the 200
	soundWait  = 3 * time.Second // and then for the sound
	keyWait    = 3 * time.Second // and then for what a key does
	endWait    = 2 * time.Second // and then for the end
	window     = 200 * time.Millisecond
	audible    = 50 // root mean square, of 32767
)

// New makes a tester; tell is told of each round and must not block for long.
func New(ways []Way, every time.Duration, tell func(Round), log *slog.Logger) *Tester {
	t := &Tester{every: every, tell: tell, log: log}
	t.Go(ways)
	return t
}

// Go has the calls go other ways from now on. nil makes none.
func (t *Tester) Go(ways []Way) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.failed
	t.lines, t.failed = nil, map[string]int{}
	for _, w := range ways {
		i := slices.IndexFunc(t.lines, func(l line) bool { return l.id == w.Line })
		if i < 0 {
			i, t.lines = len(t.lines), append(t.lines, line{id: w.Line})
		}
		t.failed[w.Line] = before[w.Line]
		t.lines[i].ways = append(t.lines[i].ways, w)
	}
}

func (t *Tester) current() []line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines
}

// Start begins; the first round is at once when now, else after the time between two.
func (t *Tester) Start(now bool) {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.wg.Go(func() { t.run(ctx, now) })
}

// Stop ends the tests and waits for the one that is on.
func (t *Tester) Stop() {
	if t.cancel != nil {
		t.cancel()
	}
	t.wg.Wait()
}

func (t *Tester) run(ctx context.Context, now bool) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		if now || n > 0 {
			t.round(ctx, n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round calls each line once, by the trunk whose turn it is.
func (t *Tester) round(ctx context.Context, n int) {
	r := Round{First: n == 0, Faults: map[string]error{}}
	for i, l := range t.current() {
		w := l.ways[(n+i)%len(l.ways)]
		if err := call(ctx, w); err != nil {
			r.Faults[l.id] = fmt.Errorf("by trunk %s: %w", w.Trunk, err)
		}
	}
	if ctx.Err() != nil {
		return
	}
	t.judge(&r)
	t.tell(r)
}

func (t *Tester) judge(r *Round) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		err := r.Faults[l.id]
		if err == nil {
			t.failed[l.id] = 0
			continue
		}
		if t.failed[l.id]++; t.failed[l.id] < alarmAfter {
			t.log.Warn("a call of the switch's own has failed", "line", l.id, "err", err)
			continue
		}
		t.log.Error("ALARM: the switch does not take its own calls", "line", l.id, "err", err)
		r.Alarms = append(r.Alarms, l.id)
	}
}

// OK says of each line how it is: false after alarmAfter failures in a row.
func (t *Tester) OK() map[string]bool {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]bool{}
	for line, n := range t.failed {
		all[line] = n < alarmAfter
	}
	return all
}

// call is one: answered, heard by us, heard by the switch, ended.
func call(ctx context.Context, w Way) error {
	p, err := phone.New(phone.Config{
		Name: "selftest", User: "selftest", Listen: netip.AddrPortFrom(w.Server.Addr(), 0), Server: w.Server,
		Transport: w.Transport,
		Speech:    phone.Tone(1000, time.Second), Record: true, UserAgent: "liandong self-test",
	})
	if err != nil {
		return err
	}
	defer p.Close()
	c, err := p.Call(fmt.Sprintf("sip:%s@%v", w.Number, w.Server),
		phone.CallOptions{Target: fmt.Sprintf("sip:%s@%v", w.User, w.Server)})
	if err != nil {
		return err
	}
	err = answered(ctx, c)
	if err == nil {
		err = heard(ctx, c)
	}
	if err == nil {
		err = hears(ctx, c)
	}
	end, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	if bye := c.Hangup(end); err == nil && bye != nil {
		err = fmt.Errorf("no answer to BYE: %w", bye)
	}
	return err
}

func answered(ctx context.Context, c *phone.Call) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	if err := c.WaitState(ctx, phone.Confirmed); err != nil {
		if e := c.Ending(); e.Code != 0 {
			return fmt.Errorf("refused: %d %s", e.Code, e.Phrase)
		}
		return fmt.Errorf("not answered: %w", err)
	}
	return nil
}

func heard(ctx context.Context, c *phone.Call) error {
	ctx, cancel := context.WithTimeout(ctx, soundWait)
	defer cancel()
	if err := c.WaitHeard(ctx, window, func(pcm []int16) bool { return phone.Loudness(pcm) > audible }); err != nil {
		return fmt.Errorf("nothing is heard: %w", err)
	}
	return nil
}

// hears presses a key, by RTP, on which the switch is to hang up.
func hears(ctx context.Context, c *phone.Call) error {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	sent := c.SendDTMF(ctx, "5", phone.RFC4733) // the end may come before the key is up
	if err := c.WaitState(ctx, phone.Ended); err != nil {
		return fmt.Errorf("a key is not heard: %w", errors.Join(sent, err))
	}
	return nil
}
