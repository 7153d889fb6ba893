package ua

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/admission"
	"liandong/sip/leg"
)

// busy is a rig whose only turn somebody has: every new call waits.
func busy(t *testing.T, change ...func(*Config)) (r *rig, give func()) {
	turns := admission.NewTurns(1)
	r = newRig(t, func(c *Config) {
		c.Turns = turns
		c.Emergency = func(dialled string) bool { return dialled == "110" }
		c.Trunks["peer"] = Trunk{Network: "lab", Match: []netip.Prefix{netip.MustParsePrefix("127.0.0.11/32")},
			Trusted: true}
		for _, f := range change {
			f(c)
		}
	})
	if !turns.Try() {
		t.Fatal("somebody has the turn")
	}
	return r, turns.Give
}

// usual is an INVITE for a line that is not the emergency line.
func (p *peer) usual() *request {
	q := p.request("INVITE", "13800000000")
	q.uri, q.to = "sip:12345@liandong.lab", "<sip:12345@liandong.lab>"
	return q
}

func (r *rig) wait(n int) {
	r.t.Helper()
	eventually(r.t, "calls wait", func() bool {
		r.gate.mu.Lock()
		defer r.gate.mu.Unlock()
		return r.gate.queue.Len() == n
	})
}

func TestNewCallWaitsForATurn(t *testing.T) {
	r, give := busy(t)
	p := r.udp(trunkHost)
	q := p.usual()
	p.send(q.String())
	r.wait(1)
	p.send(q.String()) // a copy is none
	cancel := *q
	cancel.method = "CANCEL"
	p.send(cancel.String())
	eventually(t, "the CANCEL waits too", func() bool {
		r.gate.mu.Lock()
		defer r.gate.mu.Unlock()
		p := peek(q.String())
		return len(r.gate.waiting[r.gate.refused.key(p.transaction())].behind) == 1
	})
	r.inbox.empty(t)
	give()
	for _, want := range []string{"INVITE", "CANCEL"} {
		if got := r.inbox.next(t).Packet.Method(); got != want {
			t.Errorf("%s comes in the place of %s", got, want)
		}
	}
	p.send(p.usual().String())
	r.inbox.next(t)
	r.inbox.empty(t)
}

// RFC 3261 §8.2.7: "A stateless UAS MUST send the same response" to a copy, with the same tag.
func TestRefusedWhenItHasWaited(t *testing.T) {
	r, give := busy(t)
	for _, p := range []*peer{r.udp(trunkHost), r.tcp(trunkHost)} {
		q := p.usual()
		p.send(q.String())
		r.wait(1)
		r.clock.advance(admission.Burst)
		first := p.receive()
		wantCode(t, first, 503)
		if field(t, first, "Retry-After") == "" || field(t, first, "Call-ID") != q.callID {
			t.Errorf("%s", first)
		}
		if again := p.ask(q.String()); again != first {
			t.Errorf("a copy gets\n%s\nafter\n%s", again, first)
		}
		wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 503)
	}
	if got := r.Stats(); got.Shed["pstn"] != 2 || !got.Overloaded {
		t.Errorf("%d refused, overloaded: %v", got.Shed["pstn"], got.Overloaded)
	}
	r.clock.advance(time.Second)
	p := r.udp(trunkHost)
	wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
	give()
	p.send(p.usual().String())
	r.inbox.next(t)
	r.inbox.empty(t)
}

// What belongs to calls that are on, and what desks send, does not wait.
func TestCallsThatAreOnDoNotWait(t *testing.T) {
	r, give := busy(t)
	give()
	p := r.udp(trunkHost)
	q := p.usual()
	p.send(q.String())
	r.inbox.next(t)
	eventually(t, "the turn", r.cfg.Turns.Try)
	for _, method := range []string{"ACK", "INVITE", "INFO", "BYE"} {
		q.method, q.cseq, q.to = method, q.cseq+1, "<sip:12345@liandong.lab>;tag=ours"
		p.send(q.String())
		if got := r.inbox.next(t).Packet.Method(); got != method {
			t.Errorf("%s comes in the place of %s", got, method)
		}
	}
	q.method, q.cseq = "ACK", q.cseq+1 // RFC 3261 §7.3.1: a folded header field is the same one
	p.send(strings.Replace(q.String(), "Call-ID: ", "Call-ID:\r\n ", 1))
	if got := r.inbox.next(t).Packet; got.Method() != "ACK" || got.CallID() != q.callID {
		t.Errorf("%s of %s comes", got.Method(), got.CallID())
	}
	desk := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, desk.register(desk.contact(), "Expires: 600"), 200)
	wantCode(t, desk.ask(desk.request("INVITE", "1101").String()), 401)
	r.wait(0)
}

