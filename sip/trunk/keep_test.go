package trunk

import (
	"bytes"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/ua"
)

// Another process goes on: the registrar hears of it no sooner than it would have, by the next number of the same
// Call-ID, and a target that is down is not tried first.
func TestAnotherProcessGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{peers: map[string]func(*gosip.Request) *gosip.Response{}, sinks: map[string]ua.Sink{}}
		r := &registrar{grants: 3600}
		var seen []string
		var mu sync.Mutex
		w.answers("10.0.0.1:5060", func(req *gosip.Request) *gosip.Response {
			mu.Lock()
			defer mu.Unlock()
			if req.Method == gosip.OPTIONS {
				return gosip.NewResponseFromRequest(req, 200, "OK", nil)
			}
			seen = append(seen, req.CallID().Value()+" "+req.CSeq().Value())
			return r.answer(req)
		})
		trunk := account(Target{Host: "10.0.0.1:5060", Priority: 1}, Target{Host: "10.0.0.2:5060"})
		trunk.Network, trunk.Transport, trunk.Options = "lab", "udp", 30*time.Second
		registered := func() (requests []string, contact string) {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(seen), r.contact
		}
		kept := map[string][]byte{}
		keeper := func(seed uint64) *Keeper {
			cfg := Config{Trunks: map[string]Trunk{"pstn": trunk}, Rand: seeded(seed)}
			cfg.Keep = func(name string, value []byte) {
				mu.Lock()
				defer mu.Unlock()
				kept[name] = bytes.Clone(value)
			}
			k := New(cfg, w, slog.New(slog.DiscardHandler))
			mu.Lock()
			before := maps.Clone(kept)
			mu.Unlock()
			if err := k.Restore(maps.All(before)); err != nil {
				t.Error(err)
			}
			k.Start()
			return k
		}
		k := keeper(1)
		pass(5 * time.Minute) // the first target is silent: down
		expectUp(t, k, "10.0.0.1:5060")
		first, _ := registered()
		k.Suspend()
		if _, contact := registered(); contact == "" {
			t.Fatal("its Contact was taken away, and nobody can call until the next process has registered")
		}
		k = keeper(2)
		if up := ups(k); len(up) != 1 || !k.Registrations()["pstn"] {
			t.Errorf("at once: up are %v, registered %v", up, k.Registrations())
		}
		pass(time.Minute)
		if requests, _ := registered(); len(requests) != len(first) {
			t.Errorf("it registers anew: %q", requests[len(first):])
		}
		pass(30 * time.Minute)
		k.Stop()
		id, _, _ := strings.Cut(first[0], " ")
		all, _ := registered()
		for i, s := range all[len(first):] {
			if !strings.HasPrefix(s, id) {
				t.Errorf("another Call-ID: %d %s", i, s)
			}
		}
		if n := len(first); len(all) < n+2 || all[n] == all[n-1] {
			t.Errorf("asked %q", all)
		}
	})
}
