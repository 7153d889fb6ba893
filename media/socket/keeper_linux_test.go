package socket

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"liandong/media/socket/sockettest"
)

// TestPortsGoOn: a port outlives the transport that opened it; what comes meanwhile is handed over by the next one,
// however it receives, and the port is free when that one closes it.
func TestPortsGoOn(t *testing.T) {
	for _, c := range []Config{{}, {Raw: true}, {Steered: true}, {Raw: true, Steered: true}} {
		keeper := sockettest.NewKeeper()
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
		if n := keeper.Len(); n != 0 {
			t.Errorf("%s: the keeper still has %d", second.Name(), n)
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
