package outbox

import (
	"context"
	_ "embed"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

//go:embed deliver.lua
var deliverText string

// deliver is a script, not a function: scripts need no right to load libraries and work from Redis 5 on.
var deliver = redis.NewScript(deliverText)

// broken is what the script answers when Redis has lost what it had confirmed.
const broken = -1

// cargo is one entry of a load: from the disk, or from memory when the disk fails.
type cargo struct {
	record
	seq  uint64
	size int
	item *item // nil: from the disk
}

// load is what goes to Redis in one round trip: one parcel per stream.
type load struct {
	parcels        []*parcel
	streams        map[string]*parcel
	stubs          map[uint64]string // hash of stub → its stream in this load
	room           int               // entries that it may hold
	entries, bytes int
}

// parcel is what one call of the script brings to one stream. Redis takes all of it or nothing.
type parcel struct {
	stream string
	cargo  []cargo
}

func newLoad(room int) *load {
	return &load{room: room, streams: map[string]*parcel{}, stubs: map[uint64]string{}}
}

// add says false when the entry must wait for the next round: the load is full, or the stub is in it for another
// stream. Parcels of a load are independent, and the entry must not arrive when that other one fails.
func (l *load) add(c cargo, stub uint64) bool {
	stream, ok := l.stubs[stub]
	if l.entries >= l.room || l.bytes >= roundBytes || ok && stream != c.stream {
		return false
	}
	l.stubs[stub] = c.stream
	p := l.streams[c.stream]
	if p == nil {
		p = &parcel{stream: c.stream}
		l.streams[c.stream], l.parcels = p, append(l.parcels, p)
	}
	p.cargo = append(p.cargo, c)
	l.entries++
	l.bytes += c.weight()
	return true
}

func (c cargo) weight() int {
	if c.item != nil {
		return len(c.item.body)
	}
	return c.size
}

// seenKey is where Redis remembers a stream's event ids. The braces make it hash to the slot of the stream.
func seenKey(stream string) string { return "{" + stream + "}:seen" }

// args are the script's, see deliver.lua.
func (p *parcel) args(chain string, remember time.Duration) []any {
	args := make([]any, 0, 2+len(p.cargo)*48)
	args = append(args, chain, remember.Milliseconds())
	for _, c := range p.cargo {
		args = append(args, c.id, strconv.Itoa(len(c.fields)))
		for _, f := range c.fields {
			args = append(args, f)
		}
	}
	return args
}

// send brings a load to Redis and takes in what became of each parcel.
func (s *shipper) send(ctx context.Context, now time.Time, l *load) {
	answers := s.call(ctx, l.parcels)
	again := false
	for i, p := range l.parcels {
		fresh, err := answers[i].Int()
		again = s.answered(now, p, fresh, err) || again
	}
	if again {
		s.rewind(now)
	}
}

// call runs the script for each parcel, all in one round trip.
func (s *shipper) call(ctx context.Context, parcels []*parcel) []*redis.Cmd {
	ctx, cancel := s.o.cfg.Deadline(ctx)
	defer cancel()
	pipe := s.o.link.Client().Pipeline()
	answers := make([]*redis.Cmd, len(parcels))
	for i, p := range parcels {
		lane := s.lane(p.stream)
		keys, args := []string{p.stream, seenKey(p.stream)}, p.args(lane.chain, s.o.cfg.Remember)
		if lane.whole {
			answers[i] = deliver.Eval(ctx, pipe, keys, args...)
		} else {
			answers[i] = deliver.EvalSha(ctx, pipe, keys, args...)
		}
	}
	_, _ = pipe.Exec(ctx) // each answer holds its own error
	return answers
}

// answered takes in one answer and says whether a new pass is to begin.
func (s *shipper) answered(now time.Time, p *parcel, fresh int, err error) (again bool) {
	lane := s.lane(p.stream)
	switch {
	case err == nil && fresh == broken:
		s.revive(p.stream)
		return true
	case err == nil:
		s.arrived(now, p, fresh)
		return false
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // a new Redis, or SCRIPT FLUSH
		lane.whole = true
		return true
	case redis.HasErrorPrefix(err, "MOVED"):
		s.o.link.Follow()
		s.block(now, p, err)
		return false
	case link.Replied(err): // READONLY, LOADING, OOM, WRONGTYPE, NOPERM …: others may fare better
		s.block(now, p, err)
		return false
	}
	s.lost(now, err)
	return true
}

// arrived: Redis has the parcel.
func (s *shipper) arrived(now time.Time, p *parcel, fresh int) {
	lane := s.lane(p.stream)
	lane.whole = false
	lane.wait.reset()
	var items []*item
	for _, c := range p.cargo {
		lane.chain = c.id
		if c.item != nil {
			items = append(items, c.item)
			continue
		}
		s.kept[c.seq] = kept{stream: p.stream, at: now, size: c.size}
		s.o.stats.unshipped.Add(-1)
	}
	s.o.queue.landed(items)
	s.room = min(2*s.room, roundEntries)
	s.o.stats.shipped.Add(uint64(fresh))
	s.o.stats.repeated.Add(uint64(len(p.cargo) - fresh))
	s.up(now)
	if s.forget.IsZero() || s.o.cfg.Keep == 0 || len(s.kept) > keptEntries {
		s.forget = now.Add(s.o.cfg.Keep)
	}
}

// block: this stream refuses entries. Its stubs are left behind for this pass.
func (s *shipper) block(now time.Time, p *parcel, err error) {
	lane := s.lane(p.stream)
	s.down(err)
	if lane.wait.now == 0 {
		s.o.log.Warn("outbox: stream does not take entries, they wait", "stream", p.stream, "err", link.Plain(err))
	}
	lane.blocked, lane.retry = true, now.Add(lane.wait.next())
	for _, c := range p.cargo {
		s.held[s.hash(c.stub)] = struct{}{}
	}
}

// lost: no answer. Whether Redis has the load will show when it is sent again.
func (s *shipper) lost(now time.Time, err error) {
	s.down(err)
	if !s.pause.After(now) {
		s.room = max(s.room/2, 16)
		s.pause = now.Add(s.wait.next())
	}
}

// revive sends everything again that Redis had confirmed for the stream and is still kept.
func (s *shipper) revive(stream string) {
	revived := 0
	for seq, k := range s.kept {
		if k.stream == stream && !k.leaving {
			delete(s.kept, seq)
			revived++
		}
	}
	s.lane(stream).chain = ""
	s.o.stats.unshipped.Add(int64(revived))
	s.o.stats.revived.Add(uint64(revived))
	s.o.log.Warn("outbox: redis has lost entries that it had confirmed, they are sent again", "stream", stream, "entries", revived)
}
