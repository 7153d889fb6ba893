package report

import (
	"math"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/quality"
)

const (
	unknown  = 127 // RFC 3611 §4.7: "A value of 127 indicates that this parameter is unavailable"
	standard = 2   // RFC 3611 §4.7.6: standard concealment, in the two top bits
)

// Extended is what a party's VoIP metrics block says of our stream, over its whole length.
type Extended struct {
	Known        bool
	Loss         float64 // lost and discarded
	MOSLQ, MOSCQ float64 // 0: it does not say
	Delay        time.Duration
}

// Metrics are what a VoIP metrics block says of the stream that came from a party.
type Metrics struct {
	Loss      quality.Loss
	Discarded float64       // the part that came and was too late, or too early, to be heard
	Buffered  time.Duration // how long packets wait before they are heard
	RTT       time.Duration // 0: not known
	R         float64
	MOSLQ     float64 // 0: not known
	MOSCQ     float64
}

// VoIP is the VoIP metrics block of RFC 3611 §4.7 about what has come.
func (r *Reception) VoIP(m Metrics) *rtcp.VoIPMetricsReportBlock {
	packet, buffer := r.PacketTime(), milliseconds(m.Buffered)
	gap := time.Duration(m.Loss.Gap.Packets) * packet / time.Duration(m.Loss.Bursts+1)
	burst := time.Duration(m.Loss.Burst.Packets) * packet / time.Duration(max(m.Loss.Bursts, 1))
	return &rtcp.VoIPMetricsReportBlock{
		SSRC:     r.ssrc,
		LossRate: fraction(m.Loss.Ratio()), DiscardRate: fraction(m.Discarded),
		BurstDensity: fraction(m.Loss.BurstDensity()), GapDensity: fraction(m.Loss.GapDensity()),
		BurstDuration: milliseconds(burst), GapDuration: milliseconds(gap),
		RoundTripDelay: milliseconds(m.RTT), EndSystemDelay: milliseconds(m.Buffered + packet),
		SignalLevel: unknown, NoiseLevel: unknown, RERL: unknown, Gmin: quality.Gmin,
		RFactor: uint8(math.Round(m.R)), ExtRFactor: unknown, MOSLQ: tenths(m.MOSLQ), MOSCQ: tenths(m.MOSCQ),
		RXConfig: standard << 6, JBNominal: buffer, JBMaximum: buffer, JBAbsMax: buffer,
	}
}

// fraction is in 256ths, all of them for a loss that is whole: RFC 3611 §4.7.1.
func fraction(x float64) uint8 { return uint8(min(x*256, 255)) }

func milliseconds(d time.Duration) uint16 {
	return uint16(min(max(d/time.Millisecond, 0), math.MaxUint16))
}

// tenths is a score of 1.0 to 5.0 as RFC 3611 §4.7.5 writes it, 10 to 50.
func tenths(mos float64) uint8 {
	if mos == 0 {
		return unknown
	}
	return uint8(math.Round(mos * 10))
}

// Extended reads a party's VoIP metrics of our stream, which has that SSRC. Other blocks mean nothing to us.
func (f *Feedback) Extended(report *rtcp.ExtendedReport, ssrc uint32) {
	for _, block := range report.Reports {
		if b, ok := block.(*rtcp.VoIPMetricsReportBlock); ok && b.SSRC == ssrc {
			f.XR = Extended{
				Known: true, Loss: min(float64(b.LossRate)/256+float64(b.DiscardRate)/256, 1),
				MOSLQ: score(b.MOSLQ), MOSCQ: score(b.MOSCQ), Delay: time.Duration(b.EndSystemDelay) * time.Millisecond,
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
