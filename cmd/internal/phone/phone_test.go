package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

func newPhone(t *testing.T, cfg Config) *Phone {
	t.Helper()
	if !cfg.Listen.IsValid() {
		cfg.Listen = loopback
	}
	cfg.Record = true
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair is two phones and a call between them, from a to b.
type pair struct {
	a, b         *Phone
	caller, desk *Call
}

const toneA, toneB = 420.0, 1130.0

func ring(t *testing.T, a, b Config, o CallOptions) pair {
	t.Helper()
	a.User, b.User = "alice", "bob"
	a.Speech, b.Speech = Tone(toneA, time.Second), Tone(toneB, time.Second)
	p := pair{a: newPhone(t, a), b: newPhone(t, b)}
	var err error
	p.caller, err = p.a.Call("sip:bob@"+p.b.Addr().String(), o)
	must(t, err)
	select {
	case p.desk = <-p.b.Incoming():
	case <-within(t).Done():
		t.Fatal("no call came")
	}
	return p
}

func connect(t *testing.T, a, b Config, o CallOptions) pair {
	t.Helper()
	b.Policy.Action = Answer
	p := ring(t, a, b, o)
	must(t, p.caller.WaitState(within(t), Confirmed))
	must(t, p.desk.WaitState(within(t), Confirmed))
	return p
}

func hears(t *testing.T, c *Call, hz float64) {
	t.Helper()
	err := c.WaitHeard(within(t), 200*time.Millisecond, func(pcm []int16) bool { return Share(pcm, hz) > 0.9 })
	if err != nil {
		t.Fatalf("%v Hz: %v", hz, err)
	}
}

func ended(t *testing.T, c *Call, code int, local bool) {
	t.Helper()
	must(t, c.WaitState(within(t), Ended))
	if e := c.Ending(); e.Code != code || e.Local != local {
		t.Errorf("%s ended %+v, want code %d, local %v", c.phone.Name(), e, code, local)
	}
}

func TestTalk(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, codec := range []Codec{PCMA, PCMU} {
			t.Run(fmt.Sprint(transport, codec), func(t *testing.T) {
				p := connect(t, Config{Transport: transport, RTCP: true}, Config{Codecs: []Codec{codec}, RTCP: true},
					CallOptions{From: "13812345678", Display: "Wang, \"A\"", PAI: []string{"tel:+8613812345678"}})
				hears(t, p.caller, toneB)
				hears(t, p.desk, toneA)
				id := p.desk.Caller()
				if id.From != "13812345678" || !slices.Equal(id.PAI, []string{"+8613812345678"}) {
					t.Errorf("identity %+v", id)
				}
				must(t, p.caller.Hangup(within(t)))
				ended(t, p.caller, 200, true)
				ended(t, p.desk, 200, false)
				c := p.desk.Continuity()
				if len(c.SSRCs) != 1 || len(c.Gaps) != 0 || len(c.Jumps) != 0 ||
					!slices.Equal(c.Codecs, []Codec{codec}) {
					t.Errorf("continuity %+v", c)
				}
				if l := p.desk.Messages()[0]; l.Transport != transport || l.Out || l.Message.Method != "INVITE" {
					t.Errorf("first message %+v", l)
				}
			})
		}
	}
}

func TestKeys(t *testing.T) {
	p := connect(t, Config{}, Config{}, CallOptions{})
	ctx := within(t)
	for _, how := range []Method{RFC4733, InfoRelay, InfoDTMF, InfoNortel} {
		must(t, p.desk.SendDTMF(ctx, "*1#", how))
	}
	must(t, p.desk.SendDTMF(ctx, "!7", Both))
	if got := p.caller.InfoKeys(); got != "*1#*1#*1#!7" {
		t.Errorf("by INFO %q", got)
	}
	must(t, p.caller.WaitDigits(ctx, "!7"))
	if got := p.caller.Digits(); got != "*1#!7" {
		t.Errorf("by RFC 4733 %q", got)
	}
	hears(t, p.caller, toneB)
	if c := p.caller.Continuity(); len(c.Gaps) != 0 || len(c.Jumps) != 0 || c.Events != 5*7 {
		t.Errorf("keys broke the stream: %+v", c)
	}
	heard := make(chan error, 1)
	go func() {
		heard <- p.caller.WaitHeard(ctx, 20*time.Millisecond,
			func(pcm []int16) bool { return Share(pcm, 941) > 0.2 && Share(pcm, 1209) > 0.2 })
	}()
	for {
		must(t, p.desk.SendDTMF(ctx, "*", InBand))
		select {
		case err := <-heard:
			must(t, err)
			return
		default:
		}
	}
}