// The emergency line comes first, and what a trusted trunk says is urgent or handed over.
func TestEmergencyBeforeOthers(t *testing.T) {
	r, give := busy(t)
	pstn, peer := r.udp(trunkHost), r.udp("127.0.0.11")
	var want []string
	for i, q := range []*request{
		pstn.usual(), pstn.usual().with("Resource-Priority: esnet.0"), // that trunk is not trusted
		pstn.request("INVITE", "1"), peer.usual().with("Resource-Priority: esnet.0"),
		peer.usual().with("Call-Info: <urn:liandong:stub:1>;purpose=emergency-IncidentId"),
	} {
		from := pstn
		if i > 2 {
			from = peer
		}
		from.send(q.String())
		r.wait(i + 1)
		want = append(want, q.callID)
	}
	give()
	for _, i := range []int{2, 3, 4, 0, 1} {
		if got := r.inbox.next(t).Packet.CallID(); got != want[i] {
			t.Errorf("%s comes in the place of %s, number %d", got, want[i], i)
		}
	}
}

// Strangers are behind each trunk's calls, also when they dial the emergency line, and are served when there is room; a
// flood from one address is cut as other requests are.
func TestStrangersBehindTrunks(t *testing.T) {
	r, give := busy(t, func(c *Config) { c.MaxRate, c.MaxBurst = 1, 7 })
	stranger, pstn := r.udp("127.0.0.66"), r.udp(trunkHost)
	var want []string
	for i, q := range []*request{
		stranger.usual(), stranger.request("INVITE", "1"), pstn.usual(), pstn.request("INVITE", "1"),
	} {
		from := stranger
		if i > 1 {
			from = pstn
		}
		from.send(q.String())
		r.wait(i + 1)
		want = append(want, q.callID)
	}
	var got []string
	for n := r.gate.next(); n != nil; n = r.gate.next() {
		got = append(got, n.peek.callID)
		r.gate.begin(n)
	}
	slices.Reverse(want[2:])
	slices.Reverse(want[:2])
	if want = append(want[2:], want[:2]...); !slices.Equal(got, want) {
		t.Errorf("in the order %q, want %q", got, want)
	}
	before := r.Stats().Limited
	for range 9 { // of the 7 that it may send at once, 2 are spent, and a call that was served is not counted again
		stranger.send(stranger.request("INVITE", "1").String())
	}
	eventually(t, "too many are not looked at", func() bool { return r.Stats().Limited == before+4 })
	r.wait(5)
	r.clock.advance(admission.Danger)
	r.wait(0)
	if r.Stats().Overloaded {
		t.Error("strangers have made an overload")
	}
	give()
}

// RFC 7339 §1: trunks have their turns one after the other, however many calls of one wait.
func TestTrunkThatFloodsHasItsTurn(t *testing.T) {
	r, give := busy(t)
	flood, small := r.udp(trunkHost), r.udp("127.0.0.11")
	for i := range 5 {
		flood.send(flood.usual().String())
		r.wait(i + 1)
	}
	small.send(small.usual().String())
	r.wait(6)
	var got []string
	for n := r.gate.next(); n != nil; n = r.gate.next() {
		got = append(got, n.trunk)
		r.gate.begin(n)
	}
	if want := []string{"pstn", "peer", "pstn", "pstn", "pstn", "pstn"}; !slices.Equal(got, want) {
		t.Errorf("in the order %q, want %q", got, want)
	}
	give()
}

// RFC 3261 §17.2.3: another branch or CSeq is another request, though its Call-ID is the same, and has its own turn; a
// copy has none, and is kept no longer.
func TestSameCallIDIsNoCopy(t *testing.T) {
	j := newJournal(t)
	turns := admission.NewTurns(1)
	r := outlived(t, j, func(c *Config) { c.Turns = turns })
	turns.Try()
	p := r.tcp(trunkHost)
	wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
	q := p.usual()
	text := q.String()
	p.send(text)
	r.wait(1)
	cancel := *q
	cancel.method = "CANCEL"
	branch := "z9hG4bK"
	at := strings.Index(text, branch)
	fork := text[:at] + branch + "another" + text[at+len(branch):]
	again := *q
	again.cseq++
	for i, other := range []string{fork, again.String()} {
		p.send(text) // a copy
		p.send(other)
		r.wait(2 + i)
	}
	p.send(cancel.String())
	notes := func() (n int) {
		j.mu.Lock()
		defer j.mu.Unlock()
		for name := range j.kept {
			if strings.HasPrefix(name, keptNote) {
				n++
			}
		}
		return n
	}
	eventually(t, "three INVITEs and the CANCEL are kept", func() bool { return notes() == 4 })
	turns.Give()
	for _, want := range []string{"INVITE 1", "CANCEL 1", "INVITE 1", "INVITE 2"} {
		in := r.inbox.next(t).Packet
		if got := fmt.Sprint(in.Method(), " ", in.Msg.CSeq().SeqNo); got != want {
			t.Errorf("%s comes in the place of %s", got, want)
		}
	}
}

