package phone

import (
	"context"
	"fmt"
)

// Watch subscribes to the lamp of a number, as a BLF key does (RFC 4235), and waits for the 200. What it is told is
// among the Messages: the NOTIFYs, each of which the phone answers with 200.
func (p *Phone) Watch(ctx context.Context, number string) error {
	return p.watch(ctx, p.uri(number), "dialog", "application/dialog-info+xml")
}

// WatchConference does the same with the roster of a conference (RFC 4575), by the conference's URI.
func (p *Phone) WatchConference(ctx context.Context, uri string) error {
	return p.watch(ctx, uri, "conference", "application/conference-info+xml")
}

func (p *Phone) watch(ctx context.Context, uri, event, accept string) error {
	done := make(chan int, 1)
	if err := p.do(func() { p.subscribe(p.watchRequest(uri, event, accept), 1, done) }); err != nil {
		return err
	}
	select {
	case code := <-done:
		if code >= 300 {
			return fmt.Errorf("phone: SUBSCRIBE to %s: %w", uri, &StatusError{Code: code})
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("phone: SUBSCRIBE: %w", context.Cause(ctx))
	}
}

func (p *Phone) watchRequest(uri, event, accept string) *Message {
	req := &Message{Method: "SUBSCRIBE", URI: uri}
	req.add("Max-Forwards", "70")
	req.add("From", "<"+p.uri(p.cfg.User)+">;tag="+token())
	req.add("To", "<"+uri+">")
	req.add("Call-ID", token())
	req.add("CSeq", "1 SUBSCRIBE")
	req.add("Contact", p.contact(p.cfg.Transport))
	req.add("Event", event)
	req.add("Accept", accept)
	req.add("Expires", "300")
	p.watched[req.Get("Call-ID")] = true
	return req
}

// subscribe sends it, and once more when it is challenged. Called by the loop.
func (p *Phone) subscribe(req *Message, try int, done chan<- int) {
	p.start(req, flow{p.cfg.Transport, p.cfg.Server}, func(res *Message) {
		if res.Code < 200 {
			return
		}
		if res.Code == 401 && try == 1 {
			again := req.clone()
			again.set("CSeq", "2 SUBSCRIBE")
			if ch, err := p.readChallenge(res); err == nil && p.sign(again, ch) == nil {
				p.subscribe(again, 2, done)
				return
			}
		}
		done <- res.Code
	})
}
