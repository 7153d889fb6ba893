package outbox

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

//go:embed deliver.lua
var deliverText string

// deliver is a script, not a function: scripts need no right to load libraries and work from Redis 5 on.
var deliver = redis.NewScript(deliverText)

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
	limit          int               // entries that it may hold
	entries, bytes int
}

// parcel is what one call of the script brings to one stream. Redis takes all of it or nothing.
type parcel struct {
	stream string
	cargo  []cargo
}

func newLoad(room int) *load {
	return &load{limit: room, streams: map[string]*parcel{}, stubs: map[uint64]string{}}
}

// add says false when the entry must wait for the next round: the load is full, or the stub is in it for another
// stream. Parcels of a load are independent, and the entry must not arrive when that other one fails.
func (l *load) add(c cargo, stub uint64) bool {
	stream, ok := l.stubs[stub]
	if l.entries >= l.limit || l.bytes >= roundBytes || ok && stream != c.stream {
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

// chain is what Redis has confirmed last for a stream, and by which it is asked whether it still has it.
type chain struct {
	id    string // event id; "": nothing
	told  string // its id in the stream; "": not known
	added int64  // how many entries the stream had been given ever; 0: not known
}

func (c chain) args() []any { return []any{c.id, c.told, c.added} }

// args are the script's, see deliver.lua.
func (p *parcel) args(c chain, remember time.Duration) []any {
	args := make([]any, 0, 4+len(p.cargo)*48)
	args = append(append(args, c.args()...), remember.Milliseconds())
	for _, c := range p.cargo {
		args = append(args, c.id, strconv.Itoa(len(c.fields)))
		for _, f := range c.fields {
			args = append(args, f)
		}
	}
	return args
}

// receipt is what Redis says to a parcel.
type receipt struct {
	broken bool // it has lost what it had confirmed
	fresh  int
	added  int64
	told   []string // of each entry
}

var errAnswer = errors.New("outbox: redis answers what its script does not")

func receiptOf(cmd *redis.Cmd, entries int) (r receipt, err error) {
	list, err := cmd.Slice()
	if err != nil {
		return r, err
	}
	n := func(i int) int64 { v, _ := list[i].(int64); return v }
	switch {
	case len(list) == 1 && n(0) == 0:
		return receipt{broken: true}, nil
	case len(list) != 3+entries:
		return r, errAnswer
	}
	r = receipt{fresh: int(n(1)), added: n(2), told: make([]string, entries)}
	for i := range r.told {
		r.told[i], _ = list[3+i].(string)
	}
	return r, nil
}

// send brings a load to Redis and takes in what became of each parcel.
func (s *shipper) send(ctx context.Context, now time.Time, l *load) {
	answers := s.call(ctx, l.parcels)
	again := false
	for i, p := range l.parcels {
		r, err := receiptOf(answers[i], len(p.cargo))
		again = s.answered(now, p, r, err) || again
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
func (s *shipper) answered(now time.Time, p *parcel, r receipt, err error) (again bool) {
	lane := s.lane(p.stream)
	switch {
	case err == nil && r.broken:
		lane.restore = true
		return true
	case err == nil:
		s.arrived(now, p, r)
		return false
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // a new Redis, or SCRIPT FLUSH
		lane.whole = true
		return true
	case redis.HasErrorPrefix(err, "MOVED"):
		s.o.link.Follow()
		s.block(now, p, err)
		return false
	// READONLY, LOADING, OOM, WRONGTYPE, NOPERM …: others may fare better
	case link.Replied(err), errors.Is(err, errAnswer):
		s.block(now, p, err)
		return false
	}
	s.lost(now, err)
	return true
}

// arrived: Redis has the parcel.
func (s *shipper) arrived(now time.Time, p *parcel, r receipt) {
	lane := s.lane(p.stream)
	lane.whole = false
	lane.wait.reset()
	var items []*item
	var moves []move
	for i, c := range p.cargo {
		lane.chain.id, lane.chain.told = c.id, r.told[i]
		if c.item != nil {
			items = append(items, c.item)
			continue
		}
		m := move{seq: c.seq, size: c.size, told: r.told[i]}
		if s.o.cfg.Keep == 0 {
			m.kind = fromWait
		}
		moves = append(moves, m)
	}
	lane.chain.added = r.added
	s.o.queue.landed(items)
	s.confirm(moves)
	s.limit = min(2*s.limit, roundEntries)
	s.o.stats.shipped.Add(uint64(r.fresh))
	s.o.stats.repeated.Add(uint64(len(p.cargo) - r.fresh))
	s.up(now)
}

// confirm hands entries that Redis has to the writer. Until it has moved them they are passed over.
func (s *shipper) confirm(moves []move) {
	if len(moves) == 0 {
		return
	}
	until := s.o.queue.move(moves...)
	for _, m := range moves {
		if _, ok := s.moving[m.seq]; !ok {
			s.o.stats.unshipped.Add(-1)
		}
		s.moving[m.seq] = until
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
		s.limit = max(s.limit/2, 16)
		s.pause = now.Add(s.wait.next())
	}
}
