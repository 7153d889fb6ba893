package engine

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
)

// voipTo is what the phone got of VoIP metrics.
func voipTo(t *testing.T, p *phone) (all []*rtcp.VoIPMetricsReportBlock) {
	for _, packets := range reportsTo(t, p) {
		for _, packet := range packets {
			if xr, ok := packet.(*rtcp.ExtendedReport); ok {
				all = append(all, xr.Reports[0].(*rtcp.VoIPMetricsReportBlock))
			}
		}
	}
	return all
}

// TestExtendedReport: RFC 3611 §4.7, with each third report and the last.
func TestExtendedReport(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	r.suffer(33*time.Second, a, func(i int) bool { return i >= 100 && i < 110 || i == 300 })
	got := voipTo(t, a)
	if len(got) != 2 {
		t.Fatalf("%d extended reports in 33 s, want one each 15 s", len(got))
	}
	x := got[0]
	// 11 of some 700 packets, 10 of them in one burst of 200 ms.
	if x.SSRC != a.header.SSRC || x.LossRate < 3 || x.LossRate > 4 || x.DiscardRate != 0 || x.BurstDensity != 255 ||
		x.GapDensity != 0 || x.BurstDuration != 200 || x.Gmin != 16 {
		t.Errorf("loss %+v", x)
	}
	if gap := int(x.GapDuration); gap < 6000 || gap > 9000 { // two gaps of 13 to 17 s together
		t.Errorf("gap duration %d ms", gap)
	}
	if x.SignalLevel != 127 || x.NoiseLevel != 127 || x.RERL != 127 || x.ExtRFactor != 127 {
		t.Errorf("what we do not know %+v", x)
	}
	if x.RoundTripDelay != 0 || x.EndSystemDelay != 60 || x.JBNominal != 40 {
		t.Errorf("delay %+v", x)
	}
	if x.RFactor < 60 || x.RFactor > 93 || x.MOSLQ < 35 || x.MOSLQ > 44 || x.MOSCQ > x.MOSLQ {
		t.Errorf("rating %+v", x)
	}
	r.session.Do(Close{Leg: 1})
	r.step()
	if n := len(voipTo(t, a)); n != 3 {
		t.Errorf("%d extended reports after the goodbye, want 3", n)
	}
}

// TestExtendedReportRead: what a party tells of our stream is taken; what is unavailable, of another stream or out of
// range is not.
func TestExtendedReportRead(t *testing.T) {
	for name, c := range map[string]struct {
		block  rtcp.VoIPMetricsReportBlock
		mos    float64 // of listening
		loss   float64
		others bool
	}{
		"all told": {block: rtcp.VoIPMetricsReportBlock{LossRate: 16, DiscardRate: 16, MOSLQ: 32, MOSCQ: 30,
			EndSystemDelay: 90}, mos: 3.2, loss: 0.125},
		"scores not known": {block: rtcp.VoIPMetricsReportBlock{MOSLQ: 127, MOSCQ: 127}, mos: 4.41},
		"scores of 0":      {block: rtcp.VoIPMetricsReportBlock{}, mos: 4.41},
		"all of it lost": {block: rtcp.VoIPMetricsReportBlock{LossRate: 255, DiscardRate: 255, MOSLQ: 10, MOSCQ: 10},
			mos: 1, loss: 1},
		"another stream": {block: rtcp.VoIPMetricsReportBlock{LossRate: 16, MOSLQ: 20}, others: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, labConfig(nil))
			a := r.phone(1, codec.PCMA)
			r.run(time.Second)
			c.block.SSRC = a.got[0].SSRC
			if c.others {
				c.block.SSRC++
			}
			a.report(&rtcp.ReceiverReport{SSRC: a.header.SSRC, Reports: []rtcp.ReceptionReport{{SSRC: a.got[0].SSRC}}},
				&rtcp.ExtendedReport{SenderSSRC: a.header.SSRC, Reports: []rtcp.ReportBlock{
					&rtcp.ReceiverReferenceTimeReportBlock{NTPTimestamp: 1}, &c.block}})
			r.run(time.Second)
			q := r.farewell(1).Quality.Out
			want := c.mos
			if c.others {
				want = 4.41
			}
			if !about(q.MOSLQ, want, 0.01) || !about(q.Loss, c.loss, 0.001) {
				t.Errorf("%+v, want MOS %.2f, loss %.3f", q, want, c.loss)
			}
		})
	}
}

// TestBrokenExtendedReport: the reports beside one that cannot be read are read all the same.
func TestBrokenExtendedReport(t *testing.T) {
	for name, xr := range map[string][]byte{
		"block cut short":        {0x80, 207, 0, 3, 0, 0, 0, 1, 7, 0, 0, 8, 0, 0, 0, 1},
		"block without a body":   {0x80, 207, 0, 2, 0, 0, 0, 1, 7, 0, 0, 0},
		"no sender":              {0x80, 207, 0, 0},
		"longer than the packet": {0x80, 207, 1, 0, 0, 0, 0, 1},
		"half a header":          {0x80, 207},
		"another version":        {0x40, 207, 0, 1, 0, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, labConfig(nil))
			a := r.phone(1, codec.PCMA)
			r.run(time.Second)
			rr, err := (&rtcp.ReceiverReport{SSRC: a.header.SSRC,
				Reports: []rtcp.ReceptionReport{{SSRC: a.got[0].SSRC, FractionLost: 64}}}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			a.rtcpBytes(append(rr, xr...))
			r.run(time.Second)
			if n := r.engine.Stats().Malformed; n != 1 {
				t.Errorf("%d malformed, want 1", n)
			}
			if q := r.farewell(1).Quality.Out; q.Loss != 0.25 {
				t.Errorf("%+v: the receiver report was not read", q)
			}
		})
	}
}
