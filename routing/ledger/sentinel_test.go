package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/desk"
	"liandong/routing/link/redistest"
	"liandong/routing/matter"
)

// The primary of a Sentinel set is killed while ticket systems write updates, a replica takes over. Replication is
// asynchronous: what a ticket system must not lose it writes with WAIT, and again when it got no answer. Every update
// that was confirmed so is taken in, and once, whatever the ledger had read, taken in or acknowledged at that moment.
func TestRealSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("a fail-over takes some seconds")
	}
	t.Parallel()
	primary := redistest.Start(t, "--appendonly", "no")
	follow := []string{"--appendonly", "no", "--replicaof", "127.0.0.1 " + fmt.Sprint(primary.Port())}
	for range 2 { // one takes over, the other is the replica then
		replica := redistest.Start(t, follow...)
		eventually(t, "it follows", func() bool {
			return strings.Contains(replica.Do("INFO", "replication").(string), "master_link_status:up")
		})
	}
	sentinel := redistest.StartSentinel(t, primary)
	eventually(t, "the sentinel knows the replicas", func() bool {
		return strings.Count(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "main")), "runid") == 2
	})
	cfg := config("", "a")
	cfg.URL = desk.NewSecret("redis://" + sentinel.Addr() + "?master_name=main")
	cfg.Lease = 20 * time.Second // longer than the fail-over: nothing else tells the ledger that it is to read again
	l, _ := start(t, cfg)
	o := office{t, redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main",
		SentinelAddrs: []string{sentinel.Addr()}, MaxRetries: -1, PoolSize: 1})}
	defer o.c.Close()

	stubs := make([]string, 10)
	for i := range stubs {
		stubs[i] = ids.New(time.Now())
		o.push(stubs[i])
		o.reaches(stubs[i], matter.Pushed)
	}
	const updates = 1000
	killed := make(chan struct{})
	go func() { // in the middle: some of what the ledger has done by then is known to the primary alone
		defer close(killed)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for l.Stats().Applied < updates/3 && t.Context().Err() == nil {
			<-tick.C
		}
		primary.Kill()
	}()
	for n := range updates {
		writeSurely(t, o.c, stubs[n%len(stubs)], fmt.Sprint("U-", n))
	}
	<-killed
	eventually(t, "all is taken in", func() bool { return o.taken(stubs) == updates })
	o.settled(Updates)
	for _, stub := range stubs {
		if got, want := o.state(stub)["supervised"], strconv.Itoa(o.distinct(stub)); got != want {
			t.Errorf("%s: %s updates are taken in, %s are in the stream", stub, got, want)
		}
	}
}

// writeSurely writes an update until a replica has it too: the same id every time.
func writeSurely(t *testing.T, c redis.UniversalClient, stub, id string) {
	t.Helper()
	update := []string{"event_id", id, "stub_id", stub, "event", "supervised", "at",
		time.Now().Format(time.RFC3339Nano)}
	eventually(t, id+" is confirmed", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		pipe := c.Pipeline()
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: Updates, Values: update})
		copies := pipe.Do(ctx, "WAIT", 1, 1000)
		_, err := pipe.Exec(ctx)
		n, _ := copies.Int()
		return err == nil && n > 0
	})
}

// taken counts the updates that the matters have taken in; none of those that cannot be read now.
func (o office) taken(stubs []string) (total int) {
	for _, stub := range stubs {
		n, _ := o.c.HGet(context.Background(), matter.Key(stub), "supervised").Int()
		total += n
	}
	return total
}

// distinct counts the different updates of a matter in the stream.
func (o office) distinct(stub string) int {
	o.Helper()
	list, err := o.c.XRange(o.Context(), Updates, "-", "+").Result()
	if err != nil {
		o.Fatal(err)
	}
	seen := map[any]bool{}
	for _, m := range list {
		if m.Values["stub_id"] == stub {
			seen[m.Values["event_id"]] = true
		}
	}
	return len(seen)
}
