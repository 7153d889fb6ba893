package configs

import "liandong/routing/number"

// plan is the number plan of the file. The area code is written with or without its 0.
func (c *Config) plan() number.Plan {
	code := c.Numbers.AreaCode
	if code != "" && code[0] != '0' {
		code = "0" + code
	}
	return number.Plan{AreaCode: code}
}

// numbers checks that a called number leads to one hotline, however it is written.
func (c *checker) numbers() {
	owner := map[string]string{}
	for _, id := range sorted(c.Hotlines) {
		for i, n := range c.Hotlines[id].Numbers {
			if n == "" { // reported when it was read
				continue
			}
			plain := n
			if e164, ok := c.plan().Normalise(n); ok {
				plain = e164
			}
			key := index(join(join("hotlines", id), "numbers"), i)
			switch other, taken := owner[plain]; {
			case taken && other == id:
				c.add(key, textListTwice.of(n))
			case taken:
				c.add(key, textSameNumber.of(n, other))
			}
			owner[plain] = id
		}
	}
}
