package ua

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// register is RFC 3261 §10.3, with digest before anything is believed.
func (u *UA) register(in *inbound) {
	now, key := u.cfg.Now(), replyKey(in)
	if data, ok := u.replies.get(now, key); ok {
		u.sendBack(in, data)
		return
	}
	if !in.known && !u.asked(in) {
		u.stranger(in)
		return
	}
	if a, ok := demandsTooMuch(in.req, pathTag); ok {
		u.respond(in, a)
		return
	}
	user, ok := u.authenticate(in)
	if !ok {
		return
	}
	a, changed := u.registered(now, user, in)
	u.counts.refused(a.code)
	data := u.render(&in.echo, a)
	u.replies.put(now, key, data)
	if changed {
		u.tellBindings(now, user)
	}
	u.sendBack(in, data)
}

// registered works out the answer to an authenticated REGISTER.
func (u *UA) registered(now time.Time, user string, in *inbound) (answer, bool) {
	if header.Unescape(in.req.To().Address.User) != user {
		return say(gosip.StatusForbidden, "Forbidden"), false // step 4: only one's own address
	}
	reg, refusal := u.readRegistration(user, in)
	if refusal.code != 0 {
		return refusal, false
	}
	before := u.registrar.live(now, user)
	changed, err := u.registrar.apply(now, reg)
	if err != nil {
		return say(gosip.StatusInternalServerError, "REGISTER Out Of Order"), false
	}
	u.another(user, before, u.registrar.live(now, user))
	return say(gosip.StatusOK, "OK", append(u.contacts(now, user), pathSeen(in.req)...)...), changed
}

// another says when a phone comes to take a user's calls beside one that does already: it may be somebody's who has got
// hold of the password.
func (u *UA) another(user string, before, after []Binding) {
	if len(before) == 0 || len(after) <= len(before) {
		return
	}
	fresh, old := after[0], before[0]
	u.log.of(slog.LevelWarn, "another phone takes the calls of a user", user,
		"user", user, "network", fresh.Flow.Network, "source", fresh.Flow.Remote, "agent",
		method(gosip.RequestMethod(fresh.UserAgent)), "beside", old.Flow.Remote, "phones", len(after))
	if u.cfg.Another != nil {
		u.cfg.Another(fresh, len(after))
	}
}

// contacts lists all bindings with the seconds left: §10.3 step 8.
func (u *UA) contacts(now time.Time, user string) []header.Field {
	var fields []header.Field
	for _, b := range u.registrar.live(now, user) {
		left := int((b.Expires.Sub(now) + time.Second - 1) / time.Second)
		fields = append(fields, header.Field{Name: "Contact",
			Value: "<" + b.Contact + ">;expires=" + strconv.Itoa(left)})
	}
	return fields
}

func (u *UA) readRegistration(user string, in *inbound) (registration, answer) {
	reg := registration{user: user, callID: in.callID(), cseq: in.req.CSeq().SeqNo}
	path, err := readPath(in.req)
	if err != nil {
		return reg, say(gosip.StatusBadRequest, "Bad Request (Path)")
	}
	contacts := slices.Collect(header.All(in.req, "Contact"))
	for _, h := range contacts {
		c := h.(*gosip.ContactHeader) // read makes no others
		if c.Address.Wildcard {
			// §10.2.2: "*" stands alone and with Expires: 0
			if len(contacts) != 1 || headerText(in.req, "Expires") != "0" {
				return reg, say(gosip.StatusBadRequest, "Bad Request (Contact *)")
			}
			reg.everything = true
			return reg, answer{}
		}
		change, refusal := u.readContact(user, in, c)
		if refusal.code != 0 {
			return reg, refusal
		}
		change.Path = path
		reg.changes = append(reg.changes, change)
	}
	return reg, answer{}
}

func (u *UA) readContact(user string, in *inbound, c *gosip.ContactHeader) (change, answer) {
	if c.Address.Scheme != "sip" && c.Address.Scheme != "sips" {
		return change{}, say(gosip.StatusBadRequest, "Bad Request (Contact)")
	}
	if c.Address.IsEncrypted() && in.flow.Transport != "tls" {
		return change{}, say(gosip.StatusBadRequest, "Bad Request (sips Contact without TLS)") // RFC 5630 §5.1.1.1
	}
	lifetime := u.lifetime(in.req, c)
	if lifetime > 0 && lifetime < u.cfg.MinExpires {
		return change{}, say(gosip.StatusIntervalToBrief, "Interval Too Brief",
			header.Field{Name: "Min-Expires", Value: strconv.Itoa(int(u.cfg.MinExpires / time.Second))})
	}
	flow := in.flow
	flow.Symmetric = true
	phone, _ := c.Params.Get("+sip.instance")
	return change{
		Binding: Binding{
			User: user, Contact: header.URIText(&c.Address), Flow: flow, UserAgent: headerText(in.req, "User-Agent"),
			phone: phone,
		},
		key:      contactKey(c),
		lifetime: lifetime,
	}, answer{}
}

// lifetime: §10.2.1.1, the parameter before the header field, and a malformed
// one of either counts as an hour.
func (u *UA) lifetime(req *gosip.Request, c *gosip.ContactHeader) time.Duration {
	text, ok := c.Params.Get("expires")
	if !ok {
		text = headerText(req, "Expires")
	}
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		seconds = 3600
	}
	return min(time.Duration(seconds)*time.Second, u.cfg.MaxExpires)
}

// contactKey says when two Contacts are one phone: the instance that it names
// (RFC 5626 §4.1), else where it is (RFC 3261 §19.1.4).
func contactKey(c *gosip.ContactHeader) string {
	if id, ok := c.Params.Get("+sip.instance"); ok && id != "" {
		reg, _ := c.Params.Get("reg-id")
		return "instance " + id + " " + reg
	}
	a := &c.Address
	transport, _ := a.UriParams.Get("transport")
	user, host := header.Unescape(a.User), strings.ToLower(a.Host)
	return strings.Join([]string{a.Scheme, user, host, strconv.Itoa(a.Port), strings.ToLower(transport)}, " ")
}

func headerText(req *gosip.Request, name string) string {
	if h := header.First(req, name); h != nil {
		return trim(h.Value())
	}
	return ""
}
