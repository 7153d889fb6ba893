package ledger

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

// leaseKey holds the name of the node that does the work.
const leaseKey = "liandong:ledger:lease"

// lease is this node's claim to be the one that works. Owned by the ledger's goroutine.
type lease struct {
	me    string // no other process has this
	term  time.Duration
	until time.Time // by this node's clock, counted from before Redis was asked
	renew time.Time
}

func newLease(cfg Config) lease { return lease{me: cfg.Node + " " + rand.Text(), term: cfg.Lease} }

// renewLease prolongs the lease of the one who holds it, or takes it when nobody does.
var renewLease = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return holder and 1 or 2`)

var endLease = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// hold says whether this node works. fresh: somebody else may have worked since it last did.
func (l *lease) hold(ctx context.Context, to *link.Link, now time.Time) (held, fresh bool, err error) {
	if l.good(now) && now.Before(l.renew) {
		return true, false, nil
	}
	got, err := renewLease.Run(ctx, to.Client(), []string{leaseKey}, l.me, l.term.Milliseconds()).Int()
	if err != nil || got == 0 {
		return false, false, err
	}
	fresh = got == 2 || !l.good(now)
	l.until, l.renew = now.Add(l.term), now.Add(l.term/3)
	return true, fresh, nil
}

// good says that nobody else can hold the lease yet. A tenth is left for clocks that do not run alike.
func (l *lease) good(now time.Time) bool { return now.Before(l.until.Add(-l.term / 10)) }

// release lets the next node begin at once.
func (l *lease) release(to *link.Link) {
	if l.until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = endLease.Run(ctx, to.Client(), []string{leaseKey}, l.me).Err() // else it ends by itself
}
