package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// pushes sends key presses by RFC 4733.
func pushes(t testing.TB, c *phone.Call, keys string) {
	t.Helper()
	must(t, c.SendDTMF(within(t, 10*time.Second), keys, phone.RFC4733))
}

// hearsNone waits until a call's phone hears something that is none of the voices: music, ringing, an announcement.
func hearsNone(t testing.TB, c *phone.Call, voices ...float64) {
	t.Helper()
	err := c.WaitHeard(within(t, 15*time.Second), 400*time.Millisecond, func(pcm []int16) bool {
		for _, hz := range voices {
			if phone.Share(pcm, hz) > 0.2 {
				return false
			}
		}
		return phone.Loudness(pcm) > 50
	})
	if err != nil {
		t.Fatalf("nothing but %v Hz: %v", voices, err)
	}
}

func ended(t testing.TB, calls ...*phone.Call) {
	t.Helper()
	for _, c := range calls {
		must(t, c.WaitState(within(t, 15*time.Second), phone.Ended))
	}
}

func hangUp(t testing.TB, c *phone.Call) {
	t.Helper()
	must(t, c.Hangup(within(t, 10*time.Second)))
}

// No seat is free: the caller hears the queue, in early media or answered, until a desk comes.
func TestQueue(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{"early media": "hotlines.110.queue.answer=false",
		"answered": "hotlines.110.queue.answer=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t, set)
			c := l.call(t, l.caller(t, callerTone), "110")
			if name == "answered" {
				waitConfirmed(t, c)
			} else {
				must(t, c.WaitState(within(t, 10*time.Second), phone.Ringing))
			}
			hearsNone(t, c, deskTone)
			if name != "answered" && c.State() != phone.Ringing {
				t.Errorf("the call is %v while it waits in early media", c.State())
			}
			d := waitConfirmed(t, next(t, l.desk(t, "1101", deskTone, phone.AnswerAfter(0))))
			waitConfirmed(t, c)
			hears(t, c, deskTone)
			hears(t, d, callerTone)
			unbroken(t, c)
			hangUp(t, c)
			ended(t, d)
		})
	}
}

// The queue is too long: the call goes on to the overflow line, or is told that there is nobody.
func TestOverflow(t *testing.T) {
	t.Parallel()
	l := startLab(t, "hotlines.110.queue.max_wait=1s", "hotlines.110.queue.overflow.hotline=12345")
	d := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := l.call(t, l.caller(t, callerTone), "110")
	waitConfirmed(t, next(t, d))
	hears(t, c, partnerTone)
	hangUp(t, c)

	none := startLab(t, "hotlines.110.queue.max_calls=0")
	lost := none.call(t, none.caller(t, callerTone), "110")
	ended(t, lost)
	if e := lost.Ending(); e.Code != 486 {
		t.Errorf("with no queue the caller was told %+v", e)
	}
}

// Consult: private between the desks, the caller hears music; then all three; then the partner is let go.
func TestConsult(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(200*time.Millisecond))
	pushes(t, h.desk, "*2")
	p := waitConfirmed(t, next(t, h.partner))
	hears(t, h.desk, partnerTone)
	hears(t, p, deskTone)
	hearsNone(t, h.caller, deskTone, partnerTone)
	pushes(t, h.desk, "*3")
	must(t, p.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
		return phone.Share(pcm, callerTone) > 0.3 && phone.Share(pcm, deskTone) > 0.3
	}))
	pushes(t, h.desk, "*4")
	ended(t, p)
	hears(t, h.caller, deskTone)
	hears(t, h.desk, callerTone)
	unbroken(t, h.caller)
	hangUp(t, h.desk)
	ended(t, h.caller)
	l := readEntries(t, h.redis, "liandong:tickets:12345", 3)
	if l[1]["event"] != "answered" || l[1]["mode"] != "three_way" || l[2]["event"] != "decided" ||
		l[2]["decided_owner"] != "110" || l[2]["decision_basis"] != "first_receiver" {
		t.Errorf("entries %v", l)
	}
}

