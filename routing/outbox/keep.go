package outbox

import (
	"context"
	"time"
)

// clean deletes from the disk what Redis has held for long enough, after asking whether it still does.
func (s *shipper) clean(ctx context.Context, now time.Time, age time.Duration) {
	s.forget = now.Add(max(age/2, 10*time.Millisecond))
	if !s.gone() {
		return
	}
	if len(s.kept) > keptEntries {
		age = 0
	}
	due := map[string][]gone{}
	for seq, k := range s.kept {
		if now.Sub(k.at) >= age {
			due[k.stream] = append(due[k.stream], gone{seq: seq, size: k.size})
		}
	}
	for _, stream := range s.confirmed(ctx, now, due) {
		s.leave(due[stream])
	}
}

// gone says that the writer has done what it was last asked to delete; then that needs no more thought.
func (s *shipper) gone() bool {
	if s.o.queue.deleting() {
		return false
	}
	for seq, k := range s.kept {
		if k.leaving {
			delete(s.kept, seq)
		}
	}
	return true
}

// confirmed asks Redis, with empty parcels, for which streams the chain holds.
func (s *shipper) confirmed(ctx context.Context, now time.Time, due map[string][]gone) (ok []string) {
	var parcels []*parcel
	for stream := range due {
		if s.o.cfg.Keep == 0 { // it has only just said so
			ok = append(ok, stream)
			continue
		}
		parcels = append(parcels, &parcel{stream: stream})
	}
	if len(parcels) == 0 {
		return ok
	}
	again := false
	for i, answer := range s.call(ctx, parcels) {
		n, err := answer.Int()
		again = s.answered(now, parcels[i], n, err) || again
		if err == nil && n != broken {
			ok = append(ok, parcels[i].stream)
		}
	}
	if again {
		s.rewind(now)
	}
	return ok
}

// leave hands entries to the writer for deletion.
func (s *shipper) leave(entries []gone) {
	for _, g := range entries {
		k := s.kept[g.seq]
		k.leaving = true
		s.kept[g.seq] = k
	}
	s.o.queue.delete(entries)
}

// farewell deletes what Redis has, so that a switch which starts again after a long time does not send it again when
// Redis has forgotten that it knows it.
func (s *shipper) farewell() {
	if !s.o.stats.redisUp.Load() || len(s.kept) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.o.cfg.Timeout)
	defer cancel()
	s.clean(ctx, time.Now(), 0)
}
