package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/redis/go-redis/v9"

	"liandong/routing/hotspot"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// mostEarlier matters of one caller are remembered for a line; the oldest goes.
const mostEarlier = 20

// callerKey is a sorted set of a caller's matters that a line has to do with: stub ids by when they were opened, in ms.
// It is a sum: a Redis key tells no number.
func callerKey(hotline, e164 string) string {
	sum := sha256.Sum256([]byte(hotline + " " + e164))
	return "liandong:caller:" + hotline + ":" + hex.EncodeToString(sum[:12])
}

// remember notes a new matter for who opens and who takes it, as its caller's. Doing it twice does no harm.
func (l *Ledger) remember(ctx context.Context, m matter.Matter, e ticket.Entry) error {
	if hotspot.PersonKey(e) == "" {
		return nil
	}
	pipe := l.link.Client().Pipeline()
	for _, line := range linesOf(m) {
		key := callerKey(line, e.CallerE164)
		pipe.ZAdd(ctx, key, redis.Z{Score: float64(m.OpenedAt.UnixMilli()), Member: m.StubID})
		pipe.ZRemRangeByRank(ctx, key, 0, -mostEarlier-1)
		pipe.PExpire(ctx, key, l.cfg.KeepOpen)
	}
	_, err := pipe.Exec(ctx)
	return plain(err)
}

// Earlier lists the matters of a caller that a line has to do with, the newest first, as far as they are kept. Safe for
// use by several goroutines.
func (l *Ledger) Earlier(ctx context.Context, hotline, e164 string) (list []matter.Matter, err error) {
	ctx, cancel := l.cfg.Deadline(ctx)
	defer cancel()
	stubs, err := l.link.Client().ZRevRange(ctx, callerKey(hotline, e164), 0, mostEarlier-1).Result()
	if err != nil || len(stubs) == 0 {
		return nil, plain(err)
	}
	hashes, err := l.hashes(ctx, stubs)
	if err != nil {
		return nil, err
	}
	for _, hash := range hashes {
		if m, err := matter.Parse(hash.Val()); err == nil && m.StubID != "" {
			list = append(list, m)
		}
	}
	return list, nil
}
