package txn

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	udp   = Timing{T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second}
	tcp   = Timing{T1: udp.T1, T2: udp.T2, T4: udp.T4, Reliable: true}
)

const second = time.Second

func request(t testing.TB, method string, lines ...string) *gosip.Request {
	t.Helper()
	return parse(t, method+" sip:110@10.0.0.2 SIP/2.0", method, lines).(*gosip.Request)
}

func response(t testing.TB, code, method string, lines ...string) *gosip.Response {
	t.Helper()
	return parse(t, "SIP/2.0 "+code+" X", method, lines).(*gosip.Response)
}

func parse(t testing.TB, start, method string, lines []string) gosip.Message {
	t.Helper()
	all := append([]string{start}, lines...)
	all = append(all, "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport",
		"Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKold",
		"From: <sip:a@10.0.0.1>;tag=a", "To: <sip:110@10.0.0.2>;tag=b", "Call-ID: c", "CSeq: 7 "+method,
		"Content-Length: 0", "", "")
	m, err := gosip.ParseMessage([]byte(strings.Join(all, "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type machine interface {
	Tick(now time.Time) Step
	Deadline() (time.Time, bool)
}

// reborn replaces a machine by what is read of what is written of it.
func reborn(t *testing.T, m machine) {
	t.Helper()
	old := reflect.ValueOf(m).Elem()
	read := reflect.New(old.Type())
	b, err := snapshot.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Decode(b, read.Interface()); err != nil {
		t.Fatal(err)
	}
	if again, err := snapshot.Encode(read.Interface()); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%v: wrote\n%q\nread\n%q", err, b, again)
	}
	old.Set(read.Elem())
}

// run lets a machine go by its own timers, written and read again before each of
// them, and notes when it sends and whether it timed out.
func run(t *testing.T, m machine, from time.Time) (sent []time.Duration, end time.Duration, timeout bool) {
	t.Helper()
	for {
		at, ok := m.Deadline()
		if !ok {
			return sent, end, timeout
		}
		reborn(t, m)
		step := m.Tick(at)
		if next, ok := m.Deadline(); ok && !next.After(at) {
			t.Fatalf("deadline %v does not move", at.Sub(from))
		}
		end = at.Sub(from)
		if step.Send != nil {
			sent = append(sent, end)
		}
		timeout = timeout || step.Timeout
	}
}

func wantTimes(t *testing.T, got []time.Duration, ms ...int) {
	t.Helper()
	ok := len(got) == len(ms)
	for i := 0; ok && i < len(ms); i++ {
		ok = got[i] == time.Duration(ms[i])*time.Millisecond
	}
	if !ok {
		t.Errorf("sent at %v, want %v ms", got, ms)
	}
}

// RFC 3261 §17.1.1.2: "When timer A fires, the client transaction MUST retransmit
// the request by passing it to the transport layer, and MUST reset the timer with
// a value of 2*T1. [...] When timer A fires 2*T1 seconds later, the request MUST be
// retransmitted again [...]. This process MUST continue so that the request is
// retransmitted with intervals that double after each transmission."
// "If the client transaction is still in the "Calling" state when timer B fires,
// the client transaction SHOULD inform the TU that a timeout has occurred."
func TestInviteIsResentWithDoublingIntervals(t *testing.T) {
	var c ClientInvite
	if c.Start(epoch, udp, request(t, "INVITE")).Send == nil {
		t.Error("not sent")
	}
	sent, end, timeout := run(t, &c, epoch)
	wantTimes(t, sent, 500, 1500, 3500, 7500, 15500, 31500)
	if end != 32*second || !timeout || c.State != Terminated {
		t.Errorf("end %v, timeout %v, %v", end, timeout, c.State)
	}
}

// RFC 3261 §17.1.1.2: "If an unreliable transport is being used, the client
// transaction MUST start timer A [...]. If a reliable transport is being used,
// the client transaction SHOULD NOT start timer A. [...] For any transport, the
// client transaction MUST start timer B with a value of 64*T1 seconds".
func TestInviteOverTCPIsSentOnce(t *testing.T) {
	var c ClientInvite
	c.Start(epoch, tcp, request(t, "INVITE"))
	sent, end, timeout := run(t, &c, epoch)
	if len(sent) != 0 || end != 32*second || !timeout {
		t.Errorf("sent %v, end %v", sent, end)
	}
}

// RFC 3261 §17.1.1.2: "If the client transaction receives a provisional response
// while in the "Calling" state, it transitions to the "Proceeding" state. In the
// "Proceeding" state, the client transaction SHOULD NOT retransmit the request any
// longer. Furthermore, the provisional response MUST be passed to the TU."
func TestProvisionalStopsTheInvite(t *testing.T) {
	var c ClientInvite
	c.Start(epoch, udp, request(t, "INVITE"))
	if s := c.Receive(epoch, response(t, "180", "INVITE")); !s.Deliver || c.State != Proceeding {
		t.Errorf("%+v %v", s, c.State)
	}
	if _, ok := c.Deadline(); ok {
		t.Error("a timer still runs")
	}
}

// RFC 3261 §17.1.1.2: "When in either the "Calling" or "Proceeding" states,
// reception of a response with status code from 300-699 MUST cause the client
// transaction to transition to "Completed". The client transaction MUST pass the
// received response up to the TU, and the client transaction MUST generate an ACK
// request". "Any retransmissions of the final response that are received while in
// the "Completed" state MUST cause the ACK to be re-passed to the transport layer
// for retransmission, but the newly received response MUST NOT be passed up to the
// TU." Timer D: "at least 32 seconds for unreliable transports, and a value of
// zero seconds for reliable transports".
func TestRefusalIsAcknowledged(t *testing.T) {
	var c ClientInvite
	c.Start(epoch, udp, request(t, "INVITE"))
	busy := response(t, "486", "INVITE")
	first := c.Receive(epoch, busy)
	if !first.Deliver || first.Send == nil || c.State != Completed || !c.Req.IsZero() {
		t.Fatalf("%+v %v", first, c.State)
	}
	if again := c.Receive(epoch, busy); again.Deliver || again.Send != first.Send {
		t.Errorf("%+v", again)
	}
	if _, end, timeout := run(t, &c, epoch); end != 32*second || timeout || !c.Ack.IsZero() {
		t.Errorf("end %v %v", end, timeout)
	}
	c.Start(epoch, tcp, request(t, "INVITE"))
	if c.Receive(epoch, busy); c.State != Terminated {
		t.Errorf("over TCP %v", c.State)
	}
}

// RFC 3261 §17.1.1.3: "The ACK request constructed by the client transaction MUST
// contain values for the Call-ID, From, and Request-URI that are equal to the
// values of those header fields in the request passed to the transport by the
// client transaction [...]. The To header field in the ACK MUST equal the To
// header field in the response being acknowledged [...]. The ACK MUST contain a
// single Via header field, and this MUST be equal to the top Via header field of
// the original request. The CSeq header field in the ACK MUST contain the same
// value for the sequence number as was present in the original request, but the
// method parameter MUST be equal to "ACK". If the INVITE request whose response is
// being acknowledged had Route header fields, those header fields MUST appear in
// the ACK."
func TestAckOfRefusal(t *testing.T) {
	invite := request(t, "INVITE", "Route: <sip:p1;lr>, <sip:p2;lr>")
	ack := AckRefusal(invite, response(t, "486", "INVITE"))
	want := strings.Join([]string{
		"ACK sip:110@10.0.0.2 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport", "Route: <sip:p1;lr>",
		"Route: <sip:p2;lr>",
		"Max-Forwards: 70", "From: <sip:a@10.0.0.1>;tag=a", "To: <sip:110@10.0.0.2>;tag=b", "Call-ID: c", "CSeq: 7 ACK",
		"Content-Length: 0", "", "",
	}, "\r\n")
	if got := ack.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// RFC 6026 §8.4: "Any 2xx responses that match this client transaction and that are
// received while in the "Accepted" state MUST be passed up to the TU. The client
// transaction MUST NOT generate an ACK to the 2xx response." It lasts for timer M,
// 64*T1.
func TestAcceptedInviteDeliversEach2xx(t *testing.T) {
	var c ClientInvite
	c.Start(epoch, udp, request(t, "INVITE"))
	ok := response(t, "200", "INVITE")
	for range 3 {
		if s := c.Receive(epoch, ok); !s.Deliver || s.Send != nil || c.State != Accepted {
			t.Fatalf("%+v %v", s, c.State)
		}
	}
	if s := c.Receive(epoch, response(t, "180", "INVITE")); s.Deliver {
		t.Error("a late 180 was delivered")
	}
	if sent, end, timeout := run(t, &c, epoch); len(sent) != 0 || end != 32*second || timeout {
		t.Errorf("%v %v %v", sent, end, timeout)
	}
}

// RFC 3261 §17.1.2.2: "If timer E fires while in [the Trying] state, the timer is
// reset, but this time with a value of MIN(2*T1, T2). [...] the default values [...]
// result in intervals of 500 ms, 1 s, 2 s, 4 s, 4 s, 4 s, etc." "If Timer F fires
// while the client transaction is still in the "Trying" state, the client
// transaction SHOULD inform the TU about the timeout".
func TestRequestIsResentUpToT2(t *testing.T) {
	var c Client
	c.Start(epoch, udp, request(t, "BYE"))
	sent, end, timeout := run(t, &c, epoch)
	wantTimes(t, sent, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500)
	if end != 32*second || !timeout {
		t.Errorf("end %v, timeout %v", end, timeout)
	}
}

// RFC 3261 §17.1.2.2: "If a provisional response is received while in the "Trying"
// state, the response MUST be passed to the TU, and then the client transaction
// SHOULD move to the "Proceeding" state. [...] If Timer E fires while in the
// "Proceeding" state, the request MUST be passed to the transport layer for
// retransmission, and Timer E MUST be reset with a value of T2 seconds."
func TestRequestProceeding(t *testing.T) {
	var c Client
	c.Start(epoch, udp, request(t, "BYE"))
	if s := c.Receive(epoch, response(t, "100", "BYE")); !s.Deliver {
		t.Error("not delivered")
	}
	sent, _, timeout := run(t, &c, epoch)
	wantTimes(t, sent, 500, 4500, 8500, 12500, 16500, 20500, 24500, 28500)
	if !timeout {
		t.Error("no timeout")
	}
}

// RFC 3261 §17.1.2.2: "Once the client transaction enters the "Completed" state,
// it MUST set Timer K to fire in T4 seconds for unreliable transports, and zero
// seconds for reliable transports. The "Completed" state exists to buffer any
// additional response retransmissions".
func TestRequestCompleted(t *testing.T) {
	var c Client
	ok := response(t, "200", "BYE")
	c.Start(epoch, udp, request(t, "BYE"))
	if s := c.Receive(epoch, ok); !s.Deliver || !c.Req.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := c.Receive(epoch, ok); s.Deliver {
		t.Error("a copy was delivered")
	}
	if _, end, timeout := run(t, &c, epoch); end != 5*second || timeout {
		t.Errorf("end %v %v", end, timeout)
	}
	c.Start(epoch, tcp, request(t, "BYE"))
	if c.Receive(epoch, ok); c.State != Terminated {
		t.Errorf("over TCP %v", c.State)
	}
}

// RFC 3261 §17.2.1: "If a request retransmission is received while in the
// "Proceeding" state, the most recent provisional response that was received from
// the TU MUST be passed to the transport layer for retransmission."
func TestCopyOfInviteGetsLastProvisional(t *testing.T) {
	var s ServerInvite
	s.Start(udp)
	invite := request(t, "INVITE")
	trying, ringing := response(t, "100", "INVITE"), response(t, "180", "INVITE")
	for _, res := range []*gosip.Response{trying, ringing} {
		s.Respond(epoch, res)
		if step := s.Receive(epoch, invite); step.Send != gosip.Message(res) || step.Deliver {
			t.Errorf("%+v", step)
		}
	}
}

// RFC 3261 §17.2.1: "When the "Completed" state is entered, timer H MUST be set to
// fire in 64*T1 seconds for all transports. [...] If timer G fires, the response is
// passed to the transport layer once more for retransmission, and timer G is set to
// fire in MIN(2*T1, T2) seconds." "If timer H fires while in the "Completed" state,
// it implies that the ACK was never received."
func TestRefusalIsResentUntilAck(t *testing.T) {
	var s ServerInvite
	s.Start(udp)
	busy := response(t, "486", "INVITE")
	s.Respond(epoch, busy)
	if step := s.Receive(epoch, request(t, "INVITE")); step.Send != gosip.Message(busy) {
		t.Error("a copy of the INVITE gets no copy of the answer")
	}
	sent, end, timeout := run(t, &s, epoch)
	wantTimes(t, sent, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500)
	if end != 32*second || !timeout {
		t.Errorf("end %v %v", end, timeout)
	}
}

// RFC 3261 §17.2.1: "If an ACK is received while the server transaction is in the
// "Completed" state, the server transaction MUST transition to the "Confirmed"
// state. As Timer G is ignored in this state, any retransmissions of the response
// will cease. [...] The purpose of the "Confirmed" state is to absorb any
// additional ACK messages that arrive [...] Timer I is set to fire in T4 seconds for
// unreliable transports, and zero seconds for reliable transports."
func TestAckConfirmsRefusal(t *testing.T) {
	var s ServerInvite
	ack := request(t, "ACK")
	s.Start(udp)
	s.Respond(epoch, response(t, "486", "INVITE"))
	if step := s.Receive(epoch, ack); step.Deliver || step.Send != nil || s.State != Confirmed || !s.Last.IsZero() {
		t.Errorf("%+v %v", step, s.State)
	}
	if sent, end, timeout := run(t, &s, epoch); len(sent) > 0 || end != 5*second || timeout {
		t.Errorf("%v %v %v", sent, end, timeout)
	}
	s.Start(tcp)
	s.Respond(epoch, response(t, "486", "INVITE"))
	if s.Receive(epoch, ack); s.State != Terminated {
		t.Errorf("over TCP %v", s.State)
	}
}

// RFC 6026 §8.7: "The purpose of the "Accepted" state is to absorb retransmissions
// of an accepted INVITE request. Any such retransmissions are absorbed entirely
// within the server transaction. They are not passed up to the TU since any
// downstream UAS cores that accepted the request have taken responsibility for
// reliability and will already retransmit their 2xx responses if necessary." The TU
// may send its 2xx again, an ACK goes up to it, and timer L is 64*T1.
func TestAcceptedServer(t *testing.T) {
	var s ServerInvite
	s.Start(udp)
	ok := response(t, "200", "INVITE")
	for range 2 {
		if step := s.Respond(epoch, ok); step.Send == nil || s.State != Accepted {
			t.Errorf("%+v %v", step, s.State)
		}
	}
	if step := s.Respond(epoch, response(t, "487", "INVITE")); step.Send != nil {
		t.Error("487 after 200")
	}
	if step := s.Receive(epoch, request(t, "INVITE")); step != (Step{}) {
		t.Errorf("copy of the INVITE: %+v", step)
	}
	if step := s.Receive(epoch, request(t, "ACK")); !step.Deliver {
		t.Error("ACK not delivered")
	}
	if sent, end, timeout := run(t, &s, epoch); len(sent) > 0 || end != 32*second || timeout {
		t.Errorf("%v %v %v", sent, end, timeout)
	}
}

// RFC 3261 §17.2.2: "Once in the "Trying" state, any further request
// retransmissions are discarded." "any other final responses passed by the TU to
// the server transaction MUST be discarded while in the "Completed" state." "While
// in the "Completed" state, the server transaction MUST pass the final response to
// the transport layer for retransmission whenever a retransmission of the request
// is received." Timer J: "64*T1 seconds for unreliable transports, and zero seconds
// for reliable transports".
func TestServer(t *testing.T) {
	var s Server
	s.Start(udp)
	if step := s.Receive(); step.Send != nil {
		t.Error("answered before the answer")
	}
	ok := response(t, "200", "BYE")
	if step := s.Respond(epoch, ok); step.Send == nil {
		t.Error("not sent")
	}
	if step := s.Respond(epoch, response(t, "500", "BYE")); step.Send != nil {
		t.Error("two final responses")
	}
	if step := s.Receive(); step.Send != gosip.Message(ok) {
		t.Error("a copy is not answered")
	}
	if _, end, _ := run(t, &s, epoch); end != 32*second || !s.Last.IsZero() {
		t.Errorf("end %v", end)
	}
	s.Start(tcp)
	if s.Respond(epoch, ok); s.State != Terminated {
		t.Errorf("over TCP %v", s.State)
	}
}

// RFC 3261 §17.2.3: the request matches if "1. the branch parameter in the request
// is the same as the one in the top Via header field of the request that created
// the transaction, and 2. the sent-by value in the top Via of the request is equal
// to the one in the request that created the transaction, and 3. the method of the
// request matches the one that created the transaction, except for ACK, where the
// method of the request that created the transaction is INVITE."
func TestKey(t *testing.T) {
	key := func(method, via string) Key {
		t.Helper()
		k, ok := KeyOf(request(t, method, "Via: SIP/2.0/UDP "+via))
		if !ok {
			t.Fatal("no key")
		}
		return k
	}
	invite := key("INVITE", "10.0.0.5:5060;branch=z9hG4bKx")
	if key("ACK", "10.0.0.5:5060;branch=z9hG4bKx") != invite ||
		key("CANCEL", "10.0.0.5:5060;branch=z9hG4bKx").Invite() != invite {
		t.Error("ACK or CANCEL of the same branch do not match")
	}
	for _, other := range []Key{
		key("INVITE", "10.0.0.5:5060;branch=z9hG4bKy"), key("INVITE", "10.0.0.6:5060;branch=z9hG4bKx"),
		key("INVITE", "10.0.0.5:5061;branch=z9hG4bKx"), key("BYE", "10.0.0.5:5060;branch=z9hG4bKx"),
		key("CANCEL", "10.0.0.5:5060;branch=z9hG4bKx"),
	} {
		if other == invite {
			t.Errorf("%+v matches", other)
		}
	}
	// Without the magic cookie: From tag, Call-ID and CSeq number.
	if key("INVITE", "10.0.0.5;branch=1") != key("ACK", "10.0.0.5;branch=2") {
		t.Error("a RFC 2543 client's ACK does not match its INVITE")
	}
}

func BenchmarkRefusedInvite(b *testing.B) {
	invite, busy := request(b, "INVITE"), response(b, "486", "INVITE")
	b.ReportAllocs()
	for b.Loop() {
		var c ClientInvite
		c.Start(epoch, udp, invite)
		c.Receive(epoch, busy)
		c.Tick(epoch.Add(time.Minute))
	}
}

// What is written of a machine is all of it.
func TestMachinesHideNothing(t *testing.T) {
	for _, m := range []machine{&ClientInvite{}, &Client{}, &ServerInvite{}, &Server{}} {
		if hidden := snapshot.Hidden(reflect.TypeOf(m).Elem()); hidden != nil {
			t.Errorf("lost: %v", hidden)
		}
	}
}
