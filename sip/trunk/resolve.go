package trunk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	// lookupEvery is how often names are looked up again. Until then, and as long as
	// the name server is silent, the last addresses hold.
	lookupEvery = time.Minute
	lookupAgain = 5 * time.Second // after a failure
	lookupWait  = 5 * time.Second

	// maxTargets bounds what a name may stand for.
	maxTargets = 32
)

var errNoAddress = errors.New("trunk: the name has no address")

// Names is what we need of DNS; *net.Resolver has it.
type Names interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// lookup finds the targets behind names: RFC 3263 §4.2 without NAPTR, and all
// records of it, since §4.3 goes on to the next when one fails.
type lookup struct {
	dns       Names
	transport string
	family    string // of addresses: ip4, or ip for a socket that speaks both
}

// all resolves what a trunk's config names.
func (l lookup) all(ctx context.Context, t Trunk) ([]Target, error) {
	if t.SRV != "" {
		return l.service(ctx, t.SRV)
	}
	var found []Target
	var errs []error
	for _, one := range t.Targets {
		some, err := l.addresses(ctx, one)
		found, errs = append(found, some...), append(errs, err)
	}
	if len(found) == 0 {
		return nil, errors.Join(errs...)
	}
	return found[:min(len(found), maxTargets)], nil
}

// service resolves a domain. RFC 3263 §4.2: "If no SRV records were found, the
// client performs an A or AAAA record lookup of the domain name."
func (l lookup) service(ctx context.Context, domain string) ([]Target, error) {
	name, proto := "sip", l.transport
	if l.transport == "tls" {
		name, proto = "sips", "tcp"
	}
	_, records, err := l.dns.LookupSRV(ctx, name, proto, domain)
	var dns *net.DNSError
	switch {
	case err != nil && !(errors.As(err, &dns) && dns.IsNotFound):
		return nil, fmt.Errorf("trunk: %w", err)
	case len(records) == 0 && l.transport == "tls":
		return l.addresses(ctx, Target{Host: domain + ":5061"})
	case len(records) == 0:
		return l.addresses(ctx, Target{Host: domain})
	}
	var found []Target
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		at := net.JoinHostPort(host, strconv.Itoa(int(r.Port)))
		some, err2 := l.addresses(ctx, Target{Host: at, Priority: int(r.Priority), Weight: int(r.Weight)})
		found, err = append(found, some...), errors.Join(err, err2)
	}
	if len(found) == 0 {
		return nil, err
	}
	for i := range found {
		found[i].Host = domain // what is asked for is the service, whichever server gives it
	}
	return found[:min(len(found), maxTargets)], nil
}

// addresses gives a target once for each address that its host has.
func (l lookup) addresses(ctx context.Context, t Target) ([]Target, error) {
	if addr, ok := numeric(t.Host); ok {
		t.Addr = addr
		return []Target{t}, nil
	}
	host, port := hostPort(t.Host)
	ips, err := l.dns.LookupNetIP(ctx, l.family, host)
	if err != nil {
		return nil, fmt.Errorf("trunk: %w", err)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%w: %s", errNoAddress, host)
	}
	found := make([]Target, len(ips))
	for i, ip := range ips {
		found[i] = t
		found[i].Addr = netip.AddrPortFrom(ip.Unmap(), port)
	}
	return found, nil
}

const defaultPort = 5060

// numeric reads a host that needs no DNS.
func numeric(s string) (netip.AddrPort, bool) {
	host, port := hostPort(s)
	ip, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(ip.Unmap(), port), err == nil
}

// hostPort splits host[:port], an IPv6 address in brackets.
func hostPort(s string) (host string, port uint16) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), defaultPort
	}
	n, _ := strconv.ParseUint(text, 10, 16)
	return host, uint16(n)
}

// named says whether a trunk has names to look up.
func (t Trunk) named() bool {
	for _, one := range t.Targets {
		if _, ok := numeric(one.Host); !ok {
			return true
		}
	}
	return t.SRV != ""
}

// asWritten are the targets before any name is known.
func (t Trunk) asWritten() []Target {
	if t.SRV != "" {
		return []Target{{Host: t.SRV}}
	}
	all := make([]Target, len(t.Targets))
	for i, one := range t.Targets {
		if addr, ok := numeric(one.Host); ok {
			one.Addr = addr
		}
		all[i] = one
	}
	return all
}
