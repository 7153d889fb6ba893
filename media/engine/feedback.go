package engine

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	keptReports  = 4                     // sender reports that a party may still answer
	maxRoundTrip = 5 * time.Second       // more is a clock that is wrong, not a way that is long
	clockGrain   = 20 * time.Millisecond // by which a party's delay may come out longer than it was
	roundTick    = time.Second / 65536   // of DLSR: RFC 3550 §6.4.1; no round trip is said to be less
)

// feedback is what a leg's party says of the stream that it gets from us. Owned by the leg.
type feedback struct {
	sent   [keptReports]sentReport
	next   int
	spoken uint32 // packets that we had sent at its last report

	recent, whole figures  // since the last appraisal; all before it
	xr            extended // the last one that could be used
}

// sentReport is a sender report of ours, by the name under which parties speak of it.
type sentReport struct {
	middle   uint32 // of its NTP time; 0: none, or answered
	departed time.Time
}

// note keeps a sender report for the round trip that is measured with it.
func (f *feedback) note(sr *rtcp.SenderReport, now time.Time) {
	f.sent[f.next] = sentReport{middle: uint32(sr.NTPTime >> 16), departed: now}
	f.next = (f.next + 1) % keptReports
}

// blocks reads the report blocks that are about our stream.
func (l *leg) blocks(reports []rtcp.ReceptionReport, now time.Time) {
	for _, block := range reports {
		if block.SSRC == l.out.ssrc {
			l.feedback.block(block, &l.out, now)
		}
	}
}

// block takes a report block of RFC 3550 §6.4.1. Its fraction lost is of an interval that we
// know only by what we sent meanwhile.
func (f *feedback) block(b rtcp.ReceptionReport, out *outgoing, now time.Time) {
	if rtt, ok := f.roundTrip(b, now); ok {
		f.recent.rtt.add(rtt.Seconds(), 1)
	}
	sent := out.packets - f.spoken
	f.spoken = out.packets
	f.recent.loss.add(float64(b.FractionLost)/256, float64(sent))
	f.recent.jitter.add(out.clock.duration(b.Jitter).Seconds(), float64(sent))
}

// roundTrip is the way there and back, from when our report left to when its answer came, less
// what the party says it waited: RFC 3550 §6.4.1. The clock is ours alone, so nothing wraps
// and a party's time of day does not matter. False: the block is no answer to a report that
// we know, or its figures cannot be.
func (f *feedback) roundTrip(b rtcp.ReceptionReport, now time.Time) (time.Duration, bool) {
	if b.LastSenderReport == 0 || b.Delay == 0 {
		return 0, false // no report of ours has come, or the party does not say how long it waited
	}
	for i := range f.sent {
		if f.sent[i].middle != b.LastSenderReport {
			continue
		}
		f.sent[i].middle = 0 // parties that repeat an answer would measure their own pauses
		rtt := now.Sub(f.sent[i].departed) - time.Duration(b.Delay)*time.Second/65536
		return max(rtt, roundTick), rtt >= -clockGrain && rtt <= maxRoundTrip
	}
	return 0, false
}

// figures are means over some time. The zero value has seen nothing.
type figures struct {
	rtt, loss, jitter mean // s, ratio and s: of our stream, as the party sees it
	heard             mean // jitter of its own stream, in s
}

// merge adds what was seen over another time.
func (f *figures) merge(o figures) {
	f.rtt.merge(o.rtt)
	f.loss.merge(o.loss)
	f.jitter.merge(o.jitter)
	f.heard.merge(o.heard)
}

// mean is a weighted mean that can be added to.
type mean struct{ sum, weight float64 }

func (m *mean) add(x, weight float64) { m.merge(mean{x * weight, weight}) }

func (m *mean) merge(o mean) {
	m.sum += o.sum
	m.weight += o.weight
}

// known says whether there is anything to take the mean of.
func (m mean) known() bool { return m.weight > 0 }

// value is 0 for nothing.
func (m mean) value() float64 {
	if !m.known() {
		return 0
	}
	return m.sum / m.weight
}

func (m mean) duration() time.Duration { return time.Duration(m.value() * float64(time.Second)) }
