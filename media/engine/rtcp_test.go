package engine

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
	"liandong/media/socket"
)

// reportsTo parses every compound that a phone got.
func reportsTo(t *testing.T, p *phone) (all [][]rtcp.Packet) {
	t.Helper()
	for _, data := range p.rtcp {
		packets, err := rtcp.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := rtcp.CompoundPacket(packets).Validate(); err != nil { // RFC 3550 §6.1
			t.Errorf("compound: %v", err)
		}
		all = append(all, packets)
	}
	return all
}

func TestSenderReports(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.header.SequenceNumber = 65500
	a.hears(Playlist{}, b)
	r.run(time.Second)
	sr, _ := (&rtcp.SenderReport{SSRC: a.header.SSRC, NTPTime: 0x1122334455667788}).Marshal()
	r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: a.addr, Data: sr})
	r.step()
	a.header.SequenceNumber += 10 // lost on the way
	r.run(20 * time.Second)

	all := reportsTo(t, a)
	if len(all) < 4 || len(all) > 5 {
		t.Fatalf("%d reports in 21 s, want one each 5 s", len(all))
	}
	if a.from != a.port+1 {
		t.Errorf("sent from port %d, want %d", a.from, a.port+1)
	}
	first := all[0][0].(*rtcp.SenderReport)
	if first.SSRC != a.got[0].SSRC || first.PacketCount == 0 || first.OctetCount != first.PacketCount*160 {
		t.Errorf("report %+v", first)
	}
	block := first.Reports[0]
	if block.SSRC != a.header.SSRC || block.TotalLost != 10 || block.FractionLost == 0 ||
		block.LastSenderReport != 0x33445566 || block.Delay == 0 || block.Jitter != 0 {
		t.Errorf("block %+v", block)
	}
	second := all[1][0].(*rtcp.SenderReport)
	if second.Reports[0].FractionLost != 0 || second.Reports[0].TotalLost != 10 {
		t.Errorf("second block %+v: the loss is over", second.Reports[0])
	}
	// The same five seconds on both clocks: RFC 3550 §6.4.1.
	wall := float64(second.NTPTime-first.NTPTime) / (1 << 32)
	media := float64(second.RTPTime-first.RTPTime) / 8000
	if d := wall - media; d > 0.03 || d < -0.03 {
		t.Errorf("%.3f s of NTP time, %.3f s of RTP time", wall, media)
	}
}

func TestReceiverReportAndGoodbye(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	hold := a.stream()
	hold.Send = false
	r.session.Do(hold)
	r.run(15 * time.Second)
	all := reportsTo(t, a)
	if _, ok := all[len(all)-1][0].(*rtcp.ReceiverReport); !ok {
		t.Errorf("%T to whom we send nothing, want a receiver report", all[len(all)-1][0])
	}
	r.session.Do(Close{Leg: 1})
	r.step()
	all = reportsTo(t, a)
	last := all[len(all)-1]
	if bye, ok := last[len(last)-1].(*rtcp.Goodbye); !ok || bye.Sources[0] != a.got[0].SSRC {
		t.Errorf("the last word is %v, want BYE", last[len(last)-1])
	}
}

// TestMux: RTCP on the RTP port where that was agreed on.
func TestMux(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	mux := a.stream()
	mux.RTCPMux = true
	r.session.Do(mux)
	r.run(time.Second)
	sr, _ := (&rtcp.SenderReport{SSRC: a.header.SSRC, NTPTime: 0x1122334455667788}).Marshal()
	r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port), From: a.addr, Data: sr})
	r.run(6 * time.Second)
	if a.from != a.port {
		t.Errorf("sent from port %d, want %d", a.from, a.port)
	}
	if block := reportsTo(t, a)[0][0].(*rtcp.SenderReport).Reports[0]; block.LastSenderReport != 0x33445566 {
		t.Errorf("block %+v: our sender report was not read", block)
	}
}

// TestReportsMove: reports go where the stream goes, also after the party has moved.
func TestReportsMove(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	rr, _ := (&rtcp.ReceiverReport{SSRC: a.header.SSRC}).Marshal()
	r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1),
		From: netip.AddrPortFrom(a.addr.Addr(), a.addr.Port()+1), Data: rr})
	r.step()
	moved := &phone{rig: r, leg: 1, port: a.port, addr: addr("127.0.0.8:5000"), codec: codec.PCMA}
	r.wire.phones[moved.addr], r.wire.phones[addr("127.0.0.8:5001")] = moved, moved
	r.session.Do(moved.stream())
	a.talks, a.rtcp = false, nil
	r.run(8 * time.Second)
	if len(a.rtcp) != 0 || len(moved.rtcp) == 0 {
		t.Errorf("%d reports to the old place, %d to the new one", len(a.rtcp), len(moved.rtcp))
	}
}

