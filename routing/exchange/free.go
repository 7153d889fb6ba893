package exchange

import (
	"cmp"
	"slices"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
)

// freeSeats are the seats of one line that no call has, in the order in which its ring rule wants them offered. They
// are kept in order, so that a claim looks at no more of them than it takes, however many there are.
type freeSeats struct {
	line  *desk.Hotline
	place map[string]int // of each of the line's seats, free or not, in the line
	list  []freeSeat
}

// freeSeat is its key as well: a seat's place breaks ties.
type freeSeat struct {
	seat  string
	since time.Time // zero where the rule is another
	place int
}

func (a freeSeat) compare(b freeSeat) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.place, b.place))
}

// freeOf is the list of a line, made anew when the line is not the one that it was. Caller holds mu.
func (s *Seats) freeOf(line *desk.Hotline) *freeSeats {
	if f := s.free[line.ID]; f != nil && f.line == line {
		return f
	}
	f := &freeSeats{line: line, place: make(map[string]int, len(line.Seats))}
	for i, seat := range line.Seats {
		if _, twice := f.place[seat]; twice {
			continue
		}
		f.place[seat] = i
		if _, taken := s.busy[seat]; !taken {
			f.list = append(f.list, f.entry(seat, s.idle[seat]))
		}
	}
	slices.SortFunc(f.list, freeSeat.compare)
	s.free[line.ID] = f
	return f
}

func (f *freeSeats) entry(seat string, idle time.Time) freeSeat {
	if f.line.Ring != desk.LongestIdle {
		idle = time.Time{}
	}
	return freeSeat{seat, idle, f.place[seat]}
}

// taken notes that a call has a seat, see [Claims]. Caller holds mu, as of those below.
func (s *Seats) taken(seat, ref string, by Waiter) {
	if _, was := s.busy[seat]; !was {
		s.unlist(seat)
		s.shared.Taken(seat, by)
	}
	s.busy[seat] = ref
}

// given notes that no call has it any more.
func (s *Seats) given(seat string) {
	if _, was := s.busy[seat]; was {
		delete(s.busy, seat)
		s.list(seat)
		s.shared.Given(seat)
	}
}

// idleSince notes since when it has nothing to do.
func (s *Seats) idleSince(seat string, t time.Time) {
	_, taken := s.busy[seat]
	if !taken {
		s.unlist(seat)
	}
	if s.idle[seat] = t; !taken {
		s.list(seat)
	}
}

func (s *Seats) list(seat string) {
	for _, f := range s.free {
		if _, has := f.place[seat]; has {
			e := f.entry(seat, s.idle[seat])
			if i, there := slices.BinarySearchFunc(f.list, e, freeSeat.compare); !there {
				f.list = slices.Insert(f.list, i, e)
			}
		}
	}
}

func (s *Seats) unlist(seat string) {
	for _, f := range s.free {
		if _, has := f.place[seat]; has {
			i, there := slices.BinarySearchFunc(f.list, f.entry(seat, s.idle[seat]), freeSeat.compare)
			if there {
				f.list = slices.Delete(f.list, i, i+1)
			}
		}
	}
}

// pick is who is to be rung for a claim: who is ready, and where the line leaves no citizen alone else who is not.
func (s *Seats) pick(c Claim) []string {
	list := s.standing(c, Ready)
	for _, state := range restingOrder {
		if len(list) == 0 && (c.Line.LastResort || c.First != "") {
			list = s.standing(c, state)
		}
	}
	return list
}

// wants says that a seat would do for a claim.
func (c Claim) wants(seat string) bool {
	only := cmp.Or(c.First, c.Only)
	return only == "" || seat == only
}

func (s *Seats) standing(c Claim, state AgentState) (list []string) {
	for _, e := range s.freeOf(c.Line).list {
		if !c.wants(e.seat) || s.agent(e.seat).State != state || slices.Contains(c.Tried, e.seat) ||
			!s.online(e.seat) || s.shared.Bars(e.seat) {
			continue
		}
		if list = append(list, e.seat); len(list) == c.Max {
			break
		}
	}
	return list
}

// anyOnline counts the seats of a claim that are reached, up to the first: whether there is one is all that is asked
// when none is free.
func (s *Seats) anyOnline(c Claim) int {
	for _, seat := range c.Line.Seats {
		if c.wants(seat) && s.online(seat) {
			return 1
		}
	}
	return 0
}

// Claim takes free seats for a call. When there is none the call joins the
// line's queue, and is told of the first seat that becomes free.
func (s *Seats) Claim(c Claim) call.SeatsFound {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := call.SeatsFound{Hotline: c.Line.ID, Seats: s.pick(c)}
	for _, seat := range found.Seats {
		s.taken(seat, c.Call, c.waiter())
		s.changed(seat)
	}
	switch found.Online = len(found.Seats); {
	case found.Online > 0 && s.alone():
		s.leave(c.Call, c.Line.ID)
		return found
	case found.Online > 0:
		s.asking(c, true)
		return found
	case c.Tell != nil:
		found.Full = !s.enqueue(c)
	}
	found.Online = s.anyOnline(c)
	return found
}
