package ua

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// The library's own layer let 1255 of 2000 CANCELs overtake their INVITE.
func TestInviteAndCancelKeepTheirOrder(t *testing.T) {
	r := newRig(t, nil)
	trunk := r.udp(trunkHost)
	const calls, burst = 2000, 20
	for i := 0; i < calls; i += burst {
		for range burst {
			inv := trunk.request("INVITE", "13812345678")
			trunk.send(inv.String())
			inv.method = "CANCEL"
			trunk.send(inv.String())
		}
		for range burst { // a burst is taken in before the next, or the kernel drops some
			invite, cancel := r.inbox.next(t).Packet.Msg, r.inbox.next(t).Packet.Msg
			if m := invite.(*gosip.Request).Method; m != gosip.INVITE {
				t.Fatalf("first of the call is %s", m)
			}
			if m := cancel.(*gosip.Request).Method; m != gosip.CANCEL ||
				cancel.CallID().Value() != invite.CallID().Value() {
				t.Fatalf("second of the call is %s of %s", m, cancel.CallID().Value())
			}
		}
	}
}

func TestTrunkIsKnownBySource(t *testing.T) {
	r := newRig(t, nil)
	r.udp(trunkHost).send(r.udp(trunkHost).request("INVITE", "1101").String())
	in := r.inbox.next(t)
	if o := r.inbox.origins[0]; o != (Origin{Network: "lab", Trunk: "pstn"}) {
		t.Errorf("origin %+v", o)
	}
	if f := in.Packet.Flow; f.Network != "lab" || f.Transport != "udp" || f.Remote.Addr().String() != trunkHost ||
		f.Symmetric {
		t.Errorf("flow %+v", f)
	}
}

// RFC 3581 §4: "it MUST insert a 'received' parameter ... even if it is identical".
// RFC 3261 §18.2.1: "received" when the sent-by differs from the source.
func TestViaIsStamped(t *testing.T) {
	tests := []struct{ name, sentBy, want string }{
		{"rport", "%s;branch=z9hG4bK1;rport", "branch=z9hG4bK1;rport=%d;received=" + trunkHost},
		{"host name", "pbx.example;branch=z9hG4bK1", "branch=z9hG4bK1;received=" + trunkHost},
		{"other address", "192.0.2.1:5062;branch=z9hG4bK1", "branch=z9hG4bK1;received=" + trunkHost},
		{"its own address", "%s;branch=z9hG4bK1", "branch=z9hG4bK1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			trunk := r.udp(trunkHost)
			inv := trunk.request("INVITE", "1")
			inv.via = "SIP/2.0/UDP " + tt.sentBy
			if strings.Contains(tt.sentBy, "%") {
				inv.via = fmt.Sprintf("SIP/2.0/UDP "+tt.sentBy, trunk.conn.LocalAddr())
			}
			trunk.send(inv.String())
			want := tt.want
			if strings.Contains(want, "%d") {
				want = fmt.Sprintf(want, trunk.port())
			}
			got := r.inbox.next(t).Packet.Msg.Via().Value()
			if _, params, _ := strings.Cut(got, ";"); params != want {
				t.Errorf("Via %q, want parameters %q", got, want)
			}
		})
	}
}

