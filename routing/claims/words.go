package claims

import (
	"maps"
	"slices"
	"time"
)

// Word is what a switch says of a desk: how it stands, when it had its last call. Of what is said about one thing the
// latest counts, whichever switch says it. Immutable.
type Word struct {
	About string // which desk, and what of it
	Word  string
	Since time.Time
	Over  time.Time // of what came about by itself: since when a person's word before it holds; zero: a person says it
	Until time.Time // zero: for ever
}

// counts says that a word holds, and not another about the same. What came about by itself yields to what a person had
// said meanwhile, which its switch did not know.
func (w Word) counts(o Word) bool {
	switch {
	case !w.Over.IsZero() && o.Over.IsZero() && o.Since.Sub(w.Over) > same:
		return false
	case w.Over.IsZero() && !o.Over.IsZero() && w.Since.Sub(o.Over) > same:
		return true
	}
	return w.Since.After(o.Since)
}

const (
	same  = 500 * time.Millisecond // what is said again is no news before
	round = 60                     // after so many beats all is told and read again
)

// words is what one switch knows of desks.
type words struct {
	known map[string]*word
	seen  int64  // the last change that Redis has told of
	epoch string // of which of its hashes that was
	beats int
}

type word struct {
	Word
	told bool
}

// said is a Word under way; times are ms from now.
type said struct {
	About string `json:"about"`
	Word  string `json:"word"`
	Age   int64  `json:"age"`
	Over  *int64 `json:"over,omitempty"` // age as well
	Left  *int64 `json:"left,omitempty"`
	Own   bool   `json:"own,omitempty"` // this very process has said it
}

// say: this switch knows.
func (w *words) say(s Word) { w.known[s.About] = &word{Word: s} }

// change adds to a request what Redis is to be told.
func (w *words) change(r *request, now time.Time) {
	if r.All {
		if w.beats++; w.beats%round == 0 {
			w.afresh()
		}
	}
	r.Seen, r.Epoch = w.seen, w.epoch
	for _, about := range slices.Sorted(maps.Keys(w.known)) {
		k := w.known[about]
		if k.told {
			continue
		}
		s := said{About: about, Word: k.Word.Word, Age: max(0, now.Sub(k.Since).Milliseconds())}
		if !k.Over.IsZero() {
			over := max(0, now.Sub(k.Over).Milliseconds())
			s.Over = &over
		}
		if !k.Until.IsZero() {
			left := k.Until.Sub(now).Milliseconds()
			s.Left = &left
		}
		r.Words, r.told = append(r.Words, s), append(r.told, k)
	}
}

// afresh has all told and read again.
func (w *words) afresh() {
	for _, k := range w.known {
		k.told = false
	}
	w.seen, w.epoch = 0, ""
}

// took is Redis' answer: what other switches have said since.
func (w *words) took(now time.Time, r request, a reply) (news []Word) {
	for _, k := range r.told {
		k.told = true
	}
	if !r.All {
		return nil
	}
	if w.epoch != "" && (a.Epoch != w.epoch || a.Top < w.seen) { // it has lost what it knew
		w.afresh()
	}
	w.seen, w.epoch = a.Top, a.Epoch
	for _, s := range a.Said {
		n := Word{About: s.About, Word: s.Word, Since: now.Add(-ms(s.Age))}
		if s.Over != nil {
			n.Over = now.Add(-ms(*s.Over))
		}
		if s.Left != nil {
			n.Until = now.Add(ms(*s.Left))
		}
		had := w.known[s.About]
		switch {
		case s.Own:
		case had != nil && (!had.told || had.Word.Word == n.Word) && n.Since.Sub(had.Since).Abs() < same,
			had != nil && !had.told && had.counts(n):
		default:
			w.known[s.About] = &word{n, true}
			news = append(news, n)
		}
	}
	return news
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
