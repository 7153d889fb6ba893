package outbox

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// longWait is how long a server is given to say that disks have it all, beside the shipping: an append-only file that
// is synced once a second takes so long, and a replica tells once a second how far its own has come.
const longWait = 1500 * time.Millisecond

// proof is that all that a stream's server had confirmed before a time is on the disks that there are.
type proof struct {
	stream, server string
	at             time.Time
}

// valid says that it is still of use.
func (p proof) valid(server string, now time.Time) bool {
	return p.server == server && now.Sub(p.at) <= 4*settle
}

// doubt is a stream whose server could not say it soon. Immutable.
type doubt struct {
	stream, server string
	node           redis.Cmdable
	chain          []any
	most           int
}

// prove asks again about streams, at more leisure, while entries are shipped.
func (s *shipper) prove(ctx context.Context, doubts []doubt) {
	if len(doubts) == 0 || s.proving {
		return
	}
	s.proving = true
	s.o.proofs.Go(func() {
		var list []proof
		for _, d := range doubts {
			if p := (proof{d.stream, d.server, time.Now()}); ctx.Err() == nil && d.settled(ctx, s.o.cfg) {
				list = append(list, p)
			}
		}
		s.proofs <- list // has room: there is one such goroutine
	})
}

// proven notes what has been found out meanwhile.
func (s *shipper) proven() {
	select {
	case list := <-s.proofs:
		s.proving = false
		for _, p := range list {
			s.lane(p.stream).proof = p
		}
	default:
	}
}

// settled asks one server, and says whether the disks have what it had confirmed.
func (d doubt) settled(ctx context.Context, cfg Config) bool {
	ctx, cancel := cfg.Deadline(ctx)
	defer cancel()
	pipe := d.node.Pipeline()
	state := stateScript.Eval(ctx, pipe, []string{d.stream, seenKey(d.stream)}, slices.Concat(d.chain, []any{"1"})...)
	waited := pipe.Do(ctx, "WAITAOF", 1, d.most, min(longWait, cfg.Timeout*3/4).Milliseconds())
	_, _ = pipe.Exec(ctx) // each answer holds its own error
	list, err := state.Slice()
	if err != nil || len(list) != 5 {
		return false
	}
	whole, _ := list[0].(int64)
	return whole == 1 && durabilityOf(list[1:]).server == d.server && counts(waited, d.most)
}

// counts says that WAITAOF has counted the server's own disk and those of so many replicas.
func counts(waited *redis.Cmd, most int) bool {
	list, err := waited.Slice()
	if err != nil || len(list) != 2 {
		return false
	}
	local, _ := list[0].(int64)
	copies, _ := list[1].(int64)
	return local == 1 && copies >= int64(most)
}