func TestAnswersWithoutALeg(t *testing.T) {
	r := newRig(t, nil)
	tests := []struct {
		name   string
		change func(*request)
		want   int
		field  string
		value  string
	}{
		// RFC 3261 §8.2.1: "the UAS MUST generate a 405 ... MUST also add an Allow header field"
		{"method not taken", func(q *request) { q.method = "MESSAGE" }, 405, "Allow", allow},
		{"method unheard of", func(q *request) { q.method = "DANCE" }, 501, "", ""},
		{"method in lower case is another method", func(q *request) { q.method = "invite" }, 501, "", ""},
		// RFC 3261 §8.2.2.3: "420 ... MUST add an Unsupported header field"
		{"required extension", func(q *request) { q.method = "OPTIONS"; q.with("Require: timer, warp, weft") }, 420,
			"Unsupported", "warp, weft"},
		{"stray BYE", func(q *request) { q.method = "BYE" }, 481, "", ""},
		{"stray CANCEL", func(q *request) { q.method = "CANCEL" }, 481, "", ""},
		{"stray INFO", func(q *request) { q.method = "INFO" }, 481, "", ""},
		{"stray re-INVITE", func(q *request) { q.to += ";tag=old" }, 481, "", ""},
		{"options", func(q *request) { q.method = "OPTIONS" }, 200, "Accept", "application/sdp"},
	}
	for _, host := range []string{trunkHost, "127.0.0.1"} {
		for _, tt := range tests {
			t.Run(host+" "+tt.name, func(t *testing.T) {
				p := r.udp(host)
				if phone := newPhone(p, "1101", "MD5"); host != trunkHost {
					wantCode(t, phone.register(phone.contact()), 200)
				}
				q := p.request("INVITE", "1101")
				tt.change(q)
				first := p.ask(q.String())
				wantCode(t, first, tt.want)
				if tt.field != "" && field(t, first, tt.field) != tt.value {
					t.Errorf("%s: %q, want %q", tt.field, field(t, first, tt.field), tt.value)
				}
				if second := p.ask(q.String()); second != first {
					t.Errorf("a retransmission is answered otherwise (RFC 3261 §8.2.7):\n%s\n%s", first, second)
				}
				if !strings.Contains(field(t, first, "To"), ";tag=") {
					t.Error("answer without To tag")
				}
			})
		}
	}
	r.inbox.empty(t)
}

func TestMaxForwardsZero(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	zero := func(q *request) string { return strings.Replace(q.String(), "Max-Forwards: 70", "Max-Forwards: 0", 1) }
	wantCode(t, p.ask(zero(p.request("INVITE", "1"))), 483)
	wantCode(t, p.ask(zero(p.request("OPTIONS", "1"))), 200)
}

func TestOtherVersion(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	wantCode(t, p.ask(strings.Replace(p.request("INVITE", "1").String(), " SIP/2.0", " SIP/3.0", 1)), 505)
}

func TestStrangers(t *testing.T) {
	for _, c := range []struct{ everywhere, here, policy string }{
		{Forbid, "", Forbid}, {Drop, "", Drop}, {Drop, Forbid, Forbid}, {Forbid, Drop, Drop},
	} {
		t.Run(c.everywhere+" "+c.here, func(t *testing.T) {
			policy := c.policy
			r := newRig(t, func(cfg *Config) {
				lab := cfg.Networks["lab"]
				lab.Strangers = c.here
				cfg.Strangers, cfg.Networks["lab"] = c.everywhere, lab
			})
			p := r.udp("127.0.0.1")
			for _, method := range []string{"MESSAGE", "OPTIONS", "NOTIFY", "BYE", "DANCE"} {
				for _, user := range []string{"nobody", "1101"} { // whose name it is makes no difference
					p.send(p.request(method, user).String())
					if policy == Forbid {
						wantCode(t, p.receive(), 403)
					}
				}
			}
			wantCode(t, p.ask(p.request("REGISTER", "1101").String()), 401) // the first answer there is
			if n := r.Stats().Strangers; n != 10 {
				t.Errorf("%d strangers counted", n)
			}
			r.inbox.empty(t)
		})
	}
}

func TestStrangersAreSlowedDown(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxRate, c.MaxBurst = 1, 3 })
	p, trunk := r.udp("127.0.0.1"), r.udp(trunkHost)
	for range 3 {
		wantCode(t, p.ask(p.request("INVITE", "nobody").String()), 401)
	}
	for range 5 {
		p.send(p.request("INVITE", "nobody").String())
	}
	eventually(t, "five requests limited", func() bool { return r.Stats().Limited == 5 })
	for range 10 { // the trunk is not concerned
		wantCode(t, trunk.ask(trunk.request("OPTIONS", "1").String()), 200)
	}
	r.clock.advance(time.Second)
	wantCode(t, p.ask(p.request("INVITE", "nobody").String()), 401)
}

func TestNoCapacity(t *testing.T) {
	r := newRig(t, nil)
	r.inbox.set(func(b *inbox) { b.refuse = true })
	p := r.udp(trunkHost)
	q := p.request("INVITE", "1")
	a := p.ask(q.String())
	wantCode(t, a, 503)
	if field(t, a, "Retry-After") == "" {
		t.Error("no Retry-After")
	}
	r.inbox.set(func(b *inbox) { b.refuse = false })
	p.send(q.String()) // the same INVITE again finds room
	r.inbox.next(t)
}

