package engine

import (
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/report"
	"liandong/media/socket"
)

const (
	reportInterval = 5 * time.Second         // RFC 3550 §6.2
	xrTurn         = 3                       // an extended report goes with each third report, and with the last
	cnameBytes     = 12                      // RFC 7022 §4.2: 96 random bits
	reportSpread   = 2500 * time.Millisecond // RFC 3550 §6.3.1: not all at once
)

// reports is the RTCP side of a leg. Owned by the leg.
type reports struct {
	cname    string
	due      time.Time
	from     netip.AddrPort // where the party's RTCP comes from
	beside   netip.AddrPort // while its RTP goes there
	turn     int            // reports sent
	packets  uint32         // sent at the last report
	received uint32         // received at the last report
	since    time.Time      // what came is counted
	came     int
}

const (
	reportSpan = time.Second // a party sends its reports seconds apart (RFC 3550 §6.2);
	mostCame   = 20          // of what comes faster, so many are read: a flood must not hold up the tick
)

// floods says that more came than anybody has to say.
func (r *reports) floods(now time.Time) bool {
	if now.Sub(r.since) >= reportSpan {
		r.since, r.came = now, 0
	}
	r.came++
	return r.came > mostCame
}

// newReports makes up a name that says nothing of us: RFC 7022.
func newReports() reports {
	var name [cnameBytes]byte
	_, _ = rand.Read(name[:]) // never fails
	return reports{cname: hex.EncodeToString(name[:])}
}

func (r *reports) start(now time.Time) {
	r.due = now.Add(reportSpread + mathrand.N(reportSpread))
}

// report sends what is due each five seconds.
func (l *leg) report(now time.Time) {
	if !l.ready || now.Before(l.reports.due) {
		return
	}
	l.reports.due = now.Add(reportInterval)
	l.appraise(now)
	l.reports.turn++
	packets := l.compound(l.shard.now) // not the tick's time: the round trip is measured with it
	if l.reports.turn%xrTurn == 0 && l.reception.Received() > 0 {
		packets = append(packets, l.extendedReport())
	}
	l.sendRTCP(packets)
}

// extendedReport is the VoIP metrics of what came from the party: RFC 3611 §4.7. Nobody has to
// agree on it first: who does not know it passes over it.
func (l *leg) extendedReport() *rtcp.ExtendedReport {
	q := l.whole()
	return &rtcp.ExtendedReport{SenderSSRC: l.out.ssrc, Reports: []rtcp.ReportBlock{l.reception.VoIP(report.Metrics{
		Loss: l.reception.Loss(), Discarded: l.discarded(), Buffered: l.buffered(), RTT: q.RTT,
		R: q.In.R, MOSLQ: q.In.MOSLQ, MOSCQ: q.In.MOSCQ,
	})}}
}

// discarded is the part of the packets that came and were too late, or too early, to be mixed;
// a relay leaves out none.
func (l *leg) discarded() float64 {
	if l.voice.playout == nil {
		return 0
	}
	s := l.voice.playout.Stats()
	left := s.Late + s.Skipped
	return float64(left) / float64(max(1, left+s.Played))
}

// goodbye ends the stream towards the party: RFC 3550 §6.6.
func (l *leg) goodbye(now time.Time) {
	if !l.ready || l.out.packets == 0 {
		return
	}
	packets := l.compound(now)
	if l.reception.Received() > 0 {
		packets = append(packets, l.extendedReport())
	}
	l.sendRTCP(append(packets, &rtcp.Goodbye{Sources: []uint32{l.out.ssrc}}))
}

// compound is a report and our name: RFC 3550 §6.1.
func (l *leg) compound(now time.Time) []rtcp.Packet {
	var blocks []rtcp.ReceptionReport
	if l.reception.Received() != l.reports.received {
		blocks = append(blocks, l.reception.Block(now))
		l.reports.received = l.reception.Received()
	}
	sdes := rtcp.NewCNAMESourceDescription(l.out.ssrc, l.reports.cname)
	if l.out.packets == l.reports.packets {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: l.out.ssrc, Reports: blocks}, sdes}
	}
	l.reports.packets = l.out.packets
	sr := &rtcp.SenderReport{
		SSRC: l.out.ssrc, NTPTime: report.NTP(now), RTPTime: l.out.last + l.out.clock.Ticks(now.Sub(l.out.at)),
		PacketCount: l.out.packets, OctetCount: l.out.octets, Reports: blocks,
	}
	l.feedback.Note(sr, now)
	return []rtcp.Packet{sr, sdes}
}

