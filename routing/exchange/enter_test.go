package exchange

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/ua"
)

// rung is a switch with a call that rings 1101.
type rung struct {
	t      *testing.T
	wire   *fakeWire
	x      *Exchange
	invite string // for 1101
	callID string
	ours   string // tag
	n      int
}

var (
	callIDIn = regexp.MustCompile(`\r\nCall-ID: (\S+)`)
	fromTag  = regexp.MustCompile(`\r\nFrom: [^\r]*;tag=(\w+)`)
)

func ring(t *testing.T, changes ...func(*Config)) *rung {
	r := &rung{t: t, wire: &fakeWire{sinks: map[string]ua.Sink{}}}
	calls := 0
	r.x = exchangeOf(r.wire, func(c *Config) {
		c.NewRef = func() string {
			calls++
			return fmt.Sprint("call-",
				calls)
		}
		for _, change := range changes {
			change(c)
		}
	})
	p := invite(t, "110")
	r.wire.Bind(p.CallID(), r.x.Incoming(pstn, p))
	synctest.Wait()
	r.rings()
	return r
}

// rings takes the INVITE that the phone was sent last, and says that it rings.
func (r *rung) rings() {
	r.t.Helper()
	r.invite, _ = r.wire.find("INVITE sip:1101@")
	r.callID, r.ours = callIDIn.FindStringSubmatch(r.invite)[1], fromTag.FindStringSubmatch(r.invite)[1]
	r.answer(180)
}

// answer is what 1101 says to its INVITE.
func (r *rung) answer(code int) {
	r.t.Helper()
	m, err := gosip.ParseMessage([]byte(r.invite))
	if err != nil {
		r.t.Fatal(err)
	}
	res := leg.Reply(leg.Packet{Msg: m}, code, "", "desk")
	res.AppendHeader(gosip.NewHeader("Contact", "<sip:1101@127.0.0.1:7000>"))
	if res.SetBody(nil); code == 200 {
		res.AppendHeader(gosip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(invite(r.t, "110").Msg.Body())
	}
	back, err := gosip.ParseMessage([]byte(res.String()))
	if err != nil {
		r.t.Fatal(err)
	}
	sink, _ := r.wire.Sink(r.callID)
	sink.Post(ua.Inbound{Packet: leg.Packet{Msg: back, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort("127.0.0.1:7000")}}})
	synctest.Wait()
}

// enter sends an INVITE of a desk's phone, and gives its answer.
func (r *rung) enter(user, to string, lines ...string) string {
	r.t.Helper()
	return r.comes(ua.Origin{Network: "lab", User: user}, user, to, lines...)
}

// comes sends an INVITE to the call, and gives its answer.
func (r *rung) comes(from ua.Origin, user, to string, lines ...string) string {
	r.t.Helper()
	r.n++
	id := fmt.Sprintf("enters-%d@127.0.0.2", r.n)
	text := strings.NewReplacer("sip:110@", "sip:"+to+"@", "13812345678", user, "one@127.0.0.10", id, "z9hG4bKone",
		"z9hG4bK"+id, "Max-Forwards: 70\r\n",
		"Max-Forwards: 70\r\n"+strings.Join(append(lines, ""), "\r\n")).Replace(invite(r.t, "110").Msg.String())
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		r.t.Fatalf("%v\n%s", err, text)
	}
	p := leg.Packet{Msg: m, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort("127.0.0.2:5060"), Symmetric: true}}
	r.wire.Bind(id, r.x.Incoming(from, p))
	synctest.Wait()
	r.wire.mu.Lock()
	defer r.wire.mu.Unlock()
	for i := len(r.wire.sent) - 1; i >= 0; i-- {
		if s := r.wire.sent[i]; strings.HasPrefix(s, "SIP/2.0 ") && strings.Contains(s, "\r\nCall-ID: "+id+"\r\n") {
			return s
		}
	}
	return ""
}

func (r *rung) wantCode(got string, code int) {
	r.t.Helper()
	if !strings.HasPrefix(got, fmt.Sprintf("SIP/2.0 %d ", code)) {
		r.t.Errorf("answered %.40q, want %d", got, code)
	}
}

// dialog is what the lamp of 1101 shows.
func (r *rung) dialog() string { return r.callID + ";to-tag=desk;from-tag=" + r.ours }

// RFC 3891 §3: an early dialog that we have begun is taken over; its phone is
// cancelled, and told why (RFC 3326).
func TestPickUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		got := r.enter("1102", "1101", "Replaces: "+r.dialog())
		r.wantCode(got, 200)
		if !strings.Contains(got, "\r\nP-Asserted-Identity: <sip:13812345678@") {
			t.Errorf("the picker is not shown who calls:\n%s", got)
		}
		cancel, ok := r.wire.find("CANCEL")
		if !ok || !strings.Contains(cancel, "\r\nReason: SIP ;cause=200 ;text=\"Call completed elsewhere\"") ||
			!strings.Contains(cancel, r.callID) {
			t.Errorf("the phone that rang is told\n%s", cancel)
		}
		if ref, talks := r.x.seats.Talks("1102"); ref == "" || !talks {
			t.Error("the seat of the picker is not taken")
		}
		if n := r.x.seats.Busy(); n != 1 {
			t.Errorf("%d seats are taken", n)
		}
	})
}