// What a call came to is told in one event at its end, with all who had the citizen, and written to the day's file.
func TestCallRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := talking(t, phone.AnswerAfter(200*time.Millisecond), "records.dir="+dir)
	pushes(t, h.desk, "*1")
	p := waitConfirmed(t, next(t, h.partner))
	hears(t, h.caller, partnerTone)
	hangUp(t, h.caller)
	ended(t, p)
	var record map[string]string
	eventually(t, "the record", func() bool {
		for _, e := range wholeStream(t, h.redis, "liandong:calls") {
			if e["event"] == "record" {
				record = e
			}
		}
		return record != nil
	})
	want := map[string]string{"hotline": "110", "desks": "1101,2101", "from": "110", "to": "12345", "mode": "direct",
		"result": "answered", "to_agent": "2101", "linked": "1", "detail": "withdrawn", "phase": "ended"}
	for name, v := range want {
		if record[name] != v {
			t.Errorf("%s is %q, want %q", name, record[name], v)
		}
	}
	for _, name := range []string{"wait_s", "talk_s", "duration_s", "answered_at", "ended_at", "call_at", "stub_id"} {
		if record[name] == "" {
			t.Errorf("no %s in %v", name, record)
		}
	}
	eventually(t, "its line in the day's file", func() bool {
		files, _ := filepath.Glob(filepath.Join(dir, "calls-*.jsonl"))
		for _, name := range files {
			text, err := os.ReadFile(name)
			must(t, err)
			if strings.Contains(string(text), record["call_ref"]) &&
				strings.Contains(string(text), `"to_agent":"2101"`) {
				return true
			}
		}
		return false
	})
}

// The taker hangs up while the partner rings: the caller is kept, and the partner's answer takes the call over.
func TestTakerHangsUpWhilePartnerRings(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(2*time.Second))
	pushes(t, h.desk, "*1")
	p := next(t, h.partner)
	hangUp(t, h.desk)
	hearsNone(t, h.caller, deskTone, partnerTone)
	waitConfirmed(t, p)
	hears(t, h.caller, partnerTone)
	unbroken(t, h.caller)
	hangUp(t, p)
	_ = h.caller.Hangup(within(t, 10*time.Second)) // within the settle time the first line rings again
	ended(t, h.caller)
}

// … and when the partner does not answer either, another seat of the first line rings.
func TestTakerHangsUpAndPartnerFails(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer(), "hotlines.12345.no_answer=2s")
	second := h.lab.desk(t, "1102", partnerTone, phone.AnswerAfter(0))
	pushes(t, h.desk, "*1")
	p := next(t, h.partner)
	must(t, h.first.SetPolicy(phone.NeverAnswer()))
	hangUp(t, h.desk)
	ended(t, p)
	waitConfirmed(t, next(t, second))
	hears(t, h.caller, partnerTone)
	unbroken(t, h.caller)
	hangUp(t, h.caller)
	l := readEntries(t, h.redis, "liandong:tickets:12345", 2)
	if l[1]["event"] != "failed" || l[1]["result"] != "no_answer" {
		t.Errorf("entries %v", l)
	}
}

func TestTakeBackUrgentCategory(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer())
	pushes(t, h.desk, "*802")
	pushes(t, h.desk, "*9")
	pushes(t, h.desk, "*1")
	p := next(t, h.partner)
	pushes(t, h.desk, "*4")
	ended(t, p)
	hears(t, h.caller, deskTone)
	if keys := h.caller.Digits(); keys != "" {
		t.Errorf("the caller heard keys %q", keys)
	}
	urgent := readEntries(t, h.redis, "liandong:tickets:110", 2)
	if urgent[1]["event"] != "urgent" || urgent[1]["decision_basis"] != "emergency" ||
		urgent[1]["category_code"] != "02" || urgent[0]["stub_id"] != urgent[1]["stub_id"] {
		t.Errorf("urgent: %v", urgent)
	}
	handed := readEntries(t, h.redis, "liandong:tickets:12345", 2)
	if handed[0]["category_code"] != "02" || handed[0]["stub_id"] == urgent[0]["stub_id"] ||
		handed[1]["reason"] != "taken_back" {
		t.Errorf("hand-over: %v", handed)
	}
}

