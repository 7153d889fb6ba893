package ua

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// datagramPair is a socket that is read, and what sends to it.
func datagramPair(t testing.TB) (in *net.UDPConn, out *net.UDPConn) {
	t.Helper()
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if out, err = net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	return in, out
}

// What lies in a socket, and what comes while something is handled, is given in order, each with its source; and one
// that comes just when the reader is about to wait is not left behind.
func TestDatagramsInOrder(t *testing.T) {
	in, out := datagramPair(t)
	const lying, following = 100, 2000
	for i := range lying {
		if _, err := fmt.Fprintf(out, "%d", i); err != nil {
			t.Fatal(err)
		}
	}
	d, err := newDatagrams(in)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.SetReadDeadline(time.Now().Add(time.Minute))
	next := 0
	err = d.each(func(data []byte, from netip.AddrPort, _ time.Time) {
		if string(data) != fmt.Sprint(next) || from != out.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Errorf("%q from %v in the place of %d", data, from, next)
		}
		if next++; next >= lying && next < lying+following { // there is nothing else in the socket
			_, _ = fmt.Fprintf(out, "%d", next)
		}
		if next == lying+following {
			_ = in.Close()
		}
	})
	if !errors.Is(err, net.ErrClosed) || next != lying+following {
		t.Errorf("%d came, then %v", next, err)
	}
}

// Who leaves takes no more out of a socket than is in its hands: the rest is for the process after it.
func TestDatagramsLeft(t *testing.T) {
	in, out := datagramPair(t)
	const all = 100
	for range all {
		_, _ = out.Write([]byte("x"))
	}
	d, err := newDatagrams(in)
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	_ = d.each(func([]byte, netip.AddrPort, time.Time) {
		if taken++; taken == 1 {
			_ = in.SetReadDeadline(time.Unix(1, 0))
		}
	})
	_ = in.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 8)
	for left := all - taken; left > 0; left-- {
		if _, _, err := in.ReadFromUDPAddrPort(buf); err != nil {
			t.Fatalf("%d of %d were taken, and %d are gone: %v", taken, all, left, err)
		}
	}
	if taken == all {
		t.Error("all were taken")
	}
}

// BenchmarkDatagrams is what it costs to send and take one: one at a time, and a burst.
func BenchmarkDatagrams(b *testing.B) {
	for _, burst := range []int{1, 8} {
		b.Run(fmt.Sprint(burst), func(b *testing.B) {
			in, out := datagramPair(b)
			d, err := newDatagrams(in)
			if err != nil {
				b.Fatal(err)
			}
			text, n := []byte(benchInvite), 0
			send := func() {
				for range burst {
					_, _ = out.Write(text)
				}
			}
			b.ReportAllocs()
			send()
			_ = d.each(func([]byte, netip.AddrPort, time.Time) {
				if n++; n >= b.N {
					_ = in.SetReadDeadline(time.Unix(1, 0))
				} else if n%burst == 0 {
					send()
				}
			})
		})
	}
}
