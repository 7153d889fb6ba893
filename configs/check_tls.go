package configs

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"liandong/sip/ua"
)

// networkTLS checks what a network's TLS is made of, so that the switch never starts without a certificate that fits.
func (c *checker) networkTLS(name string, n *Network) {
	key := join("networks", name)
	s, at := n.SIP, join(key, "sip")
	if !s.TLS.IsValid() {
		if n.SRTP == ua.Preferred && !c.faulty(at+".tls") {
			c.warn(key+".srtp", textNotOffered.of())
		}
		for file, path := range map[string]string{"cert_file": s.CertFile, "key_file": s.KeyFile, "client_ca": s.ClientCA} {
			if path != "" && !c.faulty(at+".tls") {
				c.add(join(at, file), textOnlyTLS.of())
			}
		}
		if n.TLS != ua.Off && !c.faulty(at+".tls") && !c.faulty(key+".tls") {
			c.add(key+".tls", textNoTLSPort.of(name))
		}
		return
	}
	if s.CertFile == "" || s.KeyFile == "" {
		c.add(at+".tls", textNeedsCert.of())
		return
	}
	c.certificate(at, s)
	c.authorities(at+".client_ca", s.ClientCA)
}

// certificate reads the pair. No error quotes the key.
func (c *checker) certificate(at string, s SIP) {
	cert, ok1 := c.pem(at+".cert_file", s.CertFile)
	key, ok2 := c.pem(at+".key_file", s.KeyFile)
	if !ok1 || !ok2 {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		c.add(at+".cert_file", textBadPair.of(s.CertFile, s.KeyFile))
		return
	}
	switch end := pair.Leaf.NotAfter; {
	case time.Now().After(end):
		c.warn(at+".cert_file", textCertExpired.of(s.CertFile, end.Format(time.DateOnly)))
	case time.Until(end) < ua.ExpiresSoon:
		c.warn(at+".cert_file", textCertSoon.of(s.CertFile, end.Format(time.DateOnly)))
	}
}

// authorities checks a file of certificates that others are believed by.
func (c *checker) authorities(key, path string) {
	if pem, ok := c.pem(key, path); ok && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		c.add(key, textNoCert.of(path))
	}
}

// phoneTLS: what a phone is asked for its network has to have. The keys of SRTP are said in SIP (RFC 4568 §8.3), so
// sound that has to be secret needs signalling that is.
func (c *checker) phoneTLS(key string, p *Phone) {
	n := c.Networks[p.Network]
	if p.SRTP == ua.Required && p.TLS != ua.Required && !c.faulty(key+".srtp") && !c.faulty(key+".tls") && !c.faulty(join("networks", p.Network)) {
		c.add(key+".srtp", textKeysOpen.of("tls: required"))
	}
	c.unoffered(key, p.SRTP, p.TLS != ua.Off)
	if p.TLS != ua.Off && !n.SIP.TLS.IsValid() && n.TLS == ua.Off && !c.faulty(key+".tls") {
		c.add(key+".tls", textNoTLSPort.of(p.Network))
	}
}

// unoffered warns who is written down for SRTP and speaks without TLS: whoever offers keys gets it, but we offer none.
func (c *checker) unoffered(key, srtp string, secure bool) {
	if _, said := c.places[key+".srtp"]; said && srtp == ua.Preferred && !secure {
		c.warn(key+".srtp", textNotOffered.of())
	}
}
