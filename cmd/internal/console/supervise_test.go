package console_test

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"liandong/cmd/internal/phone"
)

// watched is a rig whose lines have supervisors with phones.
func watched(t *testing.T) *rig {
	t.Helper()
	return newRig(t, "phones.1109={hotline: 110, password: lab-1109}", "hotlines.110.supervisors=[1109]",
		"phones.2109={hotline: 12345, password: lab-2109}", "hotlines.12345.supervisors=[2109]",
		"http.users.chief.phone=1109", "http.users.head.phone=2109")
}

// chiefs is the number of the supervisor's phone, and no part of a time or a tag.
var chiefs = regexp.MustCompile(`\b1109\b`)

// supervise asks for an act as the console does.
func (b *browser) supervise(id, act string) (int, string) {
	b.Helper()
	status, body := b.send("POST", "/v1/calls/"+id+"/supervise/"+act, nil, "X-CSRF-Token", b.csrf)
	return status, strings.TrimSpace(body)
}

// Who signs in as a supervisor looks after the calls of his line with his own phone, and is refused in words; desks,
// and supervisors of the other line, neither may nor learn of it.
func TestSuperviseByHTTP(t *testing.T) {
	t.Parallel()
	r := watched(t)
	desk, chief, partner := r.phone("1101", phone.AnswerAfter(0)), r.phone("1109", phone.Policy{}),
		r.phone("2101", phone.Policy{})
	call := r.call(r.phone("", phone.Policy{}), "110")
	r.reach(call, phone.Confirmed)
	taken := <-desk.Incoming()
	b, taker, head, engineer := r.signIn("chief"), r.signIn("wang"), r.signIn("head"), r.signIn("eng")
	id := callID(t, b)
	want := func(who *browser, act string, status int, words string) {
		t.Helper()
		if got, body := who.supervise(id, act); got != status || !strings.Contains(body, words) {
			t.Errorf("%s: %d %q, want %d %q", act, got, body, status, words)
		}
	}
	want(taker, "listen", http.StatusForbidden, "")
	want(engineer, "end", http.StatusForbidden, "")
	want(head, "listen", http.StatusForbidden, "of no line")
	want(head, "end", http.StatusForbidden, "of no line")
	want(b, "shout", http.StatusBadRequest, "listen whisper join take_back end leave")
	want(b, "leave", http.StatusConflict, "not in the call")
	want(b, "take_back", http.StatusConflict, "nobody was handed over")
	r.presses(taken, "*1")
	other := <-partner.Incoming()
	want(head, "take_back", http.StatusConflict, "no desk of the line")
	want(taker, "take_back", http.StatusForbidden, "")
	want(b, "take_back", http.StatusOK, "ok")
	r.reach(other, phone.Ended)
	r.until("the citizen is with the desk again",
		func() bool { return strings.Contains(list(t, b), `"phase":"talking"`) })
	if !strings.Contains(r.log.String(), "act=take_back user=1109") {
		t.Error("that a supervisor has taken back is not written down")
	}
	r.presses(taken, "*1")
	other = <-partner.Incoming()
	if err := other.Answer(); err != nil {
		t.Fatal(err)
	}
	r.reach(taken, phone.Ended)
	r.until("the other line's desk has the citizen",
		func() bool { return strings.Contains(list(t, b), `"desk":"2101"`) })
	colleague := r.phone("1102", phone.AnswerAfter(0))
	status, body := taker.send("POST", "/v1/seats/1101/state?state=not_ready", nil, "X-CSRF-Token", taker.csrf)
	if status >= 300 {
		t.Fatalf("%d %s", status, body)
	}
	want(b, "take_back", http.StatusOK, "ok")
	<-desk.Incoming() // answers
	r.reach(other, phone.Ended)
	r.until("the very desk has the citizen again",
		func() bool { return strings.Contains(list(t, b), `"desk":"1101"`) })
	select {
	case <-colleague.Incoming():
		t.Error("another desk of the line was rung")
	default:
	}
	want(b, "listen?user=2109", http.StatusForbidden, "not your phone")
	want(b, "whisper", http.StatusOK, "ok")
	rung := <-chief.Incoming()
	if text := string(rung.Invite().Bytes()); strings.Contains(text, "13812345678") {
		t.Errorf("the citizen's number is shown to whoever passes the supervisor's phone:\n%s", text)
	}
	if err := rung.Answer(); err != nil {
		t.Fatal(err)
	}
	r.reach(rung, phone.Confirmed)
	r.until("he whispers", func() bool { return strings.Contains(list(t, b), `"act":"whisper","up":true`) })
	want(b, "join", http.StatusOK, "ok")
	r.until("he has joined", func() bool { return strings.Contains(list(t, b), `"act":"join"`) })
	_, story := b.send("GET", "/v1/calls/"+id+"/story", nil)
	if !strings.Contains(story, `"supervisor"`) || !strings.Contains(story, "1109") {
		t.Errorf("the supervisor's story: %s", story)
	}
	for _, who := range []*browser{taker, engineer} {
		_, story = who.send("GET", "/v1/calls/"+id+"/story", nil)
		if seen := list(t, who) + story; strings.Contains(seen, "supervisor") || chiefs.MatchString(seen) {
			t.Errorf("a desk or an engineer learns of a supervisor: %s", seen)
		}
	}
	traced := func(who *browser) (text string) {
		for _, path := range []string{"/v1/calls/" + id + "/trace", "/v1/calls/" + id + "/trace.pcap", "/calls/" + id} {
			status, body := who.send("GET", path, nil)
			if text += body; status != http.StatusOK || !strings.Contains(body, "1101") {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		return text
	}
	r.until("he is in the ladder", func() bool { return strings.Contains(traced(b), "1109 hears") })
	if seen := traced(engineer); chiefs.MatchString(seen) {
		t.Errorf("an engineer's ladder shows a supervisor: %s", seen)
	}
	want(b, "leave", http.StatusOK, "ok")
	r.reach(rung, phone.Ended)
	want(b, "end", http.StatusOK, "ok")
	r.reach(call, phone.Ended)
	want(b, "end", http.StatusNotFound, "no such call")
}

func list(t *testing.T, b *browser) string {
	t.Helper()
	_, body := b.send("GET", "/v1/calls", nil)
	return body
}

// callID waits for the one call that somebody sees.
func callID(t *testing.T, b *browser) (id string) {
	t.Helper()
	b.until("the call is seen", func() bool {
		_, rest, ok := strings.Cut(list(t, b), `"id":"`)
		id, _, _ = strings.Cut(rest, `"`)
		return ok
	})
	return id
}

// A supervisor with a browser and a real phone: a button has the phone ring, the page shows how he is in the call, a
// refusal is said in words, and the call's page ends the call.
func TestSupervisorInABrowser(t *testing.T) {
	ctx := chromium(t)
	s := &screen{watched(t), ctx}
	desk, head := s.phone("2101", phone.Policy{}), s.phone("2109", phone.Policy{})
	s.signIn("head")
	s.do("no calls", s.open("/calls"), shown("#count", "No calls"))
	call := s.call(s.phone("", phone.Policy{}), "12345")
	rings := <-desk.Incoming()
	s.do("nobody is there to hear a whisper", shown("#calls", "ringing"), chromedp.Click(`[data-act=whisper]`),
		shown("#attended", "no desk of the line is there"))
	s.do("the phone rings", chromedp.Click(`[data-act=listen]`), shown("#attended", "Your phone 2109 rings"))
	mine := <-head.Incoming()
	if err := mine.Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("he listens", holds(`document.querySelector('[data-act=listen]').getAttribute('aria-pressed') === 'true'`),
		shown("#calls", "2109 Listen"))
	if err := rings.Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("the desk answers, and he whispers", shown("#calls", "talking"), chromedp.Click(`[data-act=whisper]`),
		holds(`document.querySelector('[data-act=whisper]').getAttribute('aria-pressed') === 'true'`))
	s.shoot("supervised", "/calls")
	s.do("the call's page", chromedp.Click("#calls a"), shown("#story", "supervisor 2109: whispers"),
		shown("#one", "2109 Whisper"))
	s.do("a key of the phone shows on the page", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		return mine.SendDTMF(ctx, "6", phone.RFC4733)
	}), shown("#one", "2109 Join"))
	partner := s.phone("1101", phone.Policy{})
	s.do("nothing is there to take back", holds(`document.querySelector('[data-act=take_back]').disabled`))
	s.presses(rings, "*1")
	other := <-partner.Incoming()
	s.do("he takes the citizen back", chromedp.WaitEnabled(`[data-act=take_back]`),
		chromedp.Click(`[data-act=take_back]`), shown("#story", "takes back who was handed over"),
		shown("#one", "talking"))
	s.reach(other, phone.Ended)
	s.do("he ends the call", holds("(window.confirm = () => true)()"), chromedp.Click(`[data-act=end]`),
		shown("#story", "ends the call"), shown("#one", "ended"))
	s.reach(call, phone.Ended)
	s.reach(mine, phone.Ended)

}