func TestNoEvents(t *testing.T) {
	p := connect(t, Config{}, Config{NoEvents: true}, CallOptions{})
	if err := p.caller.SendDTMF(within(t), "1", RFC4733); !errors.Is(err, ErrNoEvents) {
		t.Errorf("got %v", err)
	}
	must(t, p.caller.SendDTMF(within(t), "1", InfoRelay))
}

func TestHold(t *testing.T) {
	for _, how := range []struct {
		method string
		as     Direction
		seen   Direction
	}{{"INVITE", SendOnly, SendOnly}, {"UPDATE", Inactive, Inactive}, {"INVITE", ZeroHold, SendOnly}} {
		t.Run(how.method+string(how.as), func(t *testing.T) {
			p := connect(t, Config{}, Config{}, CallOptions{})
			ctx := within(t)
			hears(t, p.caller, toneB)
			must(t, p.desk.Modify(ctx, how.method, how.as))
			must(t, p.caller.WaitRemoteDirection(ctx, how.seen))
			before := p.desk.Continuity().Packets
			must(t, p.desk.Modify(ctx, how.method, SendRecv))
			must(t, p.caller.WaitRemoteDirection(ctx, SendRecv))
			hears(t, p.caller, toneB)
			hears(t, p.desk, toneA)
			if p.desk.Continuity().Packets <= before {
				t.Error("nothing came after the hold")
			}
			if c := p.desk.Continuity(); len(c.SSRCs) != 1 || len(c.Gaps) != 0 {
				t.Errorf("continuity %+v", c)
			}
			// The answer to a hold leaves the other no voice to send.
			l, err := p.desk.WaitMessage(ctx, func(l Logged) bool {
				n, m := l.Message.CSeq()
				return !l.Out && m == how.method && n != 0 && l.Message.Code == 200
			})
			must(t, err)
			if r, err := parseSDP(l.Message.Body); err != nil || r.direction != how.as.mirror() {
				t.Errorf("answer %s, %v", l.Message.Body, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		code   int
	}{{Busy(), 486}, {Decline(), 603}, {Policy{Action: Refuse, After: 50 * time.Millisecond, Code: 404,
		Phrase: "Not Found"}, 404}} {
		p := ring(t, Config{}, Config{Policy: c.policy}, CallOptions{})
		ended(t, p.caller, c.code, false)
		ended(t, p.desk, c.code, true)
		if err := p.caller.WaitState(within(t), Confirmed); !errors.Is(err, ErrState) {
			t.Errorf("WaitState gave %v", err)
		}
	}
}

func TestRejectAndAnswerByHand(t *testing.T) {
	p := ring(t, Config{}, Config{}, CallOptions{})
	must(t, p.caller.WaitState(within(t), Ringing))
	must(t, p.desk.Reject(488, "Not Acceptable Here"))
	ended(t, p.caller, 488, false)
	if err := p.desk.Answer(); !errors.Is(err, ErrState) {
		t.Errorf("answered a refused call: %v", err)
	}
	p = ring(t, Config{}, Config{}, CallOptions{})
	must(t, p.desk.Answer())
	must(t, p.caller.WaitState(within(t), Confirmed))
}

func TestCancel(t *testing.T) {
	p := ring(t, Config{}, Config{Policy: NeverAnswer()}, CallOptions{})
	must(t, p.caller.WaitState(within(t), Ringing))
	must(t, p.caller.HangupWith(within(t), Header{"Reason", `SIP ;cause=200 ;text="Call completed elsewhere"`}))
	ended(t, p.caller, 487, true)
	ended(t, p.desk, 487, false)
	if r := p.desk.Ending().Reasons; len(r) != 1 || !strings.Contains(r[0], "elsewhere") {
		t.Errorf("reasons %q", r)
	}
}

// RFC 3261 §9.1: no CANCEL before a provisional response.
func TestCancelWaitsForProvisional(t *testing.T) {
	var mu sync.Mutex
	deaf := true
	lose := func(out bool, m *Message) bool {
		mu.Lock()
		defer mu.Unlock()
		return deaf && !out && m.Code != 0 && m.Code < 200
	}
	p := ring(t, Config{Lose: lose, T1: 50 * time.Millisecond}, Config{}, CallOptions{})
	must(t, p.desk.WaitState(within(t), Ringing))
	must(t, p.caller.Cancel())
	for _, l := range p.caller.Messages() {
		if l.Message.Method == "CANCEL" {
			t.Fatal("CANCEL before a provisional response")
		}
	}
	mu.Lock()
	deaf = false
	mu.Unlock()
	ended(t, p.caller, 487, true)
}

// RFC 3261 §9.1: a 200 that crosses the CANCEL is acknowledged and hung up.
func TestCancelCrossesAnswer(t *testing.T) {
	var mu sync.Mutex
	cancelled := false
	lose := func(out bool, m *Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if out && m.Method == "CANCEL" {
			cancelled = true
		}
		_, method := m.CSeq()
		return !out && m.Code == 200 && method == "INVITE" && !cancelled
	}
	p := ring(t, Config{Lose: lose, T1: 50 * time.Millisecond},
		Config{Policy: AnswerAfter(0), T1: 50 * time.Millisecond}, CallOptions{})
	must(t, p.caller.WaitState(within(t), Ringing))
	_, err := p.desk.WaitMessage(within(t), func(l Logged) bool { return l.Out && l.Message.Short() == "200 INVITE" })
	must(t, err)
	must(t, p.caller.Hangup(within(t)))
	ended(t, p.desk, 200, false)
	var got []string
	for _, l := range p.caller.Messages() {
		if l.Out && !l.Again {
			got = append(got, l.Message.Short())
		}
	}
	if want := []string{"INVITE", "CANCEL", "ACK", "BYE"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

// Every message lost once: retransmissions carry the call through, on both sides.
func TestLoss(t *testing.T) {
	once := func() func(bool, *Message) bool {
		var mu sync.Mutex
		gone := map[string]bool{}
		return func(out bool, m *Message) bool {
			mu.Lock()
			defer mu.Unlock()
			_, method := m.CSeq()
			key := fmt.Sprint(m.Method, m.Code, method)
			if out || gone[key] {
				return false
			}
			gone[key] = true
			return true
		}
	}
	a := Config{Lose: once(), T1: 40 * time.Millisecond}
	b := Config{Lose: once(), T1: 40 * time.Millisecond}
	p := connect(t, a, b, CallOptions{})
	must(t, p.desk.Hold(within(t)))
	must(t, p.caller.SendDTMF(within(t), "5", InfoRelay))
	must(t, p.caller.Hangup(within(t)))
	ended(t, p.desk, 200, false)
	if got := p.desk.InfoKeys(); got != "5" {
		t.Errorf("a repeated INFO was taken for new: %q", got)
	}
	p = ring(t, Config{Lose: once(), T1: 40 * time.Millisecond},
		Config{Lose: once(), T1: 40 * time.Millisecond, Policy: Busy()}, CallOptions{})
	ended(t, p.caller, 486, false)
}

func TestEarlyAndReliable(t *testing.T) {
	for _, noOffer := range []bool{false, true} {
		early := Policy{Early: true, Reliable: true}
		p := ring(t, Config{}, Config{Policy: early}, CallOptions{Reliable: true, NoOffer: noOffer})
		must(t, p.caller.WaitState(within(t), Ringing))
		if !noOffer {
			hears(t, p.caller, toneB)
		}
		_, err := p.desk.WaitMessage(within(t), func(l Logged) bool { return !l.Out && l.Message.Method == "PRACK" })
		must(t, err)
		must(t, p.desk.Answer())
		must(t, p.caller.WaitState(within(t), Confirmed))
		hears(t, p.caller, toneB)
		hears(t, p.desk, toneA)
		must(t, p.desk.Hangup(within(t)))
		ended(t, p.caller, 200, false)
	}
}

func TestHangUpBeforeACK(t *testing.T) {
	p := ring(t, Config{}, Config{}, CallOptions{})
	must(t, p.b.do(func() { p.desk.answer(); p.desk.hangUp(nil) }))
	ended(t, p.desk, 200, true)
	ended(t, p.caller, 200, false)
}

func TestPolicyHangsUp(t *testing.T) {
	p := ring(t, Config{}, Config{Policy: AnswerAfter(10 * time.Millisecond).HangUp(50 * time.Millisecond)},
		CallOptions{})
	ended(t, p.caller, 200, false)
}

// RFC 3261 §14.1: both sides re-INVITE, one or both get 491, both end up done.
func TestGlare(t *testing.T) {
	p := connect(t, Config{}, Config{}, CallOptions{})
	ctx := within(t)
	errs := make(chan error, 2)
	go func() { errs <- p.caller.Hold(ctx) }()
	go func() { errs <- p.desk.Hold(ctx) }()
	must(t, errors.Join(<-errs, <-errs))
	must(t, p.caller.Resume(ctx))
	must(t, p.desk.Resume(ctx))
	hears(t, p.desk, toneA)
}

func TestSessionTimer(t *testing.T) {
	p := connect(t, Config{SessionExpires: 2 * time.Second}, Config{}, CallOptions{})
	l, err := p.desk.WaitMessage(within(t), func(l Logged) bool { return l.Message.Method == "UPDATE" })
	must(t, err)
	if l.Out {
		t.Error("the callee refreshed first, though the caller can")
	}
	p = connect(t, Config{SessionExpires: 2 * time.Second,
		Lose: func(out bool, m *Message) bool { return out && m.Method == "UPDATE" }}, Config{}, CallOptions{})
	ended(t, p.desk, 408, true)
	ended(t, p.caller, 200, false)
}

func TestRegister(t *testing.T) {
	users := map[string]string{"1101": "lab-1101"}
	server := newPhone(t, Config{Registrar: users, Domain: "liandong.lab"})
	for _, transport := range []string{"udp", "tcp"} {
		for _, algorithm := range []string{"", "MD5", "SHA-256"} {
			desk := newPhone(t, Config{User: "1101", Password: "lab-1101", Server: server.Addr(),
				Domain:    "liandong.lab",
				Algorithm: algorithm, Transport: transport, Policy: AnswerAfter(0)})
			must(t, desk.Register(within(t)))
			if _, err := server.Registered(within(t), "1101"); err != nil {
				t.Fatal(err)
			}
			must(t, desk.Register(within(t))) // with the same nonce, nc 2
			call, err := server.Call("1101", CallOptions{})
			must(t, err)
			must(t, call.WaitState(within(t), Confirmed))
			must(t, desk.Unregister(within(t)))
			must(t, call.Hangup(within(t)))
			refused := 0
			for _, l := range desk.Messages() {
				if l.Message.Code == 401 {
					refused++
				}
			}
			if refused != 1 {
				t.Errorf("%s %s: challenged %d times, want once", transport, algorithm, refused)
			}
		}
	}
	wrong := newPhone(t, Config{User: "1101", Password: "x", Server: server.Addr()})
	var status *StatusError
	if err := wrong.Register(within(t)); !errors.As(err, &status) || status.Code != 401 {
		t.Errorf("wrong password: %v", err)
	}
}

func TestRegistrationIsRefreshed(t *testing.T) {
	server := newPhone(t, Config{Registrar: map[string]string{"1101": "p"}})
	desk := newPhone(t, Config{User: "1101", Password: "p", Server: server.Addr(), Expires: time.Second})
	must(t, desk.Register(within(t)))
	must(t, server.journal.wait(within(t), func() bool {
		n := 0
		for _, l := range server.journal.entries {
			if l.Message.Method == "REGISTER" {
				n++
			}
		}
		return n >= 4
	}))
}

// RFC 3261 §13.2.2.4: each further fork that answers is acknowledged and hung up.
func TestFork(t *testing.T) {
	uas, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	must(t, err)
	defer uas.Close()
	uas.SetDeadline(time.Now().Add(20 * time.Second))
	caller := newPhone(t, Config{User: "alice"})
	at := uas.LocalAddr().String()
	call, err := caller.Call("sip:bob@"+at, CallOptions{})
	must(t, err)
	buf := make([]byte, 4096)
	var seen []string
	for len(seen) < 5 {
		n, from, err := uas.ReadFromUDPAddrPort(buf)
		must(t, err)
		m, err := ParseMessage(buf[:n])
		must(t, err)
		switch m.Method {
		case "INVITE":
			for _, tag := range []string{"one", "two", "one"} {
				res := reply(m, 200, "OK", tag, Header{"Contact", "<sip:" + tag + "@" + at + ">"},
					Header{"Content-Type", "application/sdp"})
				res.Body = localSDP{audio: netip.MustParseAddrPort("127.0.0.1:40000"), codecs: []Codec{PCMA},
					direction: SendRecv}.bytes()
				uas.WriteToUDPAddrPort(res.Bytes(), from)
			}
		case "BYE":
			uas.WriteToUDPAddrPort(reply(m, 200, "OK", "").Bytes(), from)
		}
		seen = append(seen, m.Method+" "+tagOf(m.Get("To")))
	}
	slices.Sort(seen)
	if want := []string{"ACK one", "ACK one", "ACK two", "BYE two", "INVITE "}; !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
	must(t, call.WaitState(within(t), Confirmed))
}

func TestAnswersOthers(t *testing.T) {
	p := connect(t, Config{}, Config{}, CallOptions{})
	for method, want := range map[string]int{"OPTIONS": 200, "REFER": 603, "SUBSCRIBE": 405} {
		res, _ := p.caller.Request(within(t), method, nil, nil)
		if res == nil || res.Code != want {
			t.Errorf("%s: %+v, want %d", method, res, want)
		}
	}
	if c, err := p.a.Call("sip:x@"+p.b.Addr().String(), CallOptions{Headers: []Header{{"Require",
		"holy"}}}); err != nil {
		t.Error(err)
	} else {
		ended(t, c, 420, false)
	}
}

func TestNobodyThere(t *testing.T) {
	a := newPhone(t, Config{T1: 10 * time.Millisecond, Transport: "tcp"})
	c, err := a.Call("sip:nobody@127.0.0.1:1", CallOptions{})
	must(t, err)
	ended(t, c, 503, false)
	a = newPhone(t, Config{T1: 10 * time.Millisecond, Lose: func(out bool, _ *Message) bool { return out }})
	c, err = a.Call("sip:nobody@127.0.0.1:1", CallOptions{})
	must(t, err)
	ended(t, c, 408, false)
}

func TestCloseEndsCalls(t *testing.T) {
	p := connect(t, Config{}, Config{}, CallOptions{})
	p.a.Close()
	ended(t, p.desk, 200, false)
	must(t, p.caller.WaitState(within(t), Ended))
	if _, err := p.a.Call("sip:x@127.0.0.1:9", CallOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed phone calls: %v", err)
	}
}

// Dozens at once, as in the end-to-end tests.
func TestCrowd(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			cfg := Config{Listen: netip.MustParseAddrPort(fmt.Sprintf("127.0.0.%d:0", 20+i))}
			p := connect(t, cfg, cfg, CallOptions{})
			hears(t, p.caller, toneB)
			hears(t, p.desk, toneA)
			if err := p.caller.Hangup(within(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestLadder(t *testing.T) {
	p := connect(t, Config{Name: "caller"}, Config{Name: "desk"}, CallOptions{})
	must(t, p.caller.Hangup(within(t)))
	must(t, p.desk.WaitState(within(t), Ended))
	var b strings.Builder
	must(t, Ladder(&b, p.caller.At(Calling), p.a, p.b))
	out := b.String()
	for _, want := range []string{"caller                    desk", "→ INVITE", "← INVITE", "← 200 INVITE", "→ BYE"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
