// Package quality says how good a call sounds from what its packets suffered.
//
// [R] and [MOS] are the E-model of ITU-T G.107: loss, delay and coding in, an
// estimate of what listeners would say out. [Pattern] follows a stream packet
// by packet and tells scattered loss from bursts (RFC 3611 §4.7.2). Everything
// is pure and nothing allocates.
package quality

import (
	"math"
	"time"
)

// Coding is how a codec sounds and how it stands up to loss, in the terms of
// ITU-T G.113 Appendix I.
type Coding struct {
	Ie  float64 // equipment impairment factor, without any loss
	Bpl float64 // packet-loss robustness factor
}

// The codings that calls have here. G.722 is rated on the narrowband scale, on
// which nothing is better than G.711: its wider band earns it nothing (the
// scale of G.107.1 to R = 129 would not compare with G.711), and as its
// robustness is taken that of G.711 with the same kind of concealment.
var (
	G711    = Coding{Ie: 0, Bpl: 4.3}  // lost packets are silence
	G711PLC = Coding{Ie: 0, Bpl: 25.1} // lost packets are concealed: G.711 Appendix I
	G722PLC = G711PLC
)

// Path is what sound goes through from a mouth to an ear.
type Path struct {
	Coding Coding
	Loss   float64 // packets lost or come too late for their turn, 0 to 1
	// mean row of lost packets against that of random loss, see [Loss.BurstRatio]; below 1 counts as 1
	BurstRatio float64
	Delay      time.Duration // one way; 0 rates listening without a word about conversation
}

// R is the transmission rating factor: 93.2 with nothing in the way, 50 where
// nearly all users are dissatisfied (G.109), never above 100 or below 0.
// ITU-T G.107 §7.1: R = Ro − Is − Id − Ie,eff + A, where A is 0 for who
// expects an ordinary telephone.
func R(p Path) float64 {
	return min(max(delayed(p.Delay)-lossImpairment(p), 0), 100)
}

// delayed is the rating without Ie,eff.
func delayed(way time.Duration) float64 {
	if way <= 0 {
		return still
	}
	t := float64(way) / float64(time.Millisecond)
	return basicRatio - simultaneous(t) - delayImpairment(t)
}

// MOS is the mean opinion score, 1 to 4.5, that belongs to a rating: ITU-T G.107 Annex B.
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6) // the cubic dips below 1 for R under 6.5
}

// ITU-T G.107 Table 2: the defaults, in dB but for the last, for which nothing
// better is known of phones at a distance.
const (
	slr  = 8.0   // send loudness rating
	rlr  = 2.0   // receive loudness rating
	stmr = 15.0  // sidetone masking rating
	ds   = 3.0   // D-value of the telephone, send
	dr   = 3.0   // and receive
	telr = 65.0  // talker echo loudness rating
	wepl = 110.0 // weighted echo path loss
	nc   = -70.0 // circuit noise, dBm0p
	nfor = -64.0 // noise floor at the receive side, dBmp
	ps   = 35.0  // room noise, send, dB(A)
	pr   = 35.0  // and receive
	qdu  = 1.0   // quantising distortion units
)

var (
	noise      = noisePower()
	basicRatio = 15 - 1.5*(slr+noise) // Ro: §7.2, equation 7-2
	still      = basicRatio - simultaneous(0) - delayImpairment(0)
)

// noisePower is No, the power sum of all noise: G.107 §7.2, equations 7-3 to 7-7.
func noisePower() float64 {
	const olr, lstr = slr + rlr, stmr + dr
	send := ps - slr - ds - 100 + 0.004*math.Pow(ps-olr-ds-14, 2)
	room := pr + 10*math.Log10(1+math.Pow(10, (10-lstr)/10))
	receive := rlr - 121 + room + 0.008*math.Pow(room-35, 2)
	return decibels(nc, send, receive, nfor+rlr)
}

func decibels(levels ...float64) float64 {
	sum := 0.0
	for _, l := range levels {
		sum += math.Pow(10, l/10)
	}
	return 10 * math.Log10(sum)
}

// simultaneous is Is: loudness, sidetone and quantisation; t in ms. G.107 §7.3,
// equations 7-8 to 7-17.
func simultaneous(t float64) float64 {
	const olr = slr + rlr
	x := olr + 0.2*(64+noise-rlr)
	loud := 20 * (math.Pow(1+math.Pow(x/8, 8), 1.0/8) - x/8)
	s := -10 * math.Log10(math.Pow(10, -stmr/10)+math.Exp(-t/4)*math.Pow(10, -telr/10))
	side := 12*math.Pow(1+math.Pow((s-13)/6, 8), 1.0/8) - 28*math.Pow(1+math.Pow((s+1)/19.4, 35), 1.0/35) -
		13*math.Pow(1+math.Pow((s-3)/33, 13), 1.0/13) + 29
	q := 37 - 15*math.Log10(qdu)
	g := 1.07 + 0.258*q + 0.0602*q*q
	y, z := (basicRatio-100)/15+46/8.4-g/9, 46/30.0-g/40
	return loud + side + 15*math.Log10(1+math.Pow(10, y)+math.Pow(10, z))
}

// delayImpairment is Id for a one-way delay of t ms, without any echo but what
// phones' cancellers leave: G.107 §7.4, equation 7-18.
func delayImpairment(t float64) float64 {
	return talkerEcho(t) + listenerEcho(2*t) + absoluteDelay(t)
}

// talkerEcho is Idte: equations 7-19 to 7-23.
func talkerEcho(t float64) float64 {
	terv := telr - 40*math.Log10((1+t/10)/(1+t/150)) + 6*math.Exp(-0.3*t*t)
	d := -1.5*(noise-rlr) - (80 + 2.5*(terv-14))
	return (d/2 + math.Sqrt(d*d/4+100) - 1) * (1 - math.Exp(-t))
}

// listenerEcho is Idle for a round trip of t ms: equations 7-25 and 7-26.
func listenerEcho(t float64) float64 {
	d := basicRatio - 10.5*(wepl+7)*math.Pow(t+1, -0.25)
	return d/2 + math.Sqrt(d*d/4+169)
}

// absoluteDelay is Idd: equations 7-27 and 7-28, nothing up to 100 ms.
func absoluteDelay(t float64) float64 {
	if t <= 100 {
		return 0
	}
	x := math.Log2(t / 100)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
}

// lossImpairment is Ie,eff: G.107 §7.5, equation 7-29, which counts loss in percent.
func lossImpairment(p Path) float64 {
	loss := 100 * min(max(p.Loss, 0), 1)
	if loss == 0 {
		return p.Coding.Ie
	}
	return p.Coding.Ie + (95-p.Coding.Ie)*loss/(loss/max(p.BurstRatio, 1)+p.Coding.Bpl)
}
