package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/cmd/internal/phone"
)

// Soak is everything that a hotline does, mixed and for long, with what goes wrong there: phones that vanish in the
// middle of a call, all calls ending at once, phones that register again and again, and in other places.
type Soak struct {
	Target
	Duration time.Duration  `placeholder:"TIME" default:"1h" help:"How long calls are made (default: ${default})."`
	Hold     time.Duration  `placeholder:"TIME" default:"6s" help:"How long parties talk before the next thing happens (default: ${default})."`
	Storm    time.Duration  `placeholder:"TIME" default:"2m" help:"All calls end at once, and all phones register again, so often (default: ${default})."`
	Every    time.Duration  `placeholder:"TIME" default:"10s" help:"Memory and the like are looked at so often (default: ${default})."`
	WarmUp   time.Duration  `placeholder:"TIME" default:"5m" help:"What grows until then does not count (default: ${default})."`
	HTTP     netip.AddrPort `name:"http" placeholder:"IP:PORT" default:"127.0.0.1:8080" help:"The server's HTTP, for its goroutines and ports (default: ${default})."`
	Redis    string         `placeholder:"HOST:PORT" default:"127.0.0.1:6379" help:"The Redis whose memory is looked at; empty: none (default: ${default})."`
}

const maxSoak = 24 * time.Hour

// Check names every option that will not do.
func (c Soak) Check() error {
	return errors.Join(c.check(),
		allowed(c.Duration > 0 && c.Duration <= maxSoak, "duration", c.Duration,
			"more than 0s, at most "+maxSoak.String()),
		allowed(c.WarmUp >= 0 && c.WarmUp < c.Duration, "warm-up", c.WarmUp, "less than --duration"),
		allowed(c.Seats >= 3, "seats", c.Seats, "3 or more: one of them vanishes now and then"),
		checkDuration("hold", c.Hold), checkDuration("storm", c.Storm), checkDuration("every", c.Every),
		allowed(c.HTTP.IsValid(), "http", c.HTTP, "an IP address with a port"))
}

// soak is a run of it.
type soak struct {
	Soak
	*run
	begun   atomic.Int64 // calls
	storms  chan struct{}
	mu      sync.Mutex
	waiting map[int]*party   // flows by the number of their call; guarded by mu
	went    map[string]*Flow // by flow; guarded by mu
}

// party is who has answered for a call: the desk, the partner, and the desk that vanishes.
type party struct {
	desk, partner chan *phone.Call
	vanishes      atomic.Bool
}

func (p *party) desks() chan *phone.Call    { return p.desk }
func (p *party) partners() chan *phone.Call { return p.partner }

// Flow is how one kind of call went.
type Flow struct {
	Tried  int            `json:"tried"`
	Done   int            `json:"done"`
	Failed map[string]int `json:"failed"`
}

// Measure runs it.
func (c Soak) Measure(ctx context.Context) (*Report, error) {
	r, err := start(ctx, "soak", c.Target,
		needs{desks: c.Seats - 1, partners: c.Seats, sound: true, streams: 4 * c.Seats})
	if err != nil {
		return nil, err
	}
	r.engine.forgets()
	s := &soak{Soak: c, run: r, waiting: map[int]*party{}, went: map[string]*Flow{}, storms: make(chan struct{})}
	watch, err := s.watch(c.PID)
	if err != nil {
		r.finish(ctx, 0)
		return nil, err
	}
	listening, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	incoming(listening, &wg, r.desks, func(c *phone.Call) { s.hand(c, (*party).desks) })
	incoming(listening, &wg, r.partners, func(c *phone.Call) { s.hand(c, (*party).partners) })
	wg.Go(func() { s.storm(listening) })
	wg.Go(func() { s.restless(listening) })
	s.callAll(ctx)
	r.report.Soak = watch.stop()
	r.report.Soak.Flows = s.went
	report, err := r.finish(ctx, int(s.begun.Load()))
	report.Calls.Tried, report.Calls.Up = 0, 0
	for _, f := range s.went {
		report.Calls.Tried += f.Tried
		report.Calls.Up += f.Done
		for why, n := range f.Failed {
			report.Calls.Failed[why] += n
		}
	}
	stop()
	wg.Wait()
	return report, err
}

// callAll begins calls at the rate until the time is over, and waits for the last.
func (s *soak) callAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.Duration)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	every := time.NewTicker(time.Duration(float64(time.Second) / s.Rate))
	defer every.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		f := flows[n%len(flows)]
		s.begun.Add(1)
		wg.Go(func() { s.play(n, f.name, f.play) })
	}
}

