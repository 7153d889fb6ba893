package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// crowd is citizens who call the police one after the other through the edge, each with a number of his own, and the
// desks of both lines. A desk answers at once, and hands every third call over.
type crowd struct {
	e       *edged
	ctx     context.Context
	end     context.CancelFunc
	all     sync.WaitGroup
	talk    time.Duration // how long a call lasts at most
	citizen atomic.Int64

	mu     sync.Mutex
	waits  map[string]chan *phone.Call // guarded by mu: who waits for the desk of a number's call
	busy   map[string]*phone.Call      // guarded by mu: by desk
	done   int                         // guarded by mu: calls that went as they should
	handed int                         // guarded by mu: those of them that were handed over
	twice  []string                    // guarded by mu: desks that were rung in a call
	wrong  []error                     // guarded by mu
}

// crowdSeats are the overrides that give both lines so many seats, each rung alone.
func crowdSeats(n int) (set []string) {
	for line, first := range map[string]int{"110": 1101, "12345": 2101} {
		var list []string
		for i := range n {
			user := strconv.Itoa(first + i)
			list = append(list, user)
			set = append(set, "phones."+user+".hotline="+line, "phones."+user+".password=lab-"+user)
		}
		set = append(set, "hotlines."+line+".seats=["+strings.Join(list, ", ")+"]",
			"hotlines."+line+".ring=longest_idle")
	}
	return set
}

// startCrowd registers the desks and has so many citizens call, until stop.
func startCrowd(t testing.TB, e *edged, seats, citizens int, talk time.Duration) *crowd {
	t.Helper()
	c := &crowd{e: e, talk: talk, waits: map[string]chan *phone.Call{}, busy: map[string]*phone.Call{}}
	c.ctx, c.end = context.WithCancel(t.Context())
	t.Cleanup(c.end)
	for i := range seats {
		for _, seat := range []struct {
			first int
			tone  float64
		}{{1101, deskTone}, {2101, partnerTone}} {
			desk := e.desk(t, strconv.Itoa(seat.first+i), seat.tone)
			go c.attend(t.Context(), desk)
		}
	}
	for _, n := range e.nodes {
		eventually(t, "all know all phones", func() bool {
			return n.metric(t, "liandong_shared_registrations") == float64(2*seats)
		})
	}
	c.comes(citizens)
	return c
}

// comes has more citizens call.
func (c *crowd) comes(citizens int) {
	for range citizens {
		c.all.Go(func() {
			for c.ctx.Err() == nil {
				c.one()
			}
		})
	}
}