// An emergency call is not refused when others are: it waits on, and is had with the turn that comes.
func TestEmergencyWaitsOn(t *testing.T) {
	r, give := busy(t)
	p := r.udp(trunkHost)
	usual, danger := p.usual(), p.request("INVITE", "1")
	p.send(danger.String())
	r.wait(1)
	p.send(usual.String())
	r.wait(2)
	r.clock.advance(admission.Burst)
	wantCode(t, p.receive(), 503)
	r.wait(1)
	give()
	if got := r.inbox.next(t).Packet.CallID(); got != danger.callID {
		t.Errorf("%s comes", got)
	}
}

// Another process goes on with the sockets: what waits is not lost.
func TestWhoWaitsWhenNothingMoreIsHeard(t *testing.T) {
	r, _ := busy(t)
	p := r.udp(trunkHost)
	p.send(p.usual().String())
	r.wait(1)
	r.StopHearing()
	r.inbox.next(t)
}

func TestPeek(t *testing.T) {
	for uri, want := range map[string]string{
		"sip:110@liandong.lab": "110", "sips:%2b110@host:5061;transport=tls": "+110",
		"tel:110;phone-context=+86": "110", "sip:110;phone-context=x@host": "110", "urn:service:sos.police": "urn:service:sos.police", "sip:host": "",
		"110": "110", "sip:user:secret@host": "user",
	} {
		h := arrival{data: []byte("INVITE " + uri + " SIP/2.0\r\ni: a\r\nt:  <sip:b>;TAG=1\r\nVia: c\r\nv: d\r\n\r\nTo: e")}
		p := peek(h.text())
		if got := p.called(); got != want {
			t.Errorf("%s is dialled by %s", got, uri)
		}
		if p.callID != "a" || p.to != "<sip:b>;TAG=1" || !p.tagged || p.via != "c" || len(p.more) != 1 {
			t.Errorf("%+v", p)
		}
	}
}

func TestRefusalsAreForgotten(t *testing.T) {
	r, now := newRefusals(replyLife), time.Unix(0, 0)
	one, other := mark{"one"}, mark{"other"}
	r.add(now, one)
	for _, after := range []time.Duration{time.Second, 20 * time.Second, 33 * time.Second} {
		if !r.has(now.Add(after), one) || r.has(now.Add(after), other) {
			t.Errorf("after %s: %v, %v", after, r.has(now.Add(after), one), r.has(now.Add(after), other))
		}
	}
	r.add(now.Add(34*time.Second), other)
	if now = now.Add(70 * time.Second); r.has(now, one) {
		t.Error("one is known for longer than a caller repeats itself")
	}
	for i := range 3 * maxRefusals {
		r.add(now, mark{time.Duration(i).String()})
	}
	if n := len(r.now) + len(r.old); n > maxRefusals {
		t.Errorf("%d are known", n)
	}
}

// A call that is refused takes a twentieth of what one takes that is served: whoever would rather be refused dearly is
// no flood that can be got over. Of a call with tickets, events and journal these are more than a thousand.
func TestRefusalTakesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const most = 1000 / 20 // allocations
	turns := admission.NewTurns(1)
	r := newRig(t, func(c *Config) { c.Turns = turns })
	turns.Try()
	p := r.udp(trunkHost)
	flow := leg.Flow{Network: "lab", Transport: "udp", Remote: p.local()}
	var invites, ends [][]byte
	const runs = 500
	for range runs + 1 { // AllocsPerRun has one run more
		q := p.usual().with("Contact: <sip:a@127.0.0.10>", "Allow: INVITE, ACK, BYE, CANCEL")
		invites = append(invites, []byte(q.String()))
		q.method = "ACK"
		ends = append(ends, []byte(q.String()))
	}
	n := 0
	got := testing.AllocsPerRun(runs, func() {
		r.receive(arrival{data: invites[n]}, flow, nil)
		r.clock.advance(admission.Burst)
		r.gate.expire()
		r.receive(arrival{data: ends[n]}, flow, nil)
		n++
	})
	if shed := r.Stats().Shed["pstn"]; shed != runs+1 {
		t.Fatalf("%d refused of %d", shed, runs+1)
	}
	if got > most {
		t.Errorf("%.0f allocations, want at most %d", got, most)
	}
	t.Logf("%.0f allocations", got)
}

