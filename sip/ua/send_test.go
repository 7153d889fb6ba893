package ua

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// outbound builds a request of ours.
func outbound(t testing.TB, callID, body string) *gosip.Request {
	t.Helper()
	m, err := read([]byte("INVITE sip:1101@phone.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK" +
		callID + "\r\n" +
		"From: <sip:13812345678@switch>;tag=a\r\nTo: <sip:1101@phone.example>\r\nCall-ID: " + callID +
		"\r\nCSeq: 1 INVITE\r\n\r\n" + body))
	if err != nil || m.fault.code != 0 {
		t.Fatal(err, m.fault)
	}
	return m.msg.(*gosip.Request)
}

func flowTo(transport string, remote netip.AddrPort) leg.Flow {
	return leg.Flow{Network: "lab", Transport: transport, Remote: remote}
}

// listenBoth opens UDP and, if wanted, TCP at one port of loopback.
func listenBoth(t *testing.T, withTCP bool) (*net.UDPConn, *net.TCPListener, netip.AddrPort) {
	t.Helper()
	for range 50 {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		if err != nil {
			_ = l.Close()
			continue
		}
		t.Cleanup(func() { _ = u.Close(); _ = l.Close() })
		if !withTCP {
			_ = l.Close()
		}
		return u, l, unmap(at)
	}
	t.Fatal("no port free on both transports")
	return nil, nil, netip.AddrPort{}
}

func accept(t *testing.T, l *net.TCPListener) *peer {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, conn: c}
}

func TestSendByUDP(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp("127.0.0.1")
	req := outbound(t, "small", "")
	r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", p.local())})
	if got := p.receive(); got != req.String() {
		t.Errorf("sent:\n%s", got)
	}
	r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", netip.AddrPort{}), Target: p.conn.LocalAddr().String()})
	p.receive()
}

func TestAnswerGoesWhereTheViaSays(t *testing.T) {
	r := newRig(t, nil)
	from, sentBy := r.udp(trunkHost), r.udp(trunkHost)
	for _, tt := range []struct {
		params string
		want   *peer
	}{{"", sentBy}, {";rport", from}} {
		inv := from.request("INVITE", "1")
		inv.via = fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bKx%s", sentBy.conn.LocalAddr(), tt.params)
		from.send(inv.String())
		in := r.inbox.next(t)
		res := gosip.NewResponseFromRequest(in.Packet.Msg.(*gosip.Request), 180, "Ringing", nil)
		r.Send(leg.Packet{Msg: res, Flow: leg.ReplyFlow(in.Packet)})
		wantCode(t, tt.want.receive(), 180)
		// with nothing but the Via to go by
		r.Send(leg.Packet{Msg: res, Flow: leg.Flow{Network: "lab", Transport: "udp"}})
		wantCode(t, tt.want.receive(), 180)
		inv.callID, inv.method = "other", "DANCE" // and the answers without a leg go the same way
		from.send(inv.String())
		wantCode(t, tt.want.receive(), 501)
	}
}

// RFC 3261 §18.1.1: "If a request is within 200 bytes of the path MTU, or if it
// is larger than 1300 bytes and the path MTU is unknown, the request MUST be
// sent using an RFC 2914 congestion controlled transport protocol, such as TCP.
// If this causes a change in the transport protocol from the one indicated in
// the top Via, the value in the top Via MUST be changed."
func TestLargeRequestGoesByTCP(t *testing.T) {
	r := newRig(t, nil)
	_, l, at := listenBoth(t, true)
	req := outbound(t, "large", strings.Repeat("x", 1500))
	r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", at)})
	p := accept(t, l)
	got := p.receive()
	if via := field(t, got, "Via"); via != fmt.Sprintf("SIP/2.0/TCP %s;branch=z9hG4bKlarge", r.addr("tcp")) {
		t.Errorf("Via %s", via)
	}
	if !strings.HasSuffix(got, strings.Repeat("x", 1500)) || req.Via().Transport != "UDP" {
		t.Error("body cut, or the leg's own message changed")
	}
	r.Bind("large", r.inbox) // the answer comes back on the connection
	p.send("SIP/2.0 180 Ringing\r\nVia: " + field(t, got, "Via") +
		"\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:c@d>;tag=b\r\n" +
		"Call-ID: large\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n")
	if f := r.inbox.next(t).Packet.Flow; f.Transport != "tcp" || f.Remote != at {
		t.Errorf("%+v", f)
	}
	r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", at)})
	if p.receive() != got {
		t.Error("the second does not use the same connection")
	}
}

