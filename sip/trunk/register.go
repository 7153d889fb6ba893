package trunk

import (
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/txn"
)

// Register is our account at a trunk that wants to be told where we are
// (RFC 3261 §10.2). Immutable.
type Register struct {
	Credentials auth.Credentials
	Contact     string        // user part of our Contact there, by which its calls are known
	Expires     time.Duration // asked for
}

const (
	// registerWait is how long an answer to a REGISTER is waited for.
	registerWait = 8 * time.Second
	// Retries as RFC 5626 §4.5 has them: the time doubles with each failure up to a
	// bound, and half of it is left to chance. Both are shorter here: a line that
	// nobody can call is an emergency.
	retryFirst, retryMost = 5 * time.Second, 2 * time.Minute
	// challenges may come this often in a row: one for a nonce, one for a stale one.
	challenges = 2
	// expiresMost bounds what a 423 may ask for.
	expiresMost = 24 * time.Hour
)

// registration keeps our Contact at a registrar. Pure.
type registration struct {
	self    self
	account Register
	domain  string // of our address of record

	callID  string
	seq     uint32
	expires time.Duration

	targets []Target // still to be tried in this round; the first is being asked
	req     *gosip.Request
	branch  string
	txn     txn.Client
	limit   time.Time // of the REGISTER under way; zero: none is
	tries   int       // challenges answered in a row
	leaving bool      // what is under way takes our Contact away

	next  time.Time // the next REGISTER
	until time.Time // registered until then; zero: we are not
	fails int
	code  int // why not
}

func newRegistration(now time.Time, me self, r Register, domain string) *registration {
	return &registration{self: me, account: r, domain: domain, callID: me.word(), expires: r.Expires, next: now}
}

// registered says whether the trunk knows where we are.
func (r *registration) registered(now time.Time) bool { return now.Before(r.until) }

func (r *registration) deadline() time.Time { return due(r.next, r.limit, &r.txn) }

// tick sends what is due; order are the targets of the trunk.
func (r *registration) tick(now time.Time, order []Target) *gosip.Request {
	switch {
	case r.limit.IsZero() && !now.Before(r.next):
		r.targets = order
		return r.ask(now)
	case !r.limit.IsZero() && !now.Before(r.limit):
		return r.failed(now, Outcome{})
	case !r.limit.IsZero():
		return asRequest(r.txn.Tick(now))
	}
	return nil
}

// leave takes our Contact away (§10.2.2); nil: there is nothing to take.
func (r *registration) leave(now time.Time, order []Target) *gosip.Request {
	if !r.registered(now) || len(order) == 0 {
		return nil
	}
	r.txn.Abandon()
	r.leaving, r.targets, r.expires = true, order, 0
	return r.ask(now)
}

// to is where the REGISTER under way goes.
func (r *registration) to() Target { return r.targets[0] }

func (r *registration) ask(now time.Time) *gosip.Request {
	r.tries = 0
	if len(r.targets) == 0 { // no name is known yet
		return r.failed(now, Outcome{})
	}
	return r.send(now, nil)
}

func (r *registration) send(now time.Time, proof *header.Field) *gosip.Request {
	r.seq++
	aor := "sip:" + r.account.Credentials.Username + "@" + r.domain
	r.req = r.self.request(gosip.REGISTER, "sip:"+r.domain, aor, r.callID, r.seq)
	r.req.AppendHeader(gosip.NewHeader("Contact", "<"+r.contact()+">"))
	r.req.AppendHeader(gosip.NewHeader("Expires", strconv.Itoa(int(r.expires/time.Second))))
	if proof != nil {
		r.req.AppendHeader(gosip.NewHeader(proof.Name, proof.Value))
	}
	r.branch, _ = r.req.Via().Params.Get("branch")
	r.limit = now.Add(registerWait)
	return asRequest(r.txn.Start(now, r.self.timing, r.req))
}

// contact is our own address with a user part of its own, which the trunk repeats
// in the Request-URI of its calls.
func (r *registration) contact() string {
	return strings.Replace(r.self.local.Contact, "sip:", "sip:"+r.account.Contact+"@", 1)
}

// receive takes a response, and gives the request that follows from it.
func (r *registration) receive(now time.Time, res *gosip.Response) *gosip.Request {
	if r.limit.IsZero() || !answers(res, r.branch) || res.IsProvisional() {
		return nil
	}
	r.txn.Abandon()
	switch {
	case res.IsSuccess():
		r.accepted(now, res)
		return nil
	case (res.StatusCode == 401 || res.StatusCode == 407) && r.tries < challenges:
		r.tries++
		if proof, ok := r.prove(res); ok {
			return r.send(now, &proof)
		}
	case res.StatusCode == 423:
		// §10.2.8: "after making the expiration interval … equal to or greater than"
		// Min-Expires
		if least, ok := seconds(res, "Min-Expires"); ok && least > r.expires && least <= expiresMost && !r.leaving {
			r.expires = least
			return r.send(now, nil)
		}
	}
	return r.failed(now, Outcome{Code: res.StatusCode, RetryAfter: retryAfter(res)})
}

func (r *registration) prove(res *gosip.Response) (header.Field, bool) {
	var list []header.Field
	for _, name := range [...]string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for h := range header.All(res, name) {
			list = append(list, header.Field{Name: name, Value: h.Value()})
		}
	}
	f, err := r.account.Credentials.Respond(list, string(gosip.REGISTER),
		header.URIText(&r.req.Recipient), 1, r.self.word())
	return f, err == nil
}

// accepted reads how long we are registered for, and comes again at half of it: a
// lost REGISTER or two leave time for more.
func (r *registration) accepted(now time.Time, res *gosip.Response) {
	granted := r.granted(res)
	r.limit, r.fails, r.code = time.Time{}, 0, 0
	r.until, r.next = now.Add(granted), now.Add(max(granted/2, retryFirst))
	if r.leaving {
		r.until, r.next = time.Time{}, now.Add(time.Hour)
	}
}

// granted is §10.2.4: the expires of our own Contact among those listed, or else
// the Expires of the response.
func (r *registration) granted(res *gosip.Response) time.Duration {
	for h := range header.All(res, "Contact") {
		who, err := header.ParseNameAddr(h.Value())
		if err != nil || who.URI.User != r.account.Contact {
			continue
		}
		if text, ok := who.Params.Get("expires"); ok {
			if n, err := strconv.ParseUint(text, 10, 31); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	if d, ok := seconds(res, "Expires"); ok {
		return d
	}
	return r.expires
}

// failed goes on to the next target where this one is silent or full, or waits.
func (r *registration) failed(now time.Time, o Outcome) *gosip.Request {
	r.txn.Abandon()
	r.limit, r.code = time.Time{}, o.Code
	if len(r.targets) > 1 && !o.alive() {
		r.targets = r.targets[1:]
		return r.ask(now)
	}
	wait := min(retryFirst<<min(r.fails, 10), retryMost)
	r.fails++
	r.next = now.Add(max(wait/2+r.self.upTo(wait/2), min(o.RetryAfter, avoidMost)))
	return nil
}
