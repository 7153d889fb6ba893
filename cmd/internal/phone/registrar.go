package phone

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/icholy/digest"
)

// registrar is the stand-in for a server's: one binding a user, never expiring by itself.
type registrar struct {
	users map[string]string
	realm string
	algs  []string

	mu       *sync.Mutex
	bindings map[string]string // user → Contact URI; guarded by mu
	changed  chan struct{}     // closed at each change; guarded by mu
	nonces   map[string]int    // challenge given out → highest nc answered with; owned by loop
}

func newRegistrar(cfg Config) registrar {
	return registrar{users: cfg.Registrar, realm: cmp.Or(cfg.Domain, "phone.test"), algs: cfg.Digests,
		mu: &sync.Mutex{}, bindings: map[string]string{}, changed: make(chan struct{}), nonces: map[string]int{}}
}

// Registered waits until a user has registered here and gives its contact URI.
func (p *Phone) Registered(ctx context.Context, user string) (string, error) {
	for {
		p.book.mu.Lock()
		contact, changed := p.book.bindings[user], p.book.changed
		p.book.mu.Unlock()
		if contact != "" {
			return contact, nil
		}
		select {
		case <-changed:
		case <-p.done:
			return "", ErrClosed
		case <-ctx.Done():
			return "", fmt.Errorf("phone: %s has not registered: %w", user, context.Cause(ctx))
		}
	}
}

func (p *Phone) registering(tx *serverTx) {
	if p.cfg.Registrar == nil {
		tx.respond(tx.reply(405, "Method Not Allowed", Header{"Allow", allowed}))
		return
	}
	user, err := p.book.check(tx.request)
	if err != nil {
		p.log.Debug("challenging", "err", err)
		tx.respond(tx.reply(401, "Unauthorized", p.book.challenges()...))
		return
	}
	contact, expires := p.book.bind(user, tx.request)
	var headers []Header
	if expires > 0 {
		headers = append(headers, Header{"Contact", fmt.Sprintf("<%s>;expires=%d", contact, expires)})
	}
	tx.respond(tx.reply(200, "OK", headers...))
}

func (r *registrar) challenges() []Header {
	var out []Header
	nonce := token()
	r.nonces[nonce] = 0
	for _, alg := range r.algs {
		out = append(out, Header{"WWW-Authenticate",
			fmt.Sprintf(`Digest realm="%s", nonce="%s", algorithm=%s, qop="auth"`, r.realm, nonce, alg)})
	}
	return out
}

func (r *registrar) check(m *Message) (string, error) {
	got, err := digest.ParseCredentials(m.Get("Authorization"))
	if err != nil {
		return "", err
	}
	password, ok := r.users[got.Username]
	count, given := r.nonces[got.Nonce]
	if !ok || !given || got.Realm != r.realm {
		return "", fmt.Errorf("phone: user %q, realm %q or nonce not ours", got.Username, got.Realm)
	}
	want, err := digest.Digest(&digest.Challenge{Realm: r.realm, Nonce: got.Nonce, Algorithm: got.Algorithm,
		QOP: []string{"auth"}},
		digest.Options{Method: m.Method, URI: got.URI, Count: got.Nc, Cnonce: got.Cnonce, Username: got.Username,
			Password: password})
	if err != nil || want.Response != got.Response {
		return "", fmt.Errorf("phone: wrong response by %q (%v)", got.Username, err)
	}
	if got.Nc <= count {
		return "", fmt.Errorf("phone: nc %d again", got.Nc)
	}
	r.nonces[got.Nonce] = got.Nc
	return got.Username, nil
}

func (r *registrar) bind(user string, m *Message) (contact string, expires int) {
	_, contact, params := cutAddr(m.Get("Contact"))
	life, _ := param(params, "expires")
	expires, err := strconv.Atoi(cmp.Or(life, m.Get("Expires"), "3600"))
	if err != nil || contact == "*" {
		expires = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if expires == 0 {
		delete(r.bindings, user)
	} else {
		r.bindings[user] = contact
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return contact, expires
}

// registeredAt is where a short number that has registered here is called.
func (r *registrar) registeredAt(uri string) (string, netip.AddrPort, bool) {
	r.mu.Lock()
	contact, ok := r.bindings[uriUser(uri)]
	r.mu.Unlock()
	if !ok {
		return "", netip.AddrPort{}, false
	}
	at, ok := uriAddr(contact)
	return contact, at, ok && strings.HasPrefix(contact, "sip:")
}