func TestLargeRequestGoesWholeByUDPWithoutTCP(t *testing.T) {
	r := newRig(t, nil)
	udp, _, at := listenBoth(t, false)
	buf := make([]byte, 65535)
	for i := range 3 {
		req := outbound(t, fmt.Sprint("large", i), strings.Repeat("x", 4000))
		r.Send(leg.Packet{Msg: req, Flow: flowTo("udp", at)})
		n, err := udp.Read(buf)
		if err != nil || string(buf[:n]) != req.String() {
			t.Fatalf("%v, %d bytes:\n%s", err, n, buf[:n])
		}
	}
	if n := r.Stats().SendErrors; n != 0 {
		t.Errorf("%d errors", n)
	}
}

func TestLargeAnswerStaysOnUDP(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp(trunkHost)
	p.send(p.request("INVITE", "1").String())
	in := r.inbox.next(t)
	res := gosip.NewResponseFromRequest(in.Packet.Msg.(*gosip.Request), 200, "OK", []byte(strings.Repeat("x", 3000)))
	r.Send(leg.Packet{Msg: res, Flow: in.Packet.Flow})
	wantCode(t, p.receive(), 200)
}

func TestSendFails(t *testing.T) {
	r := newRig(t, nil)
	_, _, dead := listenBoth(t, false)
	r.resolver.dns = fakeDNS{}
	tests := []struct {
		name string
		p    leg.Packet
		want error
	}{
		{"dead TCP target", leg.Packet{Flow: flowTo("tcp", dead)}, ErrUnreachable},
		{"name unknown", leg.Packet{Flow: flowTo("udp", netip.AddrPort{}), Target: "nowhere.example:5060"},
			ErrNoTarget},
		{"no target", leg.Packet{Flow: flowTo("udp", netip.AddrPort{})}, ErrNoTarget},
		{"network unknown", leg.Packet{Flow: leg.Flow{Network: "moon", Transport: "udp", Remote: dead}},
			ErrNoTransport},
		{"network unknown, TCP", leg.Packet{Flow: leg.Flow{Network: "moon", Transport: "tcp", Remote: dead}},
			ErrNoTransport},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Msg = outbound(t, "failing", "")
			r.Bind("failing", r.inbox)
			r.Send(tt.p)
			in := r.inbox.next(t)
			if !errors.Is(in.Err, tt.want) {
				t.Errorf("error %v, want %v", in.Err, tt.want)
			}
			if in.Packet.Msg != tt.p.Msg {
				t.Error("not the packet that was sent")
			}
		})
	}
}

// A peer that stops reading fills its own queue and nobody else's.
func TestTCPPeerThatDoesNotRead(t *testing.T) {
	r := newRig(t, nil)
	stuck, fine := r.tcp(trunkHost), r.tcp(trunkHost)
	_ = stuck.conn.(*net.TCPConn).SetReadBuffer(4096)
	for _, p := range []*peer{stuck, fine} { // the connections are known once they have answered
		wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
	}
	r.Bind("stuck", r.inbox)
	req := outbound(t, "stuck", strings.Repeat("x", 60000))
	var failed error
	for i := 0; failed == nil && i < 5000; i++ {
		r.Send(leg.Packet{Msg: req, Flow: flowTo("tcp", stuck.local())})
		wantCode(t, fine.ask(fine.request("OPTIONS", "1").String()), 200)
		select {
		case in := <-r.inbox.got:
			failed = in.Err
		default:
		}
	}
	if !errors.Is(failed, ErrBacklog) {
		t.Errorf("error %v", failed)
	}
}

