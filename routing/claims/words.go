package claims

import "time"

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
	round = 60                     // in so many beats each word is told and read again
)

// words is what one switch knows of desks.
type words struct {
	known  map[string]*word
	untold map[string]bool // what Redis is yet to be told
	turn   []string        // all that is known
	next   int             // in turn: it is told again
	seen   int64           // the last change that Redis has told of
	again  int64           // the last one that was read again
	epoch  string          // of which of its hashes that was
	behind bool            // there is more to be read
}

type word struct {
	Word
	told bool // Redis knows
}

func newWords() words { return words{known: map[string]*word{}, untold: map[string]bool{}} }

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
func (w *words) say(s Word) {
	w.note(&word{Word: s})
	w.untold[s.About] = true
}

// note takes what is known, by this switch or by Redis.
func (w *words) note(s *word) {
	if w.known[s.About] == nil {
		w.turn = append(w.turn, s.About)
	}
	w.known[s.About] = s
	delete(w.untold, s.About)
}

// change adds to a request what Redis is to be told, and which changes it is to tell of.
func (w *words) change(r *request, now time.Time) {
	if r.All {
		r.Part = (len(w.turn) + round - 1) / round
		for range r.Part {
			w.untold[w.turn[w.next%len(w.turn)]] = true
			w.next++
		}
	}
	r.Seen, r.Again, r.Epoch, r.Page = w.seen, w.again, w.epoch, most
	r.Read = r.All || w.behind
	for about := range w.untold {
		if len(r.Words) == most {
			r.more = true
			break
		}
		k := w.known[about]
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

// afresh has all told again.
func (w *words) afresh() {
	for about, k := range w.known {
		k.told, w.untold[about] = false, true
	}
}

// took is Redis' answer: what other switches have said since.
func (w *words) took(now time.Time, r request, a reply) (news []Word) {
	for _, k := range r.told {
		if k.told = true; w.known[k.About] == k { // nothing else has been said since
			delete(w.untold, k.About)
		}
	}
	if !r.Read {
		return nil
	}
	w.behind = a.More
	if w.again = a.Again; w.epoch != a.Epoch {
		w.again = 0
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
			w.note(&word{n, true})
			news = append(news, n)
		}
	}
	return news
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
