package spool

import (
	"slices"
	"time"
)

// When a file is sent again.
const (
	Again     = 300 * time.Second // without acknowledgement
	Times     = 5                 // so often; then it is an alarm
	Reluctant = time.Hour         // and goes on like this, in case somebody mends the way
	window    = 1000              // files without acknowledgement; more are not packed
)

// Sender is what the sending end of a channel knows. A plain value.
type Sender struct {
	Line  string
	Epoch string
	Acked uint64 // all up to here have arrived
	Sum   string // of the file with that number; "": there was none
	Kept  []Kept // the rest, in order
}

// Kept is a file that is not acknowledged.
type Kept struct {
	Number uint64
	Sum    string
	Last   time.Time // when it was sent
	Times  int       // how often again
}

// Full says that no more is to be packed until something is acknowledged.
func (s *Sender) Full() bool { return len(s.Kept) >= window }

// Pack makes the next file of lines. It is kept from now on, and has to be sent.
func (s *Sender) Pack(lines []Line, now time.Time) File {
	previous, before := s.last()
	f := File{Lines: lines, Header: Header{
		Format: Format, Kind: Entries, Line: s.Line, Epoch: s.Epoch, Number: previous + 1, Previous: previous,
		Acknowledged: s.Acked,
		Count:        len(lines), At: now, Digest: before,
	}}
	f.sum = sum(f.Header, text(lines))
	s.Kept = append(s.Kept, Kept{Number: f.Number, Sum: f.sum, Last: now})
	return f
}

// last is the number that was given last, and the sum of its file.
func (s *Sender) last() (uint64, string) {
	if n := len(s.Kept); n > 0 {
		return s.Kept[n-1].Number, s.Kept[n-1].Sum
	}
	return s.Acked, s.Sum
}

// Forked says that an acknowledgement is for a file that this end does not know to have sent: its state is an old copy,
// and the numbers after that have been given before. It must begin a new epoch.
func (s *Sender) Forked(ack Header) bool {
	if ack.Kind != Ack || ack.Line != s.Line || ack.Epoch != s.Epoch || ack.Number <= s.Acked {
		return false
	}
	i := slices.IndexFunc(s.Kept, func(k Kept) bool { return k.Number == ack.Number })
	return i < 0 || ack.Digest != "" && s.Kept[i].Sum != ack.Digest
}

// Take takes an acknowledgement in and says which files need not be kept any more. Old ones, and those of things that
// were never sent, change nothing.
func (s *Sender) Take(ack Header) (gone []uint64) {
	if ack.Kind != Ack || ack.Line != s.Line || ack.Epoch != s.Epoch || s.Forked(ack) {
		return nil
	}
	for len(s.Kept) > 0 && s.Kept[0].Number <= ack.Number {
		s.Acked, s.Sum = s.Kept[0].Number, s.Kept[0].Sum
		gone = append(gone, s.Acked)
		s.Kept = slices.Delete(s.Kept, 0, 1)
	}
	return gone
}

// Due says which files are to be sent again, and takes them for sent. A time of sending that has yet to come is of a
// clock that was set back: then nobody knows, and the file is due.
func (s *Sender) Due(now time.Time) (again []uint64) {
	for i := range s.Kept {
		k := &s.Kept[i]
		wait := Again
		if k.Times >= Times {
			wait = Reluctant
		}
		if since := now.Sub(k.Last); since < 0 || since >= wait {
			k.Last = now
			k.Times++
			again = append(again, k.Number)
		}
	}
	return again
}

// Overdue counts the files that were sent again often enough, in vain: somebody has to look after the way.
func (s *Sender) Overdue(now time.Time) (n int) {
	for _, k := range s.Kept {
		if k.Times > Times || k.Times == Times && now.Sub(k.Last) >= Again {
			n++
		}
	}
	return n
}