// TestReportsOfAnotherCall: a report that comes from another port of the party's host moves ours only when it is of the
// leg's streams: it may be of the call that has had the ports before.
func TestReportsOfAnotherCall(t *testing.T) {
	for name, c := range map[string]struct {
		report func(l *leg, theirs uint32) rtcp.Packet
		moves  bool
	}{
		"another's sender report": {report: func(*leg, uint32) rtcp.Packet { return &rtcp.SenderReport{SSRC: 7} }},
		"another's receiver report": {report: func(*leg, uint32) rtcp.Packet {
			return &rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{{SSRC: 8}}}
		}},
		"a sender report of its stream": {moves: true, report: func(_ *leg, theirs uint32) rtcp.Packet {
			return &rtcp.SenderReport{SSRC: theirs}
		}},
		"a receiver report of our stream": {moves: true, report: func(l *leg, _ uint32) rtcp.Packet {
			return &rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{{SSRC: l.out.ssrc}}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, labConfig(nil))
			a := r.phone(1, codec.PCMA)
			r.run(time.Second)
			l, before := r.session.room.leg(1), netip.AddrPortFrom(a.addr.Addr(), a.addr.Port()+1)
			from := netip.AddrPortFrom(a.addr.Addr(), a.addr.Port()+7)
			data, err := c.report(l, a.header.SSRC).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: from, Data: data})
			r.step()
			want := before
			if c.moves {
				want = from
			}
			if got := l.rtcpRemote(); got != want {
				t.Errorf("our reports go to %v, want %v", got, want)
			}
		})
	}
}

// TestStrayReports: what is no sound on the RTP port, RTCP that nobody agreed to have there above all, begins no new
// stream: neither the mix nor the statistics notice.
func TestStrayReports(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, b, c)
	r.settle()
	sr, _ := (&rtcp.SenderReport{SSRC: b.header.SSRC, NTPTime: 0x1122334455667788}).Marshal()
	skipped := b.header
	skipped.SequenceNumber, skipped.PayloadType, skipped.SSRC = skipped.SequenceNumber+9000, 77, 1
	b.forget()
	a.forget()
	for range 20 {
		r.run(100 * time.Millisecond)
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(b.port), From: b.addr, Data: sr})
		b.put(b.addr, skipped, make([]byte, 160))
	}
	if n := r.session.room.leg(2).reception.Received(); n < 250 {
		t.Errorf("%d packets counted in the stream, want all of 250", n)
	}
	c.forget()
	if like := a.likeness(b); like < 0.6 {
		t.Errorf("correlation %.2f", like)
	}
}

// TestReportFlood: a thousand reports at once, from where the party is or says to be, are not
// read but for the first, and a second later the party is listened to again.
func TestReportFlood(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	l := r.session.room.leg(1)
	say := func(ntp uint64) {
		sr, _ := (&rtcp.SenderReport{SSRC: a.header.SSRC, NTPTime: ntp << 16}).Marshal()
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: a.addr, Data: sr})
	}
	for n := range uint64(1000) {
		say(n + 1)
	}
	r.pass(0)
	if got := l.reception.Block(r.now).LastSenderReport; got != mostCame {
		t.Errorf("report %d is the last that was read, want %d", got, mostCame)
	}
	r.run(time.Second)
	say(5000)
	r.pass(0)
	if got := l.reception.Block(r.now).LastSenderReport; got != 5000 {
		t.Errorf("a second later %d was read, want 5000", got)
	}
}

// TestDelayIsNeverBehind: RFC 3550 §6.4.1, DLSR is the delay since the sender report came. One that came in the very
// step whose tick is late, and so has an earlier time, must not turn it into hours.
func TestDelayIsNeverBehind(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	l := r.session.room.leg(1)
	l.reports.due = r.now.Add(frameTime)
	sr, _ := (&rtcp.SenderReport{SSRC: a.header.SSRC, NTPTime: 0x1122334455667788}).Marshal()
	r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: a.addr, Data: sr})
	r.pass(frameTime + 5*time.Millisecond)
	all := reportsTo(t, a)
	block := all[len(all)-1][0].(*rtcp.SenderReport).Reports[0]
	if block.LastSenderReport != 0x33445566 || block.Delay == 0 || block.Delay > 65536/10 {
		t.Errorf("block %+v", block)
	}
}
