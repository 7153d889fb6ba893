package ua

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestValidateNamesEveryError(t *testing.T) {
	if err := labConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	cfg := labConfig()
	cfg.Networks["empty"] = Network{Allow: []netip.Prefix{{}}, Strangers: "shout"}
	cfg.Trunks["a"] = Trunk{Network: "moon", Transport: "pigeon"}
	cfg.Users["1"] = User{Network: "moon"}
	cfg.Strangers, cfg.Realm, cfg.MTU, cfg.MaxExpires, cfg.MaxRate = "wave", "", 1, 0, 0
	err := cfg.Validate()
	for _, key := range []string{"networks.empty", "networks.empty.allow", "networks.empty.strangers",
		"trunks.a.network", "trunks.a.transport", "users.1.network", "strangers", "realm", "mtu", "max_expires",
		"max_rate"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
	if _, err := New(Config{}, nil, nil); err == nil {
		t.Error("New takes an empty configuration")
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	u := User{Password: "open sesame"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "user", u, "password", u.Password)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "user", u, "password", u.Password)
	for _, s := range []string{b.String(), fmt.Sprintf("%v %+v %#v %s", u, u, u, u.Password)} {
		if strings.Contains(s, "sesame") {
			t.Errorf("shown: %s", s)
		}
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l, now := newLimiter(1, 2), time.Unix(0, 0)
	ip := netip.MustParseAddr("10.0.0.0")
	for range 3 * maxSources {
		ip = ip.Next()
		l.take(now, ip, 1)
	}
	if n := len(l.now) + len(l.old); n > maxSources {
		t.Errorf("%d sources kept", n)
	}
	if !l.take(now, ip, 1) || l.take(now, ip, 1) || !l.take(now.Add(time.Second), ip, 1) {
		t.Error("two at once, then one a second")
	}
}

func TestRepliesAreBounded(t *testing.T) {
	r, now := newReplies(), time.Unix(0, 0)
	for i := range 3 * maxReplies {
		r.put(now, fmt.Sprint(i), nil)
	}
	if n := len(r.now) + len(r.old); n > maxReplies {
		t.Errorf("%d answers kept", n)
	}
	last := fmt.Sprint(3*maxReplies - 1)
	if _, ok := r.get(now, last); !ok {
		t.Error("the last is forgotten")
	}
	if _, ok := r.get(now.Add(replyLife), last); ok {
		t.Error("kept for ever")
	}
}

func TestQuietCountsWhatItSwallows(t *testing.T) {
	var b strings.Builder
	q, now := newLimitedLog(slog.New(slog.NewTextHandler(&b, nil))), time.Unix(0, 0)
	if _, ok := q.pass(now, "a"); !ok {
		t.Error("the first is swallowed")
	}
	for range 5 {
		if _, ok := q.pass(now, "a"); ok {
			t.Error("not swallowed")
		}
	}
	if n, ok := q.pass(now.Add(time.Second), "a"); !ok || n != 5 {
		t.Errorf("%d %t", n, ok)
	}
	if _, ok := q.pass(now, "b"); !ok {
		t.Error("another kind is swallowed")
	}
}