// What is no longer there, or not for this phone, is refused, and who rings rings on.
func TestEnterRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		replaces := "Replaces: " + r.dialog()
		// RFC 3911 §4: "If both a Replaces and Join header field are present ... 400"
		r.wantCode(r.enter("1102", "1101", replaces, "Join: "+r.dialog()), 400)
		// RFC 3891 §3: "If more than one Replaces header field is present ... 400"
		r.wantCode(r.enter("1102", "1101", replaces, replaces), 400)
		r.wantCode(r.enter("1102", "1101", "Replaces: rubbish"), 400)
		r.wantCode(r.enter("1102", "1101", "Replaces: "+r.callID+";to-tag=desk;from-tag=guess"), 481)
		r.wantCode(r.enter("1102", "1101", "Replaces: none;to-tag=desk;from-tag="+r.ours), 481)
		r.wantCode(r.enter("1102", "1101", "Replaces: one@127.0.0.10;to-tag=x;from-tag=a"), 481)
		r.wantCode(r.enter("2101", "1101", replaces), 403)
		r.wantCode(r.enter("1102", "1101", "Join: "+r.dialog()), 481)
		r.x.seats.Take("another call", "1102")
		r.wantCode(r.enter("1102", "1101", replaces), 486)
		r.x.seats.Release("another call", "1102", time.Now())
		if _, ok := r.wire.find("CANCEL"); ok {
			t.Error("the desk rings no more")
		}
		r.answer(200)
		r.wantCode(r.enter("1102", "1101", replaces+";early-only"), 486)
		r.wantCode(r.enter("1102", "1101", replaces), 403) // the conversation of somebody else
		if _, ok := r.wire.find("BYE"); ok {
			t.Error("the desk was dropped")
		}
		r.wantCode(r.enter("1102", "1101", "Join: "+r.dialog()), 200)
		if s := r.x.Calls(); len(s) != 1 || s[0].Phase != "three_way" {
			t.Errorf("the calls are %+v", s)
		}
		r.wantCode(r.enter("1102", "1101", "Join: "+r.dialog()), 486) // one call at a time
		if n := r.x.seats.Busy(); n != 2 {
			t.Errorf("%d seats are taken", n)
		}
	})
}

// A desk goes on with its call on another phone of its own.
func TestTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		r.answer(200)
		r.wantCode(r.enter("1101", "1101", "Replaces: "+r.dialog()), 200)
		if bye, ok := r.wire.find("BYE"); !ok || !strings.Contains(bye, r.callID) {
			t.Errorf("the first phone is told %q", bye)
		}
		if ref, talks := r.x.seats.Talks("1101"); ref == "" || !talks {
			t.Error("the seat is not taken any more")
		}
	})
}

// The pick-up number takes what rings for one's own line, and nothing else.
func TestPickUpNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		r.wantCode(r.enter("2101", "pickup"), 480)
		r.wantCode(r.enter("1102", "pickup"), 200)
		r.wantCode(r.enter("1101", "pickup"), 480)
		if c := r.x.Calls(); len(c) != 1 || c[0].Phase != "talking" {
			t.Errorf("the calls are %+v", c)
		}
	})
}

// The Call-ID of a phone that has come in may hold its address: it is not shown
// where a seat of the line is on the other network.
func TestLampHidesAddresses(t *testing.T) {
	for _, network := range []string{"", "police"} {
		synctest.Test(t, func(t *testing.T) {
			r := ring(t)
			defer r.x.Stop()
			r.x.cfg.Directory.Seats["1101"].Network = network
			r.wantCode(r.enter("1102", "1101", "Replaces: "+r.dialog()), 200)
			x, ok := r.x.lamps.Best(seatLamp("1102"))
			if !ok || x.State != "confirmed" || (x.CallID == "") != (network != "") {
				t.Errorf("seats on %q: shown %+v", network, x)
			}
		})
	}
}

// A phone that dials into a call in a loop finds the door shut for a while; the call
// goes on, and lets in who is next when the refused dialogs are done with.
func TestEnterFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		for range maxCame {
			r.wantCode(r.enter("2101", "1101", "Replaces: "+r.dialog()), 403)
		}
		if got := r.enter("2101", "1101", "Replaces: "+r.dialog()); got != "" {
			t.Errorf("still let in: %.40q", got)
		}
		if _, ok := r.wire.find("CANCEL"); ok || r.x.Stats().Live != 1 {
			t.Error("the desk rings no more, or there are other calls")
		}
		time.Sleep(35 * time.Second)                                      // 64*T1: nobody has sent ACK
		r.wantCode(r.enter("2101", "1101", "Replaces: "+r.dialog()), 481) // let in again; the desk has rung long enough
	})
}

// A phone that calls in a loop has its share of calls, and others theirs.
func TestCallFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		for range maxBegun {
			r.wantCode(r.enter("2101", "999"), 404)
		}
		if got := r.enter("2101", "999"); got != "" {
			t.Errorf("one more call is answered %.40q", got)
		}
		r.wantCode(r.enter("2102", "999"), 404)
		time.Sleep(35 * time.Second) // 64*T1: nobody has sent ACK
		r.wantCode(r.enter("2101", "999"), 404)
	})
}
