package ua

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// shelf is a Keeper: what the first process holds the next may take.
type shelf struct {
	mu   sync.Mutex
	held map[string]int
}

func (s *shelf) Kept(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(func(yield func(string) bool) {
		for name := range s.held {
			if strings.HasPrefix(name, prefix) && !yield(name) {
				return
			}
		}
	})
}

func (s *shelf) Take(name string) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd, ok := s.held[name]
	if !ok {
		return 0, false
	}
	mine, err := syscall.Dup(fd)
	return mine, err == nil
}

func (s *shelf) Hold(name string, fd int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine, err := syscall.Dup(fd); err == nil {
		s.held[name] = mine
	}
}

func (s *shelf) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fd, ok := s.held[name]; ok {
		_ = syscall.Close(fd)
		delete(s.held, name)
	}
}

func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.held))
}

// One process leaves and another goes on: the peers' sockets stay connected, and what they send in between is heard.
func TestSocketsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	kept := &shelf{held: map[string]int{}}
	t.Cleanup(func() {
		for _, name := range kept.names() {
			kept.Drop(name)
		}
	})
	first := newRig(t, func(c *Config) { c.Keeper = kept })
	options := func(p *peer, id string) {
		p.send("OPTIONS sip:lab@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.10;branch=z9hG4bK" + id +
			";rport\r\nMax-Forwards: 70\r\n" +
			"From: <sip:a@127.0.0.10>;tag=1\r\nTo: <sip:lab@127.0.0.1>\r\nCall-ID: " + id +
			"\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
	}
	byUDP, byTCP := first.udp(trunkHost), first.tcp(trunkHost)
	first.tcp("127.0.0.99") // who is nobody yet and not kept
	for _, p := range []*peer{byUDP, byTCP} {
		options(p, "before")
		if got := p.receive(); !strings.HasPrefix(got, "SIP/2.0 200 ") {
			t.Fatal(got)
		}
	}
	first.Leave()
	for _, p := range []*peer{byUDP, byTCP} {
		options(p, "between")
	}
	second := newRig(t, func(c *Config) { c.Keeper = kept })
	for _, transport := range []string{"udp", "tcp"} {
		if second.addr(transport) != first.addr(transport) {
			t.Errorf("%s is at %v now", transport, second.addr(transport))
		}
	}
	for _, p := range []*peer{byUDP, byTCP} {
		if got := p.receive(); !strings.HasPrefix(got, "SIP/2.0 200 ") ||
			!strings.Contains(got, "Call-ID: between\r\n") {
			t.Error(got)
		}
	}
	// It ends as one that was never kept.
	for _, c := range second.conns.list() {
		c.close(ErrStopped)
	}
	if _, err := byTCP.tryReceive(); err == nil {
		t.Error("the connection is still open")
	}
	if names := kept.names(); len(names) != 2 {
		t.Errorf("kept: %v", names)
	}
}
