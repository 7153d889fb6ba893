// Package tenure decides which of two machines carries a switch's calls. VRRP moves the switch's address between them;
// whoever has it still acts only for as long as it holds a lease, so that a machine that was cut off, or stood still,
// is silent before the other one speaks.
//
// Three have a say: both machines, and a third. The one that acts has its own voice and one more, for a [Config.Lease]
// at a time:
//
//   - the partner's, who promises not to begin for so long;
//   - the witness's (Redis), who says so to one of them at a time;
//   - without a witness the address's: when the partner is not heard the one acts that has the address.
//
// With a witness there are never two that act, whatever the network does. Without one there are two only when neither
// VRRP's messages nor the partner's get through while both machines reach the phones.
//
// Each turn has a number, its epoch, higher than all before. No wall clock is looked at: times are those since the
// machine was started, and need only run about as fast on both sides (an eighth is allowed for).
//
// [Machine] is pure: it is told the time with everything that happens, and returns what is to be done.
package tenure

import (
	"encoding/binary"
	"errors"
	"time"
)

// Config of one of the two. Immutable.
type Config struct {
	Lease   time.Duration // how long a voice counts
	Witness bool          // there is one
	First   bool          // this side's epochs are the odd ones; the partner says the other
}

// DefaultLease makes a machine that has died be followed about half a second later.
const DefaultLease = 500 * time.Millisecond

// Beat is how often the one that acts asks, and about how often [Machine.Tick] is to be called.
func (c Config) Beat() time.Duration { return c.Lease / 6 }

// margin is added where the other one's clock may be slower than ours, or ours faster.
func (c Config) margin() time.Duration { return c.Lease / 8 }

// quiet is how long nothing is heard of the partner until the one that acts goes on by its address alone. It is less
// than a lease, so that the end of a partner is no gap.
func (c Config) quiet() time.Duration { return c.Lease * 3 / 4 }

// Word is what one says to the other, and to the witness.
type Word struct {
	Kind   Kind
	Epoch  uint64 // of the asker's turn, or the newest that the answerer knows
	Number uint64 // of the question
	Acting bool   // of No: the answerer acts itself
}

// Kind of a word.
type Kind byte

// The kinds.
const (
	Ask  Kind = 'a' // I act in this turn, or would: will you not, for a lease?
	Yes  Kind = 'y'
	No   Kind = 'n'
	Left Kind = 'l' // I have stopped for good, and you have all that there was
)

const wordSize = 18

var errWord = errors.New("tenure: not a word")

// Encode prints a word.
func (w Word) Encode() []byte {
	b := make([]byte, wordSize)
	b[0] = byte(w.Kind)
	binary.LittleEndian.PutUint64(b[1:], w.Epoch)
	binary.LittleEndian.PutUint64(b[9:], w.Number)
	if w.Acting {
		b[17] = 1
	}
	return b
}

// Decode reads one. Longer ones are of a later version.
func Decode(b []byte) (Word, error) {
	if len(b) < wordSize {
		return Word{}, errWord
	}
	return Word{Kind(b[0]), binary.LittleEndian.Uint64(b[1:]), binary.LittleEndian.Uint64(b[9:]), b[17] != 0}, nil
}

// Effect is what is to be done.
type Effect struct {
	Say     *Word // to the partner
	Consult *Word // the witness
	Begin   bool  // carry the calls, from the copy
	Cease   bool  // stop carrying them, at once and for good; say so with [Machine.Ceased]
	// with Cease: the partner has not begun, and waits for this machine's state. Without it the partner has begun, and
	// this machine does not take the address again until it has a copy.
	Orderly bool
	Why     string // of Begin and Cease
}