func (l *leg) sendRTCP(packets []rtcp.Packet) {
	data, err := rtcp.Marshal(packets)
	if err != nil {
		l.shard.log.Error("rtcp not sent", "session", l.room.session.ref, "leg", l.id, "err", err)
		return
	}
	socket, to := l.pair.rtcp, l.rtcpRemote()
	if l.stream.RTCPMux {
		socket = l.pair.rtp
	}
	if !usable(to) {
		return
	}
	if l.protection.on {
		if data, err = l.protection.sender.RTCP(data); err != nil {
			return // after 2^31 reports: RFC 3711 §9.2
		}
	}
	l.shard.net.Queue(socket, to, data)
}

// rtcpRemote is where the party's RTCP is: where it comes from, or was signalled, or
// next to its RTP.
func (l *leg) rtcpRemote() netip.AddrPort {
	remote := l.latch.remote
	switch {
	case l.stream.RTCPMux:
		return remote
	case l.reports.from.IsValid() && l.reports.beside == remote:
		return l.reports.from
	case usable(l.stream.RemoteRTCP) && remote == l.stream.Remote:
		return l.stream.RemoteRTCP
	}
	return netip.AddrPortFrom(remote.Addr(), remote.Port()+1) // RFC 3550 §11
}

// receiveRTCP reads what the party says of its stream. Only the address that its RTP
// goes to is listened to.
func (l *leg) receiveRTCP(p socket.Packet, now time.Time) {
	if p.From.Addr() != l.latch.remote.Addr() && l.latch.vouch(p.From) < byHost {
		l.shard.count.strangers.Add(1)
		return
	}
	data, ok := l.open(p.Data, true)
	if !ok {
		return
	}
	if l.reports.floods(now) {
		l.shard.count.malformed.Add(1)
		return
	}
	packets, broken := report.Unpack(data)
	if broken {
		l.shard.count.malformed.Add(1)
	}
	if len(packets) == 0 {
		return
	}
	l.room.look()
	l.reported(now)
	if p.From == l.rtcpRemote() || l.protection.on || slices.ContainsFunc(packets, l.concerns) {
		l.reports.from, l.reports.beside = p.From, l.latch.remote
	}
	came := now.Add(-p.Waited) // delays are measured with it
	for _, packet := range packets {
		if l.present(packet, came) {
			l.alive(now)
		}
		l.listenTo(packet, came)
	}
}

// concerns says whether a report is of this leg's streams: one of another call on the same host, or of the port's last
// call, is not.
func (l *leg) concerns(packet rtcp.Packet) bool {
	var from uint32
	var about []rtcp.ReceptionReport
	switch packet := packet.(type) {
	case *rtcp.SenderReport:
		from, about = packet.SSRC, packet.Reports
	case *rtcp.ReceiverReport:
		from, about = packet.SSRC, packet.Reports
	default:
		return false
	}
	return l.reception.Received() > 0 && from == l.reception.SSRC() ||
		slices.ContainsFunc(about, func(r rtcp.ReceptionReport) bool { return r.SSRC == l.out.ssrc })
}

// listenTo takes what a report says of the stream that the party gets.
func (l *leg) listenTo(packet rtcp.Packet, now time.Time) {
	switch packet := packet.(type) {
	case *rtcp.SenderReport:
		l.blocks(packet.Reports, now)
	case *rtcp.ReceiverReport:
		l.blocks(packet.Reports, now)
	case *rtcp.ExtendedReport:
		l.feedback.Extended(packet, l.out.ssrc)
	}
}

// blocks reads the report blocks that are about our stream.
func (l *leg) blocks(reports []rtcp.ReceptionReport, now time.Time) {
	for _, block := range reports {
		if block.SSRC == l.out.ssrc {
			l.feedback.Block(block, l.out.packets, l.out.clock, now)
		}
	}
}

// present says whether a report shows that the party is there although no sound may come:
// phones that suppress silence say so by a receiver report (RFC 3550 §6.4), or by a sender
// report that counts nothing more. One that sends into the void is not present.
func (l *leg) present(packet rtcp.Packet, now time.Time) bool {
	switch packet := packet.(type) {
	case *rtcp.ReceiverReport:
		return true
	case *rtcp.SenderReport:
		return packet.SSRC == l.reception.SSRC() && l.reception.Note(packet, now)
	}
	return false
}
