package outbox

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// debian are the settings of Debian's redis-server: a snapshot now and then, no append-only file.
var debian = []string{"--appendonly", "no", "--save", "3600 1 300 100 60 10000"}

// A Redis with snapshots only is killed at any time, long after it has confirmed entries, before, in and after a
// snapshot: it comes back without them, and gets them again, each once and in order; also when the switch was restarted
// meanwhile.
func TestSnapshotsOnly(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, debian...)
	cfg := config(t, server.URL())
	cfg.Keep = 7 * 24 * time.Hour
	o, j := open(t, cfg)
	l, ms, dice, total := newLedger(), []*matter{newMatter("110"), newMatter("12345"), newMatter("110")},
		rand.New(rand.NewPCG(1, 1)), 0
	put := func(n int) {
		for range n {
			for _, m := range ms {
				l.put(o, m.next())
			}
		}
		total += n * len(ms)
	}
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		put(100 + dice.IntN(200))
		if dice.IntN(2) == 0 {
			eventually(t, "shipped", shipped(o))
			server.Do("SAVE")
		}
		put(100)
		if round%3 != 2 {
			eventually(t, "shipped", shipped(o))
		}
		server.Kill()
		if round%2 == 1 { // nothing but the file tells what was confirmed
			eventually(t, "safe", l.reached(total))
			o.Stop()
			o, j = open(t, cfg)
		}
		server.Restart()
		eventually(t, "nothing is lacking", func() bool {
			return o.Stats().Waiting == 0 && server.Do("XLEN", stream110).(int64)+server.Do("XLEN",
				stream12345).(int64) == int64(total)
		})
		check(t, append(read(t, cfg, stream110), read(t, cfg, stream12345)...))
	}
	if s := o.Stats(); s.Kept != int64(total) || s.RedisKeeps || !strings.Contains(j.String(), "no append-only file") {
		t.Errorf("%+v\n%s", s, j)
	}
}

// A replica that has fallen behind is promoted, and the switch is pointed at it: it gets what it lacks, from the point
// on at which it fell behind. What an empty server lacks is all.
func TestPromoted(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := replicaOf(t, primary)
	cfg := config(t, primary.URL())
	cfg.Keep = 7 * 24 * time.Hour
	o, _ := open(t, cfg)
	m, put := newMatter("110"), 0
	more := func(n int) {
		for range n {
			o.Put(m.next(), nil)
		}
		put += n
		eventually(t, "shipped", shipped(o))
	}
	more(200)
	eventually(t, "the replica has it", func() bool { return replica.Do("XLEN", stream110) == int64(200) })
	eventually(t, "they are kept for a while", func() bool { return o.Stats().Kept == 200 })
	eventually(t, "the first have left the disk, the replica was seen", func() bool { return o.Stats().Kept == 0 })
	replica.Do("REPLICAOF", "NO", "ONE") // its link is cut
	more(150)
	time.Sleep(settle + 2*time.Second) // it is waited for: what it may lack does not leave the disk
	if s := o.Stats(); s.Kept < 150 {
		t.Errorf("%d entries are kept, of 150 that the replica lacks", s.Kept)
	}
	o.Stop()
	primary.Kill()
	cfg.URL = config(t, replica.URL()).URL
	o, _ = open(t, cfg)
	more(1)
	eventually(t, "sent again", func() bool { return o.Stats().Revived == 150 })
	exactly(t, cfg, put, stream110)
	o.Stop()

	cfg.URL = config(t, redistest.Start(t, debian...).URL()).URL
	o, _ = open(t, cfg)
	kept := int(o.Stats().Kept)
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	if n := len(read(t, cfg, stream110)); n != kept+1 || kept < 151 {
		t.Errorf("%d entries on the empty server of %d that were kept", n, kept)
	}
}

// The stream goes, or an older one comes, while the ids that were seen stay: they alone do not decide.
func TestStreamGoesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, debian...)
	cfg := config(t, server.URL())
	cfg.Keep = 7 * 24 * time.Hour
	o, _ := open(t, cfg)
	m := newMatter("110")
	for range 700 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))
	old := server.Do("DUMP", stream110).(string)
	for range 500 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))
	server.Do("RESTORE", stream110, "0", old, "REPLACE")
	o.Put(m.next(), nil)
	eventually(t, "sent again", func() bool { s := o.Stats(); return s.Revived == 500 && s.Waiting == 0 })
	exactly(t, cfg, 1201, stream110)

	server.Do("DEL", stream110)
	o.Put(m.next(), nil)
	eventually(t, "sent again", func() bool { s := o.Stats(); return s.Revived == 500+1201 && s.Waiting == 0 })
	exactly(t, cfg, 1202, stream110)

	server.Do("DEL", seenKey(stream110)) // now the stream alone decides
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	exactly(t, cfg, 1203, stream110)
}

