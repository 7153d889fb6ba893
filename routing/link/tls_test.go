package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link/redistest"
)

// authority signs itself, and leaves a certificate for 127.0.0.1 and its key as files.
func authority(t *testing.T) (roots *x509.CertPool, pair tls.Certificate, ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour),
		IsCA:     true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(cert, certPEM, 0o600))
	must(t, os.WriteFile(key, keyPEM, 0o600))
	pair, err = tls.X509KeyPair(certPEM, keyPEM)
	must(t, err)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots, pair, cert, cert, key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A Redis that asks its clients for a certificate, signed by an authority of the house.
func TestRealTLS(t *testing.T) {
	roots, pair, ca, cert, key := authority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	must(t, l.Close())
	redistest.Start(t, "--tls-port", fmt.Sprint(port), "--tls-ca-cert-file", ca, "--tls-cert-file", cert,
		"--tls-key-file", key,
		"--tls-auth-clients", "yes", "--appendonly", "no")
	for name, c := range map[string]struct {
		scheme string
		tls    *tls.Config
		ok     bool
	}{
		"with both":             {"rediss", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, true},
		"without a certificate": {"rediss", &tls.Config{RootCAs: roots}, false},
		"unknown authority":     {"rediss", &tls.Config{Certificates: []tls.Certificate{pair}}, false},
		"the system's roots":    {"rediss", nil, false},
		"without TLS":           {"redis", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.URL, cfg.TLS = desk.NewSecret(fmt.Sprintf("%s://127.0.0.1:%d/0", c.scheme, port)), c.tls
			to, err := New(cfg)
			must(t, err)
			defer to.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := to.Client().Set(ctx, "k", "v", 0).Err(); (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}
