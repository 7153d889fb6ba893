package outbox

import (
	"testing"
	"time"

	"liandong/routing/link/redistest"
	"liandong/routing/ticket"
)

// What is known of a stub is found in Redis and on disk, also by a process that has only just begun.
func TestWhoCalled(t *testing.T) {
	server := redistest.Start(t)
	cfg := config(t, server.URL())
	o, _ := open(t, cfg)
	m, last := newMatter("12345"), ticket.Entry{}
	for range 700 {
		last = m.next()
		o.Put(last, nil)
	}
	wanted := newMatter("110").next()
	o.Put(wanted, nil)
	eventually(t, "shipped", func() bool { s := o.Stats(); return s.Written == 701 && s.Waiting == 0 })
	o.Stop()
	o, _ = open(t, cfg)
	eventually(t, "redis is there", func() bool { return o.Stats().RedisUp })
	if e, ok, _ := o.WhoCalled(t.Context(), wanted.StubID); !ok || e.CallerE164 != wanted.CallerE164 {
		t.Errorf("%v %v", e, ok)
	}
	if e, ok := o.Find(t.Context(), stream12345, last.EventID); !ok || e.Title != last.Title {
		t.Errorf("%v %v", e, ok)
	}
	if _, ok := o.Find(t.Context(), stream110, last.EventID); ok {
		t.Error("found in another stream")
	}
	if _, ok, err := o.WhoCalled(t.Context(), ids.New(time.Now())); ok || err != nil {
		t.Error("found what was never written")
	}

	server.Kill()
	if _, ok, err := o.WhoCalled(t.Context(), wanted.StubID); ok || err == nil {
		t.Error("Redis has failed, and the stub is not known")
	}
	eventually(t, "its absence is noticed", func() bool { o.Put(m.next(), nil); return !o.Stats().RedisUp })
	waits := newMatter("110").next()
	l := newLedger()
	l.put(o, waits)
	eventually(t, "on disk", l.reached(1))
	if e, ok, _ := o.WhoCalled(t.Context(), waits.StubID); !ok || e.CallerE164 != waits.CallerE164 {
		t.Errorf("%v %v", e, ok)
	}
}

// An entry that is put a second time while the first waits on disk, before and after a restart, is one entry.
func TestPutTwice(t *testing.T) {
	server := redistest.Start(t)
	cfg := config(t, server.URL())
	server.Kill()
	o, _ := open(t, cfg)
	m := newMatter("110")
	first, second := m.next(), m.next()
	for _, e := range []ticket.Entry{first, first, second} {
		o.Put(e, nil)
	}
	eventually(t, "on disk", func() bool { return o.Stats().OnDisk == 3 })
	o.Stop()
	o, _ = open(t, cfg)
	o.Put(second, nil)
	o.Put(first, nil)
	server.Restart()
	eventually(t, "shipped", func() bool { s := o.Stats(); return s.Written == 2 && s.Waiting == 0 })
	exactly(t, cfg, 2, stream110)
}
