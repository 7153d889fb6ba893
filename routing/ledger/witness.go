package ledger

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
	"liandong/routing/tenure"
)

// Witness is the third voice of two machines that carry a switch by turns: Redis, which keeps the turn it has given its
// voice to, and until when by its own clock.
type Witness struct {
	link *link.Link
	node string
}

// NewWitness asks for the turns of a switch.
func NewWitness(cfg link.Config, node string) (*Witness, error) {
	cfg.Timeout = tenure.DefaultLease // an answer that comes later is worth nothing
	l, err := link.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Witness{link: l, node: node}, nil
}

// Close ends the connection.
func (w *Witness) Close() { w.link.Close() }

// giveVoice: a Redis that knows nothing of the turns may have lost what it knew, and waits for a lease.
var giveVoice = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local turn, term = tonumber(ARGV[1]), tonumber(ARGV[2])
local known, till = tonumber(redis.call('HGET', KEYS[1], 'turn')), tonumber(redis.call('HGET', KEYS[1], 'until'))
if not known then
  redis.call('HSET', KEYS[1], 'turn', 0, 'until', now + term)
  return {0, 0}
end
if turn < known or (turn > known and now < till) then return {0, known} end
redis.call('HSET', KEYS[1], 'turn', turn, 'until', now + term)
return {1, turn}`)

// Ask puts a machine's question.
func (w *Witness) Ask(ctx context.Context, q tenure.Word) (tenure.Word, error) {
	term := tenure.DefaultLease + tenure.DefaultLease/8
	key := "liandong:turn:" + w.node
	got, err := giveVoice.Run(ctx, w.link.Client(), []string{key}, q.Epoch, term.Milliseconds()).Int64Slice()
	if err == nil && len(got) != 2 {
		err = fmt.Errorf("an answer of %d parts", len(got))
	}
	if err != nil {
		return tenure.Word{}, fmt.Errorf("ledger: the witness: %w", err)
	}
	answer := tenure.Word{Kind: tenure.No, Epoch: uint64(got[1]), Number: q.Number}
	if got[0] == 1 {
		answer.Kind = tenure.Yes
	}
	return answer, nil
}
