package phone

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sessionTimer is RFC 4028: a call that nobody refreshes is hung up. Owned by the loop.
type sessionTimer struct {
	interval time.Duration
	timer    *timer
}

// sessionOf reads Session-Expires; zero when there is none.
func sessionOf(m *Message) (interval time.Duration, refresher string) {
	v := m.Get("Session-Expires")
	seconds, _, _ := strings.Cut(v, ";")
	n, err := strconv.Atoi(strings.TrimSpace(seconds))
	if err != nil || n <= 0 {
		return 0, ""
	}
	refresher, _ = param(v, "refresher")
	return time.Duration(n) * time.Second, refresher
}

// asRefresher is who refreshes when the peer sent the request: its choice, or itself if it can (RFC 4028 §9).
func asRefresher(req *Message) string {
	_, who := sessionOf(req)
	if who != "" {
		return who
	}
	if strings.Contains(strings.Join(req.All("Supported"), ","), "timer") {
		return "uac"
	}
	return "uas"
}

// addSession puts the timer into our 2xx to a request that asked for one.
func (c *Call) addSession(res, req *Message) {
	interval, _ := sessionOf(req)
	if interval == 0 {
		return
	}
	who := asRefresher(req)
	res.add("Session-Expires", fmt.Sprintf("%d;refresher=%s", int(interval/time.Second), who))
	if who == "uac" {
		res.add("Require", "timer")
	}
}

// startSession sets the timer anew by a response (we were the client) or a request (we were the server).
func (c *Call) startSession(m *Message, client bool) {
	interval, who := sessionOf(m)
	if interval == 0 {
		return
	}
	if !client {
		who = asRefresher(m)
	}
	c.session.interval = interval
	c.session.timer.stop()
	if who == "uac" == client {
		c.session.timer = c.phone.after(interval/2, c.refreshSession)
		return
	}
	// RFC 4028 §10: a little before the end, so that the BYE still finds the dialog.
	c.session.timer = c.phone.after(interval-min(32*time.Second, interval/3), func() {
		c.sendBye([]Header{{"Reason", `SIP ;cause=408 ;text="Session timer expired"`}},
			Ending{Code: 408, Phrase: "session timer expired", Local: true})
	})
}

// refreshSession is an UPDATE without SDP.
func (c *Call) refreshSession() {
	if c.State() != Confirmed || c.bye {
		return
	}
	m := c.dialog.request("UPDATE", Header{"Contact", c.phone.contact(c.flow.transport)}, Header{"Supported", "timer"},
		Header{"Session-Expires", fmt.Sprintf("%d;refresher=uac", int(c.session.interval/time.Second))})
	c.ask(m, func(res *Message) {
		switch {
		case res.Code == 481 || res.Code == 408:
			c.sendBye(nil, Ending{Code: res.Code, Phrase: "session refresh failed", Local: true})
		case res.Code < 300:
			if res.Get("Session-Expires") != "" {
				c.startSession(res, true)
				return
			}
			c.session.timer = c.phone.after(c.session.interval/2, c.refreshSession)
		default:
			c.session.timer = c.phone.after(c.session.interval/4, c.refreshSession)
		}
	})
}
