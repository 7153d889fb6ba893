package mirror

import (
	"context"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// rounds make guessing the secret slow for whoever reaches the port: it is shown a certificate of the secret's key.
const rounds = 300_000

// Prepare does beforehand what takes its time of the first use of a secret.
func Prepare(secret string) { _, _ = keyOf(secret) }

// keyOf makes the key of a secret. It takes a tenth of a second, once for each secret.
func keyOf(secret string) (ed25519.PrivateKey, error) {
	keys.Lock()
	defer keys.Unlock()
	if k, ok := keys.of[secret]; ok {
		return k, nil
	}
	seed, err := pbkdf2.Key(sha256.New, secret, []byte("liandong mirror 1"), rounds, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	k := ed25519.NewKeyFromSeed(seed)
	keys.of[secret] = k
	return k, nil
}

var keys = struct {
	sync.Mutex
	of map[string]ed25519.PrivateKey
}{of: map[string]ed25519.PrivateKey{}}

// secured is how both sides speak TLS. What a certificate says but for its key counts for nothing, dates least of all:
// a clock that is wrong is no reason to be alone.
func secured(secret string) (*tls.Config, error) {
	key, err := keyOf(secret)
	if err != nil {
		return nil, err
	}
	form := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "liandong"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	own, err := x509.CreateCertificate(rand.Reader, &form, &form, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("mirror: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{own}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
		InsecureSkipVerify: true, // no authority has signed; VerifyConnection compares the key
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return ErrSecret
			}
			if pub, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey); !ok || !pub.Equal(key.Public()) {
				return ErrSecret
			}
			return nil
		},
	}, nil
}

// shake does the handshake in time.
func shake(c *tls.Conn, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.HandshakeContext(ctx)
}

// prompt has a connection tell soon of a partner whose machine has gone: nothing else would, while there is nothing to
// say.
func prompt(c net.Conn, patience time.Duration) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	_ = t.SetNoDelay(true)
	_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: patience, Interval: patience / 3, Count: 3})
}
