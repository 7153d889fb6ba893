package ua

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/sip/location"
)

// switches are two that share their registrations, with nothing between them.
type switches struct {
	a, b *rig

	mu    sync.Mutex
	told  []string                    // users that b was told of; guarded by mu
	known map[string]location.Binding // guarded by mu
	held  []func()                    // what is told when the test says so; guarded by mu
}

func newSwitches(t *testing.T, change func(*Config)) *switches {
	s := &switches{known: map[string]location.Binding{}}
	to := func(other func() *rig) func([]location.Binding) {
		return func(list []location.Binding) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, b := range list {
				was := s.known[b.User+b.Key]
				s.known[b.User+b.Key] = b
				s.held = append(s.held, func() { other().Learn([]location.News{{Now: b, Was: was}}) })
			}
		}
	}
	with := func(node string, other func() *rig) func(*Config) {
		return func(c *Config) {
			c.Node, c.Share = node, to(other)
			if node == "b" {
				c.Bindings = func(user string, _ []Binding) {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.told = append(s.told, user)
				}
			}
			if change != nil {
				change(c)
			}
		}
	}
	s.a = newRig(t, with("a", func() *rig { return s.b }))
	s.b = newRig(t, with("b", func() *rig { return s.a }))
	return s
}

// tell brings to each switch what the other has said.
func (s *switches) tell() {
	for _, f := range s.take() {
		f()
	}
}

// seen is what b was told of, and what the store would have.
func (s *switches) seen() (told []string, known map[string]location.Binding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told), maps.Clone(s.known)
}

// take is what has not been told, which nobody tells then.
func (s *switches) take() []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held
	s.held = nil
	return held
}

const proxied = "sip:edge@127.0.0.1:5099;lr;received=sip:10.0.0.9:5070"

// A phone that has registered with one switch by way of a proxy is reached by the other through that proxy; where it
// registers next, and what it says there, counts at both.
func TestSharedRegistrations(t *testing.T) {
	s := newSwitches(t, nil)
	p := newPhone(s.a.udp("127.0.0.1"), "1101", "MD5")
	contact, path := "Contact: <sip:1101@10.1.2.3:5070>", "Path: <"+proxied+">, <sip:10.0.0.2;lr>"
	wantCode(t, p.register(contact, path), 200)
	s.tell()
	live := s.b.Locate("1101")
	if len(live) != 1 || !s.b.Reachable("1101") {
		t.Fatalf("the other switch does not reach it: %+v", live)
	}
	got := live[0]
	if got.Contact != "sip:1101@10.1.2.3:5070" || !slices.Equal(got.Path, []string{proxied, "sip:10.0.0.2;lr"}) ||
		got.Flow.Network != "lab" || got.Flow.Transport != "udp" || got.Flow.Local.IsValid() ||
		got.Flow.Remote != netip.MustParseAddrPort("127.0.0.1:5099") {
		t.Errorf("%+v", got)
	}
	if want := s.a.Locate("1101")[0].Expires; !got.Expires.Equal(want) {
		t.Errorf("until %v, not %v", got.Expires, want)
	}
	if told, _ := s.seen(); !slices.Equal(told, []string{"1101"}) {
		t.Errorf("told of %v", told)
	}

	s.a.clock.advance(time.Minute) // as time goes on, the phone registers with the other one
	s.b.clock.advance(time.Minute)
	moved := &phone{peer: s.b.udp("127.0.0.1"), user: "1101", password: "lab-1101", algorithm: "MD5",
		callID: p.callID, cseq: p.cseq + 10}
	wantCode(t, moved.register("Contact: <sip:1101@10.1.2.3:5070>", path), 200)
	s.tell()
	for _, r := range []*rig{s.a, s.b} {
		if live := r.Locate("1101"); len(live) != 1 || live[0].Expires.Before(s.b.clock.now().Add(50*time.Minute)) {
			t.Errorf("after it moved: %+v", live)
		}
	}
	// RFC 3261 §10.3 step 7: a REGISTER that is older than the binding is refused, at whichever switch.
	wantCode(t, p.register(contact, path), 500)

	wantCode(t, moved.register(contact+";expires=0", path), 200)
	s.tell()
	if live := s.a.Locate("1101"); len(live) != 0 {
		t.Errorf("gone at one, at the other there is %+v", live)
	}
	unknown := newPhone(s.b.udp("127.0.0.1"), "1102", "MD5")
	wantCode(t, unknown.register("Contact: <sip:1102@10.1.2.3>;expires=0"), 200)
	if _, known := s.seen(); !known["1102sip 1102 10.1.2.3 0 "].Gone {
		t.Errorf("that a phone of another switch is gone is not said: %+v", known)
	}
}

