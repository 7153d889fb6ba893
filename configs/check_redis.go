package configs

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strconv"
)

// redis checks each Redis that the file names.
func (c *checker) redis() {
	c.oneRedis("redis", &c.Redis)
	for _, name := range sorted(c.Networks) {
		n, key := c.Networks[name], join(join("networks", name), "redis")
		switch {
		case !n.Redis.URL.IsZero():
			c.oneRedis(key, &n.Redis)
		case n.Redis.given() && !c.faulty(key+".url"):
			c.add(key, textRedisNoURL.of())
		}
	}
	c.redisApart()
}

// redisApart: one Redis by two names would have two ledgers, of which only one could work.
func (c *checker) redisApart() {
	seen := map[string]string{} // server and database → network
	for _, name := range sorted(c.Networks) {
		r := c.redisOf(name)
		u, err := url.Parse(r.URL.Reveal())
		if err != nil || len(c.linesIn(name)) == 0 {
			continue
		}
		at := u.Host + u.Path + "?" + u.RawQuery
		other, ok := seen[at]
		if ok && !c.redisOf(other).same(r) {
			key := join(join("networks", name), "redis")
			if c.Networks[name].Redis.URL.IsZero() {
				key = join(join("networks", other), "redis")
			}
			c.add(key+".url", textRedisSame.of())
		}
		seen[at] = name
	}
}

// oneRedis checks the URL without ever quoting it: it may hold a password.
func (c *checker) oneRedis(key string, r *Redis) {
	if r.URL.IsZero() {
		return
	}
	u, err := url.Parse(r.URL.Reveal())
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || u.Hostname() == "" || !portsFit(u) ||
		r.link().Validate() != nil {
		c.add(key+".url", textRedisURL.of())
		return
	}
	if _, inURL := u.User.Password(); inURL && (!r.Password.IsZero() || r.PasswordFile != "") {
		c.add(key+".password", textRedisTwice.of())
	}
	c.certificates(key, r, u.Scheme == "rediss")
}

// portsFit: url.Parse takes any digits for a port, of the host and of each addr.
func portsFit(u *url.URL) bool {
	for _, host := range append(u.Query()["addr"], u.Host) {
		port := (&url.URL{Host: host}).Port()
		if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
			return false
		}
	}
	return true
}

// certificates reads what belongs to TLS.
func (c *checker) certificates(at string, r *Redis, on bool) {
	given := map[string]string{at + ".ca_file": r.CAFile, at + ".cert_file": r.CertFile, at + ".key_file": r.KeyFile}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, key := range sorted(given) {
		switch {
		case given[key] == "":
			delete(given, key)
		case !on:
			c.add(key, textNoTLS.of())
			return
		}
	}
	if len(given) == 0 {
		return
	}
	if pem, ok := c.pem(at+".ca_file", r.CAFile); ok {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			c.add(at+".ca_file", textNoCert.of(r.CAFile))
		}
	}
	c.ownCert(at, r, t)
	r.tls = t
}

// ownCert reads what the switch shows of itself. No error quotes the key.
func (c *checker) ownCert(at string, r *Redis, t *tls.Config) {
	switch {
	case r.CertFile == "" && r.KeyFile == "":
		return
	case r.KeyFile == "":
		c.add(at+".cert_file", textCertPair.of())
		return
	case r.CertFile == "":
		c.add(at+".key_file", textCertPair.of())
		return
	}
	cert, ok1 := c.pem(at+".cert_file", r.CertFile)
	key, ok2 := c.pem(at+".key_file", r.KeyFile)
	if !ok1 || !ok2 {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		c.add(at+".cert_file", textBadPair.of(r.CertFile, r.KeyFile))
		return
	}
	t.Certificates = []tls.Certificate{pair}
}

func (c *checker) pem(key, path string) ([]byte, bool) {
	if path == "" {
		return nil, false
	}
	const most = 256 << 10
	b, fault := c.files.get(path, most)
	if fault != nil {
		c.add(key, *fault)
		return nil, false
	}
	return b, true
}
