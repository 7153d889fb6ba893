package configs

import (
	"crypto/tls"
	"net/netip"
	"time"

	"liandong/sip/ua"
)

// http checks who may ask what: whoever can reach an address is one whom the file names.
func (c *checker) http() {
	c.httpOpen()
	for i, p := range c.HTTP.Allow {
		c.anybody(index("http.allow", i), p)
	}
	for _, name := range sorted(c.HTTP.Access) {
		c.access(join("http.access", name), c.HTTP.Access[name])
	}
	c.console()
	c.webTLS("http", len(c.HTTP.Listen) > 0, c.HTTP.CertFile, c.HTTP.KeyFile)
	for _, name := range sorted(c.Networks) {
		w := c.Networks[name].HTTP
		c.webTLS(join("networks", name)+".http", w.Listen.IsValid(), w.CertFile, w.KeyFile)
	}
}

// httpOpen: HTTP that other machines reach needs somebody who is let in by more than where he sits.
func (c *checker) httpOpen() {
	h := c.HTTP
	named := !h.Token.IsZero() || len(h.Access) > 0 || c.faulty("http.token_file") || c.faulty("http.token") ||
		c.faulty("http.access")
	for i, at := range h.Listen {
		if !named && at.IsValid() && !at.Addr().IsLoopback() {
			c.add(c.listenKey(i), textOpenHTTP.of())
		}
	}
	for i, p := range h.Allow {
		if p.IsValid() && !p.Addr().IsLoopback() && len(c.Networks) > 1 {
			c.warn(index("http.allow", i), textAllowRole.of(written(p)))
		}
	}
}

// anybody: a range of everybody is a mistake wherever an address alone lets in.
func (c *checker) anybody(key string, p netip.Prefix) {
	if p.IsValid() && p.Bits() == 0 {
		c.add(key, textAllowAll.of(p))
	}
}

func (c *checker) access(key string, a *Access) {
	if c.has(key) {
		return
	}
	if a.Token.IsZero() {
		if len(a.From) == 0 && !c.faulty(key+".token") && !c.faulty(key+".token_file") && !c.faulty(key+".from") {
			c.addName(key, textAccessNobody.of())
		}
		for i, p := range a.From {
			c.anybody(index(key+".from", i), p)
		}
	}
	lined := a.Role == RoleDesk || a.Role == RoleSupervisor
	switch {
	case lined && len(a.Hotlines) == 0 && !c.faulty(key+".hotlines"):
		c.addName(key+".hotlines", textMissing.of(textItems.of(textOneOf.of(c.HotlineIDs()))))
	case !lined && len(a.Hotlines) > 0 && !c.faulty(key+".role"):
		c.add(key+".hotlines", textAccessLines.of())
	}
	for i, id := range a.Hotlines {
		refers(c, index(key+".hotlines", i), id, c.Hotlines)
	}
}

// webTLS checks a certificate of HTTP. No error quotes the key.
func (c *checker) webTLS(key string, listens bool, certFile, keyFile string) {
	switch {
	case certFile == "" && keyFile == "":
		return
	case !listens:
		c.add(key+".cert_file", textCertNoListen.of())
		return
	case keyFile == "":
		c.add(key+".cert_file", textCertPair.of())
		return
	case certFile == "":
		c.add(key+".key_file", textCertPair.of())
		return
	}
	c.certificatePair(key, certFile, keyFile)
}

// certificatePair reads a certificate and its key, and tells when it expires.
func (c *checker) certificatePair(at, certFile, keyFile string) {
	cert, ok1 := c.pem(at+".cert_file", certFile)
	key, ok2 := c.pem(at+".key_file", keyFile)
	if !ok1 || !ok2 {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		c.add(at+".cert_file", textBadPair.of(certFile, keyFile))
		return
	}
	switch end := pair.Leaf.NotAfter; {
	case time.Now().After(end):
		c.warn(at+".cert_file", textCertExpired.of(certFile, end.Format(time.DateOnly)))
	case time.Until(end) < ua.ExpiresSoon:
		c.warn(at+".cert_file", textCertSoon.of(certFile, end.Format(time.DateOnly)))
	}
}
