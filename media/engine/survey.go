package engine

import (
	"slices"
	"time"
)

// survey finds out when in the 20 ms the packets of the parties come that are heard in the tick, and has the room tick
// right after as many as can be: else they would wait for 10 ms on the average, and where a packet comes now before the
// tick and now after it, for another tick. Owned by the room.
type survey struct {
	legs  int                      // that were heard in the tick when the last one began
	ticks int                      // that it still takes; 0: none is under way
	came  map[*leg][]time.Duration // when in the frame; from shard.started on
}

const (
	surveyTicks = 25                   // 0.5 s
	surveyFew   = 10                   // packets at least of a party
	surveyLoose = 8 * time.Millisecond // whose packets are spread so far has no time of its own
	surveyEdge  = 2 * time.Millisecond // a packet may be so much later than most
	surveyGain  = 3 * time.Millisecond // a party: for less nothing is moved
)

// begin looks anew when more legs are heard in the tick than before.
func (v *survey) begin(legs int) {
	if legs > v.legs {
		v.ticks, v.came = surveyTicks, map[*leg][]time.Duration{}
	}
	v.legs = legs
}

// note takes the moment at which a packet came.
func (v *survey) note(l *leg, now time.Time) {
	if v.ticks > 0 && l.mixers > 0 {
		v.came[l] = append(v.came[l], inFrame(now.Sub(l.shard.started)))
	}
}

// inFrame is what a time is above a multiple of 20 ms.
func inFrame(d time.Duration) time.Duration { return ((d % frameTime) + frameTime) % frameTime }

// edges are the moments in the frame by which nearly all packets of each party have come.
func (v *survey) edges() (list []time.Duration) {
	for _, came := range v.came {
		if len(came) < surveyFew {
			continue
		}
		first := came[0]
		for i, at := range came {
			came[i] = inFrame(at-first+frameTime/2) - frameTime/2
		}
		slices.Sort(came)
		late := came[len(came)*9/10]
		if late-came[len(came)/10] < surveyLoose {
			list = append(list, first+late+surveyEdge)
		}
	}
	return list
}

// surveyed is called in each tick, and at the end of a survey brings the room to the group of the shard in which its
// parties wait the least, by a tick that comes at most half a frame too late or too soon.
func (r *room) surveyed(due time.Time) {
	if r.survey.ticks == 0 {
		return
	}
	if r.survey.ticks--; r.survey.ticks > 0 {
		return
	}
	edges := r.survey.edges()
	r.survey.came = nil
	for _, l := range r.legs {
		l.attention()
	}
	wait := func(shift int) (sum time.Duration) {
		for _, edge := range edges {
			sum += inFrame(due.Sub(r.shard.started) + time.Duration(shift)*phaseTime - edge)
		}
		return sum
	}
	best := 0
	for shift := range phases {
		if wait(shift) < wait(best) && r.shard.hasRoom((r.group+shift)%phases) {
			best = shift
		}
	}
	if wait(0)-wait(best) < time.Duration(len(edges))*surveyGain || best == 0 {
		return
	}
	if best < phases/2 {
		r.rest = 1 // the tick of its new group that comes next would be too soon
	}
	r.shard.moves = append(r.shard.moves, move{r, (r.group + best) % phases})
}

// move is a room that is to tick in another group.
type move struct {
	room *room
	to   int
}

// hasRoom says that a group has not so many rooms that its tick would be long.
func (s *shard) hasRoom(group int) bool {
	all := 0
	for _, rooms := range s.groups {
		all += len(rooms)
	}
	return len(s.groups[group]) <= 2*all/phases+1
}

// move is done when no group is ticking.
func (s *shard) move() {
	for _, m := range s.moves {
		r := m.room
		s.groups[r.group] = slices.DeleteFunc(s.groups[r.group], func(other *room) bool { return other == r })
		r.group = m.to
		s.groups[r.group] = append(s.groups[r.group], r)
	}
	clear(s.moves)
	s.moves = s.moves[:0]
}
