package app

import (
	"crypto/rand"
	"net/netip"

	"liandong/cmd/internal/selftest"
	"liandong/configs"
	"liandong/routing/news"
	"liandong/sip/ua"
)

// newTester is nil when the switch is not to call itself, or has no trunk to do it by.
func (a *App) newTester(cfg *configs.Config) *selftest.Tester {
	ways := waysOf(cfg, a.secret)
	if cfg.SelfTest.Every == 0 || len(ways) == 0 {
		return nil
	}
	return selftest.New(ways, cfg.SelfTest.Every, a.tested, a.log.With("part", "selftest"))
}

// testSecret begins the names by which the switch calls itself.
func testSecret() string { return "t" + rand.Text() }

// waysOf are all trunks by all lines, a line after the other.
func waysOf(cfg *configs.Config, secret string) (ways []selftest.Way) {
	for _, line := range cfg.HotlineIDs() {
		for _, name := range cfg.TrunkNames() {
			sip := cfg.Networks[cfg.Trunks[name].Network].SIP
			w := selftest.Way{Trunk: name, Line: line, Number: cfg.Hotlines[line].Numbers[0],
				User: ua.TestUser(secret, name), Server: sip.UDP, Transport: "udp"}
			if !sip.UDP.IsValid() {
				w.Server, w.Transport = sip.TCP, "tcp"
			}
			if !w.Server.IsValid() {
				continue // TLS only: the switch has no certificate to show to itself
			}
			if w.Server.Addr().IsUnspecified() {
				w.Server = netip.AddrPortFrom(loopbackOf(w.Server.Addr()), w.Server.Port())
			}
			ways = append(ways, w)
		}
	}
	return ways
}

func loopbackOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// tested tells of a round whom it concerns: on trial the keeper, at an alarm the wallboards.
func (a *App) tested(r selftest.Round) {
	if r.First {
		a.process.tested(r.Faults)
	}
	for _, line := range r.Alarms {
		a.tell(a.directory.Load(), news.Item{Event: "selftest_failed", Fields: news.Of(news.Fields{
			{Name: "detail", Value: r.Faults[line].Error()}, {Name: "hotline", Value: line}}...)})
	}
}
