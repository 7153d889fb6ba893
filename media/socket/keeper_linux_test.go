package socket

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// drawer is a Keeper.
type drawer struct {
	mu   sync.Mutex // guards held
	held map[string]int
}

func (d *drawer) Take(name string) (int, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd, ok := d.held[name]
	if !ok {
		return 0, false
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return own, err == nil
}

func (d *drawer) Hold(name string, fd int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[name], _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

func (d *drawer) Drop(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if fd, ok := d.held[name]; ok {
		_ = unix.Close(fd)
		delete(d.held, name)
	}
}

// TestPortsGoOn: a port outlives the transport that opened it; what comes meanwhile is handed over by the next one,
// however it receives, and the port is free when that one closes it.
func TestPortsGoOn(t *testing.T) {
	for _, c := range []Config{{}, {Raw: true}, {Steered: true}, {Raw: true, Steered: true}} {
		keeper := &drawer{held: map[string]int{}}
		c.Keeper = keeper
		open := func() Transport {
			all, err := Open(1, c, discard)
			if err != nil {
				t.Fatal(err)
			}
			return all[0]
		}
		first := open()
		local := freePort(t)
		s, err := first.Open(local)
		if err != nil {
			t.Fatal(err)
		}
		first.Watch(s, OnDemand)
		phone, err := net.Dial("udp4", local.String())
		if err != nil {
			t.Fatal(err)
		}
		defer phone.Close()
		first.Stop()
		say := func(word string) {
			if _, err := phone.Write([]byte(word)); err != nil {
				t.Fatalf("%s: %q: %v", first.Name(), word, err)
			}
		}
		say("while nobody was there")
		second := open()
		if s, err = second.Open(local); err != nil {
			t.Fatal(err)
		}
		second.Watch(s, Promptly)
		say("and after")
		var got []string
		eventually(t, "both come", func() bool {
			second.Poll(0)
			second.Drain(func(p Packet) { got = append(got, string(p.Data)) })
			return len(got) == 2
		})
		if want := []string{"while nobody was there", "and after"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q", second.Name(), got)
		}
		second.Close(s)
		if len(keeper.held) != 0 {
			t.Errorf("%s: the keeper still has %v", second.Name(), keeper.held)
		}
		if s, err = second.Open(local); err != nil {
			t.Errorf("%s: the port is not free: %v", second.Name(), err)
		}
		second.Close(s)
		second.Stop()
	}
}

// freePort is one that nobody has at the moment.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}
