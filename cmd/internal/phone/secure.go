package phone

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

// suite is the one that every phone with SRTP has (RFC 4568 §6.2), and its master key and salt in bytes.
const (
	suite      = "AES_CM_128_HMAC_SHA1_80"
	suiteKey   = 16
	suiteBytes = 30
)

// crypto is a key said in SDP, RFC 4568 §9.1, under the tag of its line. Empty: none.
type crypto struct{ tag, key string }

// newCrypto is a key that the phone has not used before.
func newCrypto() crypto {
	b := make([]byte, suiteBytes)
	rand.Read(b) // never fails (crypto/rand since Go 1.24)
	return crypto{tag: "1", key: string(b)}
}

// readCrypto takes the first line with our suite.
func (r *remoteSDP) readCrypto(value string) {
	f := strings.Fields(value)
	if r.crypto != (crypto{}) || len(f) < 3 || f[1] != suite {
		return
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(f[2], "inline:"), "|")
	if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) == suiteBytes {
		r.crypto = crypto{f[0], string(key)}
	}
}

func (c crypto) String() string {
	return fmt.Sprintf("a=crypto:%s %s inline:%s\r\n", c.tag, suite, base64.StdEncoding.EncodeToString([]byte(c.key)))
}

// agrees says what is wrong with a description for a phone that has SRTP, or has none.
func (p *Phone) agrees(r remoteSDP) error {
	if p.cfg.SRTP && r.crypto == (crypto{}) || !p.cfg.SRTP && r.profile != "RTP/AVP" {
		return fmt.Errorf("%w: %s", ErrNoMedia, r.profile)
	}
	return nil
}

// opened is what came as it was meant; false when it is not the peer's.
func (m *media) opened(raw []byte) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.srtp.Open(nil, raw)
	if out == nil {
		m.passed.Unopened++
	}
	return out, out != nil
}
