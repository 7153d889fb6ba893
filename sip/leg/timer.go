package leg

import (
	"strconv"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// sessionTimer ends a call whose other side has gone without a word (RFC 4028).
type sessionTimer struct {
	Interval time.Duration `cbor:",omitzero"`
	Floor    time.Duration `cbor:",omitzero"` // the party's network wants no shorter interval (422)
	Ours     bool          `cbor:",omitzero"` // we refresh
	Asked    bool          `cbor:",omitzero"` // the party has agreed to it, else we refresh for ourselves

	Refresh time.Time `cbor:",omitzero"` // we send a refresh then
	Expire  time.Time `cbor:",omitzero"` // the session is over then
}

// ask is the interval that we put into a request.
func (l *Leg) ask() time.Duration {
	if l.cfg.SessionExpires == 0 {
		return 0
	}
	return max(l.cfg.SessionExpires, l.Timer.Floor)
}

// askTimer adds the session timer to our first INVITE. RFC 4028 §7.1: without
// a refresher, which is for the party to choose.
func (l *Leg) askTimer(req *gosip.Request) {
	if ask := l.ask(); ask > 0 {
		add(req, "Session-Expires", seconds(ask))
		add(req, "Min-SE", seconds(max(l.cfg.MinSE, l.Timer.Floor)))
	}
}

// repeatTimer adds it to a later request. RFC 4028 §7.4: the refresher keeps
// its part.
func (l *Leg) repeatTimer(req *gosip.Request) {
	interval := l.Timer.Interval
	if interval == 0 {
		interval = l.ask()
	}
	if interval == 0 {
		return
	}
	refresher := ";refresher=uac"
	if l.Timer.Asked && !l.Timer.Ours {
		refresher = ";refresher=uas"
	}
	add(req, "Session-Expires", seconds(max(interval, l.Timer.Floor))+refresher)
	add(req, "Min-SE", seconds(max(l.cfg.MinSE, l.Timer.Floor)))
}

// longer mends a request that got 422. RFC 4028 §7.3: the session interval is
// to be at least the Min-SE of the response, and Min-SE the same.
func (l *Leg) longer(o outcome) []header.Field {
	s, ok := number(o.res, "min-se")
	if !ok || s > 24*3600 || l.cfg.SessionExpires == 0 && l.Timer.Interval == 0 {
		return nil
	}
	l.Timer.Floor = max(l.Timer.Floor, time.Duration(s)*time.Second)
	interval := seconds(max(l.ask(), l.Timer.Floor))
	if old, err := header.ParseSessionExpires(value(o.req, "session-expires")); err == nil && old.Refresher != "" {
		interval += ";refresher=" + old.Refresher
	}
	return []header.Field{{Name: "Session-Expires", Value: interval}, {Name: "Min-SE", Value: seconds(l.Timer.Floor)}}
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
	return withoutBody(res)
}

// timerAccepted puts what holds from now on into our 2xx (RFC 4028 §9).
func (l *Leg) timerAccepted(now time.Time, req *gosip.Request, res *gosip.Response) {
	se, given := sessionExpires(req)
	switch ours := l.cfg.SessionExpires; {
	case !given && ours == 0:
		l.Timer = sessionTimer{Floor: l.Timer.Floor}
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
		l.Timer = sessionTimer{Floor: l.Timer.Floor}
	}
}

// arm begins the interval anew.
func (l *Leg) arm(now time.Time, interval time.Duration, ours, asked bool) {
	t := &l.Timer
	*t = sessionTimer{Interval: interval, Floor: t.Floor, Ours: ours, Asked: asked}
	if ours {
		t.Refresh = now.Add(interval / 2) // RFC 4028 §7.2: "half the session interval"
	}
	if asked {
		// RFC 4028 §10: BYE "slightly before" the end: "the minimum of 32
		// seconds and one third of the session interval" before it
		t.Expire = now.Add(interval - min(32*time.Second, interval/3))
	}
}

func (l *Leg) tickTimer(now time.Time) {
	t := &l.Timer
	if l.Phase != talking {
		return
	}
	if due(t.Expire, now) {
		l.tell(Ended{Cause: Expired})
		l.closeWithBye(now, reasonField(408, "Session Timer Expired"))
		return
	}
	if due(t.Refresh, now) {
		t.Refresh = time.Time{}
		l.Modify.Refresh = true // flush gives it its turn
	}
}

// notRefreshed: RFC 4028 §10: the session goes on while there is time, and the
// refresh is tried again. A refusal shows that the party is alive.
func (l *Leg) notRefreshed(now time.Time, c *client, o outcome) {
	if c.Method == gosip.UPDATE && (o.code == 405 || o.code == 501) {
		l.Modify.Update, l.Modify.Refresh = false, true
		return
	}
	if !l.Timer.Asked {
		l.Timer.Refresh = now.Add(l.Timer.Interval / 2)
		return
	}
	if left := l.Timer.Expire.Sub(now) / 2; left > 5*time.Second {
		l.Timer.Refresh = now.Add(left)
	}
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
