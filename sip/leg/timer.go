package leg

import (
	"strconv"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// sessionTimer ends a call whose other side has gone without a word (RFC 4028).
type sessionTimer struct {
	interval time.Duration
	floor    time.Duration // the party's network wants no shorter interval (422)
	ours     bool          // we refresh
	asked    bool          // the party has agreed to it, else we refresh for ourselves

	refresh time.Time // we send a refresh then
	expire  time.Time // the session is over then
}

// ask is the interval that we put into a request.
func (l *Leg) ask() time.Duration {
	if l.cfg.SessionExpires == 0 {
		return 0
	}
	return max(l.cfg.SessionExpires, l.timer.floor)
}

// askTimer adds the session timer to our first INVITE. RFC 4028 §7.1: without
// a refresher, which is for the party to choose.
func (l *Leg) askTimer(req *gosip.Request) {
	if ask := l.ask(); ask > 0 {
		add(req, "Session-Expires", seconds(ask))
		add(req, "Min-SE", seconds(max(l.cfg.MinSE, l.timer.floor)))
	}
}

// repeatTimer adds it to a later request. RFC 4028 §7.4: the refresher keeps
// its part.
func (l *Leg) repeatTimer(req *gosip.Request) {
	interval := l.timer.interval
	if interval == 0 {
		interval = l.ask()
	}
	if interval == 0 {
		return
	}
	refresher := ";refresher=uac"
	if l.timer.asked && !l.timer.ours {
		refresher = ";refresher=uas"
	}
	add(req, "Session-Expires", seconds(max(interval, l.timer.floor))+refresher)
	add(req, "Min-SE", seconds(max(l.cfg.MinSE, l.timer.floor)))
}

// longer mends a request that got 422. RFC 4028 §7.3: the session interval is
// to be at least the Min-SE of the response, and Min-SE the same.
func (l *Leg) longer(c *client, res *gosip.Response) []header.Field {
	s, ok := number(res, "min-se")
	if !ok || s > 24*3600 || l.cfg.SessionExpires == 0 && l.timer.interval == 0 {
		return nil
	}
	l.timer.floor = max(l.timer.floor, time.Duration(s)*time.Second)
	interval := seconds(max(l.ask(), l.timer.floor))
	if old, err := header.ParseSessionExpires(value(c.req, "session-expires")); err == nil && old.Refresher != "" {
		interval += ";refresher=" + old.Refresher
	}
	return []header.Field{{Name: "Session-Expires", Value: interval}, {Name: "Min-SE", Value: seconds(l.timer.floor)}}
}

// sessionExpires reads the header of either form.
func sessionExpires(m gosip.Message) (header.SessionExpires, bool) {
	for _, name := range [...]string{"session-expires", "x"} {
		if v := value(m, name); v != "" {
			se, err := header.ParseSessionExpires(v)
			return se, err == nil
		}
	}
	return header.SessionExpires{}, false
}

func knowsTimer(m gosip.Message) bool { return tokens(m, "timer", "supported", "k", "require") }

// tooBrief is the 422 to an interval that is shorter than we agree to. RFC 4028
// §9: only to a party that knows what it means; nil: nothing to object.
func (l *Leg) tooBrief(p Packet, req *gosip.Request) *gosip.Response {
	se, ok := sessionExpires(req)
	if !ok || se.Interval >= l.cfg.MinSE || !knowsTimer(req) {
		return nil
	}
	res := l.begin(p, 422)
	add(res, "Min-SE", seconds(l.cfg.MinSE))
	return finished(res)
}

// timerAccepted puts what holds from now on into our 2xx (RFC 4028 §9).
func (l *Leg) timerAccepted(now time.Time, req *gosip.Request, res *gosip.Response) {
	se, given := sessionExpires(req)
	switch ours := l.cfg.SessionExpires; {
	case !given && ours == 0:
		l.timer = sessionTimer{floor: l.timer.floor}
		return
	case !given:
		se.Interval = ours
	case ours > 0 && ours < se.Interval:
		// It may be lowered, but not under what the request allows.
		low, _ := number(req, "min-se")
		se.Interval = min(se.Interval, max(ours, time.Duration(low)*time.Second))
	}
	se.Interval = max(se.Interval, l.cfg.MinSE)
	switch {
	case !knowsTimer(req):
		se.Refresher = "uas"
	case se.Refresher != "uas":
		se.Refresher = "uac"
		// RFC 4028 §9: with refresher=uac the response MUST require "timer"
		add(res, "Require", "timer")
	}
	add(res, "Session-Expires", seconds(se.Interval)+";refresher="+se.Refresher)
	l.arm(now, se.Interval, se.Refresher == "uas", given || knowsTimer(req))
}

// timerAgreed takes what the party's 2xx to a request of ours says (RFC 4028
// §7.2). A party that says nothing has no timer: we refresh for ourselves then,
// as that is how a phone that lost its power is found out.
func (l *Leg) timerAgreed(now time.Time, res *gosip.Response) {
	l.noteAllowed(res)
	se, ok := sessionExpires(res)
	switch {
	case ok:
		l.arm(now, max(se.Interval, time.Minute), se.Refresher != "uas", true)
	case l.cfg.SessionExpires > 0:
		l.arm(now, l.ask(), true, false)
	default:
		l.timer = sessionTimer{floor: l.timer.floor}
	}
}

// arm begins the interval anew.
func (l *Leg) arm(now time.Time, interval time.Duration, ours, asked bool) {
	t := &l.timer
	*t = sessionTimer{interval: interval, floor: t.floor, ours: ours, asked: asked}
	if ours {
		t.refresh = now.Add(interval / 2) // RFC 4028 §7.2: "half the session interval"
	}
	if asked {
		// RFC 4028 §10: BYE "slightly before" the end: "the minimum of 32
		// seconds and one third of the session interval" before it
		t.expire = now.Add(interval - min(32*time.Second, interval/3))
	}
}

func (l *Leg) tickTimer(now time.Time) {
	t := &l.timer
	if l.phase != talking {
		return
	}
	if due(t.expire, now) {
		l.tell(Ended{Cause: Expired})
		l.closeWithBye(now, reasonField(408, "Session Timer Expired"))
		return
	}
	if due(t.refresh, now) {
		t.refresh = time.Time{}
		l.modify.refresh = true // flush gives it its turn
	}
}

// notRefreshed: RFC 4028 §10: the session goes on while there is time, and the
// refresh is tried again. A refusal shows that the party is alive.
func (l *Leg) notRefreshed(now time.Time, c *client, o outcome) {
	if c.method == gosip.UPDATE && (o.code == 405 || o.code == 501) {
		l.modify.update, l.modify.refresh = false, true
		return
	}
	if !l.timer.asked {
		l.timer.refresh = now.Add(l.timer.interval / 2)
		return
	}
	if left := l.timer.expire.Sub(now) / 2; left > 5*time.Second {
		l.timer.refresh = now.Add(left)
	}
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
