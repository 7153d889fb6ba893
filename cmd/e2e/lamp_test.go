package e2e

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// watches is a phone's BLF key, played by SIPp, until it has been told all states.
func (l *lab) watches(t testing.TB, user, whom string, states ...string) *sipp {
	t.Helper()
	return startSIPp(t, scenario{file: "phone_watches.xml", at: freePort(t, here), server: l.server, service: whom,
		values: map[string]any{
			"domain": domain, "user": user, "password": "lab-" + user, "states": states,
		}})
}

// lampDoc is what a phone reads of dialog-info.
type lampDoc struct {
	Version uint64 `xml:"version,attr"`
	State   string `xml:"state,attr"`
	Dialog  struct {
		CallID    string `xml:"call-id,attr"`
		LocalTag  string `xml:"local-tag,attr"`
		RemoteTag string `xml:"remote-tag,attr"`
		Direction string `xml:"direction,attr"`
		State     string `xml:"state"`
		Remote    string `xml:"remote>identity"`
	} `xml:"dialog"`
}

var lampBody = regexp.MustCompile(`(?s)<dialog-info.*?</dialog-info>`)

// told are the bodies of the NOTIFYs so far.
func (s *sipp) told(t testing.TB) (docs []lampDoc) {
	t.Helper()
	raw, _ := os.ReadFile(filepath.Join(s.dir, "messages.log")) // not there before the first message
	for _, body := range lampBody.FindAll(raw, -1) {
		var d lampDoc
		must(t, xml.Unmarshal(body, &d))
		docs = append(docs, d)
	}
	return docs
}

// awaits the moment when a lamp has been told a state.
func (s *sipp) awaits(t testing.TB, state string) lampDoc {
	t.Helper()
	for patience := within(t, 20*time.Second); patience.Err() == nil; {
		docs := s.told(t)
		if i := slices.IndexFunc(docs, func(d lampDoc) bool { return d.Dialog.State == state }); i >= 0 {
			return docs[i]
		}
		select {
		case <-patience.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("the lamp was never told %q, but %+v", state, s.told(t))
	return lampDoc{}
}

// A colleague's lamp through a whole call, and again after a restart of the switch:
// what it is told has versions that rise.
func lampsFollow(t *testing.T) {
	outbox := "outbox.path=" + filepath.Join(t.TempDir(), "outbox.db")
	l := startLab(t, outbox)
	desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(1200*time.Millisecond))
	lamp := l.watches(t, "1102", "1101", "terminated", "early", "confirmed", "terminated")
	lamp.awaits(t, "terminated")
	caller := l.call(t, l.caller(t, callerTone), "110")
	waitConfirmed(t, next(t, desk))
	waitConfirmed(t, caller)
	lamp.awaits(t, "confirmed")
	must(t, caller.Hangup(within(t, 10*time.Second)))
	lamp.wait(t)
	lamp.saw(t, "NOTIFY", "Subscription-State:", "active;expires=")
	docs := lamp.told(t)
	for i, d := range docs {
		if d.State != "full" || i > 0 && d.Version <= docs[i-1].Version {
			t.Errorf("told %+v after %+v", d, docs[:i])
		}
	}
	if d := docs[1].Dialog; !strings.HasPrefix(d.Remote, "sip:+86"+number+"@") &&
		!strings.HasPrefix(d.Remote, "sip:"+number+"@") || d.Direction != "recipient" || d.LocalTag == "" {
		t.Errorf("the lamp that blinks says %+v", d)
	}
	l.app.Stop()

	again := startLab(t, outbox).watches(t, "1102", "1101", "terminated")
	again.wait(t)
	if last, first := docs[len(docs)-1].Version, again.told(t)[0].Version; first <= last {
		t.Errorf("after a restart the lamp is told version %d, it was told %d before", first, last)
	}
}

// The key that blinks is pressed: INVITE with a Replaces made of what the lamp was
// told. The picker has the citizen, the phone that rang is told that somebody has.
func TestPickUpByLamp(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	desk := l.desk(t, "1101", deskTone, phone.NeverAnswer())
	lamp := l.watches(t, "1102", "1101", "terminated", "early", "terminated")
	lamp.awaits(t, "terminated")
	caller := l.call(t, l.caller(t, callerTone), "110")
	rings := next(t, desk)
	d := lamp.awaits(t, "early").Dialog

	colleague := newPhone(t, phone.Config{User: "1102", Password: "lab-1102", Domain: domain, Server: l.server,
		Speech: phone.Tone(partnerTone, time.Second)})
	picks, err := colleague.Call("1101", phone.CallOptions{Headers: []phone.Header{
		{Name: "Replaces", Value: d.CallID + ";to-tag=" + d.LocalTag + ";from-tag=" + d.RemoteTag + ";early-only"},
		{Name: "Require", Value: "replaces"},
	}})
	must(t, err)
	waitConfirmed(t, picks)
	waitConfirmed(t, caller)
	hears(t, caller, partnerTone)
	hears(t, picks, callerTone)
	must(t, rings.WaitState(within(t, 10*time.Second), phone.Ended))
	elsewhere := slices.ContainsFunc(rings.Messages(), func(m phone.Logged) bool {
		return m.Message.Method == "CANCEL" && strings.Contains(m.Message.Get("Reason"), "Call completed elsewhere")
	})
	if e := rings.Ending(); e.Code != 487 || !elsewhere {
		t.Errorf("the phone that rang ended %+v, told that somebody has answered: %v", e, elsewhere)
	}
	lamp.wait(t)

	third := newPhone(t, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: l.server})
	late, err := third.Call("1101", phone.CallOptions{Headers: []phone.Header{{Name: "Replaces",
		Value: d.CallID + ";to-tag=" + d.LocalTag + ";from-tag=" + d.RemoteTag}}})
	must(t, err)
	ended := within(t, 10*time.Second)
	must(t, late.WaitState(ended, phone.Ended))
	if e := late.Ending(); e.Code != 481 {
		t.Errorf("a second pick-up ended %+v", e)
	}
	must(t, caller.Hangup(ended))
	must(t, picks.WaitState(ended, phone.Ended))
}
