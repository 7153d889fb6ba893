package notifier

import (
	"fmt"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// RFC 6665 §4.2.1.2: "Upon successfully accepting or refreshing a subscription,
// notifiers MUST send a NOTIFY request immediately to communicate the current
// resource state to the subscriber."
func TestSubscription(t *testing.T) {
	r := newRig(t, nil)
	r.board.states["110"] = 7
	w := r.watcher("1101", "110")
	w.subscribed("Event: state;id=k9")
	if w.state != 7 || w.version != 1001 {
		t.Errorf("first told version %d, state %d", w.version, w.state)
	}
	if got := w.last.(*gosip.Request).GetHeader("Event").Value(); got != "state;id=k9" {
		t.Errorf("RFC 6665 §8.2.1: the id has to come back: Event: %s", got)
	}
	if got := w.last.(*gosip.Request).Recipient.String(); got != "sip:1101@10.0.0.2:5060" {
		t.Errorf("sent to %s", got)
	}
	r.set("110", 8)
	w.hears(8)
	r.set("12345", 1)
	w.silence()
	r.pass(200 * time.Second)
	w.silence()
	w.send(w.text("Event: state;id=k9"))
	if all := r.take(); len(all) != 2 || all[0].(*gosip.Response).StatusCode != 200 {
		t.Fatalf("a refresh brought %v", all)
	} else {
		w.notified(all[1])
		w.reply(all[1], 200)
	}
	r.pass(299 * time.Second)
	w.silence()
	r.pass(3 * time.Second)
	w.hears(8)
	if w.over != "timeout" {
		t.Errorf("RFC 6665 §4.4.1: the end is told as %q", w.over)
	}
	r.set("110", 9)
	w.silence()
	w.forgotten()
}

// RFC 6665 §4.4.3: "a fetch": Expires 0 in the first SUBSCRIBE; §4.1.2.3: in a
// later one it ends the subscription. Both are told the state once more.
func TestFetchAndUnsubscribe(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed("Expires: 0")
	if w.over != "timeout" {
		t.Errorf("a fetch ends as %q", w.over)
	}
	w.forgotten()
	r.gone = nil
	w = r.watcher("1101", "110")
	w.version = 1001 // versions go on rising for the phone
	w.subscribed()
	w.send(w.text("Expires: 0"))
	all := r.take()
	if len(all) != 2 || all[0].(*gosip.Response).GetHeader("Expires").Value() != "0" {
		t.Fatalf("an end brought %v", all)
	}
	w.notified(all[1])
	w.reply(all[1], 200)
	if w.over != "timeout" {
		t.Errorf("it ends as %q", w.over)
	}
	w.forgotten()
}

// What a SUBSCRIBE may be refused for; nothing is kept of it.
func TestRefused(t *testing.T) {
	cases := []struct {
		name, to, line string
		code           int
		field, value   string
	}{
		// RFC 6665 §4.2.1.1: "the notifier MUST return a 489 (Bad Event) response"
		{"other package", "110", "Event: presence", 489, "Allow-Events", "state"},
		{"no package", "110", "Event:", 489, "Allow-Events", "state"},
		// §4.2.1.1: too small: "423 (Interval Too Brief)", with Min-Expires
		{"brief", "110", "Expires: 59", 423, "Min-Expires", "60"},
		{"no time", "110", "Expires: soon", 400, "", ""},
		{"list", "110", "Require: eventlist", 420, "Unsupported", "eventlist"},
		{"other bodies", "110", "Accept: application/pidf+xml, text/plain", 406, "", ""},
		{"nowhere to send to", "110", "Contact:", 400, "", ""},
		{"not allowed", "secret", "Max-Forwards: 70", 403, "", ""},
		{"not there", "nobody", "Max-Forwards: 70", 404, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			w := r.watcher("1101", c.to)
			w.send(w.text(c.line))
			if res := r.code(c.code); c.field != "" && (res.GetHeader(c.field) == nil ||
				res.GetHeader(c.field).Value() != c.value) {
				t.Errorf("%s is not %s:\n%s", c.field, c.value, res)
			}
			w.forgotten()
			if n := r.server.Stats().Refused; n != 1 {
				t.Errorf("%d refused", n)
			}
		})
	}
	for _, line := range []string{"Accept:", "Accept: application/x, text/state;q=0.5", "Accept: */*", "Expires:",
		"Expires: 60"} {
		newRig(t, nil).watcher("1101", "110").subscribed(line)
	}
}

// RFC 6665 §4.2.1.1: the interval may be shorter than asked for, never longer.
func TestLifetime(t *testing.T) {
	for asked, want := range map[string]string{"Expires: 3600": "300", "Expires:": "300", "Expires: 120": "120",
		"Expires: 4294967295": "300"} {
		r := newRig(t, nil)
		w := r.watcher("1101", "110")
		w.send(w.text(asked))
		if got := r.take()[0].(*gosip.Response).GetHeader("Expires").Value(); got != want {
			t.Errorf("%s: granted %s, want %s", asked, got, want)
		}
	}
}

