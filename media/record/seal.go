package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
)

// Seal is what seals other files than recordings with a recording key: AES-256-GCM under a key of its own for each
// purpose and salt, made by HKDF-SHA-256 (RFC 5869) as those of recordings are. A nonce is used once for each salt.
func (k Key) Seal(purpose string, salt []byte) (cipher.AEAD, error) {
	own, err := hkdf.Key(sha256.New, k.secret[:], salt, "liandong "+purpose, KeySize)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(c)
}
