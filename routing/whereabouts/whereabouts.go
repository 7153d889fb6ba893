// Package whereabouts is the way of a switch's registrations to Redis and of the other switches' from there: it
// carries what a [location.Book] wants exchanged. Nobody waits for Redis. While it is away the switch goes by what it
// knows, and tells it afterwards what has changed.
package whereabouts

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
	"liandong/sip/location"
)

const (
	channel = "liandong:phones"  // on which the switches are told whose phones have changed
	prefix  = "liandong:phones:" // of the keys, one a user

	together = 256         // users in one exchange
	pause    = time.Second // after one that has failed; so often also it is looked what is to be read again
	round    = 30          // in so many pauses each user is read again
)

// Config of one Redis and the users whose phones are shared by it. Immutable.
type Config struct {
	link.Config
	Users []string
	Now   func() time.Time                // steady: of the registrations' times
	Learn func(news []location.News)      // is told what other switches have changed; it must not block for long
	Known func() (own []location.Binding) // what the switch knows when it starts
}

// Whereabouts shares registrations. Safe for use by several goroutines.
type Whereabouts struct {
	cfg  Config
	log  *slog.Logger
	link *link.Link
	me   string // no other process has this
	wake chan struct{}

	mu    sync.Mutex
	book  *location.Book // guarded by mu
	stats Stats          // guarded by mu, but for what is counted when it is asked

	whole   bool // owned by run: Redis is sent the script as it is
	failing bool // owned by run: not all was answered last
	hung    bool // owned by run: nothing was
	deaf    bool // owned by who listens: it has been said that others are not heard
}

// Stats is how the sharing stands.
type Stats struct {
	Up        bool          // Redis has answered last
	Lag       time.Duration // for so long it has lacked something that this switch knows; 0: it has all
	Bindings  int           // phones of all switches
	Exchanges uint64        // with Redis, of many users at once
	Changes   uint64        // sent to it
	Learnt    uint64        // that other switches have made
	Failures  uint64        // exchanges without an answer
}

// New makes the way; Redis need not be there.
func New(cfg Config, log *slog.Logger) (*Whereabouts, error) {
	l, err := link.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Whereabouts{cfg: cfg, log: log, link: l, me: rand.Text(), wake: make(chan struct{}, 1),
		book: location.NewBook(cfg.Users)}, nil
}

// Start begins to share. Call it once, when the switch knows what it knows.
func (w *Whereabouts) Start() {
	known := w.cfg.Known() // which asks the registrar: no lock is held meanwhile
	w.mu.Lock()
	w.book.Knew(w.cfg.Now(), known...)
	w.mu.Unlock()
	w.nudge()
	w.link.Go(w.run)
	w.link.Go(func(ctx context.Context) {
		w.link.Listen(ctx, channel, link.Hearing{Joined: w.joined, Heard: w.heard, Deaf: w.notHeard})
	})
}

// Stop ends it. What was registered stays in Redis until it ends.
func (w *Whereabouts) Stop() { w.link.Close() }

// Changed tells of what this switch has accepted. It never waits.
func (w *Whereabouts) Changed(list []location.Binding) {
	w.mu.Lock()
	w.book.Changed(w.cfg.Now(), list...)
	w.mu.Unlock()
	w.nudge()
}

// SetUsers says whose phones are shared from now on.
func (w *Whereabouts) SetUsers(users []string) {
	w.mu.Lock()
	w.book.Users(users)
	w.mu.Unlock()
	w.nudge()
}

// Stats may be called at any time.
func (w *Whereabouts) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, now := w.stats, w.cfg.Now()
	s.Lag, s.Bindings = w.book.Lag(now), w.book.Size(now)
	return s
}

// nudge leaves a note that there is something to exchange; one is enough.
func (w *Whereabouts) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run exchanges what there is, until there is nothing, and when Redis does not answer waits.
func (w *Whereabouts) run(ctx context.Context) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.mu.Lock()
			w.book.Again(round)
			w.mu.Unlock()
		case <-w.wake:
			if w.hung {
				continue // until the next tick
			}
		}
		for more := true; more && ctx.Err() == nil; {
			more = w.exchange(ctx)
		}
	}
}