// RFC 6665 §4.2.2, RFC 5057 §5.1: what an answer to a NOTIFY means.
func TestNotifyRefused(t *testing.T) {
	for code, ends := range map[int]bool{481: true, 404: true, 489: true, 501: true, 603: true, 503: false,
		500: false} {
		r := newRig(t, nil)
		w := r.watcher("1101", "110")
		w.subscribed()
		r.set("110", 1)
		w.notified(r.one())
		w.reply(w.last, code)
		if ends {
			w.forgotten()
			continue
		}
		r.pass(retryPause - time.Millisecond)
		w.silence()
		r.board.states["110"] = 2
		r.pass(time.Millisecond)
		w.hears(2)
	}
}

// A phone that refuses again and again is not asked for ever.
func TestNotifyRefusedAgain(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.set("110", 1)
	for range maxRetries + 1 {
		w.notified(r.one())
		w.reply(w.last, 503)
		r.pass(retryPause)
	}
	w.silence()
	w.forgotten()
}

// RFC 6665 §4.2.2: a NOTIFY that nobody answers ends the subscription; until then
// it is repeated on UDP, and only there.
func TestNobodyAnswers(t *testing.T) {
	for transport, copies := range map[string]int{"udp": 11, "tcp": 1} {
		r := newRig(t, nil)
		w := r.watcher("1101", "110")
		w.transport = transport
		w.subscribed()
		r.set("110", 1)
		r.pass(32 * time.Second)
		if n := len(r.sent); n != copies {
			t.Errorf("%s: %d copies, want %d", transport, n, copies)
		}
		w.forgotten()
		if n := r.server.Stats().Silent; n != 1 {
			t.Errorf("%d silent", n)
		}
	}
}

// RFC 3261 §17.2.2: a copy of the request gets a copy of the answer.
func TestCopies(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	first := w.text()
	w.send(first)
	all := r.take()
	w.send(first)
	if got := r.one(); got.String() != all[0].String() {
		t.Errorf("a copy is answered by\n%s\nafter\n%s", got, all[0])
	}
	w.them = all[0].To().Params.GetOr("tag", "")
	w.notified(all[1])
	w.reply(all[1], 200)
	w.reply(all[1], 481) // a late answer of something finished
	r.set("110", 1)
	w.hears(1)
	again := w.text()
	w.send(again)
	w.notified(r.take()[1])
	w.reply(w.last, 200)
	w.send(again)
	r.code(200)
}

// What has no place in a subscription.
func TestStrangers(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	old := w.them
	w.them = "stranger"
	w.send(w.text())
	r.code(481)
	w.them = old
	w.send(w.text("Event: other"))
	r.code(489)
	seq := w.seq
	w.seq = -1
	w.send(w.text())
	r.code(500) // RFC 3261 §12.2.2
	w.seq = seq
	w.send(w.text("Expires: 5"))
	r.code(423)
	r.set("110", 5)
	w.hears(5)
}

// However often the state changes: the latest is told, and not more often than a
// phone can bear.
func TestBursts(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	told := 0
	for i := range 1000 { // ten seconds
		r.set("110", i)
		for _, m := range r.take() {
			w.notified(m)
			w.reply(m, 200)
			told++
		}
		r.pass(10 * time.Millisecond)
	}
	r.pass(time.Second)
	for _, m := range r.take() {
		w.notified(m)
		w.reply(m, 200)
	}
	if told < 10 || told > 13 || w.state != 999 {
		t.Errorf("told %d times, last %d", told, w.state)
	}
	// Once it is calm a call that rings and is answered is told at once.
	r.pass(3 * time.Second)
	for i := range 3 {
		r.set("110", i)
		w.hears(i)
	}
}

// While an answer is awaited nothing overtakes it.
func TestOneAtATime(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.set("110", 1)
	first := r.one()
	r.set("110", 2)
	r.set("110", 3)
	w.silence()
	w.notified(first)
	w.reply(first, 200)
	w.hears(3)
}

// A phone that was started anew has left its subscriptions behind: the oldest
// give way. Others are not touched by it.
func TestTooMany(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PerUser, c.Total = 3, 5 })
	other := r.watcher("1102", "110")
	other.subscribed()
	first := r.watcher("1101", "a")
	first.subscribed()
	for _, to := range []string{"b", "c"} {
		r.watcher("1101", to).subscribed()
	}
	w := r.watcher("1101", "d")
	w.send(w.text())
	all := r.take()
	if len(all) != 3 {
		t.Fatalf("sent %v", all)
	}
	for _, m := range all {
		if req, ok := m.(*gosip.Request); ok && req.CallID().Value() == first.callID {
			first.notified(m)
			first.reply(m, 481)
		}
	}
	if first.over != "rejected" || r.server.Stats().On != 4 {
		t.Errorf("the oldest ended as %q, %d are left", first.over, r.server.Stats().On)
	}
	w = r.watcher("1103", "e")
	w.subscribed()
	w = r.watcher("1104", "f")
	w.send(w.text())
	if res := r.code(503); res.GetHeader("Retry-After") == nil {
		t.Error("no Retry-After")
	}
}

