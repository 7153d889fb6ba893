package mixer

import "math"

// Silence is the level of no sound at all, the softest there is: RFC 6465 §4.
const Silence = 127

// The meter's measures: levels are in dB below full scale, so larger is softer; times
// are in windows of 100 ms.
const (
	onset    = 9.  // speech is so much louder than what is always there
	relapse  = 4.  // and over when it is less than this above it
	quietest = 59. // background; what is softer than 50 is speech on no line
	loudest  = 30. // background; who talks on without a pause does not become it
	creep    = 0.1 // the background is taken to grow by so much, 1 dB a second
	sustain  = 2   // windows that make a talkspurt: no click is one
	hangover = 6   // windows of silence that a talkspurt may have in it
	spacing  = 10  // windows between two reports
	fading   = 0.3 // of the way to a softer level, a window
)

// Meter tells from a source's power when it talks, and how loud. It reports no more
// often than once a second. The zero Meter is ready.
type Meter struct {
	started    bool
	talks      bool
	level      float64 // smoothed: up at once, down slowly
	background float64 // what the softest windows have
	run        uint8   // windows in a row that speak against talks
	since      uint8   // windows since the last report, up to spacing
}

// Window takes the next 100 ms: the sum of the squares of so many samples; any part of
// the window's samples stands for all. None is silence. It is true when the source has begun
// or ceased to talk.
func (m *Meter) Window(squares uint64, samples int) (changed bool) {
	if !m.started {
		*m = Meter{started: true, level: Silence, background: quietest, since: spacing}
	}
	level := decibels(squares, samples)
	m.level = min(level, m.level+fading*(level-m.level))
	if samples > 0 {
		m.background = max(loudest, min(level, quietest), m.background-creep)
	}
	m.since = min(m.since+1, spacing)
	if m.speech(level) == m.talks {
		m.run = 0
		return false
	}
	m.run = min(m.run+1, hangover)
	if m.since < spacing || m.run < sustain || m.talks && m.run < hangover {
		return false
	}
	m.talks, m.run, m.since = !m.talks, 0, 0
	return true
}

// speech says whether a window of that level is: less is needed to go on than to begin.
func (m *Meter) speech(level float64) bool {
	if m.talks {
		return level <= m.background-relapse
	}
	return level <= m.background-onset
}

// Talks says whether the source talks.
func (m *Meter) Talks() bool { return m.talks }

// Level is how loud the source is, in -dBov: 0 is the loudest, Silence none.
func (m *Meter) Level() uint8 {
	if !m.started {
		return Silence
	}
	return uint8(math.Round(m.level))
}

// decibels is the mean power in -dBov, from 0, a square wave at full scale, to 127:
// RFC 6465 §3.
func decibels(squares uint64, samples int) float64 {
	if squares == 0 || samples <= 0 {
		return Silence
	}
	mean := float64(squares) / float64(samples)
	return max(0, min(Silence, 10*math.Log10(1<<30/mean)))
}
