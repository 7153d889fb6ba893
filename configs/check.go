package configs

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// checker holds the parts of a config against each other. Each part by itself is well-formed, or was reported.
type checker struct {
	*decoder
	*Config
	files files
}

func (c *checker) all() {
	c.networks()
	c.codecs()
	c.trunks()
	c.hotlines()
	c.phones()
	c.keys()
	c.services()
	c.categories()
	c.numbers()
	c.prompts()
	c.recording()
	c.traces()
	c.redis()
	c.matters()
	c.streams()
	c.webhooks()
	c.secretsSet()
	c.strong()
	c.closed()
	c.http()
	c.advice()
	c.timers()
	c.media()
	c.cluster()
	c.shares()
	c.parts()
}

// media: the driver only goes before what the kernel relays.
func (c *checker) media() {
	if c.Media.KernelXDP && !c.Media.KernelRelay {
		c.add("media.kernel_xdp", textXDPAlone.of())
	}
}

// parts asks each package of the switch whether it would start with its part, so that check never passes what serve
// refuses. Only then is the config handed to them: they report without a place in the file.
func (c *checker) parts() {
	if len(c.list) > 0 {
		return
	}
	errs := []error{c.uaOf(c.alike()).Validate(), c.Engine().Validate(), c.Record().Validate()}
	for _, s := range c.Stores() {
		errs = append(errs, s.Outbox.Validate(), s.Ledger.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		c.add("", textBroken.of(err.Error()))
	}
}

// alike is a phone of each kind that the socket layer tells apart: it would say the same of the others.
func (c *checker) alike() map[string]*Phone {
	seen, some := map[[3]string]bool{}, map[string]*Phone{}
	for _, user := range c.inOrder() {
		p := c.Phones[user]
		if kind := [3]string{p.Network, p.Digest, p.TLS}; !seen[kind] {
			seen[kind], some[user] = true, p
		}
	}
	return some
}

// sorted gives the names of a table in a fixed order, so that the same file always gives the same messages.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sortedBut leaves one name out: a hotline has no use for itself.
func sortedBut[V any](m map[string]V, but string) []string {
	return slices.DeleteFunc(sorted(m), func(s string) bool { return s == but })
}

// refers checks that a name is in a table. An empty name is no reference.
func refers[V any](c *checker, key, name string, table map[string]V) bool {
	if _, ok := table[name]; ok || name == "" {
		return name != ""
	}
	c.add(key, textNoSuch.of(name, sorted(table)))
	return false
}

// network checks the network of a trunk, hotline or phone: it may be left out only where there is no choice.
func (c *checker) network(owner, name string) bool {
	if _, ok := c.Networks[name]; ok {
		return true
	}
	key := join(owner, "network")
	if name == "" && len(c.Networks) > 1 && !c.faulty(key) {
		c.add(key, textWhichNetwork.of(sorted(c.Networks)))
	}
	return refers(c, key, name, c.Networks)
}

func (c *checker) timers() {
	if t := c.Timers; t.Session > 0 && t.MinSE > t.Session { // 0: no session timer
		c.add("timers.min_se", textMinSE.of(t.Session))
	}
}

func (c *checker) keys() {
	var good []string
	for _, code := range sorted(c.Keys) {
		if c.oneKey(code) {
			good = append(good, code)
		}
	}
	for i, a := range good {
		for _, b := range good[i+1:] {
			if keysClash(a, b, c.Keys) {
				c.addName(join("keys", b), textKeyCross.of(a))
			}
		}
	}
	c.emergency()
}

func (c *checker) oneKey(code string) bool {
	key, name := join("keys", code), c.Keys[code]
	if c.faulty(key) {
		return false
	}
	fault := keyFault(code, name)
	switch {
	case fault == nil:
	case !slices.Contains(verbNames(), name):
		c.add(key, *fault)
	default:
		c.addName(key, *fault)
	}
	return fault == nil
}

// emergency: with no key for urgent and nothing said, a switch between other lines needs none.
func (c *checker) emergency() {
	if len(c.Hotlines) == 0 {
		return
	}
	if slices.Contains(slices.Collect(maps.Values(c.Keys)), "urgent") || c.Emergency != Default().Emergency {
		refers(c, "emergency", c.Emergency, c.Hotlines)
	}
}

// lines is the set of hotlines that a caller could be sent to from one of them.
func (c *checker) lines(from string) string {
	return strings.Join(sortedBut(c.Hotlines, from), ", ")
}
