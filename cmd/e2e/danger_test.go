package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// Danger that is told at another switch than the call's, whose outbox is empty, reaches 110 with the citizen's number
// and the call's times, from a real Redis; who called without a number is unknown there. No ★ field is empty in any.
func TestDangerAtAnotherSwitch(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := startSwitch(t, redis.Addr())
	partner, first := l.desk(t, "1101", partnerTone, phone.AnswerAfter(0)),
		l.desk(t, "2101", deskTone, phone.AnswerAfter(0))
	citizen := l.caller(t, callerTone)
	for _, from := range []phone.CallOptions{{From: number, PAI: []string{"tel:+86" + number}},
		{From: "sip:anonymous@anonymous.invalid"}} {
		c, err := citizen.Call("sip:12345@"+l.server.Addr().String(), from)
		must(t, err)
		desk := next(t, first)
		waitConfirmed(t, c)
		must(t, desk.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
		waitConfirmed(t, next(t, partner))
		must(t, c.Hangup(within(t, 10*time.Second)))
	}
	opened := map[string]map[string]string{} // by the caller's number
	for _, e := range readEntries(t, redis.Addr(), "liandong:tickets:110", 4) {
		if e["event"] == "opened" {
			opened[e["caller_e164"]] = e
		}
	}
	known, unknown := opened["+86"+number], opened["unknown"]
	if len(opened) != 2 || known == nil || unknown == nil {
		t.Fatalf("%v", opened)
	}

	again := startSwitch(t, redis.Addr())
	told := 4
	tell := func(stub string) map[string]string {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			code, answer := again.enrich(t, stub, `{"urgency":"critical"}`)
			if code == http.StatusOK {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d %v", code, answer)
			}
		}
		told += 2 // the addition, and the alarm
		list := readEntries(t, redis.Addr(), "liandong:tickets:110", told)
		e := list[len(list)-1]
		if e["event"] != "urgent" || e["stub_id"] != stub || e["decided_owner"] != "110" {
			t.Fatalf("%v", e)
		}
		for _, name := range stars {
			if e[name] == "" {
				t.Errorf("%s is empty in %v", name, e)
			}
		}
		return e
	}
	same := func(got, want map[string]string) {
		t.Helper()
		for _, name := range stars[5:] {
			if got[name] != want[name] {
				t.Errorf("%s is %q, want %q", name, got[name], want[name])
			}
		}
	}
	same(tell(known["stub_id"]), known)
	same(tell(unknown["stub_id"]), unknown)
	if got := fmt.Sprint(unknown["caller_e164"], unknown["caller_status"]); got != "unknownunavailable" {
		t.Error(got)
	}
}

// stars are the ★ fields of the tickets page, first those that an entry has of its own.
var stars = []string{"schema", "event_id", "stub_id", "event", "at", "direction", "mode", "call_ref", "caller_e164",
	"caller_raw", "caller_status", "caller_source", "dialed", "from_agent", "call_at", "key_at"}
