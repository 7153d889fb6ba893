package outbox

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

//go:embed lacking.lua
var lackingText string

var lackingScript = redis.NewScript(lackingText)

// shortly is how long the writer is waited for before a stream is restored.
const shortly = 5 * time.Millisecond

// settleMoves forgets what the writer has moved.
func (s *shipper) settleMoves() {
	done := s.o.queue.moved()
	for seq, until := range s.moving {
		if until <= done {
			delete(s.moving, seq)
		}
	}
	for _, l := range s.lanes {
		if l.again && len(s.moving) == 0 {
			l.again, l.restore = false, true
		}
	}
}

// restoreLanes brings to streams what they lack of what they had confirmed, before anything newer. It says how long to
// wait when that cannot be done now.
func (s *shipper) restoreLanes(ctx context.Context, now time.Time) time.Duration {
	for stream, l := range s.lanes {
		if !l.restore || l.blocked {
			continue
		}
		if len(s.moving) > 0 {
			if !s.o.queue.fails() {
				return shortly
			}
			s.unconfirm(l)
		}
		err := s.restore(ctx, stream, l)
		switch {
		case err == nil:
			s.rewind(now)
		case redis.HasErrorPrefix(err, "MOVED"):
			s.o.link.Follow()
			s.block(now, &parcel{stream: stream}, err)
		case link.Replied(err):
			s.block(now, &parcel{stream: stream}, err)
		default:
			s.lost(now, err)
			return max(s.pause.Sub(now), time.Millisecond)
		}
	}
	return 0
}

// unconfirm: the disk fails, and what was confirmed cannot be found among what is kept; it is sent again.
func (s *shipper) unconfirm(l *lane) {
	s.o.stats.unshipped.Add(int64(len(s.moving)))
	clear(s.moving)
	l.again = true
}

// restore goes through what is kept for a stream, from the oldest.
func (s *shipper) restore(ctx context.Context, stream string, l *lane) error {
	sent := 0
	newest := chain{}
	for from := uint64(1); from > 0; {
		list, next, err := s.keptFrom(stream, from)
		if err != nil {
			return err
		}
		from = next
		if len(list) == 0 {
			continue
		}
		lacking, err := s.lacking(ctx, stream, l, list)
		if err != nil {
			return err
		}
		last := list[len(list)-1]
		newest = chain{id: last.id, told: last.told}
		if err := s.sendAgain(ctx, stream, lacking, &newest); err != nil {
			return err
		}
		sent += len(lacking)
	}
	l.restore, l.back, l.chain = false, false, newest
	if sent > 0 {
		s.o.stats.revived.Add(uint64(sent))
		s.o.log.Warn("outbox: redis has lost entries that it had confirmed, they were sent again", "stream", stream,
			"entries", sent)
	}
	return nil
}

// keptFrom reads the next entries that are kept for a stream, and from where to go on; 0: that was all.
func (s *shipper) keptFrom(stream string, from uint64) (list []kept, next uint64, err error) {
	err = s.o.disk.scanKept(from, func(seq uint64, value []byte) bool {
		next = seq + 1
		if k, err := decodeKept(seq, value); err == nil && k.stream == stream {
			list = append(list, k)
		}
		return len(list) < 2*roundEntries
	})
	if len(list) < 2*roundEntries {
		next = 0
	}
	return list, next, err
}

// lacking asks Redis which of them it lacks.
func (s *shipper) lacking(ctx context.Context, stream string, l *lane, list []kept) (lacking []kept, err error) {
	ctx, cancel := s.o.cfg.Deadline(ctx)
	defer cancel()
	back := "0"
	if l.back {
		back = "1"
	}
	old := time.Now().Add(-s.o.cfg.Remember).UnixMilli()
	args := []any{l.chain.told, l.chain.added, back, s.o.cfg.Remember.Milliseconds(), old}
	for _, k := range list {
		args = append(args, k.id, k.told)
	}
	answer, err := lackingScript.Run(ctx, s.o.link.Client(), []string{stream, seenKey(stream)}, args...).Slice()
	if err != nil {
		return nil, err
	}
	if len(answer) < 2 {
		return nil, errAnswer
	}
	l.back = l.back || answer[0] == "1"
	for _, n := range answer[2:] {
		i, ok := n.(int64)
		if !ok || i < 1 || i > int64(len(list)) {
			return nil, errAnswer
		}
		lacking = append(lacking, list[i-1])
	}
	return lacking, nil
}

// sendAgain brings kept entries once more, in order.
func (s *shipper) sendAgain(ctx context.Context, stream string, list []kept, newest *chain) error {
	for len(list) > 0 {
		p, took := s.again(stream, list)
		list = list[took:]
		if len(p.cargo) == 0 {
			continue
		}
		dl, cancel := s.o.cfg.Deadline(ctx)
		r, err := receiptOf(deliver.Run(dl, s.o.link.Client(), []string{stream, seenKey(stream)},
			p.args(chain{}, s.o.cfg.Remember)...), len(p.cargo))
		cancel()
		if err != nil {
			return err
		}
		var moves []move
		for i, c := range p.cargo {
			moves = append(moves, move{seq: c.seq, size: c.size, told: r.told[i]})
			if c.id == newest.id {
				newest.told = r.told[i]
			}
		}
		newest.added = r.added
		s.o.stats.shipped.Add(uint64(r.fresh))
		s.o.queue.move(moves...)
	}
	return nil
}

// again loads as many of the kept entries as a round may carry, and says how many of the list that were.
func (s *shipper) again(stream string, list []kept) (p *parcel, took int) {
	p = &parcel{stream: stream}
	weight := 0
	for _, k := range list {
		if len(p.cargo) >= roundEntries || weight >= roundBytes {
			break
		}
		took++
		_ = s.o.disk.scanKept(k.seq, func(seq uint64, value []byte) bool {
			if body, err := bodyOf(value); err == nil && seq == k.seq {
				if r, err := decode(body); err == nil {
					p.cargo = append(p.cargo, cargo{record: r, seq: seq, size: len(body)})
					weight += len(body)
				}
			}
			return false
		})
	}
	return p, took
}
