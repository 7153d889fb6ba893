package api

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// renewEvery is how often at most it is looked whether the files of a certificate are others.
const renewEvery = time.Second

// certificate is what HTTPS shows, read again when its files change. What was read last stays while they are no pair:
// they are replaced one after the other.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate // guarded by mu, as the rest
	stamp  [2]time.Time     // of what pair was read from
	failed [2]time.Time     // the stamp last complained about
	looked time.Time
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}

// get is the newest certificate that could be read.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < renewEvery {
		return c.pair, nil
	}
	c.looked = time.Now()
	stamp := [2]time.Time{changed(c.certFile), changed(c.keyFile)}
	if c.pair != nil && stamp == c.stamp {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.pair, c.stamp = &pair, stamp
	case c.pair == nil:
		return nil, err
	case stamp != c.failed:
		c.failed = stamp
		c.log.Error("the certificate of HTTP cannot be read, the last one stays in use", "file", c.certFile, "err", err)
	}
	return c.pair, nil
}

func changed(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
