package sdp

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// ErrProtection: the party wants SRTP where there is to be none, or the other
// way round. It is what 488 is for, with a Warning that says so.
var ErrProtection = errors.New("sdp: no agreement on SRTP")

// Protection is whether sound is protected by SRTP.
type Protection uint8

// The protections. The zero value is none.
const (
	Off       Protection = iota // never
	Preferred                   // where the party can
	Required                    // or there is no call
)

// Profile is the form that an offer of ours has.
type Profile uint8

// The profiles.
const (
	Plain      Profile = iota // RTP/AVP
	BestEffort                // RTP/AVP with keys: who knows them may use them, others pass them over
	Secure                    // RTP/SAVP: RFC 4568
)

// Crypto is one direction's suite with its key and salt. It does not show itself.
type Crypto struct {
	Suite string // by its name in RFC 4568 §6.2, RFC 6188 §2, RFC 7714 §12
	Key   string // master key and master salt, as bytes
}

func (Crypto) String() string       { return "***" }
func (Crypto) GoString() string     { return "***" }
func (Crypto) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText keeps it out of JSON, also of a log of what it is a part of.
func (Crypto) MarshalText() ([]byte, error) { return []byte("***"), nil }

// IsZero says that there is no SRTP.
func (c Crypto) IsZero() bool { return c == Crypto{} }

// suites are those that we have, the strongest first, and their lengths of
// master key and salt in bytes.
var suites = []struct {
	name   string
	length int
}{
	{"AEAD_AES_256_GCM", 44}, {"AEAD_AES_128_GCM", 28}, {"AES_256_CM_HMAC_SHA1_80", 46},
	{"AES_CM_128_HMAC_SHA1_80", 30},
}

// NewKeys makes a key of ours for each suite. rand has to be unguessable. A leg
// keeps them for its life: RFC 4568 §7.1.4, a key that stays the same leaves the
// stream that it protects as it is.
func NewKeys(rand func() uint64) []Crypto {
	keys := make([]Crypto, len(suites))
	for i, s := range suites {
		b := make([]byte, 0, s.length+8)
		for len(b) < s.length {
			b = appendUint64(b, rand())
		}
		keys[i] = Crypto{s.name, string(b[:s.length])}
	}
	return keys
}

func appendUint64(b []byte, n uint64) []byte {
	for range 8 {
		b = append(b, byte(n))
		n >>= 8
	}
	return b
}

// offered is a crypto attribute that we can use.
type offered struct {
	tag string
	Crypto
}

// crypto reads tag, suite, key and session parameters: RFC 4568 §9.1. One that
// we cannot use, or that cannot be read, is passed over, as §5.1.2 wants it.
func (m *media) crypto(value string) {
	f := strings.Fields(value)
	if len(f) < 3 || !isTag(f[0]) {
		return
	}
	for _, param := range f[3:] {
		if !ignorable(param) {
			return
		}
	}
	for _, s := range suites {
		if !strings.EqualFold(s.name, f[1]) {
			continue
		}
		if key, ok := inline(f[2], s.length); ok {
			m.cryptos = append(m.cryptos, offered{f[0], Crypto{s.name, key}})
		}
	}
}

// isTag: 1 to 9 digits.
func isTag(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil && len(s) <= 9
}

// ignorable: RFC 4568 §6.3. Those with a hyphen may be passed over by who does not know
// them, and the window size hint is one; what else there is changes the packets.
func ignorable(param string) bool {
	name, _, _ := strings.Cut(param, "=")
	return strings.HasPrefix(param, "-") || strings.EqualFold(name, "WSH")
}

// inline reads inline:KEY|LIFETIME|MKI:LENGTH, RFC 4568 §6.1. A lifetime is as long as the
// party uses the key, and it is for the party to bring another. With an MKI each
// packet would carry it, and several keys need one: neither is taken.
func inline(params string, length int) (key string, ok bool) {
	method, info, _ := strings.Cut(params, ":")
	parts := strings.Split(info, "|")
	if !strings.EqualFold(method, "inline") || strings.Contains(params, ";") || len(parts) > 2 {
		return "", false
	}
	if len(parts) == 2 && !isLifetime(parts[1]) {
		return "", false
	}
	// RFC 4568 §6.1 has the padding of RFC 3548, which phones leave out.
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	return string(raw), err == nil && len(raw) == length
}

// isLifetime: a number of packets, 2^48 at the most, as such or as a power of two.
func isLifetime(s string) bool {
	if exponent, ok := strings.CutPrefix(s, "2^"); ok {
		n, err := strconv.ParseUint(exponent, 10, 8)
		return err == nil && n <= 48
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n > 0 && bits.Len64(n-1) <= 48
}

// secure says that the profile is one of SRTP: RFC 4568 §3.1, RFC 5124.
func (m *media) secure() bool {
	return strings.EqualFold(m.proto, "RTP/SAVP") || strings.EqualFold(m.proto, "RTP/SAVPF")
}

// agree finds the keys for a stream that is offered to us. RFC 4568 §5.1.2: the
// first that we can use, as the offer is in the order of preference.
func (m *media) agree(l Local) (ours offered, theirs Crypto, ok bool) {
	if l.Protection == Off || len(m.cryptos) == 0 || len(l.Keys) == 0 {
		return offered{}, Crypto{}, !m.secure() && l.Protection != Required
	}
	theirs = m.cryptos[0].Crypto
	own, _ := l.key(theirs.Suite)
	return offered{m.cryptos[0].tag, own}, theirs, true
}

// agreed finds the keys in the answer to an offer of ours: RFC 4568 §5.1.3, the tag and
// the suite are those of one that was offered.
func (m *media) agreed(l Local) (ours, theirs Crypto, ok bool) {
	if l.Profile == Plain || len(m.cryptos) == 0 {
		// An answer in the open to an offer of RTP/SAVP breaks the RFC; phones
		// give it all the same, and are heard where they may be.
		return Crypto{}, Crypto{}, !m.secure() && (l.Profile == Plain || l.Protection != Required)
	}
	c := m.cryptos[0]
	own, i := l.key(c.Suite)
	return own, c.Crypto, i >= 0 && c.tag == strconv.Itoa(i+1)
}

// key is ours of a suite, and its place in our list.
func (l Local) key(suite string) (Crypto, int) {
	i := slices.IndexFunc(l.Keys, func(c Crypto) bool { return c.Suite == suite })
	if i < 0 {
		return Crypto{}, i
	}
	return l.Keys[i], i
}

// profile is what stands in the m= line of an offer.
func (l Local) profile() string {
	if l.Profile == Secure {
		return "RTP/SAVP"
	}
	return "RTP/AVP"
}

// keys offers each suite under a tag of its own.
func (w *written) keys(l Local) {
	if l.Profile == Plain {
		return
	}
	for i, c := range l.Keys {
		w.crypto(offered{strconv.Itoa(i + 1), c})
	}
}

func (w *written) crypto(c offered) {
	w.attribute("crypto", c.tag+" "+c.Suite+" inline:"+base64.StdEncoding.EncodeToString([]byte(c.Key)))
}