func TestFullInbox(t *testing.T) {
	r := newRig(t, nil)
	udp, tcp := r.udp(trunkHost), r.tcp(trunkHost)
	for i, p := range []*peer{udp, tcp} {
		r.inbox.set(func(b *inbox) { b.full = false })
		q := p.request("INVITE", "1")
		p.send(q.String())
		r.inbox.next(t)
		r.inbox.set(func(b *inbox) { b.full = true })
		q.method = "INFO"
		p.send(q.String())
		eventually(t, "it is counted", func() bool { return r.Stats().InboxFull == uint64(i+1) })
	}
	wantCode(t, tcp.receive(), 503) // UDP repeats by itself
}

func TestPanicDoesNotEndTheReader(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	r.inbox.set(func(b *inbox) { b.panics = true })
	q := p.request("INVITE", "1")
	p.send(q.String())
	eventually(t, "the panic is counted", func() bool { return r.Stats().Panics == 1 })
	r.inbox.set(func(b *inbox) { b.panics = false })
	p.send(q.String()) // and its Call-ID is free again
	r.inbox.next(t)
}

func TestResponsesFindTheirCall(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	r.Bind("ours@switch", r.inbox)
	ringing := "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n" +
		"Call-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
	p.send(fmt.Sprintf(ringing, "other@switch"))
	p.send(fmt.Sprintf(ringing, "ours@switch"))
	if id := r.inbox.next(t).Packet.Msg.CallID().Value(); id != "ours@switch" {
		t.Errorf("got %s", id)
	}
	r.Unbind("ours@switch", r.inbox)
	p.send(fmt.Sprintf(ringing, "ours@switch"))
	eventually(t, "two unmatched", func() bool { return r.Stats().Unmatched == 2 })
	r.inbox.empty(t)
}

// A phone that has answered a call that is not here any more gets its ACK and is let go; nothing else that strays is
// answered, and no stranger.
func TestOrphan(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ours := r.addr("udp").String()
	answer := func(code, method string) string {
		return "SIP/2.0 " + code + "\r\nVia: SIP/2.0/UDP " + ours + ";branch=z9hG4bKx\r\nFrom: <sip:110@b>;tag=1\r\n" +
			"To: <sip:1101@d>;tag=2\r\nCall-ID: lost@switch\r\nCSeq: 7 " + method +
			"\r\nContact: <sip:1101@127.0.0.9:5070>\r\nRecord-Route: <sip:127.0.0.8;lr>\r\nContent-Length: 0\r\n\r\n"
	}
	stranger, p := r.udp("127.0.0.77"), r.udp(trunkHost)
	stranger.send(answer("200 OK", "INVITE"))
	for _, not := range [][2]string{{"180 Ringing", "INVITE"}, {"486 Busy Here", "INVITE"}, {"200 OK", "BYE"}} {
		p.send(answer(not[0], not[1]))
	}
	p.send(strings.Replace(answer("200 OK", "INVITE"), ours, "127.0.0.66:5060", 1)) // another switch has asked
	p.send(answer("200 OK", "INVITE"))
	var bye string
	for i, method := range []string{"ACK", "BYE"} {
		got := p.receive()
		bye = got
		for _, want := range []string{method + " sip:1101@127.0.0.9:5070 SIP/2.0\r\n", "Route: <sip:127.0.0.8;lr>\r\n",
			"From: <sip:110@b>;tag=1\r\n", "To: <sip:1101@d>;tag=2\r\n", "Call-ID: lost@switch\r\n",
			fmt.Sprintf("CSeq: %d %s\r\n", 7+i*unseen, method)} {
			if !strings.Contains(got, want) {
				t.Errorf("%s has no %q:\n%s", method, want, got)
			}
		}
	}
	p.send(answer("200 OK", "INVITE")) // the ACK was lost
	if got := p.receive(); !strings.HasPrefix(got, "ACK ") {
		t.Errorf("a repeat gets %s", got)
	}
	for range orphanAgain { // whether the BYE was lost is not known
		if got := p.receive(); got != bye {
			t.Errorf("%s, want\n%s", got, bye)
		}
	}
	eventually(t, "nothing is kept", func() bool {
		r.orphans.mu.Lock()
		defer r.orphans.mu.Unlock()
		return len(r.orphans.byes) == 0
	})
	r.clock.advance(orphanFor + time.Second)
	p.send(answer("200 OK", "INVITE")) // of a call that another machine has
	for _, q := range []*peer{p, stranger} {
		if got := q.ask(q.request("OPTIONS", "110").String()); !strings.HasPrefix(got, "SIP/2.0 ") {
			t.Errorf("one gets %s", got)
		}
	}
}

