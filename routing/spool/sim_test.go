package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"liandong/routing/ticket"
)

var (
	oldKey, newKey = Key{1}, Key{2}
	start          = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// world is a channel over a way that loses, doubles, delays, reorders and truncates files, in virtual time. Both ends
// may die at any moment and come back with what they had on disk. Owned by one test.
type world struct {
	*testing.T
	dice *rand.Rand
	now  time.Time

	out      Sender
	kept     map[uint64][]byte
	in       Receiver
	read     map[string]File   // of folder, decoded
	folder   map[string][]byte // what has come and not been taken
	flying   []flight
	loss     int // percent
	next     int // line to be packed
	arrived  []Line
	seen     map[string]bool // Redis knows lines by their ids
	rejected int
}

type flight struct {
	at   time.Time
	data []byte
	ack  bool
}

func newWorld(t *testing.T, seed uint64) *world {
	dice := rand.New(rand.NewPCG(seed, 1))
	return &world{
		T: t, dice: dice, now: start, kept: map[uint64][]byte{}, folder: map[string][]byte{}, read: map[string]File{},
		seen: map[string]bool{}, loss: dice.IntN(60),
		out: Sender{Line: "12345", Epoch: ticket.NewID(start, ticketEntropy{dice})}, in: Receiver{Line: "12345"},
	}
}

// ticketEntropy makes ids from the dice.
type ticketEntropy struct{ *rand.Rand }

func (e ticketEntropy) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e.Uint32())
	}
	return len(b), nil
}

// carry brings a file onto its way.
func (w *world) carry(data []byte, ack bool) {
	copies := 1
	switch {
	case w.dice.IntN(100) < w.loss:
		copies = 0
	case w.dice.IntN(10) == 0:
		copies = 2
	}
	for range copies {
		d := slices.Clone(data)
		if w.dice.IntN(20) == 0 {
			d = d[:w.dice.IntN(len(d))]
		} else if w.dice.IntN(20) == 0 {
			d[w.dice.IntN(len(d))] ^= 1
		}
		w.flying = append(w.flying, flight{w.now.Add(time.Duration(w.dice.IntN(900)) * time.Second), d, ack})
	}
}

// step is ten seconds of both ends.
func (w *world) step(more bool) {
	w.now = w.now.Add(10 * time.Second)
	w.flying = slices.DeleteFunc(w.flying, func(f flight) bool {
		if f.at.After(w.now) {
			return false
		}
		if f.ack {
			w.back(f.data)
		} else {
			w.folder[fmt.Sprint(w.dice.Uint64())] = f.data
		}
		return true
	})
	if more && !w.out.Full() && w.dice.IntN(3) == 0 {
		w.pack()
	}
	for _, n := range w.out.Due(w.now) {
		w.carry(w.kept[n], false)
	}
	w.take()
	if w.dice.IntN(50) == 0 {
		w.restart()
	}
}

// pack makes a file of the next lines, and now and then of some that were in the one before: the sender died between
// writing the file and telling Redis so.
func (w *world) pack() {
	from := w.next
	if w.dice.IntN(5) == 0 {
		from = max(0, from-w.dice.IntN(4))
	}
	w.next += 1 + w.dice.IntN(5)
	var lines []Line
	for i := from; i < w.next; i++ {
		lines = append(lines, Line{Kind: Entry, Hotline: "12345", Stub: fmt.Sprint("S", i%3), ID: fmt.Sprint("E", i),
			Fields: []string{"n", strconv.Itoa(i)}})
	}
	f := w.out.Pack(lines, w.now)
	w.kept[f.Number] = f.Encode(oldKey)
	w.carry(w.kept[f.Number], false)
}

// take is the receiving end: what it takes is in Redis, once by its id.
func (w *world) take() {
	for again := true; again; {
		again = false
		for name, data := range w.folder {
			f, ok := w.read[name]
			var err error
			if !ok {
				f, err = Decode(data, Keys{newKey, oldKey})
				w.read[name] = f
			}
			if err != nil {
				if !errors.Is(err, ErrForged) && !errors.Is(err, ErrIncomplete) {
					w.Fatalf("a file that was changed is read: %v", err)
				}
				delete(w.folder, name)
				w.rejected++
				continue
			}
			switch w.in.Judge(f.Header, w.now) {
			case Next:
				for _, l := range f.Lines {
					if !w.seen[l.ID] {
						w.seen[l.ID] = true
						w.arrived = append(w.arrived, l)
					}
				}
				if w.dice.IntN(30) == 0 {
					return // it dies before it has noted what it took
				}
				w.in.Took(f)
				again = true
			case Ahead:
				continue
			case Repeat:
			default:
				w.Fatal("a file of ours is refused")
			}
			delete(w.folder, name)
			w.carry(w.in.Ack(f.Epoch, w.now).Encode(newKey), true)
		}
	}
}

func (w *world) back(data []byte) {
	f, err := Decode(data, Keys{oldKey, newKey})
	if err != nil {
		return
	}
	for _, n := range w.out.Take(f.Header) {
		delete(w.kept, n)
	}
}

// restart: the sender knows again what is on its disk, and nothing of when it sent it.
func (w *world) restart() {
	for i := range w.out.Kept {
		w.out.Kept[i].Last, w.out.Kept[i].Times = time.Time{}, 0
	}
}

