package configs

import (
	"slices"

	"liandong/routing/verb"
)

// services checks the numbers by which phones name a verb: none of them may already lead to somebody.
func (c *checker) services() {
	allowed := append(slices.DeleteFunc(verbNames(), func(s string) bool { return s == string(verb.Category) }), verb.Pickup)
	for _, number := range sorted(c.Services) {
		key, name := join("services", number), c.Services[number]
		switch {
		case c.faulty(key):
		case name == string(verb.Category):
			c.add(key, textServiceOther.of(name, allowed))
		case !slices.Contains(allowed, name):
			c.add(key, textKeyVerb.of(name, allowed))
		case c.reaches(number):
			c.addName(key, textServiceTaken.of(number))
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
