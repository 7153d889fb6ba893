package configs

import (
	"net/url"
	"slices"
)

// redis checks the URL without ever quoting it: it may hold a password.
func (c *checker) redis() {
	r := c.Redis
	if r.URL.IsZero() {
		return
	}
	u, err := url.Parse(r.URL.Reveal())
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || u.Hostname() == "" {
		c.add("redis.url", textRedisURL.of())
		return
	}
	if _, inURL := u.User.Password(); inURL && (!r.Password.IsZero() || r.PasswordFile != "") {
		c.add("redis.password", textRedisTwice.of())
	}
}
