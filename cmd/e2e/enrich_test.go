package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// enrich adds to a stub as a desk application does.
func (l *lab) enrich(t testing.TB, stub, body string) (int, map[string]string) {
	t.Helper()
	answer, err := http.Post("http://"+l.http+"/v1/stubs/"+stub, "application/json", strings.NewReader(body))
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	fields := map[string]string{}
	_ = json.Unmarshal(text, &fields) // an error is a line of text
	return answer.StatusCode, fields
}

// What a desk application adds comes after the stub's other entries, once, and stands in the state of the matter; with
// Redis away it waits as they do. A switch that was started anew knows the stub from Redis.
func TestEnrichment(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	l := startSwitch(t, redis.Addr(), "categories.66.name=fight", "categories.66.urgency=critical")
	partner, first := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0)),
		l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	caller := l.call(t, l.caller(t, callerTone), "110")
	desk := next(t, first)
	waitConfirmed(t, caller)
	must(t, desk.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	waitConfirmed(t, next(t, partner))
	opened := readEntries(t, redis.Addr(), "liandong:tickets:12345", 2)[0]
	stub := opened["stub_id"]

	redis.Kill()
	const added = `{"event_id":"desk-1","category":"01","place":"中山路1号","title":"夜间施工"}`
	for range 2 {
		if code, answer := l.enrich(t, stub, added); code != http.StatusOK ||
			answer["stream"] != "liandong:tickets:12345" {
			t.Fatalf("with Redis away: %d %v", code, answer)
		}
	}
	if code, _ := l.enrich(t, "01HTHGQ7X0000000000000000B", added); code != http.StatusServiceUnavailable {
		t.Errorf("an unknown stub with Redis away: %d", code)
	}
	redis.Restart()
	code, answer := l.enrich(t, stub, `{"category":"66","content":"打起来了"}`)
	if code != http.StatusOK || answer["urgent"] != "liandong:tickets:110" {
		t.Fatalf("%d %v", code, answer)
	}
	entries := readEntries(t, redis.Addr(), "liandong:tickets:12345", 4)
	for i, want := range []string{"opened", "answered", "enriched 01 中山路1号", "enriched 66 "} {
		e := entries[i]
		if got := strings.TrimSuffix(fmt.Sprintf("%s %s %s", e["event"], e["category_code"], e["place"]),
			"  "); got != want || e["stub_id"] != stub || e["caller_raw"] != opened["caller_raw"] {
			t.Errorf("entry %d: %v, want %s", i, e, want)
		}
	}
	if urgent := readEntries(t, redis.Addr(), "liandong:tickets:110", 1)[0]; urgent["event"] != "urgent" ||
		urgent["decided_owner"] != "110" || urgent["decision_basis"] != "emergency" || urgent["stub_id"] != stub {
		t.Errorf("%v", urgent)
	}
	waitMatter(t, redis, stub, map[string]string{"category_code": "66", "place": "中山路1号", "title": "夜间施工",
		"urgency": "critical", "owner": "110"})
	must(t, caller.Hangup(within(t, 10*time.Second)))

	again := startSwitch(t, redis.Addr())
	if code, answer := again.enrich(t, stub, `{"title":"afterwards"}`); code != http.StatusOK ||
		answer["stream"] != "liandong:tickets:12345" {
		t.Errorf("a switch started anew: %d %v", code, answer)
	}
	waitMatter(t, redis, stub, map[string]string{"title": "afterwards", "owner": "110"})
	if code, _ := again.enrich(t, "01HTHGQ7X0000000000000000B", `{"title":"x"}`); code != http.StatusNotFound {
		t.Errorf("no such stub: %d", code)
	}
}

// waitMatter waits until the state of a matter holds some fields.
func waitMatter(t *testing.T, redis *redistest.Server, stub string, want map[string]string) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got, _ := redis.Do("HGETALL", "liandong:"+stub).([]any)
		state, missing := fieldMap(got), 0
		for field, v := range want {
			if state[field] != v {
				missing++
			}
		}
		switch {
		case missing == 0:
			return
		case time.Now().After(late):
			t.Fatalf("%v, want %v", state, want)
		}
	}
}