// And it loses its connection when its time is up, with all that waited.
func TestTCPWriteTimeout(t *testing.T) {
	r := newRig(t, func(c *Config) { c.WriteTimeout = 1 })
	p := r.tcp(trunkHost)
	p.send(p.request("INVITE", "1").String())
	in := r.inbox.next(t)
	r.Bind("late", r.inbox)
	r.Send(leg.Packet{Msg: outbound(t, "late", ""), Flow: in.Packet.Flow})
	if err := r.inbox.next(t).Err; !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v", err)
	}
	eventually(t, "the connection is gone", func() bool { return r.Stats().Connections == 0 })
}

// RFC 3261 §18.2.2: with the connection closed, "the server SHOULD open a
// connection to the IP address in the 'received' parameter ... using the port in
// the 'sent-by' value".
func TestAnswerAfterTheConnectionIsGone(t *testing.T) {
	r := newRig(t, nil)
	_, l, at := listenBoth(t, true)
	p := r.tcp("127.0.0.1")
	r.Bind("mine", r.inbox)
	q := p.request("INVITE", "1")
	q.callID, q.via = "mine", fmt.Sprintf("SIP/2.0/TCP %s;branch=z9hG4bKx", at)
	p.send(q.String())
	in := r.inbox.next(t)
	_ = p.conn.Close()
	eventually(t, "the connection is gone", func() bool { return r.Stats().Connections == 0 })
	res := gosip.NewResponseFromRequest(in.Packet.Msg.(*gosip.Request), 200, "OK", nil)
	r.Send(leg.Packet{Msg: res, Flow: in.Packet.Flow})
	wantCode(t, accept(t, l).receive(), 200)
}

type fakeDNS struct {
	hosts   map[string]string
	srv     map[string]string
	waiting chan struct{}
}

func (d fakeDNS) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	if d.waiting != nil {
		select {
		case <-d.waiting:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if ip, ok := d.hosts[host]; ok {
		return []netip.Addr{netip.MustParseAddr("127.0.0.99"), netip.MustParseAddr(ip)}, nil
	}
	return nil, errors.New("no such host")
}

func (d fakeDNS) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if target, ok := d.srv["_"+service+"._"+proto+"."+name]; ok {
		host, port, _ := splitTarget(target)
		return "", []*net.SRV{{Target: "backup.", Port: 1, Priority: 20},
			{Target: host + ".", Port: port, Priority: 10}}, nil
	}
	return "", nil, errors.New("no records")
}

// The caller goes on while a name is looked up, and the messages keep their order.
func TestNamesAreResolvedInTheBackground(t *testing.T) {
	r := newRig(t, nil)
	p := r.udp("127.0.0.1")
	release := make(chan struct{})
	r.resolver.dns = fakeDNS{
		hosts:   map[string]string{"pbx.example": "127.0.0.1"},
		srv:     map[string]string{"_sip._udp.example": fmt.Sprint("pbx.example:", p.port())},
		waiting: release,
	}
	for name, target := range map[string]string{"a": fmt.Sprint("pbx.example:", p.port()), "srv": "example"} {
		for i := range 10 {
			r.Send(leg.Packet{Msg: outbound(t, fmt.Sprint(name, i), ""), Flow: flowTo("udp", netip.AddrPort{}),
				Target: target})
		}
	}
	close(release)
	next := map[string]int{}
	for range 20 {
		id := field(t, p.receive(), "Call-ID")
		name, n := id[:len(id)-1], id[len(id)-1:]
		if n != fmt.Sprint(next[name]) {
			t.Fatalf("%s comes after %s%d", id, name, next[name]-1)
		}
		next[name]++
	}
}

func TestStopWaitsAndLeavesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.resolver.dns = fakeDNS{waiting: make(chan struct{})}
	_, l, at := listenBoth(t, true)
	p := r.tcp("127.0.0.1")
	wantCode(t, p.ask(p.request("REGISTER", "1101").String()), 401)
	r.Bind("open", r.inbox)
	r.Send(leg.Packet{Msg: outbound(t, "open", ""), Flow: flowTo("tcp", at)})
	accept(t, l).receive()
	r.Send(leg.Packet{Msg: outbound(t, "open", ""), Flow: flowTo("udp", netip.AddrPort{}), Target: "slow.example"})
	r.Stop()
	r.inbox.empty(t)
	if !p.hungUp() {
		t.Error("connection still open")
	}
	eventually(t, "no goroutine of the package is left", func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "ua.(*UA).spawn") && !strings.Contains(stacks, "ua.(*conn).") &&
			!strings.Contains(stacks, "ua.(*UA).read")
	})
	r.Send(leg.Packet{Msg: outbound(t, "open", ""), Flow: flowTo("tcp", at)}) // harmless
	r.Stop()
}

func TestStartFailsWhole(t *testing.T) {
	r := newRig(t, nil)
	cfg := labConfig()
	cfg.Networks["taken"] = Network{UDP: r.addr("udp")}
	u, err := New(cfg, newInbox(), r.log.log)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Start(); err == nil || !strings.Contains(err.Error(), "networks.taken.sip: ") {
		t.Errorf("error %v", err)
	}
}

func TestLocalShowsTheAdvertisedHost(t *testing.T) {
	r := newRig(t, func(c *Config) {
		n := c.Networks["lab"]
		n.Advertise = "sip.liandong.lab"
		c.Networks["lab"] = n
	})
	l, ok := r.Local("lab", "udp")
	port := r.addr("udp").Port()
	if !ok || l.Contact != fmt.Sprintf("sip:sip.liandong.lab:%d;transport=udp", port) ||
		l.ViaHost != fmt.Sprintf("sip.liandong.lab:%d", port) {
		t.Errorf("%+v", l)
	}
	if _, ok := r.Local("moon", "udp"); ok {
		t.Error("a network that is not there")
	}
}

func TestUnknownPeersGetAQuarterOfTheConnections(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxConnections = 8 })
	first := r.tcp("127.0.0.1")
	for range 2 {
		r.tcp("127.0.0.1").send("\r\n")
	}
	if !first.hungUp() {
		t.Error("three strangers are in")
	}
	eventually(t, "two are in", func() bool { return r.Stats().Connections == 2 })
	trunk := r.tcp(trunkHost)
	wantCode(t, trunk.ask(trunk.request("OPTIONS", "1").String()), 200)
}

// One source that opens connections and says nothing takes the places of its own old ones, and keeps no
// phone out: that is one of those who have not shown yet who they are, too.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxConnections = 32 }) // 8 of unknown peers
	first := r.tcp("127.0.0.66")
	for range 20 {
		r.tcp("127.0.0.66")
	}
	early := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	for range 20 {
		r.tcp("127.0.0.66")
	}
	wantCode(t, early.register(), 200)
	wantCode(t, newPhone(r.tcp("127.0.0.1"), "1102", "MD5").register(), 200)
	if !first.hungUp() {
		t.Error("the oldest idle connection stays")
	}
	if n := r.conns.size(); n > 10 {
		t.Errorf("%d connections", n)
	}
}

// What comes behind half a message would be taken for its rest: a connection on which it
// stays half is ended, a trunk's too. One on which nothing is said is not.
func TestHalfMessageEndsTheConnection(t *testing.T) {
	r := newRig(t, func(c *Config) { c.IdleTimeout = 300 * time.Millisecond })
	quiet, half := r.tcp(trunkHost), r.tcp(trunkHost)
	for _, p := range []*peer{quiet, half} {
		wantCode(t, p.ask(p.request("OPTIONS", "1").String()), 200)
	}
	half.send("\r\n\r\nOPTIONS sip:110@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.10")
	if text, err := half.tryReceive(); err == nil && text == "" {
		t.Fatal("no pong")
	}
	if !half.hungUp() {
		t.Error("the half message is waited for")
	}
	wantCode(t, quiet.ask(quiet.request("OPTIONS", "2").String()), 200)
}
