package ua

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// sink is one call of several.
type sink struct{ got chan Inbound }

func (s *sink) Post(in Inbound) bool { s.got <- in; return true }

type handlerFunc func(Origin, leg.Packet) Sink

func (f handlerFunc) Incoming(o Origin, p leg.Packet) Sink { return f(o, p) }

// Legal or harmless INVITEs of trunks that were refused once: each begins a call.
func TestInvitesOfTheField(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.sip")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := newRig(t, nil)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := r.udp(trunkHost)
			p.send(string(text))
			in := r.inbox.next(t)
			if in.Packet.Method() != "INVITE" {
				t.Fatalf("came %v", in.Packet.Msg)
			}
			if body := string(in.Packet.Msg.Body()); !strings.Contains(body, "\r\nc=IN IP4 127.0.0.") {
				t.Errorf("the sound is to go to\n%s", body)
			}
			if contact := in.Packet.Contact(); !strings.HasPrefix(contact, "sip:pstn@") ||
				strings.Contains(contact, ";") {
				t.Errorf("its Contact reads %q", contact)
			}
		})
	}
}

// RFC 3261 §25.1: what follows a bare addr-spec are parameters of the header, and a quoted one may hold anything.
func TestBareAddressesWithQuotedParameters(t *testing.T) {
	const bare = `sip:1101@127.0.0.1:5077;+sip.instance="<urn:gsma:imei:0>";x="a,b;c<d>";tag=t9`
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	q := p.request("INVITE", "x").with("Contact: "+bare, "Record-Route: <sip:10.0.0.1;lr>")
	q.from, q.to = bare, "sip:110@liandong.lab;x=\"<>;,\""
	p.send(q.String())
	in := r.inbox.next(t)
	req := in.Packet.Msg.(*gosip.Request)
	if tag, _ := req.From().Params.Get("tag"); tag != "t9" || req.From().Address.User != "1101" ||
		req.To().Address.User != "110" {
		t.Errorf("%v, %v", req.From(), req.To())
	}
	if in.Packet.Contact() != "sip:1101@127.0.0.1:5077" {
		t.Errorf("Contact %s", in.Packet.Contact())
	}
	phone := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256")
	wantCode(t, phone.register("Contact: "+bare), 200)
	if live := r.Locate("1101"); len(live) != 1 || live[0].Contact != "sip:1101@127.0.0.1:5077" {
		t.Errorf("registered %+v", live)
	}
	r.Bind("ours@switch", r.inbox)
	p.send("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: " + bare +
		"\r\nCall-ID: ours@switch\r\nCSeq: 1 INVITE\r\nContact: " + bare + "\r\nContent-Length: 0\r\n\r\n")
	res := r.inbox.next(t).Packet.Msg.(*gosip.Response)
	if res.Contact().Address.String() != "sip:1101@127.0.0.1:5077" {
		t.Errorf("Contact of a response: %v", res.Contact())
	}
}

// RFC 3261 §25.1 LWS and COMMA, §7.3.1 folding.
func TestCredentialsInEveryShape(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"HTAB": func(s string) string {
			return strings.ReplaceAll(strings.Replace(s, "Digest ", "Digest\t", 1), ", ", "\t,\t")
		},
		"no blank":         func(s string) string { return strings.ReplaceAll(s, ", ", ",") },
		"empty elements":   func(s string) string { return strings.ReplaceAll(s, ", ", " , , ") },
		"folded":           func(s string) string { return strings.ReplaceAll(s, ", ", ",\r\n\t") },
		"commas in quotes": func(s string) string { return s + `, x="a, b=\"c\", d"` },
		"blanks at =":      func(s string) string { return strings.ReplaceAll(s, "=\"", " = \"") },
		"case": func(s string) string {
			return strings.Replace(strings.Replace(s, "Digest", "dIGEST", 1), "username", "UserName", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
			q := p.sign(p.bare("REGISTER", p.contact()))
			q.more[len(q.more)-1] = change(q.more[len(q.more)-1])
			wantCode(t, p.ask(q.String()), 200)
		})
	}
}