// A phone that subscribes without end and answers nothing has no more than its share:
// others are told as ever, and when it is given up nothing is left of it.
func TestFlood(t *testing.T) {
	r := newRig(t, func(c *Config) { c.PerUser, c.Total = 3, 20 })
	for _, line := range []string{"Expires: 300", "Expires: 0"} {
		for i := range 30 {
			w := r.watcher("1101", fmt.Sprint("x", i))
			w.callID += line[9:]
			w.send(w.text(line))
		}
	}
	if n := len(r.server.subs); n != 6 {
		t.Errorf("a phone has %d subscriptions", n)
	}
	r.take()
	other := r.watcher("1102", "110")
	other.subscribed()
	other.send(other.text("Expires: 0"))
	for _, m := range r.take() {
		if req, ok := m.(*gosip.Request); ok && req.CallID().Value() == other.callID {
			other.reply(m, 200)
		}
	}
	r.pass(time.Hour)
	other.forgotten()
}

// A phone that registers from elsewhere is told there, also what was on its way.
func TestMoved(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.set("110", 1)
	r.sent = nil
	to := w.flow()
	to.Remote = addrPort("10.0.0.2:40000")
	r.note(r.server.Moved(r.now, "1101", "sip:1101@10.0.0.99:5060", to)) // another phone of the user
	r.pass(600 * time.Millisecond)
	if got := r.sent[len(r.sent)-1].Flow.Remote; got != w.flow().Remote {
		t.Errorf("told at %v", got)
	}
	r.note(r.server.Moved(r.now, "1101", "sip:1101@10.0.0.2:5060;x=y", to))
	r.pass(time.Second)
	if got := r.sent[len(r.sent)-1]; got.Flow.Remote != to.Remote || !got.Flow.Symmetric {
		t.Errorf("told at %+v", got.Flow)
	}
	w.notified(r.take()[0])
	w.reply(w.last, 200)
	r.set("110", 2)
	if got := r.sent[0].Flow.Remote; got != to.Remote {
		t.Errorf("told at %v", got)
	}
}

// A connection that is gone is tried again, and at once when the phone is back.
func TestConnectionLost(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.transport = "tcp"
	w.subscribed()
	r.set("110", 1)
	r.note(r.server.Failed(r.now, r.sent[0]))
	w.last = nil
	r.sent = nil
	r.note(r.server.Moved(r.now, "1101", "sip:1101@10.0.0.2:5060", w.flow()))
	w.hears(1)
}

// What was on its way over a connection that is gone is told by the new one.
func TestOtherConnection(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.transport = "tcp"
	w.subscribed()
	r.set("110", 1)
	w.notified(r.one())
	lost := w.last
	w.addr = "10.0.0.2:41000"
	r.note(r.server.Moved(r.now, "1101", "sip:1101@10.0.0.2:5060", w.flow()))
	w.hears(1)
	w.reply(lost, 481) // late, and of nothing any more
	r.set("110", 2)
	r.pass(time.Second)
	w.hears(2)
}

// When the switch goes down phones are told to come again.
func TestClose(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.note(r.server.Close(r.now, 2*time.Second))
	w.hears(0)
	if w.over != "probation;retry-after=2" {
		t.Errorf("told %q", w.over)
	}
	w.forgotten()
}

// RFC 6665 §4.1.3: what is watched is no more, and nothing will follow.
func TestOver(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.note(r.server.Over(r.now, "state", "another"))
	r.note(r.server.Over(r.now, "state", "110"))
	w.hears(0)
	if w.over != "noresource" {
		t.Errorf("told %q", w.over)
	}
	w.forgotten()
}

// RFC 6665 §4.2.2: what was allowed once may be no more.
func TestNoLongerAllowed(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	r.server.subs[w.callID].To.User = "secret"
	w.send(w.text())
	all := r.take()
	if len(all) != 2 || all[0].(*gosip.Response).StatusCode != 403 {
		t.Fatalf("sent %v", all)
	}
	w.notified(all[1])
	w.reply(all[1], 200)
	if w.over != "rejected" {
		t.Errorf("told %q", w.over)
	}
	w.forgotten()
}

// Rubbish is answered as far as it can be, and never ends anything.
func TestRubbish(t *testing.T) {
	r := newRig(t, nil)
	w := r.watcher("1101", "110")
	w.subscribed()
	m, err := gosip.ParseMessage(
		[]byte("SUBSCRIBE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKq\r\nCall-ID: " + w.callID +
			"\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	r.note(r.server.Receive(r.now, leg.Packet{Msg: m, Flow: w.flow()}))
	r.code(400)
	r.set("110", 3)
	w.hears(3)
}
