package app

import (
	"errors"
	"iter"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/cmd/internal/api"
	"liandong/configs"
	"liandong/routing/desk"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// reload is what is needed for reading the config again.
type reload struct {
	read func() (*configs.Config, error) // nil: there is no file

	mu        sync.Mutex // one reload at a time
	holds     atomic.Pointer[configs.Config]
	last      atomic.Pointer[api.Reading] // nil: there was none
	directory atomic.Pointer[desk.Directory]
}

var errNoFile = errors.New("app: this switch has no config file to read again")

// Reload reads the config again. What check would refuse changes nothing, and is the error. What is good holds for new
// calls at once, and calls that are on keep what they began with; what is made at the start is named and waits for a
// restart.
func (a *App) Reload() (changes []configs.Change, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.read == nil {
		return nil, errNoFile
	}
	defer func() { a.last.Store(&api.Reading{At: time.Now(), Changes: changes, Err: err}) }()
	cfg, err := a.read()
	if err == nil {
		err = a.take(cfg)
	}
	if err != nil {
		a.refused(err)
		return nil, err
	}
	old := a.holds.Swap(cfg)
	changes = configs.Differences(old, cfg)
	for _, c := range changes {
		a.log.Info("config changed", "what", c.String(), "restart", c.Restart)
	}
	a.log.Info("the config is read again", "changes", len(changes))
	return changes, nil
}

// refused logs each mistake with its place.
func (a *App) refused(err error) {
	problems, ok := errors.AsType[configs.Problems](err)
	if !ok {
		a.log.Error("the config is not taken, the last one holds", "err", err)
		return
	}
	for _, p := range problems {
		a.log.Error("the config is not taken, the last one holds", "what", p.String())
	}
}

// take lets the parts go by another config. The socket layer may refuse it; after that nothing does.
func (a *App) take(cfg *configs.Config) error {
	sockets := cfg.UA()
	sockets.SelfTest = a.secret
	if err := a.ua.Reload(sockets); err != nil {
		return err
	}
	d := cfg.Directory()
	moved := a.sharing.users(cfg)
	a.trunks.take(neighbours(cfg))
	a.engine.SetPrompts(cfg.Engine().Prompts)
	was := a.directory.Swap(d)
	a.business.Lines(slices.Sorted(maps.Keys(d.Hotlines)))
	a.exchange.SetDirectory(d, legs(cfg))
	a.exchange.ShareAgain(moved)
	seen := cfg.APIOf(d)
	a.api.SetConfig(seen)
	a.console.SetConfig(seen)
	for user := range changed(was.Seats, d.Seats) {
		a.feed.Touch(user)
	}
	a.tester.Go(waysOf(cfg, a.secret))
	return nil
}

// changed are the seats that onlookers are shown otherwise from now on, or no more.
func changed(was, now map[string]*desk.Seat) iter.Seq[string] {
	return func(yield func(string) bool) {
		for user, s := range now {
			old, ok := was[user]
			if ok && old.Name == s.Name && old.Hotline == s.Hotline && old.Takes == s.Takes {
				continue
			}
			if !yield(user) {
				return
			}
		}
		for user := range was {
			if _, ok := now[user]; !ok && !yield(user) {
				return
			}
		}
	}
}

// neighbourhood is the keeper of the trunks, which a reload replaces when it changes them.
type neighbourhood struct {
	wire *ua.UA
	log  *slog.Logger
	mu   sync.Mutex // guards replacing
	cfg  trunk.Config
	now  atomic.Pointer[trunk.Keeper]
}

func newNeighbourhood(cfg trunk.Config, wire *ua.UA, log *slog.Logger) *neighbourhood {
	n := &neighbourhood{wire: wire, log: log, cfg: cfg}
	n.now.Store(trunk.New(cfg, wire, log))
	return n
}

// Restore takes what a process before this one has kept.
func (n *neighbourhood) Restore(values iter.Seq2[string, []byte]) error {
	return n.now.Load().Restore(values)
}

// Start begins to ask.
func (n *neighbourhood) Start() { n.now.Load().Start() }

// Stop ends the keeper and waits for it.
func (n *neighbourhood) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now.Load().Stop()
}

// suspend ends the keeper and waits for it. Nothing is said to anybody: another process goes on.
func (n *neighbourhood) suspend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now.Load().Suspend()
}

// take watches over other trunks. What was known of the old ones is found out again. The old keeper takes its
// registrations away before the new one makes its own.
func (n *neighbourhood) take(cfg trunk.Config) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if reflect.DeepEqual(cfg.Trunks, n.cfg.Trunks) {
		return
	}
	cfg.Keep, cfg.Now = n.cfg.Keep, n.cfg.Now
	next := trunk.New(cfg, n.wire, n.log)
	n.now.Load().Stop()
	n.cfg = cfg
	next.Start()
	n.now.Store(next)
}

// Order lists the targets of a trunk as a call is to try them.
func (n *neighbourhood) Order(name string) []trunk.Target { return n.now.Load().Order(name) }

// Called takes what became of a call's INVITE to a target.
func (n *neighbourhood) Called(name string, t trunk.Target, o trunk.Outcome) {
	n.now.Load().Called(name, t, o)
}

// Registrations says of each trunk that is to know where we are whether it does.
func (n *neighbourhood) Registrations() map[string]bool { return n.now.Load().Registrations() }

// Stats lists all targets, by trunk.
func (n *neighbourhood) Stats() []trunk.TargetStats { return n.now.Load().Stats() }
