package phone

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

func random32() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// Reports is the RTCP that came (Config.RTCP).
type Reports struct {
	Sender, Receiver, Byes int
	AboutUs                int // report blocks on our own SSRC
	LastSender             rtcp.SenderReport
	LastCame               time.Time
	Extended               []rtcp.VoIPMetricsReportBlock // RFC 3611 §4.7, on our own SSRC
}

// sendReport is a sender report of RFC 3550 §6.4.1. Of the other side's stream it says only when its last report came.
func (m *media) sendReport(now time.Time) {
	m.mu.Lock()
	ntp := uint64(now.Unix()+2208988800)<<32 | uint64(now.Nanosecond())<<32/1e9
	report := &rtcp.SenderReport{SSRC: m.ssrc, NTPTime: ntp, RTPTime: m.ts, PacketCount: m.sent, OctetCount: m.octets}
	if last := &m.reports; last.Sender > 0 {
		report.Reports = []rtcp.ReceptionReport{{SSRC: last.LastSender.SSRC,
			LastSenderReport: uint32(last.LastSender.NTPTime >> 16),
			Delay:            uint32(now.Sub(last.LastCame) * 65536 / time.Second)}}
	}
	name := &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: m.ssrc,
		Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "phone@" + m.addr.Addr().String()}}}}}
	to := m.rtcpTo
	raw, err := rtcp.Marshal([]rtcp.Packet{report, name})
	if m.srtp.seal != nil && err == nil {
		raw, err = m.srtp.seal.EncryptRTCP(nil, raw, nil)
	}
	m.mu.Unlock()
	if err == nil && to.IsValid() {
		m.rtcp.WriteToUDPAddrPort(raw, to)
	}
}

func (m *media) readRTCP() {
	buf := make([]byte, 2048)
	for {
		n, _, err := m.rtcp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m.tap(buf[:n])
		m.mu.Lock()
		raw := buf[:n]
		if m.srtp.open != nil {
			raw, err = m.srtp.open.DecryptRTCP(nil, raw, nil)
		}
		m.mu.Unlock()
		if err != nil {
			continue
		}
		packets, err := rtcp.Unmarshal(raw)
		if err != nil {
			continue
		}
		m.mu.Lock()
		for _, p := range packets {
			m.reports.take(p, m.ssrc, time.Now())
		}
		m.touch()
		m.mu.Unlock()
	}
}

func (r *Reports) take(p rtcp.Packet, ours uint32, now time.Time) {
	var blocks []rtcp.ReceptionReport
	switch p := p.(type) {
	case *rtcp.SenderReport:
		r.Sender++
		r.LastSender, r.LastCame, blocks = *p, now, p.Reports
	case *rtcp.ReceiverReport:
		r.Receiver++
		blocks = p.Reports
	case *rtcp.ExtendedReport:
		for _, block := range p.Reports {
			if b, ok := block.(*rtcp.VoIPMetricsReportBlock); ok && b.SSRC == ours {
				r.Extended = append(r.Extended, *b)
			}
		}
	case *rtcp.Goodbye:
		r.Byes++
	}
	for _, b := range blocks {
		if b.SSRC == ours {
			r.AboutUs++
		}
	}
}

// Reports is the RTCP that came so far.
func (c *Call) Reports() Reports {
	m := c.voice()
	if m == nil {
		return Reports{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reports
}

// Continuity is how the RTP that came so far hung together.
func (c *Call) Continuity() Continuity {
	m := c.voice()
	if m == nil {
		return Continuity{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed.copy()
}
