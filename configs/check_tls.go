package configs

import (
	"crypto/x509"

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
		for file, path := range map[string]string{"cert_file": s.CertFile, "key_file": s.KeyFile,
			"client_ca": s.ClientCA} {
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
	c.certificatePair(at, s.CertFile, s.KeyFile)
	c.authorities(at+".client_ca", s.ClientCA)
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
	if p.SRTP == ua.Required && p.TLS != ua.Required && !c.faulty(key+".srtp") && !c.faulty(key+".tls") &&
		!c.faulty(join("networks", p.Network)) {
		c.add(key+".srtp", textKeysOpen.of("tls: required"))
	}
	c.unoffered(key, p.SRTP, p.TLS != ua.Off)
	if p.TLS != ua.Off && !n.SIP.TLS.IsValid() && n.TLS == ua.Off && !c.faulty(key+".tls") {
		c.add(key+".tls", textNoTLSPort.of(p.Network))
	}
}

// unoffered warns who is written down for SRTP and speaks without TLS: whoever offers keys gets it, but we offer none.
func (c *checker) unoffered(key, srtp string, secure bool) {
	if srtp != ua.Preferred || secure {
		return
	}
	if _, said := c.placed(key + ".srtp"); said {
		c.warn(key+".srtp", textNotOffered.of())
	}
}
