package configs

import (
	"net/url"

	"liandong/routing/desk"
)

// RedisURL is redis.url with the password of redis.password or its file in it. Zero: no Redis.
func (c *Config) RedisURL() desk.Secret {
	u, err := url.Parse(c.Redis.URL.Reveal())
	if err != nil || c.Redis.Password.IsZero() {
		return c.Redis.URL
	}
	u.User = url.UserPassword(u.User.Username(), c.Redis.Password.Reveal())
	return desk.NewSecret(u.String())
}
