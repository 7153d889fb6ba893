package desk

import "log/slog"

// Secret is a password that no log line, error or dump shows. Reveal is the one way to its text, easy to search for.
type Secret struct{ text string }

// mask says only whether there is one.
const mask = "******"

// NewSecret wraps a password.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal gives the password itself, for the protocol that needs it.
func (s Secret) Reveal() string { return s.text }

// IsZero says that no secret was given.
func (s Secret) IsZero() bool { return s.text == "" }

func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return mask
}

// GoString keeps %#v from walking into the field.
func (s Secret) GoString() string { return s.String() }

// LogValue masks the secret for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the secret for every encoder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
