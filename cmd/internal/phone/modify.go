package phone

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// offer is our full list with the direction we wish for, in a new version.
func (c *Call) offer() []byte {
	c.local.version++
	if c.phone.cfg.SRTP {
		c.local.profile, c.local.crypto = "RTP/SAVP", newCrypto()
	}
	l := c.local
	l.direction, l.streams = c.wish, nil
	return l.bytes()
}

// negotiate takes the peer's SDP. When it is an offer the answer comes back; when it answers ours, nil.
func (c *Call) negotiate(body []byte) ([]byte, error) {
	r, err := parseSDP(body)
	if err != nil {
		return nil, err
	}
	codecs := common(r.codecs, c.local.codecs)
	if len(codecs) == 0 {
		return nil, fmt.Errorf("%w: they have %v, we have %v", ErrNoMedia, r.codecs, c.local.codecs)
	}
	if at := r.audio.Addr(); !at.IsUnspecified() && !c.phone.allows(at) {
		return nil, fmt.Errorf("%w: the SDP names %s", ErrNotAllowed, at)
	}
	if err := c.phone.agrees(r); err != nil {
		return nil, err
	}
	if c.local.events == 0 {
		r.events = 0
	}
	if !c.phone.cfg.SRTP {
		r.crypto = crypto{} // it knows nothing of keys
	} else if c.local.crypto == (crypto{}) {
		c.local.crypto = newCrypto()
	}
	direction := c.wish.both(r.direction.mirror())
	if c.wish == ZeroHold {
		direction = SendOnly.both(r.direction.mirror())
	}
	// Who holds is silent, though sendonly would let it play music: the music is the switch's.
	c.Voice().Connect(Talk{To: r.audio, RTCP: r.rtcp, Codec: codecs[0], Events: r.events, OurEvents: c.local.events,
		Ours: c.local.crypto.key, Theirs: r.crypto.key,
		Sends: direction.sends() && c.wish == SendRecv && !r.audio.Addr().IsUnspecified()})
	c.mu.Lock()
	c.peerHold = r.direction
	c.touch()
	c.mu.Unlock()
	c.local.version++
	l := c.local
	l.codecs, l.direction, l.streams, l.which = codecs, direction, r.streams, r.which
	l.profile, l.crypto.tag = r.profile, r.crypto.tag
	l.events = r.events // RFC 3264 §6.1: the offer's payload type
	return l.bytes(), nil
}

// Hold is a re-INVITE with sendonly; Resume takes it back.
func (c *Call) Hold(ctx context.Context) error { return c.Modify(ctx, "INVITE", SendOnly) }

// Resume is a re-INVITE with sendrecv.
func (c *Call) Resume(ctx context.Context) error { return c.Modify(ctx, "INVITE", SendRecv) }

// Delayed is a method of [Call.Modify]: a re-INVITE without SDP, whose ACK answers the peer's offer (RFC 3261 §14.1).
const Delayed = "INVITE without SDP"

// Modify offers a direction by INVITE or UPDATE, or answers with it by [Delayed], and waits for the outcome; 491 is
// tried again after the RFC's time.
func (c *Call) Modify(ctx context.Context, method string, d Direction) error {
	result := make(chan error, 1)
	err := c.order(func() error {
		if c.State() != Confirmed || c.bye {
			return fmt.Errorf("%w: cannot modify", ErrState)
		}
		if c.modifying {
			return fmt.Errorf("%w: being modified already", ErrState)
		}
		c.modifying = true
		c.reoffer(method, d, 3, result)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-c.phone.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("phone: %s: %w", method, context.Cause(ctx))
	}
}

func (c *Call) reoffer(method string, d Direction, tries int, result chan<- error) {
	before := c.wish
	c.wish = d
	name, _, _ := strings.Cut(method, " ")
	m := c.dialog.request(name, Header{"Contact", c.phone.contact(c.flow.transport)}, Header{"Allow", allowed},
		Header{"Supported", "timer, 100rel"})
	if method != Delayed {
		m.add("Content-Type", "application/sdp")
		m.Body = c.offer()
	}
	c.ask(m, func(res *Message) {
		if res.Code >= 200 {
			c.reoffered(method, d, before, tries, res, result)
		}
	})
}

func (c *Call) reoffered(method string, d, before Direction, tries int, res *Message, result chan<- error) {
	n, _ := res.CSeq()
	if ack := c.wins[n]; ack != nil && res.Code < 300 {
		c.phone.send(ack, c.hop(), true) // the 2xx came again
		return
	}
	if res.Code == 491 && tries > 1 && c.State() == Confirmed {
		c.wish, c.modifying = before, false
		c.phone.after(c.glare(), func() {
			if c.State() != Confirmed || c.modifying {
				result <- &StatusError{method, 491, "Request Pending"}
				return
			}
			c.modifying = true
			c.reoffer(method, d, tries-1, result)
		})
		return
	}
	c.modifying = false
	if res.Code >= 300 {
		c.wish = before
		result <- &StatusError{method, res.Code, res.Phrase}
		if res.Code == 481 || res.Code == 408 {
			c.sendBye(nil, Ending{Code: res.Code, Phrase: "the dialog is gone", Local: true}) // RFC 3261 §12.2.1.2
		}
		return
	}
	c.refresh(res)
	answer, err := c.negotiate(res.Body)
	switch method {
	case "INVITE":
		c.acknowledge(res, nil)
	case Delayed:
		c.acknowledge(res, answer)
	}
	result <- err
}

// glare is the wait of RFC 3261 §14.1, longer for the owner of the Call-ID.
func (c *Call) glare() time.Duration {
	if c.Outgoing {
		return 2100*time.Millisecond + time.Duration(rand.IntN(190))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(200)) * 10 * time.Millisecond
}

// reinvited answers the peer's re-INVITE.
func (c *Call) reinvited(tx *serverTx) {
	switch {
	case c.server != nil:
		tx.respond(tx.reply(500, "Server Internal Error", Header{"Retry-After", "1"})) // RFC 3261 §14.2
		return
	case c.modifying:
		tx.respond(tx.reply(491, "Request Pending"))
		return
	}
	c.server, c.taken = tx, false
	res, err := c.okay(tx)
	if err != nil {
		c.server = nil
		tx.respond(tx.reply(488, "Not Acceptable Here"))
		return
	}
	c.refresh(tx.request)
	c.startSession(tx.request, false)
	c.untilAcked(res)
}

// updated answers an UPDATE (RFC 3311), with or without an offer.
func (c *Call) updated(tx *serverTx) {
	res := tx.reply(200, "OK", Header{"Contact", c.phone.contact(tx.flow.transport)}, Header{"Allow", allowed})
	if len(tx.request.Body) > 0 {
		if c.modifying {
			tx.respond(tx.reply(491, "Request Pending"))
			return
		}
		body, err := c.negotiate(tx.request.Body)
		if err != nil {
			tx.respond(tx.reply(488, "Not Acceptable Here"))
			return
		}
		res.add("Content-Type", "application/sdp")
		res.Body = body
	}
	c.refresh(tx.request)
	c.addSession(res, tx.request)
	c.startSession(tx.request, false)
	tx.respond(res)
}
