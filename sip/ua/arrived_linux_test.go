package ua

import (
	"net"
	"testing"
	"time"
)

// A datagram that has lain in the socket says so.
func TestArrived(t *testing.T) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stampArrivals(c)
	before := time.Now()
	if _, err = c.WriteTo([]byte("INVITE"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	var buf, control [64]byte
	_, n, _, _, err := c.ReadMsgUDPAddrPort(buf[:], control[:])
	if err != nil {
		t.Fatal(err)
	}
	at := arrived(control[:n])
	if slack := time.Second; at.Before(before.Add(-slack)) || at.After(after.Add(slack)) {
		t.Errorf("came at %v, sent between %v and %v", at, before, after)
	}
	if !arrived(nil).IsZero() || !arrived(make([]byte, 64)).IsZero() {
		t.Error("a time of nothing")
	}
}