// Who reads a call's ladder is written down once, however often its page asks for it; who is refused, each time.
func TestLadderIsAudited(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	desk := r.phone("1101", phone.AnswerAfter(0))
	call := r.call(r.phone("", phone.Policy{}), "110")
	r.reach(call, phone.Confirmed)
	<-desk.Incoming()
	chief, taker, engineer := r.signIn("chief"), r.signIn("wang"), r.signIn("eng")
	id := callID(t, chief)
	for range 3 {
		for _, who := range []*browser{chief, taker, engineer} {
			who.send("GET", "/calls/"+id+"/ladder", nil)
		}
	}
	r.signIn("chief").send("GET", "/calls/"+id+"/ladder", nil)
	engineer.send("GET", "/calls/other/ladder", nil)
	said := map[string]int{}
	for line := range strings.Lines(r.log.String()) {
		for _, what := range []string{"the messages of a call are read", "refused at the console"} {
			for _, user := range []string{"chief", "wang", "eng"} {
				if strings.Contains(line, what) && strings.Contains(line, "user="+user) &&
					strings.Contains(line, "/ladder") {
					said[user+": "+what]++
				}
			}
		}
	}
	want := map[string]int{"chief: the messages of a call are read": 2, "eng: the messages of a call are read": 1,
		"wang: refused at the console": 3}
	if !maps.Equal(said, want) {
		t.Errorf("the log says %v, want %v", said, want)
	}
}