// A phone that registers with a switch itself is rung by that one alone, and shown to the other all the same: it may
// move there. The switch itself finds it again after it has forgotten everything, if it came by UDP.
func TestSharedWithoutPath(t *testing.T) {
	s := newSwitches(t, nil)
	udp := newPhone(s.a.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, udp.register(udp.contact()), 200)
	tcp := newPhone(s.a.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, tcp.register(tcp.contact()), 200)
	s.tell()
	for _, user := range []string{"1101", "1102"} {
		if live := s.b.Locate(user); len(live) != 0 || s.b.Reachable(user) {
			t.Errorf("the other switch would ring %+v", live)
		}
	}
	if n := len(s.b.Shared()); n != 2 {
		t.Errorf("the other switch knows of %d", n)
	}
	again := newRig(t, func(c *Config) { c.Node = "a" })
	_, known := s.seen()
	for _, b := range known {
		again.Learn([]location.News{{Now: b}})
	}
	if live := again.Locate("1101"); len(live) != 1 || live[0].Flow.Remote != udp.local() {
		t.Errorf("its own phone: %+v", live)
	}
	if live := again.Locate("1102"); len(live) != 0 {
		t.Errorf("a connection that is gone: %+v", live)
	}

	moved := newPhone(s.b.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, moved.register(udp.contact(), "Path: <"+proxied+">"), 200)
	s.tell()
	if live := s.a.Locate("1101"); len(live) != 1 || len(live[0].Path) != 1 {
		t.Errorf("it has moved behind the proxy: %+v", live)
	}
}

