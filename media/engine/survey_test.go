package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"liandong/media/codec"
)

// clocked is a room of three on a clock of milliseconds: each phone sends at its own moment of the frame, up to so much
// later by chance.
type clocked struct {
	*rig
	at     [3]int // of the frame, in ms
	jitter int
	due    [3]int
	dice   *rand.Rand
	ms     int
}

func newClocked(t *testing.T, at [3]int, jitter int) *clocked {
	c := &clocked{rig: newRig(t, labConfig(nil)), at: at, due: at, jitter: jitter, dice: rand.New(rand.NewPCG(1, 2))}
	for leg := range LegID(3) {
		c.phone(leg+1, codec.PCMA)
	}
	return c
}

func (c *clocked) run(d time.Duration) {
	for range d / time.Millisecond {
		for i, p := range c.phones {
			if c.ms == c.due[i] {
				p.talk()
				c.at[i] += 20
				c.due[i] = c.at[i] + c.dice.IntN(c.jitter+1)
			}
		}
		c.pass(time.Millisecond)
		c.ms++
	}
}

// waits is how long the packets of each party lie until they are mixed, in ms.
func (c *clocked) waits() (ms [3]int) {
	tick := (c.ms + int(c.shard.next.Sub(c.now)/phaseTime) + (c.session.room.group-c.shard.phase+phases)%phases) % 20
	for i := range ms {
		ms[i] = (tick - c.at[i]%20 + 40) % 20
	}
	return ms
}

// TestTicksAfterPackets: wherever in the frame the packets of three come, when they begin to be mixed the room comes to
// tick where they wait the least; no party gets a packet more than half a frame too late or too soon, nothing is lost,
// and all hear each other.
func TestTicksAfterPackets(t *testing.T) {
	for _, at := range [][3]int{{1, 4, 6}, {18, 1, 3}, {3, 9, 17}, {12, 12, 12}, {19, 9, 0}} {
		for _, jitter := range []int{0, 3} {
			c := newClocked(t, at, jitter)
			connectRelay(c.rig)
			c.run(200 * time.Millisecond)
			third := c.phone(4, codec.PCMA)
			c.phones = append(c.phones[:2], third)
			a, b := c.phones[0], c.phones[1]
			for _, p := range c.phones {
				p.forget()
			}
			a.hears(Playlist{}, b, third)
			b.hears(Playlist{}, a, third)
			third.hears(Playlist{}, a, b)
			c.run(time.Second)
			concealed := uint64(0)
			for _, l := range c.session.room.legs {
				concealed += l.voice.playout.Stats().Concealed
			}
			if concealed > 3 {
				t.Errorf("%v with jitter of %d ms: %d frames concealed", at, jitter, concealed)
			}
			for _, p := range c.phones {
				for i, packet := range p.got[1:] {
					if gap := packet.at.Sub(p.got[i].at); gap > 3*frameTime/2 || gap < frameTime/2 {
						t.Errorf("%v: leg %d gets a packet %v after another", at, p.leg, gap)
					}
				}
				p.oneStream()
			}
			got := c.waits()
			if sum, least := total(got), leastWait(at, jitter); sum > least {
				t.Errorf("%v with jitter of %d ms: packets wait %v ms, %d, could be %d", at, jitter, got, sum, least)
			}
			c.run(5 * time.Second)
			for _, p := range c.phones {
				p.forget()
			}
			c.run(2 * time.Second)
			a.mustHear(b, third)
			b.mustHear(a, third)
			third.mustHear(a, b)
			for _, l := range c.session.room.legs {
				if s := l.voice.playout.Stats(); s.Delay > 40*time.Millisecond || s.Lost > 4 {
					t.Errorf("%v: leg %d waits %v, %d lost", at, l.id, s.Delay, s.Lost)
				}
			}
		}
	}
}

func total(waits [3]int) int { return waits[0] + waits[1] + waits[2] }

// leastWait is what the best moment comes to, and what is not moved for.
func leastWait(at [3]int, jitter int) int {
	least := 60
	for tick := range 20 {
		sum := 0
		for _, x := range at {
			sum += (tick - x - jitter - int(surveyEdge/phaseTime) + 80) % 20
		}
		least = min(least, sum)
	}
	return least + 3*(jitter+int((surveyEdge+surveyGain)/phaseTime))
}

// TestTicksAreSpread: when all phones send at once the rooms do not all tick at once.
func TestTicksAreSpread(t *testing.T) {
	c := newClocked(t, [3]int{5, 5, 5}, 0)
	for range 100 {
		r := &room{session: c.session, shard: c.shard, survey: survey{ticks: 1, came: map[*leg][]time.Duration{}}}
		r.survey.came[&leg{}] = slices.Repeat([]time.Duration{5 * time.Millisecond}, 20)
		c.shard.enter(r)
		r.surveyed(c.now)
		c.shard.move()
	}
	for i, rooms := range c.shard.groups {
		if len(rooms) > 2*101/phases+2 {
			t.Errorf("%d rooms tick in group %d", len(rooms), i)
		}
	}
}
