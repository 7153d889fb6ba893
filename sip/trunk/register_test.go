package trunk

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
)

// registrar is a carrier's, with a password and a mind of its own.
type registrar struct {
	least, grants int // seconds
	asked         []int
	contact       string
	nonce         int
	at            []time.Time
}

func (r *registrar) answer(req *gosip.Request) *gosip.Response {
	say := func(code int, fields ...string) *gosip.Response {
		res := gosip.NewResponseFromRequest(req, code, "Said", nil)
		for i := 0; i < len(fields); i += 2 {
			res.AppendHeader(gosip.NewHeader(fields[i], fields[i+1]))
		}
		return res
	}
	proof := req.GetHeader("Authorization")
	if proof == nil || !r.proves(proof.Value()) {
		r.nonce++
		return say(401, "WWW-Authenticate", `Digest realm="carrier", qop="auth", algorithm=MD5, nonce="n`+strconv.Itoa(
			r.nonce)+`"`)
	}
	asked, _ := strconv.Atoi(req.GetHeader("Expires").Value())
	if asked > 0 && asked < r.least {
		return say(423, "Min-Expires", strconv.Itoa(r.least))
	}
	r.asked, r.at = append(r.asked, asked), append(r.at, time.Now())
	r.contact = req.GetHeader("Contact").Value()
	if asked == 0 {
		r.contact = ""
		return say(200)
	}
	return say(200, "Contact", "<sip:other@10.0.0.9>;expires=7", "Contact",
		r.contact+";expires="+strconv.Itoa(r.grants))
}

func (r *registrar) proves(value string) bool {
	got, err := digest.ParseCredentials(value)
	if err != nil || got.Nonce != "n"+strconv.Itoa(r.nonce) {
		return false
	}
	want, err := digest.Digest(&digest.Challenge{Realm: "carrier", Nonce: got.Nonce, Algorithm: "MD5",
		QOP: []string{"auth"}},
		digest.Options{Method: "REGISTER", URI: "sip:10.0.0.1", Count: got.Nc, Cnonce: got.Cnonce, Username: "liandong",
			Password: "secret-9"})
	return err == nil && want.Response == got.Response
}

func account(targets ...Target) Trunk {
	return Trunk{Targets: targets, Register: &Register{
		Credentials: auth.Credentials{Username: "liandong", Password: "secret-9"}, Contact: "r0123",
		Expires: time.Minute,
	}}
}

// RFC 3261 §10.2: challenged, told that a minute is too short, granted less than
// asked for, and there again when half of it is over; taken away at the end.
func TestRegisters(t *testing.T) {
	r := &registrar{least: 300, grants: 200}
	keeping(t, account(Target{Host: "10.0.0.1:5060"}), nil, func(k *Keeper, w *fakeWire, log *bytes.Buffer) {
		w.answers("10.0.0.1:5060", r.answer)
		pass(250 * time.Second)
		if !k.Registrations()["pstn"] || len(r.asked) != 3 || r.asked[0] != 300 {
			t.Errorf("registered %v, asked %v", k.Registrations(), r.asked)
		}
		if r.contact != "<sip:r0123@10.0.0.100:5060;transport=udp>" {
			t.Errorf("Contact %s", r.contact)
		}
		for i := 1; i < len(r.at); i++ {
			if d := r.at[i].Sub(r.at[i-1]); d != 100*time.Second {
				t.Errorf("again after %v", d)
			}
		}
		k.Stop()
		if r.contact != "" {
			t.Error("registered after the stop")
		}
		if s := log.String(); strings.Contains(s, "r0123") || strings.Contains(s, "secret") ||
			strings.Count(s, "registered at a trunk") != 1 {
			t.Errorf("log:\n%s", s)
		}
	})
}

// Who refuses is asked again, ever more rarely and within bounds; who is silent or
// full leaves it to the next target.
func TestRegistersAgain(t *testing.T) {
	r := &registrar{grants: 3600}
	keeping(t, account(Target{Host: "10.0.0.1:5060"}, Target{Host: "10.0.0.2:5060", Priority: 1}), nil,
		func(k *Keeper, w *fakeWire, _ *bytes.Buffer) {
			w.set("10.0.0.1:5060", 403)
			pass(time.Hour)
			if n := w.count("REGISTER 10.0.0.1:5060"); n < 28 || n > 70 || w.count("REGISTER 10.0.0.2:5060") != 0 {
				t.Errorf("%d tries in an hour, at the second target %d", n, w.count("REGISTER 10.0.0.2:5060"))
			}
			w.set("10.0.0.1:5060", 503)
			w.answers("10.0.0.2:5060", r.answer)
			pass(3 * time.Minute)
			if !k.Registrations()["pstn"] {
				t.Error("not registered at the second target")
			}
		})
}

// A registration that runs out is told, as nobody can call us.
func TestRegistrationRunsOut(t *testing.T) {
	r := &registrar{grants: 120}
	keeping(t, account(Target{Host: "10.0.0.1:5060"}), nil, func(k *Keeper, w *fakeWire, log *bytes.Buffer) {
		w.answers("10.0.0.1:5060", r.answer)
		pass(time.Second)
		w.set("10.0.0.1:5060", 0)
		pass(10 * time.Minute)
		if k.Registrations()["pstn"] || strings.Count(log.String(), "no longer registered") != 1 {
			t.Errorf("registered %v, log\n%s", k.Registrations(), log)
		}
	})
}
