package report

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// A run that was counted elsewhere leaves the same as its packets would have, one by one.
func TestRun(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	packet := func(i int) (*rtp.Header, time.Time) {
		jitter := time.Duration(i*i%7) * time.Millisecond
		return &rtp.Header{SSRC: 5, SequenceNumber: uint16(65500 + i), Timestamp: 1<<32 - 3200 + uint32(i)*160},
			start.Add(time.Duration(i)*frameTime + jitter)
	}
	var one, other Reception
	take := func(r *Reception, i int) {
		h, at := packet(i)
		r.Packet(h, at)
		r.Spread(h, 8, at)
	}
	for i := range 200 {
		if i != 40 { // one is lost
			take(&one, i)
		}
	}
	for i := range 50 {
		if i != 40 {
			take(&other, i)
		}
	}
	since, transit, jitter := other.Arrivals()
	run := Spell{Transit: transit, Jitter: jitter}
	for i := 50; i < 150; i++ {
		h, at := packet(i)
		arrival := uint32(at.Sub(since)/time.Microsecond) / 125
		d := int32(arrival - h.Timestamp - run.Transit)
		run.Packets, run.Stamp, run.Transit = run.Packets+1, h.Timestamp, arrival-h.Timestamp
		run.Jitter += uint32(max(d, -d)) - (run.Jitter+8)>>4
	}
	other.Run(run)
	for i := 150; i < 200; i++ {
		take(&other, i)
	}
	if one != other {
		t.Errorf("%+v\nwant %+v", other, one)
	}
}
