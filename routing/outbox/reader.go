package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
	"liandong/routing/ticket"
)

// Message is one entry as it stands in a stream. Err is set when it is no ticket entry that we can read; Fields holds
// it all the same.
type Message struct {
	Stream string
	ID     string // by which it is acknowledged
	Entry  ticket.Entry
	Fields map[string]string
	Err    error
}

// Reader reads the ticket streams as a ticket system would. Its methods are for one goroutine, and wait for Redis no
// longer than [Config.Timeout] beyond what they were told to wait.
type Reader struct {
	cfg  Config
	link *link.Link
}

// NewReader connects to the Redis of cfg when first used.
func NewReader(cfg Config) (*Reader, error) {
	l, err := link.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Reader{cfg: cfg, link: l}, nil
}

// Close ends the connection.
func (r *Reader) Close() { r.link.Close() }

// Streams lists the ticket streams that there are, in order.
func (r *Reader) Streams(ctx context.Context) ([]string, error) {
	var names []string
	client := r.link.Client()
	scan := func(ctx context.Context, c redis.Cmdable) error {
		it := c.Scan(ctx, 0, ticket.Prefix+"*", 1000).Iterator()
		for it.Next(ctx) {
			names = append(names, it.Val())
		}
		return it.Err()
	}
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = eachMaster(ctx, cluster, scan)
	} else {
		err = scan(ctx, client)
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: list streams: %w", err)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// eachMaster goes through a cluster one master after the other, unlike ForEachMaster.
func eachMaster(ctx context.Context, c *redis.ClusterClient, f func(context.Context, redis.Cmdable) error) error {
	turn := make(chan struct{}, 1)
	return c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return f(ctx, m)
	})
}

// Range reads up to count entries of a stream that come after the one with the given id ("" for the first).
func (r *Reader) Range(ctx context.Context, stream, after string, count int64) ([]Message, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	list, err := r.link.Client().XRangeN(ctx, stream, from, "+", count).Result()
	if err != nil {
		return nil, fmt.Errorf("outbox: read %s: %w", stream, err)
	}
	return messages(stream, list), nil
}

// MakeGroup makes a consumer group at the beginning of each stream, and the streams that do not exist yet. A group that
// exists stays where it is.
func (r *Reader) MakeGroup(ctx context.Context, group string, streams ...string) error {
	for _, s := range streams {
		err := r.link.Client().XGroupCreateMkStream(ctx, s, group, "0").Err()
		if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
			return fmt.Errorf("outbox: join %s: %w", s, err)
		}
	}
	return nil
}

// Claim takes over whatever other consumers of the group were given and have not acknowledged for idle: their nodes are
// dead. [Reader.Next] of a fresh Consumer of that name gives it first. Needs Redis 6.2.
func (r *Reader) Claim(ctx context.Context, group, name string, idle time.Duration, streams ...string) error {
	for _, s := range streams {
		for from := "0-0"; ; {
			_, next, err := r.link.Client().XAutoClaimJustID(ctx, &redis.XAutoClaimArgs{
				Stream: s, Group: group, Consumer: name, MinIdle: idle, Start: from, Count: 1000,
			}).Result()
			if err != nil {
				return fmt.Errorf("outbox: claim of %s: %w", s, err)
			}
			if from = next; next == "0-0" {
				break
			}
		}
	}
	return nil
}

// Consumer is one reader of a group.
type Consumer struct {
	Group, Name string
	Streams     []string
	Count       int64 // most entries per stream and call

	pending map[string]string // stream → the id up to which entries were read that this consumer had not acknowledged
}

// Next reads entries with XREADGROUP: first those that this consumer was given before and has not acknowledged, then
// new ones. With none it waits up to the given time, which may be none; then the list is empty.
func (r *Reader) Next(ctx context.Context, c *Consumer, wait time.Duration) ([]Message, error) {
	if c.pending == nil {
		c.pending = map[string]string{}
		for _, s := range c.Streams {
			c.pending[s] = "0"
		}
	}
	for until := time.Now().Add(wait); ; {
		old := len(c.pending)
		list, err := r.poll(ctx, c)
		left := time.Until(until)
		switch {
		case ctx.Err() != nil && len(list) == 0: // Redis' connection may say it in its own words
			return nil, ctx.Err()
		case err != nil || len(list) > 0:
			return list, err
		case len(c.pending) < old:
			continue // of these streams only what was given before was asked for
		case left <= 0:
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(left, pollEvery)):
		}
	}
}

// pollEvery is how often streams are asked. XREADGROUP's own waiting takes several streams only when all of them hash
// to one slot, which those of a cluster do not.
const pollEvery = 50 * time.Millisecond

// poll asks each stream once, in one round trip, without waiting.
func (r *Reader) poll(ctx context.Context, c *Consumer) ([]Message, error) {
	ctx, cancel := r.cfg.Deadline(ctx)
	defer cancel()
	pipe := r.link.Client().Pipeline()
	answers := make([]*redis.XStreamSliceCmd, len(c.Streams))
	for i, s := range c.Streams {
		from := ">"
		if id, ok := c.pending[s]; ok {
			from = id
		}
		answers[i] = pipe.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: c.Group, Consumer: c.Name, Streams: []string{s, from}, Count: max(c.Count, 1), Block: -1,
		})
	}
	_, _ = pipe.Exec(ctx) // each answer holds its own error
	var all []Message
	for i, s := range c.Streams {
		list, err := answers[i].Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return all, fmt.Errorf("outbox: read %s: %w", s, err)
		}
		all = append(all, c.read(s, list)...)
	}
	return all, nil
}

// read takes in one stream's answer and notes how far this consumer has come with what it had been given before.
func (c *Consumer) read(stream string, list []redis.XStream) []Message {
	var found []Message
	for _, l := range list {
		found = append(found, messages(stream, l.Messages)...)
	}
	if _, ok := c.pending[stream]; ok {
		if len(found) == 0 {
			delete(c.pending, stream)
		} else {
			c.pending[stream] = found[len(found)-1].ID
		}
	}
	return found
}

// Ack tells the group that the entries are dealt with.
func (r *Reader) Ack(ctx context.Context, group string, list ...Message) error {
	ctx, cancel := r.cfg.Deadline(ctx)
	defer cancel()
	pipe := r.link.Client().Pipeline()
	for _, m := range list {
		pipe.XAck(ctx, m.Stream, group, m.ID)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("outbox: acknowledge: %w", err)
	}
	return nil
}

func messages(stream string, list []redis.XMessage) []Message {
	out := make([]Message, len(list))
	for i, x := range list {
		fields := make(map[string]string, len(x.Values))
		for k, v := range x.Values {
			fields[k], _ = v.(string)
		}
		e, err := ticket.Parse(fields)
		out[i] = Message{Stream: stream, ID: x.ID, Entry: e, Fields: fields, Err: err}
	}
	return out
}
