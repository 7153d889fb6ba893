// Command go (go run ./configs/consumers/go) reads the ticket entries of a hotline, stores each once, and reports it
// received. Its arguments are HOST:PORT HOTLINE CONSUMER STORE [CLAIM_MS].
//
// CONSUMER is this process's own name within the group "my-tickets". When it dies, another takes over after CLAIM_MS
// what it was given and has not acknowledged. STORE is a folder with a file per event_id: it stands for your database,
// of which what matters is the unique key.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	group   = "my-tickets"
	updates = "liandong:updates"
)

// consumer is one of the group.
type consumer struct {
	redis        *redis.Client
	stream, name string
	store        string
	claim        time.Duration
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: HOST:PORT HOTLINE CONSUMER STORE [CLAIM_MS]")
		os.Exit(2)
	}
	c := consumer{
		redis:  redis.NewClient(&redis.Options{Addr: os.Args[1]}),
		stream: "liandong:tickets:" + os.Args[2], name: os.Args[3], store: os.Args[4], claim: time.Minute,
	}
	if len(os.Args) > 5 {
		if ms, err := strconv.Atoi(os.Args[5]); err == nil {
			c.claim = time.Duration(ms) * time.Millisecond
		}
	}
	fmt.Fprintln(os.Stderr, c.run(context.Background()))
	os.Exit(1)
}

// run reads until something fails: first what others have left behind, then what this consumer was given before it was
// restarted, then what is new.
func (c consumer) run(ctx context.Context) error {
	err := c.redis.XGroupCreateMkStream(ctx, c.stream, group, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	if err := os.MkdirAll(c.store, 0o700); err != nil {
		return err
	}
	for from := "0"; ; {
		dead, _, err := c.redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: c.stream, Group: group, Consumer: c.name, MinIdle: c.claim, Start: "0-0", Count: 10}).Result()
		if err != nil {
			return err
		}
		if err := c.handle(ctx, dead); err != nil {
			return err
		}
		got, err := c.redis.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: c.name, Streams: []string{c.stream, from}, Count: 10, Block: time.Second}).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			return err
		case len(got[0].Messages) == 0:
			from = ">"
		}
		if err := c.handle(ctx, got[0].Messages); err != nil {
			return err
		}
	}
}

func (c consumer) handle(ctx context.Context, list []redis.XMessage) error {
	for _, m := range list {
		if len(m.Values) > 0 { // a claimed entry that was trimmed meanwhile has none
			if err := c.take(ctx, m.Values); err != nil {
				return err
			}
		}
		// only now: what is not acknowledged comes again
		if err := c.redis.XAck(ctx, c.stream, group, m.ID).Err(); err != nil {
			return err
		}
	}
	return nil
}

// take stores an entry and reports it received.
func (c consumer) take(ctx context.Context, entry map[string]any) error {
	word := func(name string) string { s, _ := entry[name].(string); return s }
	if word("schema") != "1" {
		return fmt.Errorf("schema %s: this program reads 1", word("schema"))
	}
	id := word("event_id")
	draft := filepath.Join(c.store, "."+id+"."+c.name)
	if err := os.WriteFile(draft, []byte(word("stub_id")+" "+word("event")+"\n"), 0o600); err != nil {
		return err
	}
	// At least once becomes once: a second file of that name is refused.
	if err := os.Link(draft, filepath.Join(c.store, id)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Remove(draft); err != nil {
		return err
	}
	if word("event") != "opened" {
		return nil
	}
	// said twice with one event_id it counts once
	return c.redis.XAdd(ctx, &redis.XAddArgs{Stream: updates, Values: []string{
		"event_id", "received-" + id, "stub_id", word("stub_id"), "event", "received", "at",
		time.Now().Format(time.RFC3339Nano)}}).Err()
}
