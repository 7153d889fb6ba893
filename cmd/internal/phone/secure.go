package phone

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pion/srtp/v3"
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

// protect begins SRTP with new keys; those that stay go on. Called under mu.
func (m *media) protect(ours, theirs string) error {
	if ours == "" || theirs == "" {
		m.seal, m.open, m.keysUsed = nil, nil, [2]string{}
		return nil
	}
	var err error
	if m.keysUsed[0] != ours {
		if m.seal, err = newContext(ours); err != nil {
			return err
		}
	}
	if m.keysUsed[1] != theirs {
		if m.open, err = newContext(theirs); err != nil {
			return err
		}
	}
	m.keysUsed = [2]string{ours, theirs}
	return nil
}

func newContext(key string) (*srtp.Context, error) {
	return srtp.CreateContext([]byte(key[:suiteKey]), []byte(key[suiteKey:]), srtp.ProtectionProfileAes128CmHmacSha1_80)
}

// sealed is a packet as it goes on the wire. Called under mu.
func (m *media) sealed(raw []byte) []byte {
	if m.seal == nil {
		return raw
	}
	out, err := m.seal.EncryptRTP(nil, raw, nil)
	if err != nil {
		return nil
	}
	return out
}

// opened is what came as it was meant; false when it is not the peer's.
func (m *media) opened(raw []byte) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		return raw, true
	}
	out, err := m.open.DecryptRTP(nil, raw, nil)
	if err != nil {
		m.passed.Unopened++
	}
	return out, err == nil
}