// RFC 3261 §19.1.4: a character and its code are the same; # has no other form in a user.
func TestEscapedUsers(t *testing.T) {
	r := newRig(t, nil)
	p := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	q := p.bare("REGISTER", p.contact())
	q.from, q.to = "<sip:%31101@liandong.lab>;tag=1", "<sip:11%301@liandong.lab>"
	wantCode(t, p.ask(p.sign(q).String()), 200)
	if len(r.Locate("1101")) != 1 {
		t.Error("not registered")
	}
}

// RFC 5031: an emergency service is called by its name.
func TestEmergencyServiceByName(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	for _, uri := range []string{"urn:service:sos", "URN:service:sos.fire", "urn:service:sos.police"} {
		q := p.request("INVITE", "x")
		q.uri = uri
		p.send(q.String())
		if req := r.inbox.next(t).Packet.Msg.(*gosip.Request); !strings.EqualFold(req.Recipient.String(), uri) {
			t.Errorf("%s came as %s", uri, req.Recipient.String())
		}
	}
	q := p.request("INVITE", "x")
	q.uri = "urn:service:counseling"
	wantCode(t, p.ask(q.String()), 416)
}

// RFC 3261 §21.5.7: a message that is too long for us.
func TestContentLengthOverTheLimit(t *testing.T) {
	for _, length := range []string{"65530", "70000", "99999999999999999999"} {
		r := newRig(t, nil)
		p := r.tcp(trunkHost)
		text := strings.Replace(p.request("INVITE", "x").String(), "Content-Length: 0", "Content-Length: "+length, 1)
		wantCode(t, p.ask(text), 513)
		if !p.hungUp() {
			t.Errorf("%s: the connection stays, and nobody knows where its next message begins", length)
		}
	}
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	wantCode(t, p.ask(strings.Replace(p.request("INVITE", "x").String(), "Content-Length: 0", "Content-Length: 70000",
		1)), 513)
}

// A name that cannot be looked up holds nothing up for ever, and a CANCEL stays behind its INVITE.
func TestMessagesWaitForTheNameBeforeThem(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	q := p.request("INVITE", "x")
	q.body = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 no-such-host.invalid\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	p.send(q.String())
	cancel := *q
	cancel.method, cancel.body = "CANCEL", ""
	p.send(cancel.String())
	for _, want := range []string{"INVITE", "CANCEL"} {
		if got := r.inbox.next(t).Packet.Method(); got != want {
			t.Errorf("came %s, want %s", got, want)
		}
	}
	eventually(t, "nothing waits on", func() bool {
		r.held.mu.Lock()
		defer r.held.mu.Unlock()
		return len(r.held.byID) == 0
	})
}