// attend gives the calls of a desk to those who wait for them. It ends with the test.
func (c *crowd) attend(ctx context.Context, desk *phone.Phone) {
	for {
		select {
		case call := <-desk.Incoming():
			c.mu.Lock()
			if last := c.busy[desk.Name()]; last != nil && last.State() != phone.Ended {
				c.twice = append(c.twice, desk.Name())
			}
			c.busy[desk.Name()] = call
			for number, wait := range c.waits {
				if strings.Contains(call.Caller().From, number) {
					wait <- call
				}
			}
			c.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

func (c *crowd) one() {
	number := fmt.Sprint(13900000000 + c.citizen.Add(1))
	handed, err := c.play(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waits, number)
	switch {
	case err != nil:
		c.wrong = append(c.wrong, fmt.Errorf("the call of %s: %w", number, err))
	case handed:
		c.handed++
		fallthrough
	default:
		c.done++
	}
}

// play is a whole call of a citizen, which no stop interrupts.
func (c *crowd) play(number string) (handed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), time.Minute)
	defer cancel()
	wait := make(chan *phone.Call, 16)
	c.mu.Lock()
	c.waits[number] = wait
	c.mu.Unlock()
	began := time.Now()
	call, err := c.e.carrier.Call("sip:110@"+c.e.carrierAt.String(), phone.CallOptions{From: number,
		PAI: []string{"tel:+86" + number}})
	if err != nil {
		return false, err
	}
	defer func() { // what is wrong is told with what the citizen has seen
		if err != nil {
			err = fmt.Errorf("%w, after %v\n%s", err, time.Since(began).Round(time.Millisecond), shortly(call))
			call.Cancel()
		}
	}()
	if err := call.WaitState(ctx, phone.Confirmed); err != nil {
		return false, fmt.Errorf("is not answered: %w: %+v", err, call.Ending())
	}
	desk, err := arrives(ctx, wait)
	if err == nil {
		err = both(ctx, call, desk, deskTone)
	}
	if err != nil {
		return false, err
	}
	parties := []*phone.Call{call, desk}
	if handed = rand.IntN(3) == 0; handed {
		if err := desk.SendDTMF(ctx, "*1", phone.RFC4733); err != nil {
			return false, fmt.Errorf("a key: %w", err)
		}
		partner, err := arrives(ctx, wait)
		if err == nil {
			err = desk.WaitState(ctx, phone.Ended)
		}
		if err == nil {
			err = both(ctx, call, partner, partnerTone)
		}
		if err != nil {
			return false, fmt.Errorf("handed over: %w", err)
		}
		desk, parties = partner, append(parties, partner)
	}
	time.Sleep(rand.N(c.talk))
	for _, p := range []*phone.Call{call, desk} {
		if p.State() != phone.Confirmed {
			return false, fmt.Errorf("a party was let go: %+v", p.Ending())
		}
	}
	tone := deskTone
	if handed {
		tone = partnerTone
	}
	if err := both(ctx, call, desk, tone); err != nil {
		return false, fmt.Errorf("at the end: %w", err)
	}
	leaves, stays := call, desk
	if !handed && rand.IntN(2) == 0 { // a partner that hangs up soon has not taken the call
		leaves, stays = desk, call
	}
	if err := leaves.Hangup(ctx); err != nil {
		return false, fmt.Errorf("hanging up: %w", err)
	}
	if err := stays.WaitState(ctx, phone.Ended); err != nil {
		return false, fmt.Errorf("hanging up is not passed on: %w", err)
	}
	for _, p := range parties {
		if s := p.Continuity(); len(s.SSRCs) != 1 || len(s.Sources) != 1 {
			return false, fmt.Errorf("the stream broke: SSRCs %v, sources %v", s.SSRCs, s.Sources)
		}
	}
	return handed, nil
}

func arrives(ctx context.Context, wait <-chan *phone.Call) (*phone.Call, error) {
	select {
	case c := <-wait:
		if err := c.WaitState(ctx, phone.Confirmed); err != nil {
			return nil, fmt.Errorf("the desk's call: %w", err)
		}
		return c, nil
	case <-ctx.Done():
		return nil, errors.New("no desk rings")
	}
}

// both waits until the two hear each other.
func both(ctx context.Context, citizen, desk *phone.Call, tone float64) error {
	for _, one := range []struct {
		who  string
		call *phone.Call
		hz   float64
	}{{"the citizen", citizen, tone}, {"the desk", desk, callerTone}} {
		late, cancel := context.WithTimeout(ctx, 15*time.Second)
		err := one.call.WaitHeard(late, 200*time.Millisecond, func(pcm []int16) bool {
			return phone.Share(pcm, one.hz) > 0.8
		})
		cancel()
		if err != nil {
			return fmt.Errorf("%s does not hear %v Hz: %w", one.who, one.hz, err)
		}
	}
	return nil
}

// rungTwice are the desks that were rung in a call since it was asked for them last.
func (c *crowd) rungTwice() (desks []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	desks, c.twice = c.twice, nil
	return desks
}

// finished is how many calls went as they should, so far.
func (c *crowd) finished() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// stop lets the citizens end their calls and fails when one did not go as it should, or a matter's entries are not in
// Redis once each.
func (c *crowd) stop(t testing.TB, redis string) {
	t.Helper()
	c.end()
	c.all.Wait()
	t.Logf("%d calls, of which %d were handed over", c.done, c.handed)
	if len(c.twice) > 0 {
		t.Errorf("desks were rung in a call: %v", c.twice)
	}
	for _, err := range c.wrong {
		t.Error(err)
	}
	if c.handed == 0 {
		t.Error("no call was handed over")
	}
	eachOnce(t, redis, c.handed)
}

// eachOnce fails unless there are so many matters, each opened and answered, and no entry of them is there twice.
func eachOnce(t testing.TB, redis string, matters int) {
	t.Helper()
	of := map[string]map[string]int{} // event → times, by stub
	eventually(t, "the entries are there", func() bool {
		clear(of)
		complete := 0
		for _, e := range wholeStream(t, redis, "liandong:tickets:12345") {
			if of[e["stub_id"]] == nil {
				of[e["stub_id"]] = map[string]int{}
			}
			of[e["stub_id"]][e["event"]]++
		}
		for _, events := range of {
			if events["opened"] > 0 && events["answered"] > 0 {
				complete++
			}
		}
		return complete >= matters
	})
	if len(of) != matters {
		t.Errorf("there are %d matters, want %d", len(of), matters)
	}
	for stub, events := range of {
		for event, n := range events {
			if n != 1 {
				t.Errorf("%s: %d times %s", stub, n, event)
			}
		}
	}
}

// drain stops a switch as a service manager does, and waits until the last of its calls has ended.
func (s *serving) drain(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	must(t, s.keeper.Process.Signal(syscall.SIGTERM))
	gone := make(chan error, 1)
	go func() { gone <- s.keeper.Wait() }()
	select {
	case err := <-gone:
		must(t, err)
	case <-time.After(90 * time.Second):
		t.Fatal("a switch that drains does not end")
	}
	return time.Since(began)
}

// Three switches behind the shipped Kamailio get a new version one after the other while citizens call: by a stop that
// lets the calls end (503 to new ones and to OPTIONS; the edge has the others take them), or by upgrade under the
// calls. No call is refused, none is lost, no desk gets two, and each matter's entries are there once.
// ROLLING_ROUNDS=10 does all that ten times.
func TestRollingUpgrade(t *testing.T) {
	if testing.Short() {
		t.Skip("three switches under load, for half a minute")
	}
	t.Parallel()
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("ROLLING_ROUNDS"), "1"))
	must(t, err)
	old, err := build()
	must(t, err)
	newer := filepath.Join(t.TempDir(), "liandong")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.release=v9.8.7", "-o", newer,
		"liandong/cmd/liandong").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	redis := redistest.Start(t, "--appendfsync", "everysec")
	e := startEdged(t, 3, redis.Addr(), append(crowdSeats(5), "cluster.share=redis", "log.level=info")...)
	c := startCrowd(t, e, 5, 3, 2*time.Second)
	next := func(what string, n *serving) {
		t.Helper()
		had, total := c.finished(), max(n.metric(t, "liandong_calls_total"), 0)
		eventually(t, what+" the switch gets calls, and citizens are served", func() bool {
			return n.metric(t, "liandong_calls_total") > total && c.finished() > had+2
		})
	}
	for _, n := range e.nodes {
		next("before", n)
	}
	for round := range rounds {
		program, version := newer, "v9.8.7"
		if round%2 == 1 {
			program, version = old, ""
		}
		for i, n := range e.nodes {
			n.putInPlace(t, program)
			if (i+round)%3 == 1 {
				n.await(t, func(p keeper.Status) bool { return p.Spare != 0 })
				if said, err := n.upgrade(program); err != nil {
					t.Fatalf("%v\n%s", err, said)
				}
				t.Logf("switch %d is upgraded under its calls", i)
			} else {
				t.Logf("switch %d has ended with its last call, after %v", i, n.drain(t).Round(time.Millisecond))
				n.start(t)
			}
			n.await(t, func(p keeper.Status) bool { return strings.Contains(p.Version, version) })
			next("afterwards", n)
		}
	}
	c.stop(t, redis.Addr())
	for i, n := range e.nodes {
		if lost := n.metric(t, "liandong_calls_lost"); lost != 0 {
			t.Errorf("switch %d has lost %v calls", i, lost)
		}
	}
}
