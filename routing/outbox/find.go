package outbox

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/ticket"
)

// WhoCalled finds an entry of a stub that says who called: in a stream of this Redis, else among what is on disk. With
// an error nothing is known of it, as Redis did not tell. Safe for use by several goroutines; it may take a moment.
func (o *Outbox) WhoCalled(ctx context.Context, stub string) (e ticket.Entry, ok bool, err error) {
	fits := func(e ticket.Entry) bool { return e.StubID == stub && e.CallerStatus != "" }
	if e, ok, err = o.inStreams(ctx, stub, fits); ok {
		return e, true, nil
	}
	if e, ok = o.onDisk(fits); ok {
		err = nil
	}
	return e, ok, err
}

// Find finds the entry of an event id that goes to a stream, there or among what is on disk.
func (o *Outbox) Find(ctx context.Context, stream, id string) (ticket.Entry, bool) {
	fits := func(e ticket.Entry) bool { return e.EventID == id }
	if o.mayAsk() {
		if e, ok := o.around(ctx, stream, id, fits); ok {
			return e, true
		}
	}
	return o.onDisk(func(e ticket.Entry) bool { return fits(e) && e.Stream() == stream })
}

// mayAsk says whether Redis is worth a question: it is there, or nothing is known of it yet, a moment after the start.
func (o *Outbox) mayAsk() bool { return o.stats.redisUp.Load() || o.stats.redisErr.Load() == nil }

// around looks where the stream stood when the id was seen. Ids that were repeated are remembered from then on; what
// was meant is then among the newest.
func (o *Outbox) around(ctx context.Context, stream, id string, fits func(ticket.Entry) bool) (ticket.Entry, bool) {
	ctx, cancel := o.cfg.Deadline(ctx)
	defer cancel()
	at, err := o.link.Client().ZScore(ctx, seenKey(stream), id).Result()
	if err != nil {
		return ticket.Entry{}, false
	}
	const before, most = 2 * time.Second, 500
	list, err := o.link.Client().XRangeN(ctx, stream, strconv.FormatInt(int64(at)-before.Milliseconds(), 10), "+",
		most).Result()
	if e, ok := among(list, fits); ok || err != nil {
		return e, ok
	}
	list, _ = o.link.Client().XRevRangeN(ctx, stream, "+", "-", most).Result()
	return among(list, fits)
}

// How far a stub's first entry is looked for.
const (
	searchPage  = 500
	searchPages = 40
	searchSlack = 2 * time.Hour // between the clock that gave the stub its id and that of Redis
)

// inStreams looks from the time on at which the stub was opened. With an error it has not looked everywhere.
func (o *Outbox) inStreams(ctx context.Context, stub string, fits func(ticket.Entry) bool) (
	e ticket.Entry, ok bool, err error) {
	ctx, cancel := o.cfg.Deadline(ctx)
	defer cancel()
	r := &Reader{cfg: o.cfg, link: o.link}
	streams, err := r.Streams(ctx)
	if err != nil {
		return e, false, err
	}
	for _, stream := range streams {
		after := strconv.FormatInt(max(ticket.StubTime(stub).Add(-searchSlack).UnixMilli(), 0), 10)
		for range searchPages {
			list, fault := o.link.Client().XRangeN(ctx, stream, after, "+", searchPage).Result()
			if e, ok = among(list, fits); ok {
				return e, true, nil
			}
			if err = errors.Join(err, fault); fault != nil || len(list) < searchPage {
				break
			}
			after = "(" + list[len(list)-1].ID
		}
	}
	return ticket.Entry{}, false, err
}

func among(list []redis.XMessage, fits func(ticket.Entry) bool) (ticket.Entry, bool) {
	for _, m := range messages("", list) {
		if m.Err == nil && fits(m.Entry) {
			return m.Entry, true
		}
	}
	return ticket.Entry{}, false
}

// onDisk looks at all entries that are kept or wait.
func (o *Outbox) onDisk(fits func(ticket.Entry) bool) (found ticket.Entry, ok bool) {
	look := func(body []byte) bool {
		r, err := decode(body)
		if err != nil {
			return true
		}
		fields := make(map[string]string, len(r.fields)/2)
		for i := 0; i+1 < len(r.fields); i += 2 {
			fields[r.fields[i]] = r.fields[i+1]
		}
		e, err := ticket.Parse(fields)
		ok = err == nil && fits(e)
		if ok {
			found = e
		}
		return !ok
	}
	_ = o.disk.scanKept(0, func(_ uint64, value []byte) bool {
		body, err := bodyOf(value)
		return err != nil || look(body)
	})
	if !ok {
		_ = o.disk.scan(0, func(_ uint64, body []byte) bool { return look(body) })
	}
	return found, ok
}
