// Package tickets prints the ticket entries of a switch as a ticket system would read them: from the Redis stream of
// each hotline, through a consumer group.
package tickets

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"liandong/routing/desk"
)

// Options say what to read. Without Group all entries there are get printed and nothing is left behind; with it only
// those that the group has not acknowledged, and they are acknowledged once printed.
type Options struct {
	URL      desk.Secret // redis://…, may hold a password
	Hotlines []string    // whose streams
	Follow   bool        // go on as entries arrive, until ctx ends
	Group    string
}

// ErrNoRedis is a config without redis.url.
var ErrNoRedis = errors.New("tickets: the config names no redis.url")

// errURL hides the URL that go-redis would quote.
var errURL = errors.New("tickets: redis.url cannot be used")

const (
	consumer = "liandong-tickets"
	batch    = 100
	wait     = 2 * time.Second // one blocking read; ctx is looked at between two
)

// Print reads and prints until all is read, or with Follow until ctx ends.
func Print(ctx context.Context, out io.Writer, o Options) error {
	if o.URL.IsZero() {
		return ErrNoRedis
	}
	opt, err := redis.ParseURL(o.URL.Reveal())
	if err != nil {
		return errURL
	}
	opt.MaxRetries, opt.DialerRetries = -1, 1 // someone is waiting at a terminal: say at once that Redis is away
	client := redis.NewClient(opt)
	defer client.Close()
	r := reader{client, out, o, o.Group}
	if r.group == "" {
		r.group = "once-" + rand.Text()
		defer r.leave()
	}
	streams, err := r.join(ctx)
	if err == nil && len(streams) > 0 {
		err = r.read(ctx, streams)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type reader struct {
	client *redis.Client
	out    io.Writer
	o      Options
	group  string
}

func stream(hotline string) string { return "liandong:tickets:" + hotline }

// join makes the group on each stream. One that does not exist yet is only worth making when we wait for it.
func (r reader) join(ctx context.Context) (streams []string, err error) {
	for _, id := range r.o.Hotlines {
		name := stream(id)
		if r.o.Follow {
			err = r.client.XGroupCreateMkStream(ctx, name, r.group, "0").Err()
		} else {
			err = r.client.XGroupCreate(ctx, name, r.group, "0").Err()
		}
		switch {
		case err == nil, redis.HasErrorPrefix(err, "BUSYGROUP"):
			streams = append(streams, name)
		case strings.Contains(err.Error(), "requires the key to exist"):
		default:
			return nil, fmt.Errorf("tickets: group on %s: %w", name, err)
		}
	}
	return streams, nil
}

// leave takes a group of our own away again, also when ctx has ended.
func (r reader) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for _, id := range r.o.Hotlines {
		r.client.XGroupDestroy(ctx, stream(id), r.group)
	}
}

// read prints first what the group was given before and never acknowledged (a run that was cut off), then what is new.
func (r reader) read(ctx context.Context, streams []string) error {
	for _, from := range []string{"0", ">"} {
		for {
			n, err := r.batch(ctx, streams, from)
			if err != nil {
				return err
			}
			if n == 0 && (from == "0" || !r.o.Follow) {
				break
			}
		}
	}
	return nil
}

func (r reader) batch(ctx context.Context, streams []string, from string) (n int, err error) {
	block := time.Duration(-1)
	if r.o.Follow {
		block = wait
	}
	got, err := r.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: r.group, Consumer: consumer, Count: batch, Block: block,
		Streams: append(slices.Clone(streams), slices.Repeat([]string{from}, len(streams))...),
	}).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("tickets: read: %w", err)
	}
	for _, s := range got {
		for _, m := range s.Messages {
			n++
			if err := r.one(ctx, s.Stream, m); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// one prints an entry and then acknowledges it: one that could not be printed comes again.
func (r reader) one(ctx context.Context, stream string, m redis.XMessage) error {
	if _, err := fmt.Fprintln(r.out, line(stream, m)); err != nil {
		return fmt.Errorf("tickets: print: %w", err)
	}
	if err := r.client.XAck(ctx, stream, r.group, m.ID).Err(); err != nil {
		return fmt.Errorf("tickets: acknowledge: %w", err)
	}
	return nil
}

// first are the fields a reader looks for; the rest follow by name.
var first = []string{"event", "stub_id", "at", "direction", "mode", "result", "caller_e164"}

func line(stream string, m redis.XMessage) string {
	words := []string{stream, m.ID}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(m.Values)), func(k string) bool { return slices.Contains(first, k) })
	for _, k := range slices.Concat(first, rest) {
		if v, ok := m.Values[k]; ok {
			words = append(words, k+"="+quoted(fmt.Sprint(v)))
		}
	}
	return strings.Join(words, " ")
}

// quoted keeps a value with spaces or control characters one word of one line.
func quoted(s string) string {
	odd := func(r rune) bool { return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) }
	if strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}