// Digits that are no key code reach the other party; the caller's are never keys.
func TestDigitsArePassedOn(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer())
	pushes(t, h.desk, "42#")
	must(t, h.caller.WaitDigits(within(t, 10*time.Second), "42#"))
	pushes(t, h.caller, "*1")
	must(t, h.desk.WaitDigits(within(t, 10*time.Second), "*1"))
	select {
	case <-h.partner.Incoming():
		t.Error("the caller's digits were read as a key")
	default:
	}
}

// A desk's application, or a phone's action URL, does what the keys do.
func TestVerbsByHTTP(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(base string) (*http.Response, error){
		"action URL": func(base string) (*http.Response, error) {
			return http.Get(base +
				"/v1/keys/handover?user=1101")
		},
		"POST": func(base string) (*http.Response, error) {
			return http.Post(base+"/v1/calls/"+callID(base)+"/verbs/handover?user=1101", "", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := talking(t, phone.AnswerAfter(0))
			res, err := send("http://" + h.http)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode != http.StatusOK {
				t.Fatal(res.Status)
			}
			waitConfirmed(t, next(t, h.partner))
			hears(t, h.caller, partnerTone)
			ended(t, h.desk)
		})
	}
}

// callID reads the one call's id from the list of calls.
func callID(base string) string {
	res, err := http.Get(base + "/v1/calls")
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	var body strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		body.Write(buf[:n])
		if err != nil {
			break
		}
	}
	_, rest, _ := strings.Cut(body.String(), `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// Phones over TCP, with MD5 only, in µ-law, with PRACK or without an offer: the hand-over is the same.
func TestPhonesOfAllKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*phone.Config)
		caller  phone.CallOptions
		partner phone.Policy
	}{
		"TCP":             {change: func(c *phone.Config) { c.Transport = "tcp" }},
		"MD5":             {change: func(c *phone.Config) { c.Algorithm = "MD5" }},
		"SHA-256":         {change: func(c *phone.Config) { c.Algorithm = "SHA-256" }},
		"µ-law":           {change: func(c *phone.Config) { c.Codecs = []phone.Codec{phone.PCMU} }},
		"caller: no SDP":  {caller: phone.CallOptions{NoOffer: true}},
		"caller: 100rel":  {caller: phone.CallOptions{Reliable: true}},
		"partner: 183":    {partner: phone.Policy{Action: phone.Answer, After: time.Second, Early: true}},
		"partner: 100rel": {partner: phone.Policy{Action: phone.Answer, After: time.Second, Reliable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.partner == (phone.Policy{}) {
				c.partner = phone.AnswerAfter(200 * time.Millisecond)
			}
			l := startLab(t)
			desk := func(user string, hz float64, p phone.Policy) *phone.Phone {
				cfg := phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.server, Policy: p,
					Speech: phone.Tone(hz, time.Second)}
				if c.change != nil {
					c.change(&cfg)
				}
				ph := newPhone(t, cfg)
				must(t, ph.Register(within(t, 10*time.Second)))
				return ph
			}
			first, second := desk("1101", deskTone, phone.AnswerAfter(0)), desk("2101", partnerTone, c.partner)
			c.caller.From, c.caller.PAI = number, []string{"tel:+86" + number}
			call, err := l.caller(t, callerTone).Call("sip:110@"+l.server.Addr().String(), c.caller)
			must(t, err)
			taker := waitConfirmed(t, next(t, first))
			hears(t, call, deskTone)
			hears(t, taker, callerTone)
			pushes(t, taker, "*1")
			p := waitConfirmed(t, next(t, second))
			ended(t, taker)
			hears(t, call, partnerTone)
			hears(t, p, callerTone)
			unbroken(t, call)
			hangUp(t, call)
			ended(t, p)
		})
	}
}
