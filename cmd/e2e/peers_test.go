// Package e2e is the tests of the whole switch against programs that others wrote (SIPp, baresip, redis-server) and
// against our own scripted phone, and of those against one another: a test of the switch is worth what its peers are.
//
// A test whose program is absent says so and skips; with LIANDONG_PEERS=required it fails instead.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// absent skips for want of something, unless the run is one where nothing may skip.
func absent(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("LIANDONG_PEERS") == "required" {
		t.Fatal("required by LIANDONG_PEERS: ", why)
	}
	t.Skip(why)
}

// program is the path of an installed program.
func program(t testing.TB, name, pack string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, name+" is not installed (apt-get install "+pack+")")
	}
	return path
}

// needRaw is for SIPp playing recorded RTP, which takes a raw socket.
func needRaw(t testing.TB) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	if err != nil {
		absent(t, "SIPp plays RTP through a raw socket, which this user may not open (run as root): "+err.Error())
	}
	syscall.Close(fd)
}

// within is a deadline for everything that waits in a test.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	here    = netip.MustParseAddr("127.0.0.1")
	citizen = netip.MustParseAddr("127.0.0.10") // the trunk's address in the lab
)

// ports hands out each port once, so that tests beside each other do not take one from another: SIP and HTTP below the
// ports that others get by chance, RTP above. It begins anywhere, for other test programs on this machine.
var (
	ports    atomic.Uint32
	rtpPorts atomic.Uint32
)

func init() {
	ports.Store(rand.Uint32N(750))
	rtpPorts.Store(rand.Uint32N(24))
}

// freePort is an even port that is free for UDP and TCP, and for UDP on the odd port above it; the 14 that follow are
// for those who want more, as SIPp and baresip do for their sound.
func freePort(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	for range 750 {
		port := netip.AddrPortFrom(at, uint16(8000+16*(ports.Add(1)%750)))
		if isFree(port) {
			return port
		}
	}
	t.Fatal("no free port")
	return netip.AddrPort{}
}

// isFree lets no program start meanwhile: until it has started it would hold these sockets, too.
func isFree(port netip.AddrPort) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(port))
	if err != nil {
		return false
	}
	defer tcp.Close()
	for p := port.Port(); p <= port.Port()+1; p++ {
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(port.Addr(), p)))
		if err != nil {
			return false
		}
		defer u.Close()
	}
	return true
}

// freeRTP is a range of 400 ports.
func freeRTP() string {
	first := 20000 + 400*(rtpPorts.Add(1)%24)
	return fmt.Sprintf("%d-%d", first, first+399)
}

// TestMain has more tests beside each other than there are cores: mostly they wait, for rings and for speech.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// newPhone is one of our own phones, speaking a tone.
func newPhone(t testing.TB, cfg phone.Config) *phone.Phone {
	t.Helper()
	if !cfg.Listen.IsValid() {
		cfg.Listen = netip.AddrPortFrom(here, 0)
	}
	cfg.Record = true
	p, err := phone.New(cfg)
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

// next is the phone's next incoming call.
func next(t testing.TB, p *phone.Phone) *phone.Call {
	t.Helper()
	select {
	case c := <-p.Incoming():
		return c
	case <-within(t, 15*time.Second).Done():
		t.Fatalf("%s: no call came", p.Name())
		return nil
	}
}

// hears waits until a call's phone hears a tone, and hardly anything else.
func hears(t testing.TB, c *phone.Call, hz float64) {
	t.Helper()
	err := c.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond,
		func(pcm []int16) bool { return phone.Share(pcm, hz) > 0.8 })
	if err != nil {
		t.Fatalf("%v Hz: %v", hz, err)
	}
}
