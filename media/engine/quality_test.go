package engine

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
	"liandong/media/quality"
	"liandong/media/socket"
)

// report sends RTCP as the phone.
func (p *phone) report(packets ...rtcp.Packet) {
	p.rig.t.Helper()
	data, err := rtcp.Marshal(packets)
	if err != nil {
		p.rig.t.Fatal(err)
	}
	p.rtcpBytes(data)
}

func (p *phone) rtcpBytes(data []byte) {
	from := netip.AddrPortFrom(p.addr.Addr(), p.addr.Port()+1)
	p.rig.wire.in = append(p.rig.wire.in, socket.Packet{Socket: p.rig.wire.socketAt(p.port + 1), From: from,
		Data: data})
}

// heardReport is the newest sender report that the phone got, nil before the first.
func (p *phone) heardReport() (newest *rtcp.SenderReport) {
	for _, packets := range reportsTo(p.rig.t.(*testing.T), p) {
		if sr, ok := packets[0].(*rtcp.SenderReport); ok {
			newest = sr
		}
	}
	return newest
}

// answer is a receiver report about the stream that the phone gets: rtt from our report on, of which the phone
// holds it back for the rest of after.
func (p *phone) answer(sr *rtcp.SenderReport, after, rtt time.Duration, lost float64) *rtcp.ReceiverReport {
	return &rtcp.ReceiverReport{SSRC: p.header.SSRC, Reports: []rtcp.ReceptionReport{{
		SSRC: sr.SSRC, FractionLost: uint8(lost * 256), Jitter: 40, LastSenderReport: uint32(sr.NTPTime >> 16),
		Delay: uint32((after - rtt) * 65536 / time.Second),
	}}}
}

// skip loses a packet on its way to us.
func (p *phone) skip() {
	p.header.SequenceNumber++
	p.header.Timestamp += frameSamples
}

// suffer talks for a time with loss.
func (r *rig) suffer(d time.Duration, p *phone, lost func(i int) bool) {
	p.talks = false
	defer func() { p.talks = true }()
	for i := range int(d / frameTime) {
		if lost(i) {
			p.skip()
		} else {
			p.talk()
		}
		r.step()
	}
}

// farewell closes a leg and gives its last event.
func (r *rig) farewell(leg LegID) LegClosed {
	r.t.Helper()
	r.events()
	r.session.Do(Close{Leg: leg, About: "1101"})
	r.step()
	for _, e := range r.events() {
		if closed, ok := e.(LegClosed); ok && closed.Leg == leg {
			return closed
		}
	}
	r.t.Fatalf("leg %d closed without a word", leg)
	return LegClosed{}
}

func about(got, want, within float64) bool { return math.Abs(got-want) <= within }

