package phone

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// told is a Voice that remembers what it was told.
type told struct {
	addr netip.AddrPort

	mu     sync.Mutex
	talks  []Talk // guarded by mu
	mutes  int    // guarded by mu
	closes int    // guarded by mu
}

func (v *told) Addr() netip.AddrPort { return v.addr }
func (v *told) Connect(t Talk)       { v.mu.Lock(); defer v.mu.Unlock(); v.talks = append(v.talks, t) }
func (v *told) Mute()                { v.mu.Lock(); defer v.mu.Unlock(); v.mutes++ }
func (v *told) Close()               { v.mu.Lock(); defer v.mu.Unlock(); v.closes++ }

func TestVoiceOfAnother(t *testing.T) {
	v := &told{addr: netip.MustParseAddrPort("127.0.0.1:40000")}
	p := ring(t, Config{Voice: func() (Voice, error) { return v, nil }}, Config{Policy: AnswerAfter(0)}, CallOptions{})
	must(t, p.caller.WaitState(within(t), Confirmed))
	must(t, p.desk.WaitState(within(t), Confirmed))
	must(t, p.caller.Hangup(within(t)))
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.talks) != 1 || v.talks[0].To != p.desk.Voice().Addr() || v.talks[0].Events != 101 || !v.talks[0].Sends {
		t.Errorf("connected %+v", v.talks)
	}
	if v.mutes != 1 || v.closes == 0 || p.caller.Voice() != Voice(v) {
		t.Errorf("muted %d times, closed %d times", v.mutes, v.closes)
	}
}

func TestNote(t *testing.T) {
	all := 0
	seen := make(chan Logged, 100)
	p := ring(t, Config{Note: func(l Logged) { seen <- l }}, Config{Policy: AnswerAfter(0)}, CallOptions{})
	must(t, p.caller.WaitState(within(t), Confirmed))
	must(t, p.caller.Hangup(within(t)))
	p.a.Close()
	close(seen)
	for l := range seen {
		if !l.Again { // a machine that is held up repeats itself
			all++
		}
	}
	// INVITE, 100, 180, 200, ACK, BYE, 200
	if all != 7 || len(p.a.Messages()) != 0 {
		t.Errorf("told %d messages, kept %d", all, len(p.a.Messages()))
	}
}

// A server whose answer points elsewhere, by Contact and SDP, gets its ACK and a BYE itself; elsewhere nothing comes.
func TestAllow(t *testing.T) {
	elsewhere, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	must(t, err)
	defer elsewhere.Close()
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	defer server.Close()
	a := newPhone(t, Config{User: "alice", Allow: func(a netip.Addr) bool { return a == loopback.Addr() }})
	c, err := a.Call("sip:bob@"+server.LocalAddr().String(), CallOptions{})
	must(t, err)

	m, from := hear(t, server)
	sdp := localSDP{audio: elsewhere.LocalAddr().(*net.UDPAddr).AddrPort(), codecs: []Codec{PCMA}, direction: SendRecv}
	res := reply(m, 200, "OK", "tag", Header{"Contact", "<sip:bob@" + elsewhere.LocalAddr().String() + ">"},
		Header{"Content-Type", "application/sdp"})
	res.Body = sdp.bytes()
	_, err = server.WriteToUDPAddrPort(res.Bytes(), from)
	must(t, err)
	for _, want := range []string{"ACK", "BYE"} {
		if m, from = hear(t, server); m.Method != want {
			t.Fatalf("%s came, want %s", m.Method, want)
		}
	}
	_, err = server.WriteToUDPAddrPort(reply(m, 200, "OK", "tag").Bytes(), from)
	must(t, err)
	must(t, c.WaitState(within(t), Ended))
	if e := c.Ending(); e.Code != 488 || !strings.Contains(e.Phrase, "127.0.0.9") {
		t.Errorf("ended %+v", e)
	}
	if err := a.send(m, flow{"udp", elsewhere.LocalAddr().(*net.UDPAddr).AddrPort()}, false); !errors.Is(err,
		ErrNotAllowed) {
		t.Errorf("sent elsewhere: %v", err)
	}
	// A request from elsewhere gets no answer; the same from the server does.
	opts := &Message{Method: "OPTIONS", URI: "sip:alice@" + a.Addr().String(), Headers: []Header{
		{"Via", "SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKx;rport"}, {"From", "<sip:x@x>;tag=1"}, {"To", "<sip:y@y>"},
		{"Call-ID", "x"}, {"CSeq", "1 OPTIONS"}}}
	_, err = elsewhere.WriteToUDPAddrPort(opts.Bytes(), a.Addr())
	must(t, err)
	opts.set("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKy;rport")
	_, err = server.WriteToUDPAddrPort(opts.Bytes(), a.Addr())
	must(t, err)
	if m, _ = hear(t, server); m.Code != 200 {
		t.Errorf("OPTIONS: %s", m.Short())
	}
	a.Close()
	must(t, elsewhere.SetReadDeadline(time.Now()))
	if n, err := elsewhere.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes came where none may", n)
	}
}

// hear is the next message at a socket.
func hear(t *testing.T, conn *net.UDPConn) (*Message, netip.AddrPort) {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	buf := make([]byte, 65536)
	n, from, err := conn.ReadFromUDPAddrPort(buf)
	must(t, err)
	m, err := ParseMessage(buf[:n])
	must(t, err)
	return m, from
}