// A phone that registers here while something older is on its way from elsewhere stays as it is.
func TestSharedMeanwhile(t *testing.T) {
	s := newSwitches(t, nil)
	old := newPhone(s.a.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, old.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: <"+proxied+">"), 200)
	late := s.take()
	s.mu.Lock()
	clear(s.known)
	s.mu.Unlock()
	fresh := newPhone(s.b.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, fresh.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: <sip:127.0.0.1:6099;lr>"), 200)
	for _, f := range late {
		f()
	}
	if live := s.b.Locate("1101"); len(live) != 1 || live[0].Path[0] != "sip:127.0.0.1:6099;lr" {
		t.Errorf("%+v", live)
	}
}

// Nothing of what stands in the store is believed that could not have been a phone's: it is not called.
func TestSharedNonsense(t *testing.T) {
	s := newSwitches(t, func(c *Config) {
		n := c.Networks["lab"]
		n.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Networks["lab"] = n
	})
	const good = `{"contact":"sip:1101@10.1.2.3","path":["sip:127.0.0.1:5099;lr"],"network":"lab","transport":"udp"}`
	for _, c := range []struct {
		why, user, way string
		reached        bool
	}{
		{"good", "1101", good, true},
		{"no JSON", "1101", good[1:], false},
		{"an account that there is not", "9999", good, false},
		{"another network", "1101", strings.Replace(good, "lab", "gov", 1), false},
		{"two lines", "1101", strings.Replace(good, "sip:1101", `sip:1101\r\nX: y`, 1), false},
		{"a proxy that is not allowed", "1101", strings.Replace(good, "127.0.0.1", "10.9.9.9", 1), false},
		{"a proxy by name", "1101", strings.Replace(good, "127.0.0.1", "edge.example", 1), false},
		{"a proxy that came by TCP", "1101", strings.Replace(good, "udp", "tcp", 1), false},
		{"a transport that there is not", "1101", strings.Replace(strings.Replace(good, "udp", "sctp", 1), "lr",
			"lr;transport=sctp", 1), false},
		{"TLS", "1101", strings.Replace(strings.Replace(good, "udp", "tls", 1), "lr", "lr;transport=tls", 1), false},
		{"by TCP", "1101", strings.Replace(strings.Replace(good, "udp", "tcp", 1), "lr", "lr;transport=tcp", 1), true},
		{"a Path of two lines", "1101", strings.Replace(good, `;lr"`, `;lr","sip:10.0.0.2;lr\r\nX: y"`, 1), false},
		{"no Path", "1101", strings.Replace(good, `"sip:127.0.0.1:5099;lr"`, "", 1), false},
	} {
		b := location.Binding{User: c.user, Key: c.why, CallID: "c", CSeq: 1, Node: "n", Since: s.b.clock.now(),
			Expires: s.b.clock.now().Add(time.Hour), Way: []byte(c.way)}
		s.b.Learn([]location.News{{Now: b}})
		if got := len(s.b.Locate(c.user)) == 1; got != c.reached {
			t.Errorf("%s: reached %v", c.why, got)
		}
		was := b
		b.Gone, b.CSeq = true, 2
		s.b.Learn([]location.News{{Now: b, Was: was}})
		if len(s.b.Locate(c.user)) > 0 {
			t.Errorf("%s: is still there when it is gone", c.why)
		}
	}
	stolen := `{"contact":"sip:1101@10.1.2.3","network":"lab","transport":"udp","remote":"10.9.9.9:5060"}`
	for node, way := range map[string]string{"b": stolen, "a": good} { // as if b itself had accepted it
		s.b.Learn([]location.News{{Now: location.Binding{User: "1101", Key: node, CallID: node, CSeq: 1, Node: node,
			Since: s.b.clock.now(), Expires: s.b.clock.now().Add(time.Hour * 9999), Way: []byte(way)}}})
	}
	if live := s.b.Locate("1101"); len(live) != 1 || live[0].Expires.After(s.b.clock.now().Add(Default().MaxExpires)) {
		t.Errorf("one is at an address that is not allowed, or lives for ever: %+v", live)
	}
	long := newPhone(s.a.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, long.register(fmt.Sprintf("Contact: <sip:1101@10.1.2.3;x=%s>", strings.Repeat("y", maxWay))), 200)
	if len(s.take()) > 0 {
		t.Error("what is too long to be told was told")
	}
}

// That a phone answers no more is told by the next process, too, if this one could not tell: until it registers again,
// or all that is older has ended.
func TestGoneIsToldByTheNextProcess(t *testing.T) {
	var mu sync.Mutex
	kept := map[string][]byte{}
	r := newRig(t, func(c *Config) {
		c.Share = func([]location.Binding) {} // Redis is away
		c.Keep = func(key string, value []byte) {
			mu.Lock()
			defer mu.Unlock()
			if kept[key] = value; value == nil {
				delete(kept, key)
			}
		}
	})
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: <"+proxied+">"), 200)
	wantCode(t, p.register("Contact: <sip:1101@10.1.2.3:5070>;expires=0"), 200)
	next := func(after time.Duration) []location.Binding {
		cfg := labConfig()
		cfg.Now = func() time.Time { return r.clock.now().Add(after) }
		cfg.Share = func([]location.Binding) {}
		u, err := New(cfg, newInbox(), (&logged{}).logger())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(u.Stop)
		mu.Lock()
		defer mu.Unlock()
		if err := u.Restore(maps.All(kept)); err != nil {
			t.Fatal(err)
		}
		return u.Shared()
	}
	if all := next(0); len(all) != 1 || !all[0].Gone || all[0].CallID != p.callID || all[0].Key == "" {
		t.Errorf("the next process tells of %+v", all)
	}
	if all := next(Default().MaxExpires + time.Second); len(all) != 0 {
		t.Errorf("what is older has ended, and it still tells of %+v", all)
	}
	wantCode(t, p.register("Contact: <sip:1101@10.1.2.3:5070>", "Path: <"+proxied+">"), 200)
	if all := next(0); len(all) != 1 || all[0].Gone {
		t.Errorf("it has registered again, and the next process tells of %+v", all)
	}
}