// TestRemoteView: a phone reports 5 % loss, 5 ms jitter, and answers our reports after half a second by a way of 80 ms.
func TestRemoteView(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	var answered uint64
	for range 3000 {
		r.step()
		sr := a.heardReport()
		if sr == nil || sr.NTPTime == answered {
			continue
		}
		answered = sr.NTPTime
		a.rtcp = nil
		r.run(500 * time.Millisecond)
		// What the phone heard of others is not about us.
		report := a.answer(sr, 500*time.Millisecond, 80*time.Millisecond, 0.05)
		report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: sr.SSRC + 1, FractionLost: 255,
			LastSenderReport: 1, Delay: 1})
		a.report(report)
		r.pass(0)
	}
	q := r.farewell(1).Quality
	if !about(q.RTT.Seconds(), 0.080, 0.001) {
		t.Errorf("round trip %v, want 80 ms", q.RTT)
	}
	if !q.Out.Known || !about(q.Out.Loss, 0.05, 0.005) || !about(q.Out.Jitter.Seconds(), 0.005, 1e-6) {
		t.Errorf("the party's view %+v", q.Out)
	}
	want := quality.R(quality.Path{Coding: quality.G711PLC, Loss: q.Out.Loss, BurstRatio: 1,
		Delay: q.RTT/2 + farBuffer + frameTime})
	if !about(q.Out.R, want, 0.01) || q.Out.MOSLQ <= q.Out.MOSCQ || !about(q.Out.MOSCQ, quality.MOS(want), 0.01) {
		t.Errorf("the party's rating %+v, want R %.1f", q.Out, want)
	}
	if q.In.Packets < 3000 || q.In.Loss != 0 || !about(q.In.MOSLQ, 4.41, 0.01) {
		t.Errorf("what came from it %+v", q.In)
	}
	if other := r.farewell(2).Quality; other.RTT != 0 || other.Out.Known {
		t.Errorf("the other leg, that reports nothing: %+v", other)
	}
	stats := r.engine.Stats().Quality["lab"]
	if n := stats.RTT.Count; n < 10 || !about(stats.RTT.Sum/float64(n), 0.08, 0.001) || stats.RTT.Buckets[0.1] != n ||
		stats.RTT.Buckets[0.05] != 0 {
		t.Errorf("round trips counted: %+v", stats.RTT)
	}
	if n := stats.Out.Loss.Count; n < 10 || stats.Out.Loss.Buckets[0.02] != 0 || stats.Out.Loss.Buckets[0.05] < n-1 {
		t.Errorf("loss counted: %+v", stats.Out.Loss)
	}
}

// TestLossShows: what a phone's packets suffer is in the figures of its leg, scattered or in bursts.
func TestLossShows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	scattered := func(int) bool { return rnd.Float64() < 0.05 }
	bursts := func(i int) bool { return i%200 >= 190 }
	mos := map[string]float64{}
	for name, lost := range map[string]func(int) bool{"scattered": scattered, "bursts": bursts} {
		r := newRig(t, labConfig(nil))
		a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
		b.hears(Playlist{}, a)
		a.header.SequenceNumber = 65000
		r.suffer(time.Minute, a, lost)
		closed := r.farewell(1)
		q := closed.Quality
		if !about(q.In.Loss, 0.05, 0.01) || !about(float64(q.In.Packets), 3000, 15) {
			t.Errorf("%s: %+v, want 5 %% of 3000 lost", name, q.In)
		}
		if closed.About != "1101" || q.Network != "lab" {
			t.Errorf("%s: %+v", name, closed)
		}
		mos[name] = q.In.MOSLQ
		if got := r.farewell(2).Quality.In; got.Loss != 0 {
			t.Errorf("%s: the other leg lost %v", name, got.Loss)
		}
	}
	if mos["bursts"] >= mos["scattered"]-0.05 || mos["scattered"] > 4.1 {
		t.Errorf("MOS %v", mos)
	}
}

// TestReorderIsNoLoss: packets that change places, or come twice, are not lost.
func TestReorderIsNoLoss(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	a.talks = false
	for range 100 {
		a.talk()
		a.talk()
		n := len(r.wire.in)
		r.wire.in[n-1], r.wire.in[n-2] = r.wire.in[n-2], r.wire.in[n-1]
		r.wire.in = append(r.wire.in, r.wire.in[n-1])
		r.run(2 * frameTime)
	}
	if q := r.farewell(1).Quality.In; q.Loss != 0 || q.Packets != 199 { // the very first came second
		t.Errorf("%+v", q)
	}
}

