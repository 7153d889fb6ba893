package outbox

import (
	"time"

	"go.etcd.io/bbolt"
)

// change is one commit, and the balance after it.
type change struct {
	disk             *disk
	bal              balance
	first            uint64
	bytes, keptBytes int64 // added

	waiting, kept *bbolt.Bucket
}

func (c *change) make(tx *bbolt.Tx, items []*item, moves []move) error {
	c.waiting, c.kept = tx.Bucket(waitingBucket), tx.Bucket(keptBucket)
	c.waiting.FillPercent, c.kept.FillPercent = 0.95, 0.95 // entries are only ever appended
	c.bal.clock = c.disk.clock()
	for _, m := range moves {
		if err := c.move(m); err != nil {
			return err
		}
	}
	for _, it := range items {
		c.bal.seq++
		c.bal.waiting++
		c.bytes += int64(len(it.body))
		if err := c.waiting.Put(key(c.bal.seq), it.body); err != nil {
			return err
		}
	}
	if len(items) > 0 {
		c.bal.newest = atOf(items[len(items)-1].body)
	}
	c.oldest()
	return c.bal.put(tx)
}

// oldest notes when the oldest entry that waits was made.
func (c *change) oldest() {
	k, v := c.waiting.Cursor().First()
	if k == nil {
		c.first, c.bal.oldest = 0, c.bal.newest
		return
	}
	if seq := seqOf(k); seq != c.first {
		c.first, c.bal.oldest = seq, atOf(v)
	}
}

func atOf(body []byte) uint64 {
	r, err := decode(body)
	if at := r.at(); err == nil && !at.IsZero() {
		return uint64(max(at.UnixMilli(), 0))
	}
	return uint64(max(time.Now().UnixMilli(), 0))
}

func (c *change) move(m move) error {
	switch m.kind {
	case fromKept:
		_, err := c.take(c.kept, m.seq)
		return err
	case fromWait:
		_, err := c.take(c.waiting, m.seq)
		return err
	}
	body, err := c.take(c.waiting, m.seq)
	if err != nil {
		return err
	}
	if body == nil { // it is kept already
		if body, err = c.take(c.kept, m.seq); err != nil || body == nil {
			return err
		}
	}
	c.bal.kept++
	c.keptBytes += int64(len(body))
	return c.kept.Put(key(m.seq), encodeKept(c.bal.clock, uint64(max(time.Now().UnixMilli(), 0)), m.told, body))
}

// take takes the record of an entry out of a bucket; nil when it is not there.
func (c *change) take(from *bbolt.Bucket, seq uint64) (body []byte, err error) {
	v := from.Get(key(seq))
	if v == nil {
		return nil, nil
	}
	body = append([]byte(nil), v...)
	if from == c.kept {
		if body, err = bodyOf(body); err != nil {
			body = nil // nothing can be done with it any more
		}
		c.bal.kept--
		c.keptBytes -= int64(len(body))
	} else {
		c.bal.waiting--
		c.bytes -= int64(len(body))
	}
	return body, from.Delete(key(seq))
}
