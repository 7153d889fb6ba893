package dtmf

import "time"

// What a tone must be, by the limits of ITU-T Q.24 (annex A, those of AT&T, which are the
// widest), and so that a voice is none.
const (
	leastTone = 1.3e5 // power of each frequency: -33 dBm0; from -25 on it must be taken
	twistHigh = 5.5   // dB of the column above the row; 4 must be taken, and filters on the way add to it
	twistLow  = 9.5   // dB of the row above the column; 8 must be taken
	offLimit  = 0.025 // of a frequency; 0.015 must be taken, 0.035 must be refused
	pure      = 0.88  // of all power that the two must have: what has harmonics is a voice
	held      = 0.5   // of all power that a key has that goes on to be pressed
	looksUp   = 4     // in a row that find the same key: it is down
	looksDown = 4     // in a row that do not find it: it is up, which takes a pause of 40 ms and no break of 10
)

// longestGap is how much lost sound does not end a press: better one key too few than one
// that a burst of loss has doubled.
const longestGap = 200 * time.Millisecond

// Detector finds key presses in sound at 8 kHz: the two tones of ITU-T Q.23, 40 ms of them at
// the least and 40 ms apart. It takes for a key only two frequencies that stand still, in their
// place and alone. A voice may have them for a moment, but has others beside them and does not
// hold them. The zero value is ready. Owned by the leg; allocates nothing.
type Detector struct {
	window window
	before look

	found  byte // by the last look; 0: nothing
	row    int  // looks in a row that found it
	down   byte // the key that is pressed; 0: none
	missed int  // looks in a row without it
	sounds bool
}

// Push takes the samples that follow those before, and appends the keys that are down by their
// end to dst. A key is reported once, 25 to 35 ms after its beginning.
func (d *Detector) Push(dst []byte, samples []int16) []byte {
	d.sounds = false
	for len(samples) > 0 {
		n := d.window.add(samples)
		samples = samples[n:]
		if !d.window.due() {
			break
		}
		now := d.window.look(&d.before)
		if key := d.step(&now); key != 0 {
			dst = append(dst, key)
		}
		d.before = now
		d.sounds = d.sounds || d.row > 0 || d.down != 0
	}
	return dst
}

// Sounds says that in the last Push there was a key's tone, or what may become one: by this a
// tone can be kept from others from its first 20 ms on.
func (d *Detector) Sounds() bool { return d.sounds }

// Lose says that so much sound is missing between what was pushed and what comes next. A key
// that is down stays so: it is not read twice.
func (d *Detector) Lose(lost time.Duration) {
	d.window, d.before = window{}, look{}
	d.found, d.row = 0, 0
	if lost > longestGap {
		d.down = 0
	}
}

// step follows the presses from look to look. It gives the key that has just gone down.
func (d *Detector) step(now *look) byte {
	if d.missed++; now.like == d.down {
		d.missed = 0
	}
	if d.missed >= looksDown {
		d.down = 0
	}
	if now.key != d.found {
		d.found, d.row = now.key, 0
	}
	if d.found == 0 {
		return 0
	}
	d.row++
	if d.row < looksUp || d.found == d.down {
		return 0
	}
	d.down, d.missed = d.found, 0
	return d.down
}
