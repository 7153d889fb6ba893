// Package srtp keeps the sound of one party secret and whole: it seals what the
// party gets and opens what comes from it, RTP and RTCP alike (RFC 3711, RFC
// 6188, RFC 7714). The cryptography is pion's; what is here is one direction's
// keys over a whole call, through changes of the key, the source and the codec.
package srtp

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/pion/srtp/v3"
)

// Errors. ErrRefused is of a packet that was forged, damaged or heard before.
var (
	ErrSuite   = errors.New("srtp: unknown suite or a key of another length")
	ErrRefused = errors.New("srtp: packet refused")
)

// Overhead is by how many bytes a packet grows at most: the tag, and the index
// of RTCP.
const Overhead = 16 + 4

const (
	window     = 128 // packets back that a late one may be, and within which a copy is known
	maxSources = 64  // SSRCs of one party under one key; a phone has one or two
)

// Key is a direction's master key and salt, in one, with the suite that it is
// for by its name in RFC 4568 §6.2, RFC 6188 §2 or RFC 7714 §12. The zero Key is
// no protection. It does not show itself.
type Key struct {
	Suite    string
	Material string
}

func (Key) String() string       { return "***" }
func (Key) GoString() string     { return "***" }
func (Key) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText keeps it out of JSON, also of a log of what it is a part of.
func (Key) MarshalText() ([]byte, error) { return []byte("***"), nil }

// IsZero says that there is no protection.
func (k Key) IsZero() bool { return k == Key{} }

var profiles = map[string]srtp.ProtectionProfile{
	"AES_CM_128_HMAC_SHA1_80": srtp.ProtectionProfileAes128CmHmacSha1_80,
	"AES_256_CM_HMAC_SHA1_80": srtp.ProtectionProfileAes256CmHmacSha1_80,
	"AEAD_AES_128_GCM":        srtp.ProtectionProfileAeadAes128Gcm,
	"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
}

func (k Key) context() (*srtp.Context, error) {
	profile, ok := profiles[k.Suite]
	if !ok {
		return nil, ErrSuite
	}
	n, err := profile.KeyLen()
	if err != nil || n > len(k.Material) {
		return nil, ErrSuite
	}
	c, err := srtp.CreateContext([]byte(k.Material[:n]), []byte(k.Material[n:]), profile,
		srtp.SRTPReplayProtection(window), srtp.SRTCPReplayProtection(window))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSuite, err)
	}
	return c, nil
}
