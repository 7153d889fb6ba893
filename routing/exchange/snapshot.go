package exchange

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
	"liandong/sip/ua"
)

// Record is all of a call that outlives the process: it is written when an input is over, and a call is made of it
// that goes on where this one stood. Its field names, and those of all that hangs on it, are the format: one that is
// renamed is lost on the way to another version of the program.
type Record struct {
	Version  int
	Call     call.Call
	Origin   ua.Origin
	Before   before
	Hops     int
	Parties  []*party
	Lent     []*party
	Moved    map[string]string
	Wishes   []wish
	Seconds  call.LegID
	Attended bool
	Tape     *record.Position // of the recording; nil: there is none that goes on
	Account  account          `cbor:",omitempty"`

	// What the input has come to: the process may have ended before it was done.
	At      time.Time // zero: it has come to nothing
	Packets []leg.Packet
	Entries []ticket.Entry
	Shows   []string         // lamps that it has changed
	Untaped *record.Position // the recording that has ended by it
}

// recordVersion is the version of the format. It changes when a reader of the one before would go wrong by it, which
// new fields are no reason for.
const recordVersion = 1

// Snapshot is the call as it is now. It shares its parts with the call, and is good until the next input.
func (c *Core) Snapshot() (r Record, err error) {
	err = c.snapshot(&r, nil)
	return r, err
}

// snapshot makes the record, with some room for its messages.
func (c *Core) snapshot(r *Record, room []leg.Packet) (err error) {
	*r = Record{
		Version: recordVersion, Call: c.state, Origin: c.origin, Before: c.before, Hops: c.hops,
		Moved: c.moved, Wishes: c.wishes, Seconds: c.seconds, Attended: c.attended, Tape: c.position(),
		Account: c.account,
	}
	if r.Parties, err = c.parties, write(c.parties); err == nil {
		r.Lent, err = c.lentOut, write(c.lentOut)
	}
	for _, a := range c.acts {
		switch {
		case a.stops != nil:
			r.Untaped = a.stops
		case a.entry != nil:
			r.Entries = append(r.Entries, *a.entry)
		case a.packet != nil:
			room = append(room, *a.packet)
			r.Packets = room
		}
	}
	if len(c.shows) > 0 {
		r.Shows = c.shows
	}
	if len(r.Packets)+len(r.Entries)+len(r.Shows) > 0 {
		r.At = c.now
	}
	return err
}

// recordRoom is room for a record that is written and done with.
type recordRoom struct {
	Record
	packets []leg.Packet
}

var records = sync.Pool{New: func() any { return new(recordRoom) }}

// write brings what is written of the parties' legs up to date.
func write(parties []*party) (err error) {
	for _, p := range parties {
		err = cmp.Or(err, p.write())
	}
	return err
}

// store stores the call, and the letters that it sends and has taken, all at once.
func (c *Core) store() {
	if c.world.Keep != nil && !(c.idle && len(c.acts)+len(c.shows)+len(c.unstored) == 0) {
		r := records.Get().(*recordRoom)
		err := c.snapshot(&r.Record, r.packets)
		if err == nil {
			err = snapshot.With(&r.Record, c.storeAs)
		}
		if packets := r.Packets; packets != nil {
			clear(packets)
			r.packets = packets[:0]
		}
		r.Record = Record{}
		records.Put(r)
		if err != nil {
			c.world.Log.Error("bug: a call cannot be stored", "err", err)
			c.storeAs(nil)
		}
	}
	clear(c.unstored)
	c.shows, c.unstored = c.shows[:0], c.unstored[:0]
}

// storeAs stores a call as it is written; nil: it cannot be.
func (c *Core) storeAs(b []byte) {
	all := c.entries[:0]
	sum := uint64(0)
	if len(c.acts) == 0 { // else it is like none before
		sum = maphash.Bytes(sums, b)
	}
	if b != nil && (sum == 0 || sum != c.stored) {
		c.stored = sum
		all = append(all, journal.Entry{Kind: journal.Call, Key: c.state.Ref, Value: b})
	}
	for _, a := range c.acts {
		if a.letter != nil && a.letter.ID != "" {
			b, err := a.letter.encode()
			if err != nil {
				c.world.Log.Error("bug: a letter cannot be stored", "err", err)
				continue
			}
			all = append(all, journal.Entry{Kind: journal.Letter, Key: a.letter.ID, Value: b})
		}
	}
	if c.taken != "" {
		all = append(all, journal.Entry{Kind: journal.Letter, Key: c.taken, Gone: true})
		c.taken = ""
	}
	if all = append(all, c.unstored...); len(all) > 0 {
		c.world.Keep(all...)
	}
	clear(all)
	c.entries = all
}