// RFC 3261 §8.2.2.2: the next INVITE of a proxy that hunts serially has the Call-ID and the From tag of the one before.
func TestSameCallIDBeginsAnotherCallAfterARefusal(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	first, second := &sink{got: make(chan Inbound, 100)}, &sink{got: make(chan Inbound, 100)}
	next := first
	r.inbox.set(func(b *inbox) { b.instead = handlerFunc(func(Origin, leg.Packet) Sink { return next }) })
	q := p.request("INVITE", "x")
	p.send(q.String())
	eventually(t, "the first call", func() bool { s, _ := r.Sink(q.callID); return s == first })
	again := *q
	again.via = strings.Replace(q.via, "branch=z9hG4bK", "branch=z9hG4bKagain", 1)
	p.send(again.String())
	if in := <-first.got; in.Packet.Method() != "INVITE" {
		t.Fatalf("%v", in.Packet.Msg)
	}
	next = second
	res := gosip.NewResponse(487, "Request Terminated")
	res.AppendHeader(gosip.NewHeader("From", q.from))
	res.AppendHeader(gosip.NewHeader("To", q.to+";tag=ours"))
	via := &gosip.ViaHeader{}
	_ = readVia(q.via, via)
	id := gosip.CallIDHeader(q.callID)
	res.AppendHeader(via)
	res.AppendHeader(&id)
	res.AppendHeader(&gosip.CSeqHeader{SeqNo: 1, MethodName: gosip.INVITE})
	res.SetBody(nil)
	r.Send(leg.Packet{Msg: res, Flow: leg.Flow{Network: "lab", Transport: "udp", Remote: p.local()}})
	wantCode(t, p.receive(), 487)

	again.via = strings.Replace(q.via, "branch=z9hG4bK", "branch=z9hG4bKthen", 1)
	p.send(again.String())
	eventually(t, "the second call", func() bool { s, _ := r.Sink(q.callID); return s == second })
	ack := *q
	ack.method, ack.to = "ACK", q.to+";tag=ours"
	p.send(ack.String())
	if in := <-first.got; in.Packet.Method() != "ACK" {
		t.Errorf("the ACK of the refusal: %v", in.Packet.Msg)
	}
	p.send(q.String())
	if in := <-first.got; in.Packet.Method() != "INVITE" {
		t.Errorf("a late copy: %v", in.Packet.Msg)
	}
	cancel := again
	cancel.method = "CANCEL"
	p.send(cancel.String())
	if in := <-second.got; in.Packet.Method() != "CANCEL" {
		t.Errorf("to the second call: %v", in.Packet.Msg)
	}
	r.Unbind(q.callID, first)
	if s, ok := r.Sink(q.callID); !ok || s != second {
		t.Error("the end of the first call took the second one's messages away")
	}
	r.Unbind(q.callID, second)
	if _, ok := r.Sink(q.callID); ok {
		t.Error("bound for ever")
	}
}

// Whoever has overheard the tags of a call is not to end it from a host of his own.
func TestRequestsOfACallFromElsewhere(t *testing.T) {
	r := newRig(t, nil)
	p, elsewhere := r.udp(trunkHost), r.udp("127.0.0.66")
	q := p.request("INVITE", "x")
	p.send(q.String())
	r.inbox.next(t)
	for _, method := range []string{"BYE", "INFO", "UPDATE", "INVITE", "CANCEL", "REFER"} {
		foreign := elsewhere.request(method, "x")
		foreign.callID, foreign.from, foreign.to = q.callID, q.from, q.to+";tag=ours"
		wantCode(t, elsewhere.ask(foreign.String()), 403)
	}
	r.inbox.empty(t)
	phone := newPhone(r.udp("127.0.0.66"), "1101", "MD5") // a phone that is known by its registration may have moved
	wantCode(t, phone.register(phone.contact()), 200)
	bye := phone.request("BYE", "x")
	bye.callID, bye.from, bye.to = q.callID, q.from, q.to+";tag=ours"
	phone.send(bye.String())
	if got := r.inbox.next(t).Packet.Method(); got != "BYE" {
		t.Errorf("came %s", got)
	}
}

// RFC 3261 §12.1: a proxy that has not recorded its route is passed by in the call, whose ACK and BYE come from the
// Contact.
func TestRequestsOfACallFromItsContact(t *testing.T) {
	for contact, want := range map[string]bool{"<sip:x@127.0.0.67:5060>": true, "<sip:x@gw.example>": true,
		"<sip:x@127.0.0.68>": false} {
		r := newRig(t, nil)
		p, gateway := r.udp(trunkHost), r.udp("127.0.0.67")
		q := p.request("INVITE", "x").with("Contact: " + contact)
		p.send(q.String())
		r.inbox.next(t)
		bye := gateway.request("BYE", "x")
		bye.callID, bye.from, bye.to = q.callID, q.from, q.to+";tag=ours"
		gateway.send(bye.String())
		if !want {
			wantCode(t, gateway.receive(), 403)
		} else if got := r.inbox.next(t).Packet.Method(); got != "BYE" {
			t.Errorf("%s: came %s", contact, got)
		}
	}
}
