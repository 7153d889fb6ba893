package engine

import (
	"math"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/quality"
)

const (
	xrTurn    = 3   // an extended report goes with each third report, and with the last
	xrUnknown = 127 // RFC 3611 §4.7: "A value of 127 indicates that this parameter is unavailable"
	xrPLC     = 2   // RFC 3611 §4.7.6: standard concealment, in the two top bits
)

// extended is what a party's VoIP metrics block says of our stream, over its whole length.
type extended struct {
	known        bool
	loss         float64 // lost and discarded
	mosLQ, mosCQ float64 // 0: it does not say
	delay        time.Duration
}

// extendedReport is the VoIP metrics of what came from the party: RFC 3611 §4.7. Nobody has to
// agree on it first: who does not know it passes over it.
func (l *leg) extendedReport() *rtcp.ExtendedReport {
	loss, q := l.reception.pattern.Loss(), l.whole()
	packet := l.reception.packetTime()
	buffer := milliseconds(l.buffered())
	gap := time.Duration(loss.Gap.Packets) * packet / time.Duration(loss.Bursts+1)
	burst := time.Duration(loss.Burst.Packets) * packet / time.Duration(max(loss.Bursts, 1))
	return &rtcp.ExtendedReport{SenderSSRC: l.out.ssrc, Reports: []rtcp.ReportBlock{&rtcp.VoIPMetricsReportBlock{
		SSRC:     l.reception.ssrc,
		LossRate: fraction(loss.Ratio()), DiscardRate: fraction(l.discarded()),
		BurstDensity: fraction(loss.BurstDensity()), GapDensity: fraction(loss.GapDensity()),
		BurstDuration: milliseconds(burst), GapDuration: milliseconds(gap),
		RoundTripDelay: milliseconds(q.RTT), EndSystemDelay: milliseconds(l.buffered() + packet),
		SignalLevel: xrUnknown, NoiseLevel: xrUnknown, RERL: xrUnknown, Gmin: quality.Gmin,
		RFactor: uint8(math.Round(q.In.R)), ExtRFactor: xrUnknown, MOSLQ: tenths(q.In.MOSLQ), MOSCQ: tenths(q.In.MOSCQ),
		RXConfig: xrPLC << 6, JBNominal: buffer, JBMaximum: buffer, JBAbsMax: buffer,
	}}}
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

// fraction is in 256ths, all of them for a loss that is whole: RFC 3611 §4.7.1.
func fraction(x float64) uint8 { return uint8(min(x*256, 255)) }

func milliseconds(d time.Duration) uint16 {
	return uint16(min(max(d/time.Millisecond, 0), math.MaxUint16))
}

// tenths is a score of 1.0 to 5.0 as RFC 3611 §4.7.5 writes it, 10 to 50.
func tenths(mos float64) uint8 {
	if mos == 0 {
		return xrUnknown
	}
	return uint8(math.Round(mos * 10))
}

// voip reads a party's VoIP metrics of our stream. Other blocks mean nothing to us.
func (l *leg) voip(report *rtcp.ExtendedReport) {
	for _, block := range report.Reports {
		if b, ok := block.(*rtcp.VoIPMetricsReportBlock); ok && b.SSRC == l.out.ssrc {
			l.feedback.xr = extended{
				known: true, loss: min(float64(b.LossRate)/256+float64(b.DiscardRate)/256, 1),
				mosLQ: score(b.MOSLQ), mosCQ: score(b.MOSCQ), delay: time.Duration(b.EndSystemDelay) * time.Millisecond,
			}
		}
	}
}

// score is 0 for what is unavailable, and for what is outside of RFC 3611 §4.7.5's range.
func score(tenths uint8) float64 {
	if tenths < 10 || tenths > 50 {
		return 0
	}
	return float64(tenths) / 10
}