// TestQualityChanged: a leg that becomes poor is told once, and once when it is fair again, no faster than each 10 s.
func TestQualityChanged(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	told := func() (changes []QualityChanged) {
		for _, e := range r.events() {
			if c, ok := e.(QualityChanged); ok {
				changes = append(changes, c)
			}
		}
		return changes
	}
	bad := func(i int) bool { return i%10 < 4 }
	r.run(20 * time.Second)
	if got := told(); len(got) != 0 {
		t.Fatalf("%+v of a clean line", got)
	}
	r.suffer(20*time.Second, a, bad)
	if got := told(); len(got) != 1 || !got[0].Poor || got[0].Leg != 1 || got[0].Quality.In.Loss < 0.2 {
		t.Fatalf("%+v, want one word of a poor line", got)
	}
	r.run(20 * time.Second)
	if got := told(); len(got) != 1 || got[0].Poor || got[0].Quality.In.Loss > 0.1 {
		t.Fatalf("%+v, want one word of a fair line", got)
	}
	for range 6 { // good and bad by turns, 30 s
		r.suffer(2500*time.Millisecond, a, bad)
		r.run(2500 * time.Millisecond)
	}
	if got := told(); len(got) > 3 {
		t.Errorf("%d words in 30 s", len(got))
	}
}

// TestMeasured: each five seconds it is told how a leg has sounded in that time, and nothing of a leg that says
// nothing.
func TestMeasured(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	b.talks = false
	r.run(20 * time.Second)
	r.suffer(10*time.Second, a, func(i int) bool { return i%10 == 0 })
	var told []Quality
	for _, e := range r.allEvents() {
		if m, ok := e.(Measured); ok && m.Leg == 1 {
			told = append(told, m.Quality)
		} else if ok {
			t.Errorf("%+v of a leg that says nothing", m)
		}
	}
	if len(told) < 5 || len(told) > 6 {
		t.Fatalf("%d words in 30 s", len(told))
	}
	if first, last := told[1].In, told[len(told)-1].In; first.Loss != 0 || first.MOSCQ < 4 ||
		!about(last.Loss, 0.1, 0.02) || last.MOSCQ > first.MOSCQ-0.3 {
		t.Errorf("first %+v, last %+v", first, last)
	}
}

// TestPoorByReport: what only the phone notices counts as well.
func TestPoorByReport(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	poor := false
	for range 10 {
		r.run(time.Second)
		a.report(&rtcp.ReceiverReport{SSRC: a.header.SSRC,
			Reports: []rtcp.ReceptionReport{{SSRC: a.got[0].SSRC, FractionLost: 100}}})
	}
	for _, e := range r.events() {
		c, ok := e.(QualityChanged)
		poor = poor || ok && c.Poor && c.Quality.In.R > 90
	}
	if !poor {
		t.Error("not told")
	}
}

// TestNoOpinionOfSilence: a phone that sends next to nothing is not judged by it.
func TestNoOpinionOfSilence(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.suffer(30*time.Second, a, func(i int) bool { return i%50 != 0 && i%50 != 7 }) // 2 of 8 packets
	a.header.SequenceNumber += 2
	for _, e := range r.events() {
		if c, ok := e.(QualityChanged); ok && c.Quality.In.Packets < appraisable {
			t.Errorf("%+v", c)
		}
	}
}

// TestClosedAlways: each leg has a last event, also when the whole session ends, and nothing else comes then.
func TestClosedAlways(t *testing.T) {
	e := loopback(t, loopbackConfig(t, 4))
	events := make(chan Event, 10)
	s := e.NewSession("closing", func(ev Event) {
		if _, ok := ev.(Checkpoint); !ok {
			events <- ev
		}
	})
	pickUp(t, s, 1, codec.PCMA)
	if _, err := s.Open(2, "lab"); err != nil {
		t.Fatal(err)
	}
	s.Do(Close{Leg: 1, About: "1101"})
	s.Close()
	for _, want := range []LegID{1, 2} {
		select {
		case ev := <-events:
			if got, ok := ev.(LegClosed); !ok || got.Leg != want || (got.About == "1101") != (want == 1) {
				t.Errorf("%+v, want the end of leg %d", ev, want)
			}
		case <-time.After(patience):
			t.Fatalf("nothing of the end of leg %d", want)
		}
	}
	if len(events) != 0 {
		t.Errorf("%d events more", len(events))
	}
}
