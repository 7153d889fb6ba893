package outbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// The primary of a Sentinel set is killed under load, a replica takes over: it may lack what the primary had confirmed
// last, and gets it. Then that one is killed in its turn.
func TestRealSentinel(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replicas := []*redistest.Server{replicaOf(t, primary), replicaOf(t, primary)}
	sentinel := redistest.StartSentinel(t, primary)
	eventually(t, "the sentinel knows the replicas", func() bool {
		return strings.Count(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "main")), "runid") == 2
	})
	cfg := config(t, "redis://"+sentinel.Addr()+"?master_name=main")
	cfg.Keep = 10 * time.Second
	underLoad(t, cfg, func(o *Outbox, put func(int)) {
		put(200)
		eventually(t, "shipped", shipped(o))
		servers, left := append(replicas, primary), 3
		for range 2 {
			before := o.Stats().Shipped
			put(1000)
			eventually(t, "shipping has begun", func() bool { return o.Stats().Shipped > before })
			was := primaryOf(sentinel)
			for _, s := range servers {
				if fmt.Sprint(s.Port()) == was {
					s.Kill()
				}
			}
			put(100)
			eventually(t, "another takes over", func() bool { return primaryOf(sentinel) != was })
			eventually(t, "shipped", shipped(o))
			left--
			eventually(t, "those that are left follow it", func() bool {
				return followers(servers,
					primaryOf(sentinel)) == left-1
			})
			eventually(t, "the take-over is complete", func() bool {
				return !strings.Contains(fmt.Sprint(sentinel.Do("SENTINEL", "MASTER", "main")), "failover_in_progress")
			})
		}
	})
}

func replicaOf(t *testing.T, primary *redistest.Server) *redistest.Server {
	s := redistest.Start(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(primary.Port()))
	eventually(t, "it follows", func() bool {
		return strings.Contains(s.Do("INFO", "replication").(string),
			"master_link_status:up")
	})
	return s
}

// followers counts the replicas that the server at a port has: a sentinel makes none the primary
// that has not followed lately.
func followers(servers []*redistest.Server, port string) (n int) {
	for _, s := range servers {
		if fmt.Sprint(s.Port()) == port {
			n = strings.Count(s.Do("INFO", "replication").(string), "state=online")
		}
	}
	return n
}

// primaryOf is the port of the server that a sentinel believes to be the primary.
func primaryOf(sentinel *redistest.Server) string {
	at := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main").([]any)
	return fmt.Sprint(at[1])
}
