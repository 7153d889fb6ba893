package spool

import (
	"maps"
	"slices"
	"time"
)

// Verdict is what is to be done with a file.
type Verdict string

// The verdicts.
const (
	Next   Verdict = "next"   // take its lines, then call Took
	Ahead  Verdict = "early"  // leave it: some before it are missing
	Repeat Verdict = "repeat" // it was taken before: acknowledge again, and away with it
	Stale  Verdict = "stale"  // of an epoch long past, or so old that it can no longer be known whether it was taken
	// it follows another file than the one that was taken: the sender's state is an old copy
	Forked  Verdict = "forked"
	Foreign Verdict = "foreign" // not of this channel: perhaps one of our own that came back
)

// Epochs that a receiver remembers, and the age at which it believes no unknown one any more.
const (
	epochs  = 8
	tooLate = 7 * 24 * time.Hour
)

// Receiver is what the receiving end of a channel knows. A plain value that must survive.
type Receiver struct {
	Line  string            `json:"line"`
	Taken map[string]uint64 `json:"taken"` // epoch → all up to here were taken
	Sums  map[string]string `json:"sums"`  // epoch → sum of the file that was taken last
}

// Judge says what is to be done with a file, whose signature was good.
func (r *Receiver) Judge(h Header, now time.Time) Verdict {
	if h.Kind != Entries || h.Line != r.Line || h.Epoch == "" {
		return Foreign
	}
	last, known := r.Taken[h.Epoch]
	if !known && (now.Sub(h.At) > tooLate || len(r.Taken) >= epochs &&
		h.Epoch < slices.Min(slices.Collect(maps.Keys(r.Taken)))) {
		return Stale
	}
	if s := r.Sums[h.Epoch]; known && h.Previous == last && s != "" && h.Digest != "" && h.Digest != s {
		return Forked
	}
	last = max(last, h.Acknowledged) // by whoever was here before, should this end have lost its books
	switch {
	case h.Number <= last:
		return Repeat
	case h.Number == last+1:
		return Next
	}
	if !r.newest(h.Epoch) {
		return Stale // the sender has lost what was before it, and begun anew
	}
	return Ahead
}

// newest says that nothing was taken of a later epoch.
func (r *Receiver) newest(epoch string) bool {
	for e := range r.Taken {
		if e > epoch {
			return false
		}
	}
	return true
}

// Took notes that a file's lines are safe.
func (r *Receiver) Took(f File) {
	if r.Taken == nil {
		r.Taken = map[string]uint64{}
	}
	if r.Sums == nil {
		r.Sums = map[string]string{}
	}
	r.Taken[f.Epoch], r.Sums[f.Epoch] = f.Number, f.sum
	for len(r.Taken) > epochs {
		oldest := slices.Min(slices.Collect(maps.Keys(r.Taken))) // they are ULIDs
		delete(r.Taken, oldest)
		delete(r.Sums, oldest)
	}
}

// Ack is the acknowledgement of an epoch. Its sum tells the sender whether what was taken is what it has sent.
func (r *Receiver) Ack(epoch string, now time.Time) File {
	return File{Header: Header{Kind: Ack, Line: r.Line, Epoch: epoch, Number: r.Taken[epoch], Digest: r.Sums[epoch],
		At: now}}
}