// exchange is one round trip; false: there is nothing more to exchange, or no answer.
func (w *Whereabouts) exchange(ctx context.Context) (more bool) {
	asked := w.cfg.Now()
	w.mu.Lock()
	items := w.book.Next(asked, together)
	w.mu.Unlock()
	if len(items) == 0 {
		return false
	}
	answers := w.ask(ctx, asked, items)
	var news []location.News
	var failed error
	w.mu.Lock()
	now := w.cfg.Now()
	some := false
	for i, item := range items {
		state, err := stateOf(answers[i], item.User, asked)
		if err != nil {
			failed = err
			continue
		}
		some = true
		news = append(news, w.book.Took(now, item, state)...)
		w.stats.Changes += uint64(len(item.Changes))
	}
	w.stats.Exchanges++
	w.stats.Learnt += uint64(len(news))
	w.mu.Unlock()
	if len(news) > 0 {
		w.cfg.Learn(news)
	}
	again := w.again(failed)
	if !again {
		w.told(ctx, failed)
	}
	w.hung = failed != nil && !some
	return failed == nil || again
}

// again says that the same is to be asked in another way.
func (w *Whereabouts) again(err error) bool {
	was := w.whole
	w.whole = redis.HasErrorPrefix(err, "NOSCRIPT") // a new Redis, or SCRIPT FLUSH
	if redis.HasErrorPrefix(err, "MOVED") {
		w.link.Follow()
	}
	return w.whole && !was
}

// told logs the first failure of a row, and its end.
func (w *Whereabouts) told(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	w.stats.Up = err == nil
	if err != nil {
		w.stats.Failures++
	}
	w.mu.Unlock()
	switch {
	case err != nil && !w.failing:
		w.log.Warn("registrations are not shared, each switch goes by what it knows", "err", link.Plain(err))
	case err == nil && w.failing:
		w.log.Info("registrations are shared again")
	}
	w.failing = err != nil
}

//go:embed exchange.lua
var exchangeText string

var exchange = redis.NewScript(exchangeText)

// ask carries out the exchange of some users in one round trip.
func (w *Whereabouts) ask(ctx context.Context, now time.Time, items []location.Item) []*redis.Cmd {
	ctx, cancel := w.cfg.Deadline(ctx)
	defer cancel()
	pipe := w.link.Client().Pipeline()
	answers := make([]*redis.Cmd, len(items))
	for i, item := range items {
		keys, args := []string{prefix + item.User}, w.args(now, item)
		if w.whole {
			answers[i] = exchange.Eval(ctx, pipe, keys, args...)
		} else {
			answers[i] = exchange.EvalSha(ctx, pipe, keys, args...)
		}
	}
	_, _ = pipe.Exec(ctx) // each answer holds its own error
	return answers
}

// args are the script's, see exchange.lua.
func (w *Whereabouts) args(now time.Time, item location.Item) []any {
	args := []any{channel, w.me + " " + item.User}
	for _, c := range item.Changes {
		gone := 0
		if c.Gone {
			gone = 1
		}
		args = append(args, c.Key, c.CallID, c.CSeq, gone, c.Node, max(0, now.Sub(c.Since).Milliseconds()),
			max(1, c.Expires.Sub(now).Milliseconds()), c.Way)
	}
	return args
}

var errAnswer = errors.New("whereabouts: redis answers what its script does not")

// stateOf reads the phones of a user. Their times count from asked: nothing is believed for longer than it lives.
func stateOf(cmd *redis.Cmd, user string, asked time.Time) (state []location.Binding, err error) {
	list, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	const fields = 8
	if len(list)%fields != 0 {
		return nil, errAnswer
	}
	for ; len(list) > 0; list = list[fields:] {
		var texts [4]string
		var numbers [4]int64
		for i, at := range []int{0, 1, 4, 7} {
			text, ok1 := list[at].(string)
			number, ok2 := list[[]int{2, 3, 5, 6}[i]].(int64)
			if !ok1 || !ok2 {
				return nil, errAnswer
			}
			texts[i], numbers[i] = text, number
		}
		state = append(state, location.Binding{User: user, Key: texts[0], CallID: texts[1], CSeq: uint32(numbers[0]),
			Gone: numbers[1] == 1, Node: texts[2], Since: asked.Add(-ms(numbers[2])),
			Expires: asked.Add(ms(numbers[3])), Way: []byte(texts[3])})
	}
	return state, nil
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// joined: whoever could not be heard meanwhile is not known, so all are read.
func (w *Whereabouts) joined() {
	w.deaf = false
	w.mu.Lock()
	w.book.Joined()
	w.mu.Unlock()
	w.nudge()
}

// heard is whom another switch has changed.
func (w *Whereabouts) heard(payload string) {
	from, user, _ := strings.Cut(payload, " ")
	if from == w.me {
		return
	}
	w.mu.Lock()
	w.book.Heard(user)
	w.mu.Unlock()
	w.nudge()
}

func (w *Whereabouts) notHeard(err error) {
	if !w.deaf {
		w.deaf = true
		w.log.Warn("other switches are not heard: what they change is found by looking", "every", round*pause,
			"err", link.Plain(err))
	}
}
