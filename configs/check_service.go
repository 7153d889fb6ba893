package configs

import (
	"slices"
	"strings"

	"liandong/routing/verb"
)

// services checks the numbers by which phones name a verb: none of them may already lead to somebody.
func (c *checker) services() {
	allowed := append(slices.DeleteFunc(verbNames(), func(s string) bool { return s == string(verb.Category) }),
		verb.Pickup, verb.Ready, verb.NotReady, verb.Monitor)
	for _, number := range sorted(c.Services) {
		key, name := join("services", number), c.Services[number]
		switch {
		case c.faulty(key):
		case strings.HasPrefix(name, verb.NotReady+" "):
			if _, why, _ := verb.OfSeat(name); !slices.Contains(c.NotReadyReasons, why) {
				c.add(key, textServiceReason.of(why, c.NotReadyReasons))
			}
		case name == string(verb.Category):
			c.add(key, textServiceOther.of(name, allowed))
		case !slices.Contains(allowed, name):
			c.add(key, textKeyVerb.of(name, allowed))
		case c.reaches(number):
			c.addName(key, textServiceTaken.of(number))
		case name == verb.Monitor:
			c.monitor(key, number)
		}
	}
}

// monitor checks that the number with any phone's or line's behind it leads to nobody else.
func (c *checker) monitor(key, number string) {
	for _, rest := range append(sorted(c.Phones), c.HotlineIDs()...) {
		if _, service := c.Services[number+rest]; service || c.reaches(number+rest) {
			c.addName(key, textMonitorTaken.of(number, rest))
			return
		}
	}
}

// reaches says that a number is a line's or a phone's.
func (c *checker) reaches(number string) bool {
	for _, h := range c.Hotlines {
		if slices.Contains(h.Numbers, number) {
			return true
		}
	}
	_, phone := c.Phones[number]
	return phone
}
