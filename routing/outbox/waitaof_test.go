package outbox

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"liandong/routing/link/redistest"
)

// An entry leaves the disk when WAITAOF counts the append-only file of the server itself, and of every replica that
// there is; while it counts none, for its time is over, the entry stays. The answers are as the documentation has them,
// of a server that says them in turn.
func TestWaitAOFCounts(t *testing.T) {
	t.Parallel()
	for _, enough := range [][2]int{{1, 0}, {1, 2}} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			mini := miniredis.RunT(t)
			var local, asked atomic.Int64
			if err := mini.Server().Register("WAITAOF", func(c *server.Peer, _ string, args []string) {
				if len(args) != 3 || args[0] != "1" {
					t.Errorf("WAITAOF %q", args)
				}
				asked.Add(1)
				c.WriteLen(2)
				c.WriteInt(int(local.Load()))
				c.WriteInt(enough[1])
			}); err != nil {
				t.Fatal(err)
			}
			cfg := config(t, "redis://"+mini.Addr())
			cfg.Keep = time.Hour
			o, _ := open(t, cfg)
			o.Put(newMatter("110").next(), nil)
			eventually(t, "shipped", shipped(o))
			eventually(t, "asked, the entry being old enough to go", func() bool { return asked.Load() >= 3 })
			if n := o.Stats().Kept; n != 1 {
				t.Errorf("%d entries are kept though no disk has them", n)
			}
			local.Store(1)
			eventually(t, "it has left the disk", func() bool { return o.Stats().Kept == 0 })
		})
	}
}

// The same with a server that knows WAITAOF, which syncs once a second: what has left our disk is there after a kill,
// and nothing is sent again. A replica that stands still is waited for.
func TestWaitAOF(t *testing.T) {
	t.Parallel()
	primary := redistest.StartSyncing(t, "--appendfsync", "everysec")
	cfg := config(t, primary.URL())
	cfg.Keep = 7 * 24 * time.Hour
	o, _ := open(t, cfg)
	m := newMatter("110")
	put := func(n int) {
		for range n {
			o.Put(m.next(), nil)
		}
		eventually(t, "shipped", shipped(o))
		eventually(t, "kept for a while", func() bool { return o.Stats().Kept == int64(n) })
	}
	gone := func() bool { return o.Stats().Kept == 0 }
	put(200)
	eventually(t, "they have left the disk", gone)
	primary.Kill()
	primary.Restart()
	put(1)
	exactly(t, cfg, 201, stream110)
	if n := o.Stats().Revived; n != 0 {
		t.Errorf("%d entries were sent again", n)
	}
	eventually(t, "it has left the disk", gone)

	replica := redistest.StartSyncing(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(primary.Port()))
	eventually(t, "the replica has all", func() bool { return replica.Do("XLEN", stream110) == int64(201) })
	put(1)
	eventually(t, "it has left the disk, the replica was seen", gone)
	replica.Pause()
	put(50)
	time.Sleep(settle + 2*time.Second)
	if n := o.Stats().Kept; n != 50 {
		t.Errorf("%d entries are kept, of 50 that the replica has not synced", n)
	}
	replica.Resume()
	eventually(t, "they have left the disk", gone)
}
