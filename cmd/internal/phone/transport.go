package phone

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// flow is the way to a peer.
type flow struct {
	transport string // "udp", "tcp" or "tls"
	remote    netip.AddrPort
}

// token is a fresh random tag, branch or Call-ID.
func token() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return hex.EncodeToString(b[:])
}

func (p *Phone) readUDP() {
	defer p.wg.Done()
	buf := make([]byte, 65536)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		p.tap(buf[:n])
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if len(bytes.TrimSpace(buf[:n])) == 0 {
			continue // keep-alive, RFC 5626 §3.5.1
		}
		m, err := ParseMessage(buf[:n])
		if err != nil {
			p.log.Warn("unreadable message", "from", from, "err", err)
			continue
		}
		p.post(func() { p.receive(m, flow{"udp", from}) })
	}
}

func (p *Phone) acceptTCP() {
	defer p.wg.Done()
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.do(func() { p.keep(conn) }) != nil {
			conn.Close()
		}
	}
}

// keep owns a connection from now on and reads it. Called by the loop.
func (p *Phone) keep(conn net.Conn) {
	remote := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	p.conns[remote] = conn
	p.wg.Add(1)
	go p.readTCP(conn, remote)
}

func (p *Phone) readTCP(conn net.Conn, remote netip.AddrPort) {
	defer p.wg.Done()
	transport := "tcp"
	if _, secure := conn.(*tls.Conn); secure {
		transport = "tls"
	}
	r := bufio.NewReader(tapped{conn, p})
	for {
		m, err := readStream(r)
		if err != nil {
			break
		}
		p.post(func() { p.receive(m, flow{transport, remote}) })
	}
	conn.Close()
	p.post(func() {
		if p.conns[remote] == conn {
			delete(p.conns, remote)
		}
	})
}

// readStream takes the next message off a stream; its end is where Content-Length says (RFC 3261 §18.3).
func readStream(r *bufio.Reader) (*Message, error) {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(line) == "" && head.Len() == 0 {
			continue // keep-alive
		}
		if strings.TrimSpace(line) == "" {
			break
		}
		if head.WriteString(line); head.Len() > 65536 {
			return nil, fmt.Errorf("%w: headers over 64 KiB", ErrMalformed)
		}
	}
	m, err := parseHead(strings.TrimSuffix(head.String(), "\r\n"))
	if err != nil {
		return nil, err
	}
	n, err := m.contentLength(0)
	if err != nil || n > 1<<20 {
		return nil, fmt.Errorf("%w: Content-Length %q", ErrMalformed, m.Get("Content-Length"))
	}
	m.Body = make([]byte, n)
	_, err = io.ReadFull(r, m.Body)
	return m, err
}

// send writes a message. Called by the loop; a TCP peer that does not read costs the loop a second at most.
func (p *Phone) send(m *Message, f flow, again bool) error {
	if !p.allows(f.remote.Addr()) {
		return fmt.Errorf("%w: %s", ErrNotAllowed, f.remote)
	}
	m = p.dressed(m)
	p.note(Logged{At: time.Now(), Out: true, Peer: f.remote, Transport: f.transport, Again: again, Message: m})
	if p.cfg.Lose != nil && p.cfg.Lose(true, m) {
		return nil
	}
	if f.transport == "udp" {
		_, err := p.udp.WriteToUDPAddrPort(m.Bytes(), f.remote)
		return err
	}
	conn, err := p.conn(f)
	if err != nil {
		return err
	}
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = conn.Write(m.Bytes())
	return err
}

// dressed is a message with what Config adds to each.
func (p *Phone) dressed(m *Message) *Message {
	if len(p.cfg.Extra) == 0 && len(p.cfg.Attributes) == 0 {
		return m
	}
	more := *m
	more.Headers = slices.Concat(m.Headers, p.cfg.Extra)
	if len(m.Body) > 0 && m.Get("Content-Type") == "application/sdp" {
		more.Body = bytes.Clone(m.Body)
		for _, a := range p.cfg.Attributes {
			more.Body = append(more.Body, "a="+a+"\r\n"...)
		}
	}
	return &more
}

func (p *Phone) tap(data []byte) {
	if p.cfg.Tap != nil {
		p.cfg.Tap(data)
	}
}

// tapped is a connection whose bytes are told.
type tapped struct {
	net.Conn
	phone *Phone
}

func (t tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.phone.tap(b[:n])
	return n, err
}

// conn is the open connection to the other end of f, or a new one.
func (p *Phone) conn(f flow) (net.Conn, error) {
	if conn := p.conns[f.remote]; conn != nil {
		return conn, nil
	}
	d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: p.addr.Addr().AsSlice()}}
	conn, err := d.Dial("tcp", f.remote.String())
	if err != nil {
		return nil, err
	}
	if f.transport == "tls" {
		if conn, err = p.secured(conn); err != nil {
			return nil, err
		}
	}
	p.keep(conn)
	return conn, nil
}

// secured puts TLS on a connection that the phone has made.
func (p *Phone) secured(conn net.Conn) (net.Conn, error) {
	cfg := p.cfg.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = conn.RemoteAddr().(*net.TCPAddr).IP.String()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	t := tls.Client(conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// receive is the way in for every message, in wire order per socket.
func (p *Phone) receive(m *Message, f flow) {
	if !p.allows(f.remote.Addr()) || p.cfg.Lose != nil && p.cfg.Lose(false, m) {
		return
	}
	again := p.seen(m)
	p.note(Logged{At: time.Now(), Peer: f.remote, Transport: f.transport, Again: again, Message: m})
	if m.Code != 0 {
		p.response(m)
		return
	}
	p.request(m, f)
}

// viaHost is our sent-by and the host of our Contact.
func (p *Phone) viaHost() string { return p.addr.String() }

func (p *Phone) contact(transport string) string {
	user := ""
	if p.cfg.User != "" {
		user = p.cfg.User + "@"
	}
	suffix := ""
	if transport != "udp" {
		suffix = ";transport=" + transport
	}
	return "<sip:" + user + p.viaHost() + suffix + ">"
}
