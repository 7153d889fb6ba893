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
	if !c.begins(number) {
		return
	}
	for _, rest := range slices.Concat(c.inOrder(), c.HotlineIDs()) {
		if _, service := c.Services[number+rest]; service || c.reaches(number+rest) {
			c.addName(key, textMonitorTaken.of(number, rest))
			return
		}
	}
}

// begins says that some longer name or number that may be dialled begins with a number.
func (c *checker) begins(number string) bool {
	longer := func(s string) bool { return len(s) > len(number) && strings.HasPrefix(s, number) }
	for _, h := range c.Hotlines {
		if slices.ContainsFunc(h.Numbers, longer) {
			return true
		}
	}
	for name := range c.Services {
		if longer(name) {
			return true
		}
	}
	return slices.ContainsFunc(c.inOrder(), longer)
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