// play makes one call and counts how it went.
func (s *soak) play(n int, name string, play func(*story) error) {
	t := &story{soak: s, n: n, who: &party{desk: make(chan *phone.Call, 8), partner: make(chan *phone.Call, 8)}}
	s.mu.Lock()
	s.waiting[n%maxAttempts] = t.who
	storms := s.storms
	s.mu.Unlock()
	t.storm = storms
	err := play(t)
	if t.who.vanishes.Load() {
		name, err = vanishing, t.all(t.colleagueComes, t.talk, t.callerEnds)
	}
	t.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, n%maxAttempts)
	f := s.went[name]
	if f == nil {
		f = &Flow{Failed: map[string]int{}}
		s.went[name] = f
	}
	f.Tried++
	if err == nil {
		f.Done++
	} else {
		f.Failed[err.Error()]++
	}
}

// vanishing is what becomes of a flow whose desk is the one that vanishes.
const vanishing = "the desk vanishes, a colleague comes"

// hand gives a call that a phone has answered to whom it belongs; nil: to nobody any more.
func (s *soak) hand(call *phone.Call, of func(*party) chan *phone.Call) *party {
	n, known := s.index(call.Caller(), maxAttempts)
	s.mu.Lock()
	p := s.waiting[n]
	s.mu.Unlock()
	if !known || p == nil {
		return nil
	}
	select {
	case of(p) <- call:
	default: // nobody waits for so many
	}
	return p
}

// storm ends all calls at once now and then, and lets all phones register at once.
func (s *soak) storm(ctx context.Context) {
	for sleep(ctx, s.Storm) {
		s.mu.Lock()
		close(s.storms)
		s.storms = make(chan struct{})
		s.mu.Unlock()
		var wg sync.WaitGroup
		for _, p := range append(append([]*phone.Phone{}, s.run.desks...), s.partners...) {
			wg.Go(func() { _ = within(ctx, p.Register) }) // one that fails is seen by its calls
		}
		wg.Wait()
	}
}

// restless is the last desk's user, whose phone comes, answers, is gone without a word, and comes again elsewhere.
func (s *soak) restless(ctx context.Context) {
	user := strconv.Itoa(s.Desk + s.Seats - 1)
	for ctx.Err() == nil {
		var gone atomic.Bool
		p, err := s.phone(desk, phone.Config{
			User: user, Password: strings.ReplaceAll(s.Password, "{user}", user), Domain: s.Domain,
			Listen: netip.AddrPortFrom(s.At, 0), Policy: phone.AnswerAfter(s.AnswerAfter), Expires: time.Hour,
			Lose: func(bool, *phone.Message) bool { return gone.Load() },
		})
		if err != nil {
			return
		}
		_ = within(ctx, p.Register)
		here, leave := context.WithTimeout(ctx, s.Storm/4)
		var wg sync.WaitGroup
		incoming(here, &wg, []*phone.Phone{p}, func(c *phone.Call) {
			belongs := s.hand(c, (*party).desks)
			if v, ok := voiceOf(c); ok && belongs != nil && sleep(here, s.Hold/2) && c.State() == phone.Confirmed {
				belongs.vanishes.Store(true)
				gone.Store(true)
				v.Mute()
				sleep(ctx, 2*patience)
				leave()
			}
		})
		wg.Wait()
		leave()
		gone.Store(true) // nothing is said at the end
		p.Close()
	}
}

// story is one call as its parties play it.
type story struct {
	*soak
	n             int
	who           *party
	storm         chan struct{}
	caller        *phone.Call
	desk, partner *phone.Call
	lost          *phone.Phone // the caller's that vanishes
	gone          atomic.Bool  // it has
}

var errStorm = errors.New("")

// flows are the kinds of calls, in the order in which they are made.
var flows = []struct {
	name string
	play func(*story) error
}{
	{"talk, the caller hangs up", func(t *story) error { return t.all(t.call, t.talk, t.callerEnds) }},
	{"talk, the desk hangs up", func(t *story) error { return t.all(t.call, t.talk, t.deskEnds) }},
	{"hand-over", func(t *story) error { return t.all(t.call, t.key("*1"), t.partnerComes, t.talk, t.callerEnds) }},
	{"three-way, the partner leaves", func(t *story) error {
		return t.all(t.call, t.key("*3"), t.partnerComes, t.talk, t.partnerEnds, t.talk, t.deskEnds)
	}},
	{"consultation, taken back", func(t *story) error {
		return t.all(t.call, t.key("*2"), t.partnerComes, t.talk, t.key("*4"), t.talk, t.callerEnds)
	}},
	{"hold and resume", func(t *story) error { return t.all(t.call, t.holds, t.talk, t.callerEnds) }},
	{"urgent", func(t *story) error { return t.all(t.call, t.key("*9"), t.talk, t.deskEnds) }},
	{"three-way, the caller vanishes", func(t *story) error {
		return t.all(t.callOfOne, t.key("*3"), t.partnerComes, t.vanish)
	}},
	{"the caller gives up at once", func(t *story) error { return t.all(t.begin, t.callerEnds) }},
}

// all plays one act after the other until one fails. A storm ends it well.
func (t *story) all(acts ...func() error) error {
	for _, act := range acts {
		if err := act(); err != nil {
			if errors.Is(err, errStorm) {
				return nil
			}
			return err
		}
	}
	return nil
}

