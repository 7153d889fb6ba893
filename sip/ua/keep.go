package ua

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

// Keeper keeps sockets for the process that comes after this one, so that no peer notices when this one dies.
type Keeper interface {
	Kept(prefix string) []string        // names of what the process before had and nobody has taken
	Take(name string) (fd int, ok bool) // which belongs to the caller then
	Hold(name string, fd int)           // keeps a duplicate, before the socket is used
	Drop(name string)                   // keeps it no longer
}

// Sockets are kept as sip/udp/ADDRESS and so on, connections as sip/conn/NETWORK/OURS-THEIRS. TLS connections are not:
// what both sides have agreed on dies with the process, and the peer connects again.
const keptConns = "sip/conn/"

// bindUDP takes up the socket that the process before had, or opens one.
func (u *UA) bindUDP(at netip.AddrPort) (*net.UDPConn, error) {
	name := "sip/udp/" + at.String()
	if f := u.taken(name); f != nil {
		defer f.Close()
		c, err := net.FilePacketConn(f)
		if err != nil {
			return nil, err
		}
		return c.(*net.UDPConn), nil
	}
	c, err := net.ListenUDP(family("udp", at.Addr()), net.UDPAddrFromAddrPort(at))
	if err == nil {
		u.keepSocket(name, c)
	}
	return c, err
}

// bindTCP is bindUDP for a door of connections.
func (u *UA) bindTCP(at netip.AddrPort) (*net.TCPListener, error) {
	name := "sip/tcp/" + at.String()
	if f := u.taken(name); f != nil {
		defer f.Close()
		l, err := net.FileListener(f)
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}
	l, err := net.ListenTCP(family("tcp", at.Addr()), net.TCPAddrFromAddrPort(at))
	if err == nil {
		u.keepSocket(name, l)
	}
	return l, err
}

// taken is a descriptor of the process before; nil: there is none.
func (u *UA) taken(name string) *os.File {
	if u.cfg.Keeper == nil {
		return nil
	}
	fd, ok := u.cfg.Keeper.Take(name)
	if !ok {
		return nil
	}
	return os.NewFile(uintptr(fd), name)
}

func (u *UA) keepSocket(name string, c syscall.Conn) {
	if u.cfg.Keeper == nil {
		return
	}
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { u.cfg.Keeper.Hold(name, int(fd)) })
	}
	if err != nil {
		u.log.say(slog.LevelWarn, "a socket does not outlive this process", "name", name, "error", err)
	}
}

// resume goes on with the connections of the process before.
func (u *UA) resume() {
	if u.cfg.Keeper == nil {
		return
	}
	for _, name := range u.cfg.Keeper.Kept(keptConns) {
		network, _, _ := strings.Cut(strings.TrimPrefix(name, keptConns), "/")
		if _, ok := u.listen[door{network: network}]; !ok {
			continue // the network is gone, and the connection with it
		}
		if err := u.resumeConn(network, name); err != nil {
			u.cfg.Keeper.Drop(name)
		}
	}
	for _, notes := range u.notes { // of connections that are gone
		for _, n := range notes {
			u.unnote(n.kept)
		}
	}
}

func (u *UA) resumeConn(network, name string) error {
	f := u.taken(name)
	if f == nil {
		return net.ErrClosed
	}
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		return err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok || tcp.RemoteAddr() == nil { // it has ended meanwhile
		_ = nc.Close()
		return net.ErrClosed
	}
	c := u.newConn(connKey{network: network, remote: unmap(tcp.RemoteAddr().(*net.TCPAddr).AddrPort())}, tcp)
	c.trunk = u.origins.Load().trunk(c.key.flow())
	c.proven.Store(true) // others are not kept
	c.kept, c.rest = name, u.rests[name]
	notes := u.notes[name]
	if p, ok := u.glimpses[name]; ok {
		notes = c.resumeGlimpse(tcp, p, notes)
	}
	c.resumeNotes(notes)
	delete(u.notes, name)
	if gone, _ := u.conns.put(c, u.cfg.MaxConnections); gone != nil {
		gone.close(net.ErrClosed)
	}
	if !u.spawn(c.write) {
		c.close(net.ErrClosed)
		return nil
	}
	u.resumed = append(u.resumed, c)
	return nil
}

// keep hands a connection over once its peer has shown who it is. Caller is its dialler, acceptor or reader.
func (c *conn) keep() {
	tcp, ok := c.nc.(*net.TCPConn)
	if !ok || c.u.cfg.Keeper == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.kept != "" {
		return
	}
	c.kept = fmt.Sprintf("%s%s/%v-%v", keptConns, c.key.network, tcp.LocalAddr(), c.key.remote)
	c.u.keepSocket(c.kept, tcp)
}

// release closes the socket for the peer too: the keeper's duplicate would hold it open. When another process goes on
// with it, it stays open by just that.
func (c *conn) release(nc net.Conn, kept string) {
	if tcp, ok := nc.(*net.TCPConn); ok && kept != "" && !c.u.leaving.Load() {
		_ = tcp.CloseWrite()
		_ = tcp.CloseRead()
		c.u.cfg.Keeper.Drop(kept)
	}
	_ = nc.Close()
}

// StopHearing ends the readers between two messages: another process is to hear the next. What calls have to say is
// still sent.
func (u *UA) StopHearing() {
	u.life.Lock()
	u.leaving.Store(true)
	u.life.Unlock()
	past := time.Unix(1, 0)
	for _, c := range u.udp {
		_ = c.SetReadDeadline(past)
	}
	for _, l := range u.listen {
		_ = l.SetDeadline(past)
	}
	for _, c := range u.conns.list() {
		c.mu.Lock()
		if c.nc != nil {
			_ = c.nc.SetReadDeadline(past)
		}
		c.mu.Unlock()
	}
	u.readers.Wait()
	u.gate.flush()
}

// flushWait is how long Leave waits for peers that are slow to read.
const flushWait = 50 * time.Millisecond

// Leave gives the sockets up without a word to anybody: another process goes on with them.
func (u *UA) Leave() {
	u.StopHearing()
	for until := time.Now().Add(flushWait); u.conns.queued() && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	u.Stop()
}

// hear runs a reader that StopHearing waits for; false when none may begin any more.
func (u *UA) hear(f func()) bool {
	u.life.Lock()
	defer u.life.Unlock()
	if u.stop || u.leaving.Load() {
		return false
	}
	u.readers.Add(1)
	u.wg.Go(func() {
		defer u.readers.Done()
		f()
	})
	return true
}
