package engine

import (
	"time"

	"liandong/media/jitter"
	"liandong/media/playout"
)

// comfortNoise is the static payload type of RFC 3389 §4 for 8 kHz clocks: phones that leave
// out silence use it without a word in SDP.
const comfortNoise = 13

// voice is a leg's sound for those who hear it in the tick. Owned by the leg.
type voice struct {
	playout *playout.Playout // nil while nobody hears the leg in the tick
	frame   []int16          // this tick's sound
	audible bool             // there is some
}

// want makes ready to be heard in the tick, or gives back what that takes.
func (v *voice) want(heard bool, cfg jitter.Config) {
	switch {
	case !heard:
		*v = voice{}
	case v.playout == nil:
		v.playout = playout.New(cfg)
	}
}

// reset forgets the stream: another one begins.
func (v *voice) reset() {
	if v.playout != nil {
		v.playout.Reset()
	}
}

// pull makes the frame of this tick, once for all who hear the leg.
func (l *leg) pull(now time.Time) {
	v := &l.voice
	v.frame, v.audible = v.playout.Pull(now, l.room.rate)
	v.audible = v.audible && !l.muted(now)
	if v.audible && !l.inbound.codec.Stateless() {
		l.loudness.frame(v.frame)
	}
}
