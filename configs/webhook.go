package configs

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"liandong/routing/desk"
	"liandong/routing/push"
)

// Webhook is a system that gets the ticket entries of some hotlines by HTTP.
type Webhook struct {
	URL        string        `yaml:"url" need:"yes"`
	Hotlines   []string      `yaml:"hotlines" is:"id" need:"yes"`
	Secret     desk.Secret   `yaml:"secret"` // signs what is sent
	SecretFile string        `yaml:"secret_file" is:"path"`
	CAFile     string        `yaml:"ca_file" is:"path"` // who has signed its certificate; "": as the system has it
	Timeout    time.Duration `yaml:"timeout" min:"1s" max:"1m"`

	tls *tls.Config // of CAFile, loaded with the file
}

// pushes are the receivers of a store: each with those of its hotlines whose entries are in it, which no stream loses
// before it has them.
func (c *Config) pushes(s *Store) {
	for _, name := range sorted(c.Webhooks) {
		w, one := c.Webhooks[name], push.Default()
		one.Config, one.Name, one.Node = s.Outbox.Config, name, c.Node
		one.URL, one.Secret, one.TLS = w.URL, w.Secret, w.tls
		if w.Timeout > 0 {
			one.Timeout = w.Timeout
		}
		for _, id := range s.Hotlines {
			if slices.Contains(w.Hotlines, id) {
				one.Hotlines = append(one.Hotlines, id)
			}
		}
		if len(one.Hotlines) == 0 {
			continue
		}
		s.Push = append(s.Push, one)
		for _, stream := range one.Streams() {
			s.Ledger.Trim.Further[stream] = append(s.Ledger.Trim.Further[stream], push.Group(name))
		}
	}
}

// webhooks checks that each receiver can be reached, is known by nothing but its URL, and can tell who sends.
func (c *checker) webhooks() {
	for _, name := range sorted(c.Webhooks) {
		w, key := c.Webhooks[name], join("webhooks", name)
		c.webhookURL(key+".url", w)
		if w.Hotlines != nil && len(w.Hotlines) == 0 && !c.faulty(key+".hotlines") {
			c.add(key+".hotlines", textNoHotline.of())
		}
		for i, id := range w.Hotlines {
			if refers(c, index(key+".hotlines", i), id, c.Hotlines) && slices.Contains(w.Hotlines[:i], id) {
				c.add(index(key+".hotlines", i), textListTwice.of(id))
			}
		}
		switch {
		case c.faulty(key+".secret") || c.faulty(key+".secret_file"):
		case w.Secret.IsZero():
			c.addName(key, textNeedsSecret.of())
		case isWeak(w.Secret, name, minToken):
			c.add(c.secretKey(key, "secret", w.SecretFile), textWeakToken.of())
		}
		if pem, ok := c.pem(key+".ca_file", w.CAFile); ok {
			w.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
			if !w.tls.RootCAs.AppendCertsFromPEM(pem) {
				c.add(key+".ca_file", textNoCert.of(w.CAFile))
			}
		}
	}
}

// webhookURL: what is sent has the citizen's number in it, so it goes by TLS, or stays on this machine.
func (c *checker) webhookURL(key string, w *Webhook) {
	if w.URL == "" || c.faulty(key) {
		return
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || u.Hostname() == "" || !portsFit(u) ||
		u.User != nil || u.Fragment != "":
		c.add(key, textWebhookURL.of())
	case u.Scheme == "http" && w.CAFile != "":
		c.add(key, textWebhookCA.of())
	case u.Scheme == "http" && !onLoopback(u.Hostname()):
		c.warn(key, textWebhookOpen.of())
	}
}

func onLoopback(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}
