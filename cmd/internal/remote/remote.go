// Package remote asks the running switch by its HTTP, for the commands of whoever sits at its machine.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"liandong/configs"
	"liandong/routing/desk"
)

const (
	patience    = 15 * time.Second // how long an answer may take
	mostAnswer  = 16 << 20         // bytes of one that is kept in memory
	mostRefusal = 64 << 10         // bytes of the reason why there is none
)

// ErrNoHTTP says that the config has no HTTP by which the switch could be asked.
var ErrNoHTTP = errors.New("http.listen is not set in the config: the switch cannot be asked")

// ErrLarge says that an answer is larger than is kept in memory.
var ErrLarge = fmt.Errorf("the switch's answer is larger than %d MB: ask for less", mostAnswer>>20)

// Switch is where a switch is asked. Immutable.
type Switch struct {
	listen   netip.AddrPort
	certFile string // "": plain HTTP
	token    desk.Secret
	lang     string // of what it answers: zh or en
}

// Of finds the switch of a config, and a token that may do everything there if the config has one.
func Of(c configs.API) (Switch, error) {
	i := slices.IndexFunc(c.Listen, func(l configs.Listener) bool { return l.Network == "" })
	if i < 0 {
		return Switch{}, ErrNoHTTP
	}
	s := Switch{listen: c.Listen[i].Address, certFile: c.Listen[i].CertFile, lang: c.Lang}
	for _, g := range c.Grants {
		if g.Role == configs.RoleAdmin && !g.Token.IsZero() && s.token.IsZero() {
			s.token = g.Token
		}
	}
	return s, nil
}

// Ask sends a request and gives the answer's body. An answer other than success is the error, in the words of the
// switch; so is one that is larger than [ErrLarge] allows.
func (s Switch) Ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var text bytes.Buffer
	err := s.ask(ctx, method, path, body, func(r io.Reader) error {
		_, err := text.ReadFrom(io.LimitReader(r, mostAnswer+1))
		if err == nil && text.Len() > mostAnswer {
			err = ErrLarge
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// Fetch writes what is to be had at a path to what open gives, however much it is. It opens when there is something.
func (s Switch) Fetch(ctx context.Context, path string, open func() (io.WriteCloser, error)) error {
	return s.ask(ctx, http.MethodGet, path, nil, func(r io.Reader) error {
		w, err := open()
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		return errors.Join(err, w.Close())
	})
}

// ask has take read the body of an answer that is success.
func (s Switch) ask(ctx context.Context, method, path string, body []byte, take func(io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client, scheme, err := s.client()
	if err != nil {
		return err
	}
	at := url.URL{Scheme: scheme, Host: s.host(), Path: path}
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Language", s.lang)
	if !s.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+s.token.Reveal())
	}
	late := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	answer, err := client.Do(req)
	late.Stop()
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return take(answer.Body)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostRefusal))
	return cmp.Or(err, errors.New(cmp.Or(strings.TrimSpace(string(text)), answer.Status)))
}

// client is for plain HTTP, or for HTTPS with the very certificate that the config names, whatever it is made out to.
func (s Switch) client() (c *http.Client, scheme string, err error) {
	if s.certFile == "" {
		return http.DefaultClient, "http", nil
	}
	text, err := os.ReadFile(s.certFile)
	if err != nil {
		return nil, "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, "", fmt.Errorf("%s: no certificate", s.certFile)
	}
	own, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, "", err
	}
	same := func(state tls.ConnectionState) error {
		if !state.PeerCertificates[0].Equal(own) {
			return fmt.Errorf("the certificate is not that of %s", s.certFile)
		}
		return nil
	}
	config := &tls.Config{InsecureSkipVerify: true, VerifyConnection: same} // same is stricter
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}, "https", nil
}

// host is where the switch hears: one that hears on all addresses is on this machine.
func (s Switch) host() string {
	addr := s.listen.Addr()
	switch {
	case !addr.IsUnspecified():
	case addr.Is4():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		addr = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(addr, s.listen.Port()).String()
}