// A refusal, from the bytes of the INVITE to those of the answer and the ACK.
func BenchmarkRefusal(b *testing.B) {
	turns := admission.NewTurns(1)
	r := newRig(b, func(c *Config) { c.Turns = turns })
	turns.Try()
	p := r.udp(trunkHost)
	q := p.request("INVITE", "13800000000").with("Contact: <sip:a@127.0.0.10>", "Allow: INVITE, ACK, BYE, CANCEL",
		"P-Asserted-Identity: <sip:13800000000@127.0.0.10>", "Content-Type: application/sdp")
	q.body = "v=0\r\no=- 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
	flow := leg.Flow{Network: "lab", Transport: "udp", Remote: p.local()}
	ack := *q
	ack.method, ack.body = "ACK", ""
	b.ReportAllocs()
	for i := range b.N {
		q.callID, ack.callID = "call-"+time.Duration(i).String(), "call-"+time.Duration(i).String()
		invite, end := []byte(q.String()), []byte(ack.String())
		r.receive(arrival{data: invite}, flow, nil)
		r.clock.advance(admission.Burst)
		r.gate.expire()
		r.receive(arrival{data: end}, flow, nil)
	}
}

// Who is refused unread is missed: once for a caller and an hour, whoever stands in From or in P-Asserted-Identity, and
// not before there is time.
func TestRefusedCallsAreRead(t *testing.T) {
	turns := admission.NewTurns(1)
	told := make(chan string, 100)
	r := newRig(t, func(c *Config) {
		c.Turns = turns
		c.TurnedAway = func(o Origin, p leg.Packet, _ time.Time) {
			told <- o.Trunk + " " + p.CallID() + " " + p.Method()
		}
	})
	turns.Try()
	p := r.udp(trunkHost)
	var want []string
	refused := func(change func(q *request), missed bool) {
		t.Helper()
		q := p.usual()
		change(q)
		p.send(q.String())
		r.wait(1)
		r.clock.advance(admission.Burst)
		wantCode(t, p.receive(), 503)
		if missed {
			want = append(want, "pstn "+q.callID+" INVITE")
		}
	}
	other := strings.NewReplacer("13800000000", "13900000000")
	refused(func(*request) {}, true)
	refused(func(*request) {}, false)
	refused(func(q *request) { q.from = other.Replace(q.from) }, true)
	refused(func(q *request) { q.from = other.Replace(q.from) }, false)
	r.clock.advance(2 * callerLife)
	refused(func(*request) {}, true)
	r.gate.readSome()
	r.gate.readSome()
	if len(told) < len(want) {
		t.Fatalf("%d are missed, want %q", len(told), want)
	}
	for _, w := range want {
		if got := <-told; got != w {
			t.Errorf("%s is missed in the place of %s", got, w)
		}
	}
	if len(told) > 0 {
		t.Errorf("%d more are missed", len(told))
	}
}

// RFC 7339 §4: who says that it obeys is told by how much fewer calls it is to send, in each answer; and what a trusted
// trunk has asked for is obeyed, but for emergency calls and those with a priority.
func TestOverloadControl(t *testing.T) {
	r, give := busy(t)
	p := r.udp("127.0.0.11")
	for range 3 {
		q := p.usual()
		q.via = strings.Replace(q.via, ";branch", ocAsked+";branch", 1)
		p.send(q.String())
		r.wait(1)
		r.clock.advance(admission.Burst)
		answer := p.receive()
		wantCode(t, answer, 503)
		if via := field(t, answer, "Via"); !strings.Contains(via, ";oc=") || !strings.Contains(via, ";oc-seq=") {
			t.Errorf("Via: %s", via)
		}
		r.clock.advance(400 * time.Millisecond)
	}
	if loss := r.controls.loss(r.now(), "peer"); loss < 50 {
		t.Errorf("all are refused, and %d %% are to be left out", loss)
	}
	give()

	for i, want := range []struct{ id, field, got string }{
		{"first", "", ";oc;oc-algo=\"loss\""}, {"second", "", "503"}, {"third", "Resource-Priority", "third"},
	} {
		req := outbound(t, want.id, "")
		if want.field != "" {
			req.AppendHeader(gosip.NewHeader(want.field, "esnet.0"))
		}
		r.Bind(want.id, r.inbox)
		r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", p.local())})
		if want.got == "503" {
			res, ok := r.inbox.next(t).Packet.Msg.(*gosip.Response)
			if !ok || res.StatusCode != 503 || r.Stats().LeftOut != 1 {
				t.Errorf("%v, %d left out", res, r.Stats().LeftOut)
			}
			continue
		}
		sent := p.receive()
		if !strings.Contains(sent, want.got) {
			t.Errorf("%s is not in\n%s", want.got, sent)
		}
		if i == 0 {
			p.send("SIP/2.0 503 Busy\r\nVia: " + strings.Replace(field(t, sent, "Via"), ";oc;",
				";oc=100;oc-validity=10000;oc-seq=1.5;", 1) + "\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:c@d>;tag=b\r\n" +
				"Call-ID: first\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
			r.inbox.next(t)
		}
	}
}
