package codec

// The tables of ITU-T G.722, §6.2. Levels are as they stand there, three
// binary places up; steps are signed by their code.

// Decision levels of the lower band's 60 steps, by magnitude.
var lowerLevels = [32]int32{
	35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
	786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
}

// Output levels of the lower band by code: of 4 bits, which alone steer the
// adaptation, of 5 and of 6.
var (
	lowerSteps4 = [16]int32{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	lowerSteps5 = [32]int32{
		-280, -280, -23352, -17560, -14120, -11664, -9752, -8184,
		-6864, -5712, -4696, -3784, -2960, -2208, -1520, -880,
		23352, 17560, 14120, 11664, 9752, 8184, 6864, 5712,
		4696, 3784, 2960, 2208, 1520, 880, 280, -280,
	}
	lowerSteps6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
)

// How much the logarithm of the lower band's scale grows, by code of 4 bits.
var lowerGrowth = [16]int32{
	-60, 3042, 1198, 538, 334, 172, 58, -30,
	3042, 1198, 538, 334, 172, 58, -30, -60,
}

// The same of the higher band, whose code has 2 bits.
const higherLevel = 564

var (
	higherSteps  = [4]int32{-7408, -1616, 7408, 1616}
	higherGrowth = [4]int32{798, -214, 798, -214}
)

// powers of two by 32nds, 2048 for 1.
var powers = [32]int32{
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383,
	2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
	2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371,
	3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
}

// The quadrature mirror filter, §5.2.1 table 11, at 1<<13: every other
// coefficient. Those between are the same backwards.
var mirror = [12]int16{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// What follows is made of the tables above.

// splitter makes the lower and the higher band of samples, joiner samples of the difference and the sum of the bands.
var splitter, joiner = func() (split, join [2][taps]int16) {
	for i, h := range mirror {
		split[0][2*i], split[0][taps-1-2*i] = h, h
		split[1][2*i], split[1][taps-1-2*i] = -h, h
		join[0][taps-2-2*i], join[1][2*i+1] = h, h
	}
	return split, join
}()

// The quantizers' steps by the logarithm, five binary places of it.
var (
	lowerSteps = stepsOf(18432, 8)
	higherStep = stepsOf(22528, 10)
)

func stepsOf(top int32, shift uint) (steps [512]int32) {
	for log := int32(0); log <= top; log += 64 {
		steps[log>>6] = powers[log>>6&31] << (log >> 11) >> shift << 2
	}
	return steps
}

// lowerCodes are the codes of the lower band by the number of levels that are reached, and the sign: QUANTL.
var lowerCodes = func() (codes [64]byte) {
	for n := range 30 {
		codes[2*n], codes[2*n+1] = byte(61-n), byte(33-n)
	}
	codes[1], codes[3] = 63, 62 // the two smallest negative ones are out of the row
	return codes
}()

// A magnitude by the step, in units of a level, is cut into bins of 16, narrower than two levels lie apart.
const (
	lowerBins  = 1 << 8
	lowerWidth = 16
	lowerLast  = 28 // of the decision levels
)

// lowerInverse makes bins of magnitudes, by the logarithm of the step: 32 binary places.
var lowerInverse = func() (inverse [512]uint64) {
	for i, step := range lowerSteps {
		if step > 0 {
			inverse[i] = 1 << 32 * (1 << 12 / lowerWidth) / uint64(step)
		}
	}
	return inverse
}()

// lowerReached is how many levels, but for the last, are reached for sure by what is in a bin.
var lowerReached = func() (reached [lowerBins]int32) {
	for bin := range reached {
		for int(reached[bin]) < lowerLast && int(lowerLevels[reached[bin]]) < bin*lowerWidth {
			reached[bin]++
		}
	}
	return reached
}()
