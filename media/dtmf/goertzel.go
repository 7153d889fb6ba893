package dtmf

import (
	"math"
	"math/cmplx"
)

// ToneKeys are the keys that have tones, a row of four after another: ITU-T Q.23.
const ToneKeys = "123A456B789C*0#D"

// Rows and Columns are the frequencies, in Hz, of which a tone has one each: ITU-T Q.23.
var (
	Rows    = [4]float64{697, 770, 852, 941}
	Columns = [4]float64{1209, 1336, 1477, 1633}
)

const (
	looked = 160 // samples of one look: 20 ms, of which the ends count for little
	hop    = 40  // samples from one look to the next: 5 ms
	band   = float64(DefaultClock) / looked
)

// window is the sound that is looked at.
type window struct {
	sound [looked]float32 // the newest last
	fresh int             // samples since the last look
}

// add takes samples up to the next look, and gives their number.
func (w *window) add(samples []int16) int {
	n := min(len(samples), hop-w.fresh)
	at := looked - hop + w.fresh
	for i, x := range samples[:n] {
		w.sound[at+i] = float32(x)
	}
	w.fresh += n
	return n
}

// due says that there is a hop of new samples.
func (w *window) due() bool { return w.fresh == hop }

// look is what one window has of the eight frequencies.
type look struct {
	loud  bool // there was enough sound to look at them
	tones [8]complex128
	like  byte // the key whose two frequencies have most of the power; 0: none have
	key   byte // the same when all else is right as well
}

// look filters the window and makes room for the next hop.
func (w *window) look(before *look) (now look) {
	var windowed [looked]float32
	var sum float32
	for i, x := range w.sound {
		windowed[i] = x * hann[i]
		sum += windowed[i] * windowed[i]
	}
	copy(w.sound[:], w.sound[hop:])
	w.fresh = 0
	power := float64(sum) / hannSquares
	if now.loud = power > 2*leastTone; !now.loud {
		return now
	}
	now.tones = goertzel(&windowed)
	now.judge(before, power)
	return now
}

// judge finds the key that a look shows, by what the look before it showed.
func (l *look) judge(before *look, power float64) {
	r, c := strongest(l.tones[:4]), 4+strongest(l.tones[4:])
	row, column := l.tone(before, r), l.tone(before, c)
	least, both := min(row.power, column.power), row.power+column.power
	if least < leastTone || both < held*power {
		return
	}
	l.like = ToneKeys[4*r+c-4]
	twist := 10 * math.Log10(column.power/row.power)
	if before.loud && both > pure*power && twist < twistHigh && twist > -twistLow && row.inPlace(r) &&
		column.inPlace(c) {
		l.key = l.like
	}
}

func strongest(tones []complex128) (best int) {
	for i := range tones {
		if cmplx.Abs(tones[i]) > cmplx.Abs(tones[best]) {
			best = i
		}
	}
	return best
}

// tone is one of the two that a key has.
type tone struct {
	power float64 // mean square
	off   float64 // Hz off its place
}

// tone measures what is near a frequency. By how much it is off shows in the turn of its phase
// from look to look; what the window leaves of a tone that is off is made up for.
func (l *look) tone(before *look, i int) tone {
	turn := cmplx.Phase(l.tones[i] * cmplx.Conj(before.tones[i]) * filters[i].back)
	off := turn / (2 * math.Pi) * DefaultClock / hop
	x := cmplx.Abs(l.tones[i]) / hannSum
	left := leftOf(math.Min(math.Abs(off)/band, 1))
	return tone{power: 2 * x * x / (left * left), off: off}
}

func (t tone) inPlace(i int) bool { return math.Abs(t.off) < offLimit*filters[i].hz }

// leftOf is the response of the window to a tone that is so many bands off, 0 to 1.
func leftOf(bands float64) float64 {
	if bands < 1e-6 {
		return 1
	}
	if bands > 1-1e-6 {
		return 0.5
	}
	return math.Sin(math.Pi*bands) / (math.Pi * bands) / (1 - bands*bands)
}

// filter is what is known of a frequency.
type filter struct {
	hz          float64
	coefficient float32    // 2·cos ω
	last        complex128 // e^-jω
	back        complex128 // e^-jω·hop: what the phase of a tone in its place has turned by in a hop
}

var filters = makeFilters()

func makeFilters() (all [8]filter) {
	for i := range all {
		hz := Rows[i%4]
		if i >= 4 {
			hz = Columns[i%4]
		}
		w := 2 * math.Pi * hz / DefaultClock
		all[i] = filter{hz: hz, coefficient: float32(2 * math.Cos(w)), last: cmplx.Rect(1, -w),
			back: cmplx.Rect(1, -w*hop)}
	}
	return all
}

// goertzel gives the component of each frequency. Its phase is that of the window's end, which
// for a tone goes on from look to look as that of its beginning does. Four filters run at once:
// each step of one waits for the step before.
func goertzel(sound *[looked]float32) (tones [8]complex128) {
	for i := 0; i < len(filters); i += 4 {
		f := filters[i : i+4 : i+4]
		ca, cb, cc, cd := f[0].coefficient, f[1].coefficient, f[2].coefficient, f[3].coefficient
		var a1, a2, b1, b2, c1, c2, d1, d2 float32
		for _, x := range sound {
			a1, a2 = x+ca*a1-a2, a1
			b1, b2 = x+cb*b1-b2, b1
			c1, c2 = x+cc*c1-c2, c1
			d1, d2 = x+cd*d1-d2, d1
		}
		tones[i], tones[i+1] = f[0].component(a1, a2), f[1].component(b1, b2)
		tones[i+2], tones[i+3] = f[2].component(c1, c2), f[3].component(d1, d2)
	}
	return tones
}

func (f *filter) component(s1, s2 float32) complex128 {
	return complex(float64(s1), 0) - f.last*complex(float64(s2), 0)
}

// hann is the window, with its sum and that of its squares.
var hann, hannSum, hannSquares = makeHann()

func makeHann() (w [looked]float32, sum, squares float64) {
	for i := range w {
		x := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/looked)
		w[i] = float32(x)
		sum += x
		squares += x * x
	}
	return w, sum, squares
}
