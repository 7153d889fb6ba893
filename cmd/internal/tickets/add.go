package tickets

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"liandong/routing/desk"
)

// Addition is what is to be added to a stub, and which switch takes it.
type Addition struct {
	Listen netip.AddrPort // of the switch's HTTP
	Token  desk.Secret
	Stub   string
	Fields map[string]string // of POST /v1/stubs/{id}; empty ones are left out
}

// ErrNoHTTP says that the config has no HTTP by which the switch could be told.
var ErrNoHTTP = errors.New("tickets: http.listen is not set in the config: the switch cannot be told")

// Add tells the running switch what more is known of a matter, and prints its answer. An answer other than success is the
// error, in the words of the switch.
func Add(ctx context.Context, out io.Writer, a Addition) error {
	if !a.Listen.IsValid() {
		return ErrNoHTTP
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := a.request(ctx)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	switch {
	case err != nil:
		return fmt.Errorf("tickets: %w", err)
	case answer.StatusCode/100 != 2:
		return errors.New(cmp.Or(strings.TrimSpace(string(text)), answer.Status))
	}
	_, err = out.Write(text)
	return err
}

func (a Addition) request(ctx context.Context) (*http.Request, error) {
	fields := map[string]string{}
	for name, v := range a.Fields {
		if v != "" {
			fields[name] = v
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	at := url.URL{Scheme: "http", Host: a.host(), Path: "/v1/stubs/" + a.Stub}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err == nil && !a.Token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	}
	return req, err
}

// host is where the switch hears: one that hears on all addresses is on this machine.
func (a Addition) host() string {
	addr := a.Listen.Addr()
	switch {
	case !addr.IsUnspecified():
	case addr.Is4():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		addr = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(addr, a.Listen.Port()).String()
}
