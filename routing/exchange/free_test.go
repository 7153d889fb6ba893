package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
)

// offered is the order in which a line's free seats are offered, worked out anew from all of them.
func offered(s *Seats, line *desk.Hotline, away map[string]bool) (list []string) {
	seats := slices.Clone(line.Seats)
	if line.Ring == desk.LongestIdle {
		slices.SortStableFunc(seats, func(a, b string) int { return s.idle[a].Compare(s.idle[b]) })
	}
	for _, seat := range seats {
		if _, taken := s.busy[seat]; !taken && !away[seat] && s.agent(seat).State == Ready {
			list = append(list, seat)
		}
	}
	return list
}

// Whatever becomes of seats, those that are offered are the ones that would be found by looking at all.
func TestFreeSeatsAreInOrder(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		away := map[string]bool{}
		s := NewSeats(func(user string) bool { return !away[user] })
		var lines []*desk.Hotline
		for i, ring := range []desk.Ring{desk.All, desk.InOrder, desk.LongestIdle, desk.LongestIdle} {
			line := &desk.Hotline{ID: fmt.Sprint(i), Ring: ring}
			for n := range 12 {
				if n != 5 || i == 2 { // some sit at several lines
					line.Seats = append(line.Seats, fmt.Sprint(1100+n+i*3))
				}
			}
			lines = append(lines, line)
		}
		now := noon
		for range 400 {
			now = now.Add(time.Duration(rnd.IntN(3)) * time.Second) // some at the same time
			line := lines[rnd.IntN(len(lines))]
			seat := line.Seats[rnd.IntN(len(line.Seats))]
			ref := fmt.Sprint("call ", rnd.IntN(6))
			switch rnd.IntN(9) {
			case 0:
				away[seat] = !away[seat]
			case 1:
				s.SetAgent(seat, []AgentState{Ready, NotReady}[rnd.IntN(2)], "", now)
			case 2:
				s.Take(ref, seat)
			case 3:
				s.Watch(ref, seat)
			case 4, 5:
				s.Release(s.busy[seat], seat, now)
			case 6: // the config was read again
				again := *line
				again.Seats = slices.Clone(line.Seats)
				rnd.Shuffle(len(again.Seats), func(i, j int) {
					again.Seats[i], again.Seats[j] = again.Seats[j], again.Seats[i]
				})
				lines[slices.Index(lines, line)] = &again
			default:
				most := 1 + rnd.IntN(2)
				want := offered(s, line, away)
				want = want[:min(len(want), most)]
				if f := s.Claim(Claim{Call: ref, Line: line, Max: most}); !slices.Equal(f.Seats, want) {
					t.Fatalf("seed %d: %v is offered in the place of %v", seed, f.Seats, want)
				}
			}
		}
	}
}

// A claim costs the same however many seats there are: half of them talk, a tenth is not there.
func BenchmarkClaim(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		for _, ring := range []desk.Ring{desk.InOrder, desk.LongestIdle} {
			b.Run(fmt.Sprintf("%s/%d", ring, n), func(b *testing.B) {
				line := &desk.Hotline{ID: "110", Ring: ring}
				away := map[string]bool{}
				for i := range n {
					line.Seats = append(line.Seats, fmt.Sprint(100000+i))
					away[line.Seats[i]] = i%10 == 9
				}
				s := NewSeats(func(user string) bool { return !away[user] })
				for i := range n / 2 {
					s.Claim(Claim{Call: fmt.Sprint(i), Line: line, Max: 1})
				}
				now := noon
				var f call.SeatsFound
				for b.Loop() {
					f = s.Claim(Claim{Call: "a", Line: line, Max: 1})
					now = now.Add(time.Millisecond)
					s.Release("a", f.Seats[0], now)
				}
			})
		}
	}
}