// Whatever the way does, each line comes out once, and the lines in the order in which they were packed.
func TestSimulation(t *testing.T) {
	seeds := 100
	if n, err := strconv.Atoi(os.Getenv("SPOOL_SEEDS")); err == nil {
		seeds = n
	}
	rejected, lines := 0, 0
	for seed := range seeds {
		w := newWorld(t, uint64(seed))
		for range 300 {
			w.step(true)
		}
		for i := 0; len(w.out.Kept) > 0; i++ {
			if w.step(false); i > 100_000 {
				t.Fatalf("seed %d: %d files never arrive", seed, len(w.out.Kept))
			}
		}
		if len(w.arrived) != w.next || len(w.kept) != 0 {
			t.Fatalf("seed %d: %d lines of %d, %d files kept", seed, len(w.arrived), w.next, len(w.kept))
		}
		for i, l := range w.arrived {
			if l.ID != fmt.Sprint("E", i) {
				t.Fatalf("seed %d: line %d is %s", seed, i, l.ID)
			}
		}
		rejected, lines = rejected+w.rejected, lines+w.next
	}
	if rejected == 0 || lines == 0 {
		t.Error("nothing was truncated or changed on the way: is the simulation still one?")
	}
	t.Logf("%d lines, %d files refused", lines, rejected)
}

// 300 s, five times, then it is an alarm; and the file is kept, and sent each hour.
func TestAgain(t *testing.T) {
	s := Sender{Line: "12345", Epoch: "E"}
	s.Pack(nil, start)
	var when []int
	for sec := 1; sec <= 2*3600; sec++ {
		now := start.Add(time.Duration(sec) * time.Second)
		if len(s.Due(now)) > 0 {
			when = append(when, sec)
		}
		if got, want := s.Overdue(now) > 0, sec >= 1800; got != want {
			t.Fatalf("after %d s overdue is %v", sec, got)
		}
	}
	if !slices.Equal(when, []int{300, 600, 900, 1200, 1500, 5100}) {
		t.Errorf("sent again after %v s", when)
	}
	if gone := s.Take(Header{Kind: Ack, Line: "12345", Epoch: "E", Number: 1}); len(gone) != 1 ||
		s.Overdue(start.Add(time.Hour)) != 0 {
		t.Error("an acknowledgement that comes late is not taken")
	}
}

// What is acknowledged must have been sent, on this channel and in this epoch.
func TestStrangeAcks(t *testing.T) {
	s := Sender{Line: "12345", Epoch: "E"}
	s.Pack(nil, start)
	for _, h := range []Header{
		{Kind: Ack, Line: "12345", Epoch: "E", Number: 2}, {Kind: Ack, Line: "110", Epoch: "E", Number: 1},
		{Kind: Ack, Line: "12345", Epoch: "D", Number: 1}, {Kind: Entries, Line: "12345", Epoch: "E", Number: 1},
		{Kind: Ack, Line: "12345", Epoch: "E", Number: 0},
	} {
		if gone := s.Take(h); gone != nil {
			t.Errorf("%+v acknowledges %v", h, gone)
		}
	}
}

func TestJudge(t *testing.T) {
	r := Receiver{Line: "110"}
	head := func(epoch string, number, acked uint64) Header {
		return Header{Kind: Entries, Line: "110", Epoch: epoch, Number: number, Previous: number - 1,
			Acknowledged: acked, At: start}
	}
	for _, c := range []struct {
		what string
		h    Header
		want Verdict
		took bool
	}{
		{"early, and nothing was ever taken", head("B", 2, 0), Ahead, false},
		{"the first", head("B", 1, 0), Next, true},
		{"again", head("B", 1, 0), Repeat, false},
		{"the second", head("B", 2, 0), Next, true},
		{"this end has lost its books", head("B", 9, 8), Next, true},
		{"early", head("B", 12, 8), Ahead, false},
		{"the sender has lost its books", head("C", 1, 0), Next, true},
		{"what waits of the former epoch cannot be completed", head("B", 12, 8), Stale, false},
		{"its next", head("B", 10, 9), Next, true},
		{"of another channel", Header{Kind: Entries, Line: "12345", Epoch: "C", Number: 2, At: start}, Foreign, false},
		{"an acknowledgement", Header{Kind: Ack, Line: "110", Epoch: "C", Number: 2, At: start}, Foreign, false},
		{"recorded long ago, of an epoch that nobody remembers",
			Header{Kind: Entries, Line: "110", Epoch: "A", Number: 1, At: start.Add(-8 * 24 * time.Hour)}, Stale,
			false},
	} {
		if got := r.Judge(c.h, start); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if c.took {
			r.Took(File{Header: c.h})
		}
	}
	for i := range 3 * epochs {
		r.Took(File{Header: head(fmt.Sprint("D", 100+i), 1, 0)})
	}
	if len(r.Taken) != epochs || r.Judge(head("C", 2, 0), start) != Stale {
		t.Errorf("%d epochs are remembered", len(r.Taken))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(File{Header: Header{Kind: Entries, Line: "110", Number: 1},
		Lines: []Line{{Kind: Entry, Stub: "S", ID: "E", Fields: []string{"a", "b"}}}}.Encode(oldKey))
	f.Add([]byte("hmac-sha256 x y\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Decode(b, Keys{oldKey})
		if err == nil && string(got.Encode(oldKey)) != string(b) && got.Count == 0 && len(got.Lines) > 0 {
			t.Error("what is read is not what was signed")
		}
		if got, err := read(b); err == nil && len(got.Lines) != got.Count {
			t.Error("lines and count differ")
		}
	})
}

func newDice() *rand.Rand { return rand.New(rand.NewPCG(7, 7)) }
