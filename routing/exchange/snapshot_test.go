package exchange

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"liandong/media/record"
	"liandong/routing/call"
	"liandong/sip/snapshot"
)

// What is written of a call is all of it but for what the next process makes anew.
func TestRecordHidesNothing(t *testing.T) {
	for typ, anew := range map[reflect.Type][]string{
		reflect.TypeFor[Record](): {
			"Record.Parties.leg",         // written as Leg
			"Record.Parties.kept",        //
			"Record.Parties.written",     //
			"Record.Parties.shownRoster", // shown anew
			"Record.Parties.Route.trunk", // by its name
			"Record.Parties.Keys.Keys",   // of the config
			"Record.Parties.traced",      // told anew
		},
		reflect.TypeFor[Letter](): {
			"Letter.Loan.Who.leg", "Letter.Loan.Who.kept", "Letter.Loan.Who.written", // written as Leg
			"Letter.Loan.Who.shownRoster", "Letter.Loan.Who.Route.trunk", "Letter.Loan.Who.Keys.Keys",
			"Letter.Loan.Who.traced", // as above
			"Letter.packet",          // sent again by whoever sent it
		},
	} {
		if hidden := snapshot.Hidden(typ); !slices.Equal(hidden, anew) {
			t.Errorf("%v loses %q", typ, hidden)
		}
	}
}

// Every field of a call is in its record, or made anew by the next process.
func TestCoreIsInItsRecord(t *testing.T) {
	anew := []string{"world", "dir", "queue", "tape", "acts", "shows", "taken", "stored", "entries", "storing", "shining",
		"unstored", "now",
		"lamps", "drawn", "glanced", "same", "rang", "reasons", "answering", "idle"}
	kept := map[string]string{
		"state": "Call", "parties": "Parties", "lentOut": "Lent", "moved": "Moved", "wishes": "Wishes", "tapeBegan": "Tape",
		"attended": "Attended", "seconds": "Seconds", "origin": "Origin", "before": "Before", "hops": "Hops",
		"account": "Account",
	}
	record := reflect.TypeFor[Record]()
	for f := range reflect.TypeFor[Core]().Fields() {
		if _, ok := record.FieldByName(kept[f.Name]); !ok && !slices.Contains(anew, f.Name) {
			t.Errorf("what becomes of %s, when the process ends?", f.Name)
		}
	}
}

// snapshot is what is written of a call.
func (c *simCall) snapshot(core *Core) []byte {
	r, err := core.Snapshot()
	if err != nil {
		c.sim.fail("%s: %v", c.ref, err)
	}
	b, err := snapshot.Encode(r)
	if err != nil {
		c.sim.fail("%s: %v", c.ref, err)
	}
	return b
}

// reborn puts into the place of a call the one that is read from what is written of it.
func (c *simCall) reborn() {
	b := c.snapshot(c.core)
	r, err := ReadRecord(b)
	if err != nil {
		c.sim.fail("%s: %v", c.ref, err)
		return
	}
	next, err := RestoreCore(c.core.world, c.sim.dir, r)
	if err != nil {
		c.sim.fail("%s: %v", c.ref, err)
		return
	}
	again := c.snapshot(next)
	next.tape, next.lamps, next.stored = c.core.tape, c.core.lamps, c.core.stored
	next.glanced, next.rang = c.core.glanced, c.core.rang
	if !slices.Equal(again, b) {
		c.sim.fail("%s: what is read differs from what was written: %s", c.ref, differ(string(b), string(again)))
	}
	for i, p := range c.core.parties {
		next.parties[i].shownRoster = p.shownRoster
	}
	c.core = next
}

// TestSimulationOfTheReborn is the simulation with calls that are written and read after every input: nothing differs.
func TestSimulationOfTheReborn(t *testing.T) {
	n := *seeds / 100
	if testing.Short() || raceEnabled {
		n /= 10
	}
	for seed := uint64(1); seed <= n; seed++ {
		one := newSimulation(seed, true)
		one.play()
		two := newSimulation(seed, true)
		two.rebirth = true
		two.play()
		if two.err != nil {
			t.Fatalf("seed %d: %v", seed, two.err)
		}
		if a, b := one.log.String(), two.log.String(); a != b {
			t.Fatalf("seed %d goes another way:\n%s", seed, differ(a, b))
		}
	}
}

// differ is where two logs part, with what came just before.
func differ(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-600):min(len(a), i+300)] + "\n---\n" + b[max(0, i-100):min(len(b), i+300)]
}

// A recording goes on with all that was known of it: its fields have other names in JSON, and are read by those.
func TestPositionOfARecordingIsRead(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := record.Position{
		Call:   record.Call{Ref: "r", CallRef: "c", Lines: []string{"110", "12345"}, Channels: call.ChannelNames},
		Began:  at,
		Pauses: []record.Pause{{From: at, To: at.Add(time.Second)}}, Paused: true,
		Attended: []record.Attendance{{User: "1109", Line: "110", Mode: "join", From: at, To: at.Add(time.Minute)}},
	}
	b, err := snapshot.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	var got record.Position
	if err := snapshot.Decode(b, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// A pause that the process before was about to begin is one from where it left off: what was said until now may have
// been said in it.
func TestRetapePaused(t *testing.T) {
	at := time.Unix(1712109600, 0)
	for _, on := range []bool{true, false} {
		began := record.Position{Began: at, Pauses: []record.Pause{{From: at, To: at.Add(time.Second)}}}
		var got record.Position
		c := &Core{tapeBegan: &began, now: at.Add(time.Minute)}
		c.state.Recording.On = on
		c.world.Retape = func(p record.Position, _ time.Time) (LiveRecording, error) {
			got = p
			return simTape{&simCall{}}, nil
		}
		c.retape()
		for _, a := range c.acts {
			if a.do != nil {
				a.do()
			}
		}
		if n := len(got.Pauses); got.Paused == on || on && n != 1 || !on && (n != 2 || got.Pauses[1].From != c.now) {
			t.Errorf("on %v: it goes on as %+v", on, got)
		}
	}
}
