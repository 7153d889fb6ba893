package ua

import (
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"liandong/sip/leg"
)

const benchInvite = "INVITE sip:110@10.0.0.1:5060 SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 127.0.0.10:5060;branch=z9hG4bK776asdhds;rport\r\n" +
	"Max-Forwards: 70\r\nFrom: \"13812345678\" <sip:13812345678@10.0.0.2>;tag=1928301774\r\n" +
	"To: <sip:110@10.0.0.1>\r\nCall-ID: a84b4c76e66710@pbx\r\nCSeq: 314159 INVITE\r\nContact: <sip:13812345678@10.0.0.2:5060>\r\n" +
	"P-Asserted-Identity: <tel:+8613812345678>\r\nSupported: timer, 100rel\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n" +
	"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"

func BenchmarkRead(b *testing.B) {
	data := []byte(benchInvite)
	b.ReportAllocs()
	for b.Loop() {
		if m, err := read(data); err != nil || m.fault.code != 0 {
			b.Fatal(err, m.fault)
		}
	}
}

// What is allocated for a message: its text, itself, what is usual in it, the list of its header fields, its body and
// the length of that.
func TestReadAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has sync.Pool throw away what is put back")
	}
	data := []byte(benchInvite)
	least := 1000.0 // what other tests have left running allocates as well
	for range 10 {
		runtime.GC() // the next reader is a new one, in which other header fields meet
		runtime.GC()
		least = min(least, testing.AllocsPerRun(100, func() { _, _ = read(data) }))
	}
	if least > 6 {
		t.Errorf("%v times", least)
	}
}

// BenchmarkStranger is what a flood costs us for each packet.
func BenchmarkStranger(b *testing.B) {
	cfg := labConfig()
	cfg.Strangers, cfg.MaxRate, cfg.MaxBurst = Drop, 1, 1
	u, err := New(cfg, newInbox(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	data := []byte(strings.Replace(benchInvite, "127.0.0.10", "192.0.2.1", 1))
	flow := leg.Flow{Network: "lab", Transport: "udp", Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	b.ReportAllocs()
	for b.Loop() {
		u.receive(arrival{data: data}, flow, nil)
	}
}
