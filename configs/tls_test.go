package configs

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/sip/ua"
	"liandong/sip/ua/certtest"
)

// secured is the lab with TLS by a certificate that expires then.
func secured(t *testing.T, expires time.Duration, set ...string) (*Config, error) {
	t.Helper()
	cert, key := certtest.New(t).Pair("switch", time.Now().Add(expires), "127.0.0.1")
	return Load("lab.yaml", Options{Lang: "en", Env: ownSecrets, Set: append([]string{
		"networks.lab.sip.tls=127.0.0.1:5061", "networks.lab.sip.cert_file=" + cert, "networks.lab.sip.key_file=" + key,
	}, set...)})
}

func TestCertificateThatExpiresIsAWarning(t *testing.T) {
	for left, want := range map[time.Duration]string{
		-time.Minute: "has expired on", 20 * 24 * time.Hour: "expires on", 40 * 24 * time.Hour: "",
	} {
		c, err := secured(t, left)
		if err != nil {
			t.Fatal(err) // a warning is no error: a switch with an old certificate is better than none
		}
		got := warned(c)
		if want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || want == "" || !strings.Contains(got[0].Text, want) ||
			!strings.HasPrefix(got[0].Text, "warning: ") || got[0].Key != "networks.lab.sip.cert_file" {
			t.Errorf("%v: %v", left, got)
		}
	}
}

func TestPhonesFollowTheirNetwork(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{nil, ua.Preferred},
		{[]string{"networks.lab.tls=required"}, ua.Required},
		{[]string{"networks.lab.tls=required", "phones.1101.tls=off"}, ua.Off},
		{[]string{"networks.lab.tls=off", "phones.1101.tls=required"}, ua.Required},
	} {
		c, err := secured(t, 90*24*time.Hour, tt.set...)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.UA().Users["1101"].TLS; got != tt.want {
			t.Errorf("%v: %q, want %q", tt.set, got, tt.want)
		}
	}
	if got := load(t, "lab.yaml").UA().Users["1101"].TLS; got != ua.Off {
		t.Errorf("without sip.tls: %q", got)
	}
}

// Certificate and key of two pairs are no pair; no error quotes the key.
func TestCertificateWithAnotherKey(t *testing.T) {
	_, other := certtest.New(t).Pair("other", time.Now().Add(time.Hour), "127.0.0.1")
	_, err := secured(t, time.Hour, "networks.lab.sip.key_file="+other)
	problems, ok := errors.AsType[Problems](err)
	if !ok || len(problems) != 1 || problems[0].Key != "networks.lab.sip.cert_file" ||
		!strings.Contains(problems[0].Text, filepath.Base(other)) {
		t.Errorf("%v", err)
	}
}

// RFC 4568 §8.3: keys are said over TLS only. Who prefers SRTP where there is none is told that none will be offered.
func TestSRTPThatWillNotBeOfferedIsAWarning(t *testing.T) {
	const withTLS, without = true, false
	for _, tt := range []struct {
		tls  bool
		set  []string
		want string // key of the warning
	}{
		{without, []string{"networks.lab.srtp=preferred"}, "networks.lab.srtp"},
		{without, []string{"networks.lab.srtp=off"}, ""},
		{without, []string{"phones.1101.srtp=preferred"}, "phones.1101.srtp"},
		{without, []string{"trunks.pstn.srtp=preferred"}, "trunks.pstn.srtp"},
		{withTLS, []string{"networks.lab.srtp=preferred"}, ""},
		{withTLS, []string{"phones.1101.srtp=preferred"}, ""},
		{withTLS, []string{"phones.1101.srtp=preferred", "phones.1101.tls=off"}, "phones.1101.srtp"},
		{withTLS, []string{"trunks.pstn.srtp=preferred"}, "trunks.pstn.srtp"},
		{withTLS, []string{"trunks.pstn.srtp=preferred", "trunks.pstn.transport=tls"}, ""},
	} {
		c, err := Load("lab.yaml", Options{Lang: "en", Env: ownSecrets, Set: tt.set})
		if tt.tls {
			c, err = secured(t, 90*24*time.Hour, tt.set...)
		}
		if err != nil {
			t.Fatal(tt.set, err)
		}
		got := warned(c)
		if tt.want == "" && len(got) == 0 {
			continue
		}
		if len(got) != 1 || got[0].Key != tt.want || !strings.Contains(got[0].Text, "TLS") {
			t.Errorf("%v, TLS %v: %v, want %q", tt.set, tt.tls, got, tt.want)
		}
	}
}
