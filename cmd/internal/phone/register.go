package phone

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// registration is the phone's binding at its server. Owned by the loop.
type registration struct {
	callID, tag string
	cseq        uint32
	challenge   *challenge
	refresh     *timer
	granted     time.Duration
	waiting     chan error // of the Register or Unregister in progress
	round       int
}

// StatusError is a refusal: the final response that was not the one hoped for.
type StatusError struct {
	What   string
	Code   int
	Phrase string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("phone: %s: %d %s", e.What, e.Code, e.Phrase)
}

// Register binds the phone at its server and keeps the binding alive until Unregister or Close.
func (p *Phone) Register(ctx context.Context) error { return p.register(ctx, p.cfg.Expires) }

// Unregister removes the binding.
func (p *Phone) Unregister(ctx context.Context) error { return p.register(ctx, 0) }

func (p *Phone) register(ctx context.Context, expires time.Duration) error {
	result := make(chan error, 1)
	err := p.do(func() {
		p.reg.finish(context.Canceled)
		p.reg.refresh.stop()
		p.reg.waiting = result
		p.sendRegister(expires)
	})
	if err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("phone: REGISTER: %w", context.Cause(ctx))
	}
}

// finish gives the waiting call its result, once.
func (r *registration) finish(err error) {
	if r.waiting != nil {
		r.waiting <- err
		r.waiting = nil
	}
}

func (p *Phone) sendRegister(expires time.Duration) {
	p.reg.round++
	round, tries := p.reg.round, 0
	var answer func(*Message)
	send := func() {
		req := p.registerRequest(expires)
		if p.reg.challenge != nil {
			if err := p.sign(req, p.reg.challenge); err != nil {
				p.reg.finish(err)
				return
			}
		}
		p.start(req, flow{p.cfg.Transport, p.cfg.Server}, answer)
	}
	answer = func(res *Message) {
		if round != p.reg.round || res.Code < 200 {
			return
		}
		if tries++; (res.Code == 401 || res.Code == 407) && tries <= 2 {
			var err error
			if p.reg.challenge, err = p.readChallenge(res); err != nil {
				p.reg.finish(err)
				return
			}
			send()
			return
		}
		p.registered(res, expires)
	}
	send()
}

func (p *Phone) registerRequest(expires time.Duration) *Message {
	p.reg.cseq++
	aor := "sip:" + p.cfg.User + "@" + p.cfg.Domain
	req := &Message{Method: "REGISTER", URI: "sip:" + p.cfg.Domain}
	req.add("Max-Forwards", "70")
	req.add("From", "<"+aor+">;tag="+p.reg.tag)
	req.add("To", "<"+aor+">")
	req.add("Call-ID", p.reg.callID)
	req.add("CSeq", fmt.Sprintf("%d REGISTER", p.reg.cseq))
	req.add("Contact", p.contact(p.cfg.Transport))
	req.add("Expires", strconv.Itoa(int(expires/time.Second)))
	req.add("Allow", allowed)
	req.add("User-Agent", p.cfg.UserAgent)
	return req
}

// registered is the outcome; a granted binding is refreshed at four fifths of its life, a refused refresh after a
// second.
func (p *Phone) registered(res *Message, expires time.Duration) {
	if res.Code >= 300 {
		p.reg.finish(&StatusError{"REGISTER", res.Code, res.Phrase})
		if p.reg.granted > 0 && expires > 0 {
			p.reg.refresh = p.after(time.Second, func() { p.sendRegister(expires) })
		}
		return
	}
	p.reg.granted = p.grantedBy(res, expires)
	p.reg.finish(nil)
	if expires > 0 && p.reg.granted > 0 {
		p.reg.refresh = p.after(p.reg.granted*4/5, func() { p.sendRegister(expires) })
	}
}

// grantedBy is the life of our own contact in a 200 (RFC 3261 §10.2.4).
func (p *Phone) grantedBy(res *Message, asked time.Duration) time.Duration {
	_, ours, _ := cutAddr(p.contact(p.cfg.Transport))
	for _, contact := range res.All("Contact") {
		_, uri, params := cutAddr(contact)
		if uriUser(uri) != uriUser(ours) {
			continue
		}
		if at, ok := uriAddr(uri); !ok || at != p.addr {
			continue
		}
		if v, ok := param(params, "expires"); ok {
			if n, err := strconv.Atoi(v); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	if n, err := strconv.Atoi(res.Get("Expires")); err == nil {
		return time.Duration(n) * time.Second
	}
	return asked
}
