package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"liandong/cmd/internal/phone"
)

// handedOver has a desk of 110 hand its citizen to 12345, and is the stub of it.
func (r *rig) handedOver() (stub string) {
	r.Helper()
	desk := r.phone("1101", phone.AnswerAfter(0))
	r.phone("2101", phone.AnswerAfter(0))
	call := r.call(r.phone("", phone.Policy{}), "110")
	r.reach(call, phone.Confirmed)
	r.presses(<-desk.Incoming(), "*1")
	r.until("the stub is there", func() bool {
		for _, e := range r.entries("12345") {
			if e["event"] == "answered" {
				stub, _ = e["stub_id"].(string)
			}
		}
		return stub != ""
	})
	return stub
}

// update is what the ticket system of a line sends back.
func (r *rig) update(stub, event string, more ...string) {
	r.Helper()
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	defer c.Close()
	fields := append([]string{"event_id", event + stub[8:], "stub_id", stub, "event", event,
		"at", "2024-04-03T08:00:00+08:00"}, more...)
	if err := c.XAdd(r.Context(), &redis.XAddArgs{Stream: "liandong:updates", Values: fields}).Err(); err != nil {
		r.Fatal(err)
	}
}

// An open matter stands on the supervisors' page of both lines with its state and what is due, its own page says what
// has been written of it without who called; when it is closed it is off the list.
func TestMatters(t *testing.T) {
	t.Parallel()
	r := newRig(t, "matters.receive=1ms")
	stub := r.handedOver()
	chief, head := r.signIn("chief"), r.signIn("head")
	for user, b := range map[string]*browser{"chief": chief, "head": head} {
		r.until(user+" sees the matter", func() bool {
			_, body := b.send("GET", "/matters?show=overdue", nil)
			return strings.Contains(body, "/matters/"+stub) && strings.Contains(body, "overdue</span>")
		})
	}
	if _, body := chief.send("GET", "/matters?show=returned", nil); strings.Contains(body, stub) {
		t.Error("it was never returned")
	}
	r.update(stub, "received", "peer_ticket_no", "SJ-7", "text", "<b>转城管局</b>")
	r.until("the ticket system's word is on the page", func() bool {
		_, body := head.send("GET", "/matters/"+stub, nil)
		return strings.Contains(body, "SJ-7") && strings.Contains(body, "&lt;b&gt;转城管局") &&
			strings.Contains(body, "the other line answered")
	})
	for _, path := range []string{"/matters/" + stub, "/v1/matters/" + stub, "/v1/matters"} {
		if status, body := head.send("GET", path, nil); status != http.StatusOK || strings.Contains(body, "5678") ||
			!strings.Contains(body, stub) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, gone := range []string{"01M8NPEGWFS20C05TEXBR8NYN6", "x", url.PathEscape("../x")} {
		for _, path := range []string{"/matters/", "/v1/matters/"} {
			if status, _ := head.send("GET", path+gone, nil); status != http.StatusNotFound {
				t.Errorf("%s%s: %d", path, gone, status)
			}
		}
	}
	if status, _ := r.signIn("wang").send("GET", "/matters/"+stub, nil); status != http.StatusForbidden {
		t.Errorf("a taker reads it: %d", status)
	}
	for _, event := range []string{"signed", "accepted", "assigned", "closed"} {
		r.update(stub, event, "unit_name", "城管局", "reason_code", "x")
	}
	r.until("it is off the list", func() bool {
		_, body := head.send("GET", "/v1/matters", nil)
		return strings.TrimSpace(body) == "[]"
	})
	r.redis.SetError("LOADING")
	if status, body := head.send("GET", "/matters", nil); status != http.StatusOK ||
		!strings.Contains(body, "Redis does not answer") {
		t.Errorf("without Redis: %d %s", status, body)
	}
}

// The desk that has a call sees what its caller had done before, as far as its own line has to do with it, and nobody
// else does: neither a desk that is not in the call nor one to whom the number is not shown.
func TestEarlierMatters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stub := r.handedOver()
	r.until("the ledger has it", func() bool { return r.redis.Exists("liandong:open:110") })
	wang, li, root := r.signIn("wang"), r.signIn("li"), r.signIn("root")
	call := func(o phone.CallOptions) (path string) {
		c, err := r.phone("", phone.Policy{}).Call("sip:110@"+r.server.String(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Hangup(t.Context()) })
		r.reach(c, phone.Confirmed) // the desk's phone answers by itself
		var list []struct{ ID, Desk, Phase string }
		r.until("it is answered", func() bool {
			_, body := wang.send("GET", "/v1/calls", nil)
			if json.Unmarshal([]byte(body), &list) != nil || len(list) == 0 {
				return false
			}
			last := list[len(list)-1]
			return last.Phase == "talking" && last.Desk == "1101"
		})
		return "/v1/calls/" + list[len(list)-1].ID + "/earlier"
	}
	path := call(phone.CallOptions{From: "13812345678", PAI: []string{"tel:+8613812345678"}})
	status, body := wang.send("GET", path, nil)
	if status != http.StatusOK || !strings.Contains(body, stub) || strings.Contains(body, "5678") {
		t.Errorf("the desk sees %d %s", status, body)
	}
	for who, b := range map[string]*browser{"a desk of the other line": li, "who names no desk": root} {
		if status, body := b.send("GET", path, nil); status < 400 || strings.Contains(body, stub) {
			t.Errorf("%s sees %d %s", who, status, body)
		}
	}
	if status, body := root.send("GET", path+"?user=1101", nil); status != 200 || !strings.Contains(body, stub) {
		t.Errorf("for the desk: %d %s", status, body)
	}
	if status, body := root.send("GET", "/v1/calls/none/earlier?user=1101", nil); status != http.StatusNotFound {
		t.Errorf("of no call: %d %s", status, body)
	}
}
