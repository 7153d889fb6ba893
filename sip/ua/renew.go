package ua

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// errNoCertificates: a file of authorities that names none.
var errNoCertificates = errors.New("ua: no certificate in the file")

// Warnings of a certificate that is about to expire.
const (
	ExpiresSoon = 30 * 24 * time.Hour
	remindEvery = 24 * time.Hour
)

// renewed is what some files hold, read again when they change. What was read
// last stays while the files cannot be read. look is called by one goroutine,
// get by any.
type renewed[T any] struct {
	what  string // for the log
	files []string
	load  func() (*T, error)

	value atomic.Pointer[T]
	stamp string // of what value was read from; owned by look's caller
	fault string // the stamp last complained about; the same
}

func (r *renewed[T]) get() *T { return r.value.Load() }

// look reads the files if they are others than those read last. Certificate and
// key are replaced one after the other, and in between they are no pair: it is
// tried again until they are.
func (r *renewed[T]) look(log *slog.Logger) error {
	stamp := stampOf(r.files)
	if stamp == r.stamp {
		return nil
	}
	v, err := r.load()
	switch first := r.stamp == ""; {
	case err != nil && r.fault != stamp:
		r.fault = stamp
		log.Error("cannot be read, what there was stays in use", "what", r.what, "files", r.files, "error", err)
		return err
	case err != nil:
		return err
	case !first:
		log.Info("read anew", "what", r.what, "files", r.files)
	}
	r.value.Store(v)
	r.stamp, r.fault = stamp, ""
	return nil
}

// stampOf says which version of some files there is.
func stampOf(files []string) string {
	var b strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			b.WriteString("none;")
			continue
		}
		fmt.Fprintf(&b, "%d %d;", info.ModTime().UnixNano(), info.Size())
	}
	return b.String()
}

// identity is the certificate that a network shows, with its key.
type identity struct {
	renewed[tls.Certificate]
	network  string
	reminded time.Time // owned by look's caller
}

func newIdentity(network string, t TLS) *identity {
	i := &identity{network: network}
	i.what, i.files = "certificate of network "+network, []string{t.CertFile, t.KeyFile}
	i.load = func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		return &c, err
	}
	return i
}

// remind warns, once a day and when it has been read, that the certificate runs out.
func (i *identity) remind(now time.Time, log *slog.Logger) {
	c := i.get()
	if c == nil || now.Sub(i.reminded) < remindEvery {
		return
	}
	i.reminded = now
	switch left := c.Leaf.NotAfter.Sub(now); {
	case left <= 0:
		log.Error("the certificate has expired", "network", i.network, "since", c.Leaf.NotAfter)
	case left < ExpiresSoon:
		log.Warn("the certificate expires soon", "network", i.network, "at", c.Leaf.NotAfter, "days",
			int(left/(24*time.Hour)))
	}
}

// newAuthorities reads who is believed to sign certificates.
func newAuthorities(what, file string) *renewed[x509.CertPool] {
	return &renewed[x509.CertPool]{what: what, files: []string{file}, load: func() (*x509.CertPool, error) {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errNoCertificates
		}
		return pool, nil
	}}
}
