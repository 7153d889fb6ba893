package engine

import (
	"slices"
	"time"

	"liandong/media/pcm"
	"liandong/media/socket"
)

// room is the shard's side of a Session. Owned by the shard's thread.
type room struct {
	session *Session
	shard   *shard
	group   int // of the shard's, while it has legs
	legs    []*leg
	rate    int   // of what is mixed, in samples per second
	rest    uint8 // so many ticks it can be left alone
	rested  int   // so many it has been left alone, up to this one
	survey  survey
	sniffer Sniffer   // nil: nobody looks
	owing   bool      // who records here may have to get copies of the time before
	until   time.Time // with owing: is waited for who records
}

func (r *room) leg(id LegID) *leg {
	for _, l := range r.legs {
		if l.id == id {
			return l
		}
	}
	return nil
}

// do carries out a command. One for a leg that is gone is what a race with its
// Close looks like, and means nothing any more.
func (r *room) do(c Command) {
	r.rest = 0
	r.takeBack()
	switch c := c.(type) {
	case Stream:
		if l := r.leg(c.Leg); l != nil {
			l.configure(c, r.shard.now)
			r.detectTones()
			r.route()
		}
	case Listen:
		if l := r.leg(c.Leg); l != nil {
			l.attend(c)
			r.route()
		}
	case Know:
		if l := r.leg(c.Leg); l != nil {
			l.keys.Know(c.Press)
			l.keyDown = true
		}
	case Digits:
		if l := r.leg(c.Leg); l != nil {
			l.press(c.Digits)
		}
	case Sniff:
		r.sniffer = c.To
		if c.To != nil {
			r.succeed(nil)
		}
	case Record:
		if l := r.leg(c.Leg); l != nil {
			l.record = c
			r.untaped(l)
		}
	case Close:
		if l := r.leg(c.Leg); l != nil {
			l.about = c.About
			r.shard.close(l)
		}
	}
}

func (r *room) emit(e Event) { r.shard.emit(r.session, e) }

// collect takes in what the parties have sent whose packets nobody waits for.
func (r *room) collect() {
	for _, l := range r.legs {
		if l.care == socket.OnDemand {
			r.shard.net.Collect(l.pair.rtp, r.shard.receiver)
		}
	}
}

// tick makes a frame for each leg: all that is needed of the sources first.
func (r *room) tick(now time.Time) {
	r.tune()
	r.mind(now)
	for _, l := range r.legs {
		if l.mixers > 0 {
			l.pull(now)
		}
	}
	for _, l := range r.legs {
		l.tick(now)
	}
	r.rest = r.pause(now)
	r.carry(now)
	r.surveyed(now)
}

// calmTicks are left out in a relay that runs: a tick looks at every party, which costs as much
// as the packets do. A gap is found so much later.
const calmTicks = 2

// silentTicks are left out in a relay in which nobody says anything. With the first word it has all its ticks.
const silentTicks = uint8(restPace/frameTime) - 1

// pause is how many ticks can be left out: every party gets packets as they come, and nothing else, or next to nothing.
func (r *room) pause(now time.Time) uint8 {
	ticks := silentTicks
	for _, l := range r.legs {
		switch {
		case l.left != nil || len(l.owed) > 0 || l.mode != relaying || l.care != socket.Promptly || l.keyWaits():
			return 0
		case now.Before(l.dialTill):
			return 0
		case l.resting():
		case !l.rewriter.live || now.Sub(l.out.at) > 2*frameTime:
			return 0
		default:
			ticks = calmTicks
		}
	}
	return ticks
}

// route works out anew who gets whose sound in which way.
func (r *room) route() {
	r.rest = 0
	r.takeBack()
	for _, l := range r.legs {
		l.relays, l.mixers = l.relays[:0], 0
	}
	for _, l := range r.legs {
		l.choose()
	}
	mixed := 0
	for _, l := range r.legs {
		if l.mixers > 0 {
			mixed++
		}
	}
	r.survey.begin(mixed)
	for _, l := range r.legs {
		l.voice.want(l.mixers > 0, l.network().jitter())
		l.attention()
	}
}

// tune mixes at 16 kHz as soon as somebody hears it, and else at 8 kHz. The voices go over
// by themselves, see package playout; for who hears narrowband the filter begins anew. It is
// settled before the tick: what was pulled at one rate is not mixed at the other.
func (r *room) tune() {
	rate := pcm.Rate
	for _, l := range r.legs {
		if l.mode == mixing && l.rate() == pcm.WideRate {
			rate = pcm.WideRate
		}
	}
	if rate == r.rate {
		return
	}
	r.rate = rate
	for _, l := range r.legs {
		l.down = pcm.Downsampler{}
		l.crossfade.due = l.crossfade.due || l.mode == mixing
	}
}

// sources finds the legs that l is to hear and that exist.
func (r *room) sources(l *leg) []*leg {
	found := l.sources[:0]
	for _, other := range r.legs {
		if other != l && slices.Contains(l.listen.From, other.id) {
			found = append(found, other)
		}
	}
	return found
}