func (t *story) begin() (err error) { return t.from(t.callers[0]) }

func (t *story) from(p *phone.Phone) (err error) {
	number := fmt.Sprint(t.Number + uint64(t.n%maxAttempts))
	t.caller, err = p.Call("sip:"+t.callee(t.n)+"@"+t.Server.String(),
		phone.CallOptions{From: number, PAI: []string{number}})
	return err
}

// call is a citizen's that a desk answers.
func (t *story) call() error {
	if err := t.begin(); err != nil {
		return err
	}
	return t.answered()
}

func (t *story) answered() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // the desk whose turn it is may have vanished
	defer cancel()
	if err := t.caller.WaitState(ctx, phone.Confirmed); err != nil {
		return fmt.Errorf("not answered: %s", ending(t.caller))
	}
	return t.await(t.who.desk, &t.desk, "no desk")
}

// callOfOne is a call of a phone that makes no other, so that it can vanish.
func (t *story) callOfOne() error {
	p, err := t.phone(caller, phone.Config{Name: "lost", Listen: netip.AddrPortFrom(t.From, 0), Domain: t.From.String(),
		Lose: func(bool, *phone.Message) bool { return t.gone.Load() }})
	if err != nil {
		return err
	}
	t.lost = p
	if err := t.from(p); err != nil {
		return err
	}
	return t.answered()
}

func (t *story) vanish() error {
	if v, ok := voiceOf(t.caller); ok {
		v.Mute()
	}
	t.gone.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	if t.desk.WaitState(ctx, phone.Ended) != nil {
		return errors.New("the desk was not let go after its caller had vanished")
	}
	return nil
}

// await waits for a party that is to come.
func (t *story) await(from chan *phone.Call, to **phone.Call, why string) error {
	select {
	case *to = <-from:
		return nil
	case <-t.storm:
		return errStorm
	case <-time.After(2 * patience):
		return errors.New(why)
	}
}

// colleagueComes: the call has gone on to another desk, unless a storm or its caller has ended it before.
func (t *story) colleagueComes() error {
	if t.caller.State() == phone.Ended {
		return errStorm
	}
	return t.await(t.who.desk, &t.desk, "no colleague")
}

func (t *story) partnerComes() error { return t.await(t.who.partner, &t.partner, "no partner") }

// talk lets time pass, after which it is plain which of two desks that were rung together has the call.
func (t *story) talk() error {
	select {
	case <-t.storm:
		return errStorm
	case <-time.After(t.Hold/2 + rand.N(t.Hold)):
	}
	for late(t.desk) {
		if err := t.await(t.who.desk, &t.desk, "no desk but one that was late"); err != nil {
			return err
		}
	}
	for late(t.partner) {
		if err := t.await(t.who.partner, &t.partner, "no partner but one that was late"); err != nil {
			return err
		}
	}
	return nil
}

// late reports whether a phone answered when another had (RFC 3261 §13.3.1.4): its 200 is followed by a BYE.
func late(c *phone.Call) bool {
	return c != nil && c.State() == phone.Ended && slices.ContainsFunc(c.Ending().Reasons, func(r string) bool {
		return strings.Contains(r, "completed elsewhere")
	})
}

// key lets the desk press one, when it has talked a little.
func (t *story) key(keys string) func() error {
	return func() error {
		if err := t.talk(); err != nil {
			return err
		}
		v, ok := voiceOf(t.desk)
		if !ok || !v.press(keys) {
			return errors.New("the desk's call takes no keys: " + ending(t.desk))
		}
		return nil
	}
}

func (t *story) holds() error {
	if err := t.talk(); err != nil {
		return err
	}
	if err := within(context.Background(), t.desk.Hold); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if err := t.talk(); err != nil {
		return err
	}
	if err := within(context.Background(), t.desk.Resume); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

func (t *story) callerEnds() error  { return hangUp(t.caller, "caller") }
func (t *story) deskEnds() error    { return hangUp(t.desk, "desk") }
func (t *story) partnerEnds() error { return hangUp(t.partner, "partner") }

func hangUp(c *phone.Call, who string) error {
	if c.State() == phone.Ended && !c.Ending().Local && who != "partner" {
		return fmt.Errorf("the %s's call had ended: %s", who, ending(c))
	}
	if err := within(context.Background(), c.Hangup); err != nil {
		return fmt.Errorf("the %s cannot hang up: %w", who, err)
	}
	return nil
}

// end leaves no call.
func (t *story) end() {
	for _, c := range []*phone.Call{t.caller, t.desk, t.partner} {
		if c != nil && c.State() != phone.Ended {
			_ = within(context.Background(), c.Hangup)
		}
	}
	if t.lost != nil {
		t.lost.Close()
	}
}

// ending is why a call is over.
func ending(c *phone.Call) string {
	e := c.Ending()
	return strings.TrimSpace(fmt.Sprintf("%v %d %s", c.State(), e.Code, e.Phrase))
}
