package configs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The files of a Redis with TLS reach those who connect to it.
func TestRedisCertificates(t *testing.T) {
	dir := t.TempDir()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, "lab.yaml", "redis.url=rediss://127.0.0.1:6379/0", "redis.ca_file="+filepath.Join(dir, "cert.pem"),
		"redis.cert_file="+filepath.Join(dir, "cert.pem"), "redis.key_file="+filepath.Join(dir, "key.pem"))
	for what, got := range map[string]bool{
		"outbox": c.Outbox().TLS != nil && c.Outbox().TLS.RootCAs != nil && len(c.Outbox().TLS.Certificates) == 1,
		"ledger": c.Ledger().TLS != nil && c.Ledger().TLS.RootCAs != nil && len(c.Ledger().TLS.Certificates) == 1,
	} {
		if !got {
			t.Errorf("the %s does not know the certificates", what)
		}
	}
	if load(t, "lab.yaml").Outbox().TLS != nil {
		t.Error("without files there is something to show")
	}
}
