package configs

import (
	"crypto/tls"
	"crypto/x509"
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
	if err != nil || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) || u.Hostname() == "" || c.Outbox().Config.Validate() != nil {
		c.add("redis.url", textRedisURL.of())
		return
	}
	if _, inURL := u.User.Password(); inURL && (!r.Password.IsZero() || r.PasswordFile != "") {
		c.add("redis.password", textRedisTwice.of())
	}
	c.certificates(u.Scheme == "rediss")
}

// certificates reads what belongs to TLS.
func (c *checker) certificates(on bool) {
	r := c.Redis
	given := map[string]string{"redis.ca_file": r.CAFile, "redis.cert_file": r.CertFile, "redis.key_file": r.KeyFile}
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
	if pem, ok := c.pem("redis.ca_file", r.CAFile); ok {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			c.add("redis.ca_file", textNoCert.of(r.CAFile))
		}
	}
	c.ownCert(t)
	c.redisTLS = t
}

// ownCert reads what the switch shows of itself. No error quotes the key.
func (c *checker) ownCert(t *tls.Config) {
	r := c.Redis
	switch {
	case r.CertFile == "" && r.KeyFile == "":
		return
	case r.KeyFile == "":
		c.add("redis.cert_file", textCertPair.of())
		return
	case r.CertFile == "":
		c.add("redis.key_file", textCertPair.of())
		return
	}
	cert, ok1 := c.pem("redis.cert_file", r.CertFile)
	key, ok2 := c.pem("redis.key_file", r.KeyFile)
	if !ok1 || !ok2 {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		c.add("redis.cert_file", textBadPair.of(r.CertFile, r.KeyFile))
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