// sums are of 64 bits: two states of a call have the same once in the age of the universe.
var sums = maphash.MakeSeed()

// forget takes the call out of the journal: it is over.
func (c *Core) forget() {
	if c.stored = 0; c.world.Keep != nil {
		c.world.Keep(append(c.unstored, journal.Entry{Kind: journal.Call, Key: c.state.Ref, Gone: true})...)
	}
}

// position is how the next process goes on with the recording.
func (c *Core) position() *record.Position {
	if c.tapeBegan != nil && c.tape != nil {
		p := c.tape.Position()
		return &p
	}
	return c.tapeBegan
}

// ReadRecord reads what was stored of a call. With an error it is what could be read: enough, maybe, to let the parties
// go.
func ReadRecord(b []byte) (r Record, err error) {
	err = snapshot.Decode(b, &r)
	switch {
	case err != nil:
	case r.Call.Ref == "":
		err = fmt.Errorf("exchange: a call without a reference")
	case r.Version != recordVersion:
		err = fmt.Errorf("exchange: a call in version %d of the format, %d is known", r.Version, recordVersion)
	}
	return r, err
}

// RestoreCore is the call that a record was made of. It is told what has become of the configuration: what a party has
// agreed to stays as it was. Nothing happens until [Core.Resume].
func RestoreCore(world World, dir *desk.Directory, r Record) (*Core, error) {
	c := NewCore(world, dir, r.Origin, r.Call.Ref)
	c.state, c.before, c.hops, c.account = r.Call, r.Before, r.Hops, r.Account
	c.parties, c.lentOut = r.Parties, r.Lent
	for _, p := range slices.Concat(c.parties, c.lentOut) {
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	c.moved, c.wishes, c.seconds, c.attended = r.Moved, r.Wishes, r.Seconds, r.Attended
	c.tapeBegan = r.Tape
	for _, p := range c.parties {
		if c.revive(p); p.leg == nil {
			return nil, fmt.Errorf("exchange: call %s: leg %d has no signalling", r.Call.Ref, p.ID)
		}
	}
	for _, p := range c.lentOut {
		c.revive(p)
	}
	return c, nil
}

// Occupy takes what the call shares with others: its dialogs, its seats, its place in the queue. All calls are to have
// theirs before any of them goes on.
func (c *Core) Occupy() {
	for _, p := range c.parties {
		c.world.Wire.Bind(p.leg.CallID())
		if p.Seat != "" {
			l, ok := c.state.Leg(p.ID)
			c.world.Seats.Hold(c.state.Ref, p.Seat, !p.Gone, ok && l.Up || p.Lender.Ref != "")
			if p.Watches && !p.Gone {
				c.world.Seats.Watch(c.state.Ref, p.Seat)
			}
		}
	}
	if h := c.state.Hunt; h != nil && h.Queued {
		if line, ok := c.dir.Hotlines[h.Hotline]; ok {
			c.world.Seats.Wait(c.claim(call.FindSeats{Hotline: h.Hotline, Tried: h.Tried, Only: h.Only, Queue: true},
				line))
		}
	}
}

// Sound has everybody hear what they heard. It comes before [Core.Resume] of any call: silence is what people notice.
// Nothing of it is new, so nothing is stored.
func (c *Core) Sound(now time.Time) {
	c.now = now
	for _, e := range c.state.Ears {
		c.hear(e)
	}
	c.perform()
}

// Resume goes on: lamps shine, and what may not have been done before the process ended is done.
func (c *Core) Resume(now time.Time, r Record) {
	c.now = now
	if r.Untaped != nil {
		c.tapeBegan = r.Untaped
		c.retape()
		c.changeRecording(call.StopRecording{})
	} else if r.Tape != nil {
		c.retape()
	}
	for _, p := range c.parties {
		p.Keys.Wait(now)
		p.leg.Wait(now)
	}
	for _, e := range r.Entries {
		c.later(act{entry: &e})
	}
	for _, user := range c.users() {
		c.follow(user) // it may have registered anew when nobody was there to see it
	}
	if c.world.Renew != nil {
		for _, p := range c.parties {
			if !p.Gone {
				c.command(p, leg.Renew{After: c.world.Renew()})
			}
		}
	}
	c.restoreLamps(r.Shows)
	if now.Sub(r.At) < copiesFor {
		for _, p := range r.Packets {
			c.later(act{packet: &p})
		}
	}
	c.settle()
}

// copiesFor is how long a message that may have been sent or not is sent for sure: RFC 3261 §17.1.1.1, so long whoever
// gets it knows a copy from something new.
const copiesFor = 32 * time.Second

// retape goes on with the recording, or begins it if the process before has not come to it.
func (c *Core) retape() {
	if c.world.Retape == nil {
		return
	}
	at, now := *c.tapeBegan, c.wall(c.now)
	if !c.state.Recording.On && !at.Paused { // the process before was about to: since when is not known
		at.Paused, at.Pauses = true, append(slices.Clone(at.Pauses), record.Pause{From: now})
	}
	c.tapeBy(func() (LiveRecording, error) { return c.world.Retape(at, now) })
	for _, l := range c.state.Legs {
		if l.Channel == 0 {
			continue
		}
		take := call.RecordLeg{Leg: l.ID, Channel: l.Channel}
		if l.ID == c.state.Desk && c.state.Second.Taped {
			take.Leg = c.state.Second.ID
		}
		c.changeRecording(take)
	}
	for _, s := range c.state.Supervisors {
		if s.Channel != 0 {
			c.changeRecording(call.RecordLeg{Leg: s.ID, Channel: s.Channel})
		}
	}
	c.changeRecording(call.NoteSupervisor{})
	if c.state.Recording.On {
		c.changeRecording(call.ResumeRecording{}) // the process before may have been about to
	} else {
		c.changeRecording(call.PauseRecording{})
	}
}

// revive makes the leg of a party that was read.
func (c *Core) revive(p *party) {
	if p.kept != nil {
		user := c.userOf(p)
		local := c.local(user, p.Network, p.kept.Flow.Transport, p.Addr, c.protection(user, p.Trunk))
		p.kept.Dialog.LocalSeq += c.world.Skip
		p.leg = leg.Restore(c.world.Leg, local, *p.kept)
		p.kept = nil
	}
	if p.Keys.Gap > 0 {
		p.Keys.Keys = c.world.Keys
	}
	if r := p.Route; r != nil && r.trunk == nil {
		if r.trunk = c.dir.Trunks[p.Trunk]; r.trunk == nil { // it is in the config no more: there is no next target
			r.trunk, r.Rest = &desk.Trunk{Name: p.Trunk, Network: p.Network, Transport: p.Transport}, nil
		}
	}
}

// write brings what is written of the leg up to date: most inputs are of one leg, and the others stay as they are.
func (p *party) write() (err error) {
	as := func(b []byte) { p.Leg = append(p.Leg[:0], b...) }
	switch {
	case p.leg == nil && p.kept == nil:
		p.Leg = nil
	case p.leg == nil:
		err = snapshot.With(p.kept, as)
	case p.written != p.leg:
		err = snapshot.With(&p.leg.State, as)
	}
	p.written = p.leg
	return err
}

// read reads what was written of the leg, which is one when its call has revived it.
func (p *party) read() error {
	if len(p.Leg) == 0 {
		return nil
	}
	p.kept = new(leg.State)
	b := p.Leg
	p.Leg = nil
	return snapshot.Decode(b, p.kept)
}

// encode is the letter as it is written.
func (l *Letter) encode() ([]byte, error) {
	if p := l.party(); p != nil {
		if err := p.write(); err != nil {
			return nil, err
		}
	}
	return snapshot.Encode(l)
}

// readLetter reads it.
func readLetter(b []byte) (l Letter, err error) {
	if err = snapshot.Decode(b, &l); err == nil && l.party() != nil {
		err = l.party().read()
	}
	return l, err
}

// Hold takes a seat for a call that has it already, or had it last.
func (s *Seats) Hold(ref, seat string, has, talks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !has {
		s.last[seat] = ref
		return
	}
	s.taken(seat, ref, Waiter{})
	if talks {
		s.talks[seat] = true
	}
}

// Wait puts a call in line that was there already.
func (s *Seats) Wait(c Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enqueue(c)
}
