package engine

import (
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/socket"
)

const (
	reportInterval = 5 * time.Second         // RFC 3550 §6.2
	ntpEpoch       = 2_208_988_800           // seconds from 1900 to 1970
	cnameBytes     = 12                      // RFC 7022 §4.2: 96 random bits
	reportSpread   = 2500 * time.Millisecond // RFC 3550 §6.3.1: not all at once
)

// reports is the RTCP side of a leg. Owned by the leg.
type reports struct {
	cname   string
	due     time.Time
	from    netip.AddrPort // where the party's RTCP comes from
	beside  netip.AddrPort // while its RTP goes there
	turn    int            // reports sent
	packets uint32         // sent at the last report
	heard   uint32         // received at the last report
	since   time.Time      // what came is counted
	came    int
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
	if l.reports.turn%xrTurn == 0 && l.reception.received > 0 {
		packets = append(packets, l.extendedReport())
	}
	l.sendRTCP(packets)
}

// goodbye ends the stream towards the party: RFC 3550 §6.6.
func (l *leg) goodbye(now time.Time) {
	if !l.ready || l.out.packets == 0 {
		return
	}
	packets := l.compound(now)
	if l.reception.received > 0 {
		packets = append(packets, l.extendedReport())
	}
	l.sendRTCP(append(packets, &rtcp.Goodbye{Sources: []uint32{l.out.ssrc}}))
}

// compound is a report and our name: RFC 3550 §6.1.
func (l *leg) compound(now time.Time) []rtcp.Packet {
	var blocks []rtcp.ReceptionReport
	if l.reception.received != l.reports.heard {
		blocks = append(blocks, l.reception.report(now))
		l.reports.heard = l.reception.received
	}
	sdes := rtcp.NewCNAMESourceDescription(l.out.ssrc, l.reports.cname)
	if l.out.packets == l.reports.packets {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: l.out.ssrc, Reports: blocks}, sdes}
	}
	l.reports.packets = l.out.packets
	report := &rtcp.SenderReport{
		SSRC: l.out.ssrc, NTPTime: ntp(now), RTPTime: l.out.last + l.out.clock.ticks(now.Sub(l.out.at)),
		PacketCount: l.out.packets, OctetCount: l.out.octets, Reports: blocks,
	}
	l.feedback.note(report, now)
	return []rtcp.Packet{report, sdes}
}

// ntp is the 32.32 bit time since 1900: RFC 3550 §4.
func ntp(t time.Time) uint64 {
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(t.Unix()+ntpEpoch)<<32 | fraction
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
	packets, broken := unpack(data)
	if broken {
		l.shard.count.malformed.Add(1)
	}
	if len(packets) == 0 {
		return
	}
	l.reported(now)
	l.reports.from, l.reports.beside = p.From, l.latch.remote
	came := now.Add(-p.Waited) // delays are measured with it
	for _, packet := range packets {
		if l.present(packet, came) {
			l.alive(now)
		}
		l.listenTo(packet, came)
	}
}

// unpack takes a compound apart. One packet of it that cannot be read does not spoil the
// others: extended reports above all come in strange shapes.
func unpack(data []byte) (packets []rtcp.Packet, broken bool) {
	for len(data) > 0 {
		var h rtcp.Header
		size := 0
		if h.Unmarshal(data) == nil {
			size = 4 * (int(h.Length) + 1) // RFC 3550 §6.4.1: in 32-bit words minus one
		}
		if size == 0 || size > len(data) {
			return packets, true
		}
		if some, err := rtcp.Unmarshal(data[:size]); err == nil {
			packets = append(packets, some...)
		} else {
			broken = true
		}
		data = data[size:]
	}
	return packets, broken
}

// listenTo takes what a report says of the stream that the party gets.
func (l *leg) listenTo(report rtcp.Packet, now time.Time) {
	switch report := report.(type) {
	case *rtcp.SenderReport:
		l.blocks(report.Reports, now)
	case *rtcp.ReceiverReport:
		l.blocks(report.Reports, now)
	case *rtcp.ExtendedReport:
		l.voip(report)
	}
}

// present says whether a report shows that the party is there although no sound may come:
// phones that suppress silence say so by a receiver report (RFC 3550 §6.4), or by a sender
// report that counts nothing more. One that sends into the void is not present.
func (l *leg) present(report rtcp.Packet, now time.Time) bool {
	switch report := report.(type) {
	case *rtcp.ReceiverReport:
		return true
	case *rtcp.SenderReport:
		return report.SSRC == l.reception.ssrc && l.reception.noteReport(report, now)
	}
	return false
}