// RFC 3261 §8.1.3.3, "If more than one Via header field value is
// present in a response, the UAC SHOULD discard the message."
func TestResponseWithTwoViasIsDropped(t *testing.T) {
	r := newRig(t, nil)
	r.Bind("ours@switch", r.inbox)
	r.udp(trunkHost).send("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx, SIP/2.0/UDP 127.0.0.2\r\n" +
		"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: ours@switch\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	eventually(t, "it is counted", func() bool { return r.Stats().Malformed == 1 })
	r.inbox.empty(t)
}

func TestAckIsNeverAnswered(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	p.send(p.request("ACK", "1").String())
	p.send(strings.Replace(p.request("ACK", "1").String(), "CSeq: 1", "CSeq: x", 1))
	wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
}

func TestKeepAlive(t *testing.T) {
	r := newRig(t, nil)
	udp, tcp := r.udp("127.0.0.1"), r.tcp("127.0.0.1")
	for _, s := range []string{"\r\n\r\n", "\r\n", "\x00\x00\x00\x00"} {
		udp.send(s)
	}
	wantCode(t, udp.ask(udp.request("REGISTER", "1101").String()), 401)
	if g := r.Stats().Garbage; g != 0 {
		t.Errorf("%d keep-alives taken for garbage", g)
	}
	// RFC 5626 §3.5.1: a double CRLF is answered with a single one.
	for _, s := range []string{"\r\n\r\n", "\r\n", "\r\n"} {
		tcp.send(s)
	}
	pong := make([]byte, 4)
	_ = tcp.conn.SetReadDeadline(time.Now().Add(patience))
	for n := 0; n < 4; {
		k, err := tcp.conn.Read(pong[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if string(pong) != "\r\n\r\n" {
		t.Errorf("pongs %q", pong)
	}
	wantCode(t, tcp.ask("\r\n"+tcp.request("REGISTER", "1101").String()), 401)
}

func TestIncomingMayBindByItself(t *testing.T) {
	r, own := newRig(t, nil), newInbox()
	r.inbox.set(func(b *inbox) {
		b.hook = func(p leg.Packet) { r.Bind(p.Msg.CallID().Value(), own) }
	})
	p := r.udp(trunkHost)
	q := p.request("INVITE", "1")
	p.send(q.String())
	q.method = "CANCEL"
	p.send(q.String())
	own.next(t)
}

// A trunk at which we have registered calls our Contact, perhaps from an address
// that no config names. Who does not know the Contact is a stranger there.
func TestTrunkIsKnownByContact(t *testing.T) {
	r := newRig(t, func(c *Config) {
		one := c.Trunks["pstn"]
		one.Contact = "r0123456789"
		c.Trunks["pstn"] = one
	})
	elsewhere := r.udp("127.0.0.77")
	call := func(user string) {
		text := elsewhere.request("INVITE", "13812345678").String()
		line, rest, _ := strings.Cut(text, "\r\n")
		uri := strings.Fields(line)[1]
		_, host, _ := strings.Cut(uri, "@")
		elsewhere.send("INVITE sip:" + user + "@" + host + " SIP/2.0\r\n" + rest)
	}
	call("r0123456780")
	call("r0123456789")
	in := r.inbox.next(t)
	if o := r.inbox.origins[0]; o != (Origin{Network: "lab", Trunk: "pstn"}) || len(r.inbox.origins) != 1 {
		t.Errorf("origins %+v", r.inbox.origins)
	}
	if user := in.Packet.Msg.(*gosip.Request).Recipient.User; user != "r0123456789" {
		t.Errorf("the call for %s is the trunk's", user)
	}
}
