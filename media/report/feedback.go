package report

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

// Feedback is what a party says of the stream that it gets from us. The zero value has heard nothing.
type Feedback struct {
	sent   [keptReports]sentReport
	next   int
	spoken uint32 // packets that we had sent at its last report

	Recent, Whole Figures  // since the last appraisal; all before it
	XR            Extended // the last one that could be used
}

// sentReport is a sender report of ours, by the name under which parties speak of it.
type sentReport struct {
	middle   uint32 // of its NTP time; 0: none, or answered
	departed time.Time
}

// Note keeps a sender report for the round trip that is measured with it.
func (f *Feedback) Note(sr *rtcp.SenderReport, now time.Time) {
	f.sent[f.next] = sentReport{middle: uint32(sr.NTPTime >> 16), departed: now}
	f.next = (f.next + 1) % keptReports
}

// Block takes a report block of RFC 3550 §6.4.1 about our stream, of which so many packets have been sent by its clock.
// Its fraction lost is of an interval that we know only by what we sent meanwhile.
func (f *Feedback) Block(b rtcp.ReceptionReport, packets uint32, c Clock, now time.Time) {
	if rtt, ok := f.roundTrip(b, now); ok {
		f.Recent.RTT.Add(rtt.Seconds(), 1)
	}
	sent := packets - f.spoken
	f.spoken = packets
	f.Recent.Loss.Add(float64(b.FractionLost)/256, float64(sent))
	f.Recent.Jitter.Add(c.Duration(b.Jitter).Seconds(), float64(sent))
}

// roundTrip is the way there and back, from when our report left to when its answer came, less
// what the party says it waited: RFC 3550 §6.4.1. The clock is ours alone, so nothing wraps
// and a party's time of day does not matter. False: the block is no answer to a report that
// we know, or its figures cannot be.
func (f *Feedback) roundTrip(b rtcp.ReceptionReport, now time.Time) (time.Duration, bool) {
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

// Figures are means over some time. The zero value has seen nothing.
type Figures struct {
	RTT, Loss, Jitter Mean // s, ratio and s: of our stream, as the party sees it
	Inbound           Mean // jitter of its own stream, in s
}

// Merge adds what was seen over another time.
func (f *Figures) Merge(o Figures) {
	f.RTT.merge(o.RTT)
	f.Loss.merge(o.Loss)
	f.Jitter.merge(o.Jitter)
	f.Inbound.merge(o.Inbound)
}

// Mean is a weighted mean that can be added to.
type Mean struct{ sum, weight float64 }

// Add adds a value by its weight.
func (m *Mean) Add(x, weight float64) { m.merge(Mean{x * weight, weight}) }

func (m *Mean) merge(o Mean) {
	m.sum += o.sum
	m.weight += o.weight
}

// Known says whether there is anything to take the mean of.
func (m Mean) Known() bool { return m.weight > 0 }

// Value is 0 for nothing.
func (m Mean) Value() float64 {
	if !m.Known() {
		return 0
	}
	return m.sum / m.weight
}

// Duration is that of a mean of seconds.
func (m Mean) Duration() time.Duration { return time.Duration(m.Value() * float64(time.Second)) }
