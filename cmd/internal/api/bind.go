package api

import (
	"net"
	"net/netip"
	"os"
)

// bind takes up the listener that the process before had, or opens one that the next may have.
func (s *Server) bind(at netip.AddrPort) (net.Listener, error) {
	name := "http/" + at.String()
	if s.sw.Keeper == nil {
		return net.Listen("tcp", at.String())
	}
	if fd, ok := s.sw.Keeper.Take(name); ok {
		f := os.NewFile(uintptr(fd), name)
		defer f.Close() // the listener has a descriptor of its own
		return net.FileListener(f)
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, err
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { s.sw.Keeper.Hold(name, int(fd)) })
	}
	if err != nil {
		s.log.Warn("the HTTP listener does not outlive this process", "at", at, "err", err)
	}
	return l, nil
}
