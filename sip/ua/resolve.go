package ua

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	lookupTimeout = 5 * time.Second
	nameLife      = time.Minute     // a found address is used again
	failLife      = 2 * time.Second // and a failure is believed
	maxNames      = 1024
	maxWaiting    = 512 // messages for one name
)

// names is what we need of DNS; *net.Resolver has it.
type names interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// resolver finds the address of a target, RFC 3263 without NAPTR: numeric
// targets at once, names on a goroutine of their own. Messages to one name keep
// their order.
type resolver struct {
	u   *UA
	dns names

	mu    sync.Mutex
	cache map[target]*lookup // guarded by mu
}

type target struct{ network, transport, host string }

type lookup struct {
	done    bool
	addr    netip.AddrPort
	err     error
	until   time.Time
	waiting []func(netip.AddrPort, error)
}

func newResolver(u *UA) *resolver {
	return &resolver{u: u, dns: net.DefaultResolver, cache: map[target]*lookup{}}
}

// resolve calls then once, on the caller's goroutine if the answer is at hand.
func (r *resolver) resolve(network, transport, host string, then func(netip.AddrPort, error)) {
	if addr, ok := numericTarget(host); ok {
		then(addr, nil)
		return
	}
	key := target{network, transport, host}
	r.mu.Lock()
	l := r.cache[key]
	if l != nil && l.done && time.Now().Before(l.until) {
		r.mu.Unlock()
		then(l.addr, l.err)
		return
	}
	if l != nil && !l.done {
		ok := len(l.waiting) < maxWaiting
		if ok {
			l.waiting = append(l.waiting, then)
		}
		r.mu.Unlock()
		if !ok {
			then(netip.AddrPort{}, ErrBacklog)
		}
		return
	}
	l = &lookup{waiting: []func(netip.AddrPort, error){then}}
	ok := r.remember(key, l)
	r.mu.Unlock()
	switch {
	case !ok:
		then(netip.AddrPort{}, ErrBacklog)
	case !r.u.spawn(func() { r.run(key, l) }):
		then(netip.AddrPort{}, ErrStopped)
	}
}

// remember keeps the cache bounded, and with it the lookups under way: targets
// come from the configuration, but also from Contacts. Caller holds mu.
func (r *resolver) remember(key target, l *lookup) bool {
	if len(r.cache) >= maxNames {
		maps.DeleteFunc(r.cache, func(_ target, old *lookup) bool { return old.done })
	}
	if len(r.cache) >= maxNames {
		return false
	}
	r.cache[key] = l
	return true
}

func (r *resolver) run(key target, l *lookup) {
	ctx, cancel := context.WithTimeout(r.u.ctx, lookupTimeout)
	defer cancel()
	addr, err := r.find(ctx, key)
	life := nameLife
	if err != nil {
		addr, err, life = netip.AddrPort{}, fmt.Errorf("%w: %w", ErrNoTarget, err), failLife
	}
	for {
		r.mu.Lock()
		waiting := l.waiting
		l.waiting = nil
		if len(waiting) == 0 {
			l.done, l.addr, l.err, l.until = true, addr, err, time.Now().Add(life)
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, then := range waiting {
			then(addr, err)
		}
	}
}

// find: RFC 3263 §4.2, a target with a port has no SRV records.
func (r *resolver) find(ctx context.Context, key target) (netip.AddrPort, error) {
	host, port, err := splitTarget(key.host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if port == 0 {
		port = defaultPort
		if _, srv, err := r.dns.LookupSRV(ctx, "sip", key.transport, host); err == nil && len(srv) > 0 {
			host, port = strings.TrimSuffix(first(srv).Target, "."), first(srv).Port
		}
	}
	ips, err := r.dns.LookupNetIP(ctx, r.ipFamily(key), host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(ips) == 0 {
		return netip.AddrPort{}, fmt.Errorf("no address for %s", host)
	}
	// The lowest, so that an INVITE's CANCEL and ACK go the same way a minute on.
	return netip.AddrPortFrom(slices.MinFunc(ips, netip.Addr.Compare).Unmap(), port), nil
}

// first is the record of best priority; weights are not drawn, for the same reason.
func first(srv []*net.SRV) *net.SRV {
	return slices.MinFunc(srv, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
}

// ipFamily: a socket bound to one family cannot send to the other.
func (r *resolver) ipFamily(key target) string {
	local, _ := r.u.Addr(key.network, key.transport)
	if local.Addr().Is4() {
		return "ip4"
	}
	return "ip"
}

// numericTarget reads a target that needs no DNS.
func numericTarget(s string) (netip.AddrPort, bool) {
	host, port, err := splitTarget(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	ip, ok := hostIP(host)
	if port == 0 {
		port = defaultPort
	}
	return netip.AddrPortFrom(ip, port), ok
}

func splitTarget(s string) (host string, port uint16, err error) {
	if ip, ok := hostIP(s); ok {
		return ip.String(), 0, nil
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		if s == "" {
			return "", 0, ErrNoTarget
		}
		return s, 0, nil
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil || n == 0 || i == 0 {
		return "", 0, fmt.Errorf("%w: %q", ErrNoTarget, s)
	}
	return s[:i], uint16(n), nil
}
