package engine

import (
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"liandong/media/codec"
)

// BenchmarkStandingSilence is 600 calls over sockets in which nobody says anything: the CPU time of the whole process.
func BenchmarkStandingSilence(b *testing.B) {
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // is not read, and costs no more
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	cfg := labConfig(nil)
	e, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Stop()
	to := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	for range 600 {
		s := e.NewSession("silent", func(Event) {})
		for id := range LegID(2) {
			if _, err := s.Open(id+1, "lab"); err != nil {
				b.Fatal(err)
			}
			s.Do(Stream{Leg: id + 1, Remote: to, Codec: codec.PCMA, PT: 8, Send: true, Receive: true})
		}
		s.Do(Listen{Leg: 1, From: []LegID{2}})
		s.Do(Listen{Leg: 2, From: []LegID{1}})
	}
	for b.Loop() {
		time.Sleep(4 * time.Second)
		packets, before, from := e.Stats().PacketsOut, cpuTime(b), time.Now()
		time.Sleep(3 * time.Second)
		took := time.Since(from)
		b.ReportMetric(100*float64(cpuTime(b)-before)/float64(took), "%core")
		b.ReportMetric(float64(e.Stats().PacketsOut-packets)/took.Seconds(), "packets/s")
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