// What a reader has deleted from the stream is no loss.
func TestDeletedByReader(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, debian...)
	cfg := config(t, server.URL())
	cfg.Keep = 7 * 24 * time.Hour
	o, _ := open(t, cfg)
	m := newMatter("110")
	for range 100 {
		o.Put(m.next(), nil)
	}
	eventually(t, "shipped", shipped(o))
	for _, x := range read(t, cfg, stream110) {
		server.Do("XDEL", stream110, x.ID)
	}
	o.Stop()
	server.Do("SAVE")
	server.Kill()
	server.Restart()
	o, _ = open(t, cfg)
	o.Put(m.next(), nil)
	eventually(t, "shipped", shipped(o))
	if s := o.Stats(); s.Revived != 0 || server.Do("XLEN", stream110) != int64(1) {
		t.Errorf("%+v", s)
	}
}

// Where Redis has an append-only file entries leave the disk some seconds after it was synced, also while others keep
// coming and however many there are.
func TestBacklogLeavesTheDisk(t *testing.T) {
	t.Parallel()
	backlog, _ := strconv.Atoi(os.Getenv("BACKLOG"))
	if backlog == 0 {
		backlog = 6000
	}
	server := redistest.Start(t, "--appendfsync", "everysec")
	cfg := config(t, server.URL())
	cfg.Keep = Default().Keep
	server.Kill()
	o, _ := open(t, cfg)
	l, ms := newLedger(), []*matter{newMatter("110"), newMatter("12345")}
	for i := range backlog {
		l.put(o, ms[i%2].next())
		if i%2000 == 1999 {
			eventually(t, "on disk", l.reached(i-1000))
		}
	}
	eventually(t, "on disk", l.reached(backlog))
	server.Restart()
	eventually(t, "shipped", shipped(o))
	tick, late := time.NewTicker(time.Second), time.After(2*patience)
	defer tick.Stop()
	for o.Stats().OnDisk >= 100 {
		select {
		case <-tick.C:
			o.Put(ms[0].next(), nil)
		case <-late:
			t.Fatalf("%+v", o.Stats())
		}
	}
}

// What is kept takes no more than its share of the room, and none from what waits.
func TestKeptGivesWay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, debian...)
	cfg := config(t, server.URL())
	cfg.Keep, cfg.MaxBytes = 7*24*time.Hour, 1<<20
	o, j := open(t, cfg)
	m := newMatter("110")
	for range 30 {
		for range 100 {
			o.Put(m.next(), nil)
		}
		eventually(t, "shipped", shipped(o))
	}
	eventually(t, "within its share", func() bool {
		s := o.Stats()
		return s.Bytes <= cfg.MaxBytes/keptShare &&
			s.Kept > 100
	})
	eventually(t, "told", j.has("no room to keep"))
	if s := o.Stats(); s.Dropped > 0 || s.Free() < 0.9 {
		t.Errorf("%+v", s)
	}
	exactly(t, cfg, 3000, stream110)
}

// Clocks of the file's own: what is kept ages while the file is open, whatever the clock on the wall says.
func TestAgeOfKept(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	_, log := newJournal(t)
	d, err := openDisk(cfg.Path, cfg.MaxBytes, log)
	if err != nil {
		t.Fatal(err)
	}
	d.before = 3 * time.Hour
	if err := d.commit([]*item{{body: encode(recordOf(newMatter("110").next()))}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if d, err = openDisk(cfg.Path, cfg.MaxBytes, log); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if at := time.Duration(d.clock()) * time.Millisecond; at < 3*time.Hour || at > 4*time.Hour {
		t.Errorf("the file has been open for %v", at)
	}
}

func TestDurability(t *testing.T) {
	section := func(s string) any { return strings.ReplaceAll(s, " ", "\r\n") }
	for _, c := range []struct {
		persistence, memory string
		want                []Frailty
	}{
		{"aof_enabled:1 aof_last_write_status:ok aof_pending_bio_fsync:0", "maxmemory:0 maxmemory_policy:noeviction",
			nil},
		{"aof_enabled:0", "maxmemory:0 maxmemory_policy:noeviction", []Frailty{NoAppendOnlyFile}},
		{"aof_enabled:1", "maxmemory:1000 maxmemory_policy:allkeys-lru", []Frailty{MayEvict}},
		{"aof_enabled:1", "maxmemory:1000 maxmemory_policy:volatile-lru", nil},
		{"", "", nil}, // not to be asked
	} {
		d := durabilityOf([]any{section("run_id:a"), section("connected_slaves:2"), section(c.persistence),
			section(c.memory)})
		if got := d.frailties(); !slices.Equal(got, c.want) || d.replicas != 2 {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
