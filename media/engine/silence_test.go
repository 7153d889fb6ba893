package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
)

// TestSilent: a phone that loses its power is told within two seconds, whatever it did before. One that is there
// again is told at once.
func TestSilent(t *testing.T) {
	for _, tt := range []struct {
		what   string
		before func(*rig, *phone)
	}{
		{"talking", func(*rig, *phone) {}},
		{"comfort noise", func(r *rig, p *phone) {
			p.talks = false
			p.comfort()
			r.step()
		}},
		{"it has left out silence before", func(r *rig, p *phone) {
			p.talks = false
			p.header.Timestamp += 8000
			r.run(time.Second)
			p.talks = true
			r.run(time.Second)
		}},
		{"on hold", func(r *rig, p *phone) {
			hold := p.stream()
			hold.Receive = false
			r.session.Do(hold)
			r.pass(0)
		}},
		{"packets were lost on the way", func(r *rig, p *phone) {
			p.talks = false
			p.header.SequenceNumber += 50
			p.header.Timestamp += 8000
			r.run(time.Second)
			p.talks = true
			r.run(time.Second)
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := newRig(t, labConfig(nil))
			p := r.phone(1, codec.PCMA)
			r.run(time.Second)
			tt.before(r, p)
			if got := r.signs(); len(got) != 0 {
				t.Fatalf("%v of a party that is there", got)
			}
			p.talks = false
			r.run(r.shard.cfg.SilenceTimeout - frameTime)
			if got := r.signs(); len(got) != 0 {
				t.Fatalf("%v before the time is over", got)
			}
			r.run(200 * time.Millisecond)
			if got := r.signs(); !slices.Equal(got, []Event{Silent{Leg: 1}}) {
				t.Fatalf("%v, want that it is silent", got)
			}
			r.run(time.Minute)
			if got := r.signs(); len(got) != 0 {
				t.Errorf("%v again", got)
			}
			p.report(&rtcp.ReceiverReport{SSRC: 1})
			r.step()
			if got := r.signs(); !slices.Equal(got, []Event{Alive{Leg: 1}}) {
				t.Errorf("%v after a report", got)
			}
			r.run(2 * time.Second)
			r.signs()
			p.talks = true
			r.step()
			if got := r.signs(); !slices.Equal(got, []Event{Alive{Leg: 1}}) {
				t.Errorf("%v after its sound", got)
			}
		})
	}
}

// TestReportsAreSignsOfLife: whoever sends none but reports, as often as once a second, is never silent; one from whom
// nothing has come at all is.
func TestReportsAreSignsOfLife(t *testing.T) {
	r := newRig(t, labConfig(nil))
	quiet, dead := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	quiet.talks, dead.talks = false, false
	for range 10 {
		quiet.report(&rtcp.ReceiverReport{SSRC: 1})
		r.run(time.Second)
	}
	if got := r.signs(); !slices.Equal(got, []Event{Silent{Leg: 2}}) {
		t.Errorf("%+v, want the silence of the second party alone", got)
	}
}

// reporting runs with a phone that reports at its intervals, in turn.
func (r *rig) reporting(p *phone, d time.Duration, intervals ...time.Duration) {
	next, n := r.now, 0
	for end := r.now.Add(d); r.now.Before(end); r.run(frameTime) {
		if !r.now.Before(next) {
			p.report(&rtcp.ReceiverReport{SSRC: 1})
			next = next.Add(intervals[n%len(intervals)])
			n++
		}
	}
}

// Intervals of reports: nominal five seconds at random are from 2.05 to 6.16 s (RFC 3550 §6.3.1).
var fiveSeconds = []time.Duration{5 * time.Second}
var atRandom = []time.Duration{4700 * time.Millisecond, 6100 * time.Millisecond, 4300 * time.Millisecond}

// TestReportsEachFiveSeconds: whoever is muted and reports as RFC 3550 has it is not asked after between its reports,
// once they are known to be all that comes.
func TestReportsEachFiveSeconds(t *testing.T) {
	for _, tt := range []struct {
		what      string
		intervals []time.Duration
		missed    bool
	}{
		{"each five seconds", fiveSeconds, false},
		{"at random", atRandom, false},
		{"each fifteen seconds", []time.Duration{15 * time.Second}, true},
	} {
		r := newRig(t, labConfig(nil))
		p := r.phone(1, codec.PCMA)
		r.reporting(p, 20*time.Second, tt.intervals...)
		p.talks = false
		r.reporting(p, 15*time.Second, tt.intervals...)
		r.signs()
		r.reporting(p, time.Minute, tt.intervals...)
		if got := r.signs(); (len(got) > 0) != tt.missed {
			t.Errorf("%s: %v", tt.what, got)
		}
	}
}

// TestReporterDies: a phone that dies is missed as soon as ever when it talked or reported often; when all that it sent
// were rare reports, once the next one is late.
func TestReporterDies(t *testing.T) {
	for _, tt := range []struct {
		what      string
		muted     time.Duration
		intervals []time.Duration
		missed    time.Duration // after its last report, which is its last sign
	}{
		{"talking", 0, fiveSeconds, 1500 * time.Millisecond},
		{"muted a moment ago", 400 * time.Millisecond, fiveSeconds, 1500 * time.Millisecond},
		{"muted, each second", 20 * time.Second, []time.Duration{time.Second}, 1500 * time.Millisecond},
		{"muted, each five seconds", 20 * time.Second, fiveSeconds, 7500 * time.Millisecond},
		{"muted, each fifteen seconds", 45 * time.Second, []time.Duration{15 * time.Second}, 1500 * time.Millisecond},
	} {
		r := newRig(t, labConfig(nil))
		p := r.phone(1, codec.PCMA)
		r.reporting(p, 20*time.Second, tt.intervals...)
		p.talks = tt.muted == 0
		if tt.muted < time.Second {
			r.run(tt.muted)
		} else {
			r.reporting(p, tt.muted, tt.intervals...)
		}
		p.report(&rtcp.ReceiverReport{SSRC: 1})
		r.step()
		r.signs()
		p.talks = false
		r.run(tt.missed - 100*time.Millisecond)
		if got := r.signs(); len(got) != 0 {
			t.Errorf("%s: %v too early", tt.what, got)
		}
		r.run(300 * time.Millisecond)
		if got := r.signs(); len(got) != 1 {
			t.Errorf("%s: %v, want that it is silent", tt.what, got)
		}
	}
}

// comfort sends a packet of comfort noise: RFC 3389.
func (p *phone) comfort() {
	h := p.header
	h.PayloadType = comfortNoise
	p.put(p.addr, h, []byte{60})
	p.header.SequenceNumber++
}
