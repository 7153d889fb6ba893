package e2e

import (
	"math"
	"slices"
	"testing"
	"time"

	"liandong/routing/link/redistest"
)

// g722Below is by how much a sample is smaller in G.722 than in A-law where it is as loud: full scale is +9 dBm0 there
// (G.722 §1.2) and +3.14 here (G.711 table 5).
const g722Below = 9 - 3.14

// spoken is the level of [phone.Tone], in dB of full scale.
var spoken = 20 * math.Log10(11000.0/32767)

// loudest is the level of a tone in the fifth of a second in which it is heard best: a busy machine leaves gaps.
func loudest(pcm []int16, hz, rate float64) float64 {
	best, size := math.Inf(-1), int(rate/5)
	for i := 0; i+size <= len(pcm); i += size / 4 {
		best = max(best, level(pcm[i:i+size], hz*8000/rate))
	}
	return best
}

// usual is how loud a tone is in the middle one of all moments.
func usual(pcm []int16, hz, rate float64) float64 {
	var all []float64
	for size := int(rate / 5); len(pcm) >= size; pcm = pcm[size/4:] {
		all = append(all, level(pcm[:size], hz*8000/rate))
	}
	if len(all) == 0 {
		return math.Inf(-1)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// A desk phone that others wrote, with an own G.722 (spandsp), hears a citizen with A-law as loud as he speaks, and is
// heard so, by the levels that ITU has given both: over sockets, through the whole switch.
func TestWidebandIsAsLoud(t *testing.T) {
	t.Parallel()
	const tone, desk = 1000.0, 600.0
	l := startSwitch(t, redistest.Start(t).Addr())
	b := startBaresip(t, bareConfig{user: "1101", password: "lab-1101", server: l.server, domain: domain, tone: desk,
		wideband: true})
	b.registered(t)
	c := l.call(t, l.caller(t, tone), "110")
	b.event(t, "CALL_INCOMING", 1)
	b.do(t, "accept", "")
	said := spoken - 20*math.Log10(2) // it speaks half as large samples, see startBaresip
	best := math.Inf(-1)
	err := waitConfirmed(t, c).WaitHeard(within(t, 20*time.Second), 200*time.Millisecond, func(pcm []int16) bool {
		best = max(best, level(pcm, desk))
		return math.Abs(best-said-g722Below) < 0.5 && len(c.Heard()) > 3*8000
	})
	if err != nil {
		t.Errorf("the citizen hears the desk at %.2f dB, want %.2f: %v", best, said+g722Below, err)
	}
	must(t, c.Hangup(within(t, 10*time.Second)))
	b.event(t, "CALL_CLOSED", 1)
	got := loudest(b.heard(t), tone, 16000)
	if want := spoken - g722Below; math.Abs(got-want) > 0.5 {
		t.Errorf("the desk hears the citizen at %.2f dB, want %.2f", got, want)
	}
	t.Logf("citizen: %.2f dB of %.2f, desk: %.2f of %.2f", best, said+g722Below, got, spoken-g722Below)
}

// Two desks with G.722 hear each other's sound above 4 kHz, which a call by G.711 has none of.
func TestWidebandIsWide(t *testing.T) {
	t.Parallel()
	l := startSwitch(t, redistest.Start(t).Addr())
	desk := func(user string, hz float64) *baresip {
		b := startBaresip(t, bareConfig{user: user, password: "lab-" + user, server: l.server, domain: domain, tone: hz,
			wideband: true})
		b.registered(t)
		return b
	}
	const high, low = 5000.0, 600.0
	taker, partner := desk("1101", high), desk("2101", low)
	c := l.call(t, l.caller(t, callerTone), "110")
	taker.event(t, "CALL_INCOMING", 1)
	taker.do(t, "accept", "")
	waitConfirmed(t, c)
	taker.do(t, "sndcode", "*2")
	partner.event(t, "CALL_INCOMING", 1)
	partner.do(t, "accept", "")
	partner.event(t, "CALL_ESTABLISHED", 1)
	must(t, c.WaitHeard(within(t, 20*time.Second), 200*time.Millisecond, func([]int16) bool {
		return len(partner.heard(t)) > 4*16000
	}))
	must(t, c.Hangup(within(t, 10*time.Second)))
	partner.event(t, "CALL_CLOSED", 1)
	said := spoken - 20*math.Log10(2)
	if got := usual(partner.heard(t), high, 16000); math.Abs(got-said) > 1 {
		t.Errorf("the partner hears 5 kHz at %.2f dB, spoken at %.2f", got, said)
	}
	if got := loudest(c.Heard(), 8000-high, 8000); got > said-40 { // where it would fold to
		t.Errorf("the citizen hears the desk's 5 kHz at %.2f dB", got)
	}
}
