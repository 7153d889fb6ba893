package exchange

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/media/dtmf"
	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/admission"
	"liandong/sip/snapshot"
	"liandong/sip/ua"
)

// lives are exchanges after each other, on one transport and one journal.
type lives struct {
	*rung
	file    *os.File
	tickets *keptTickets
	sounds  func(engine.Event) // what the media engine tells the call that goes on
	legs    []engine.LegState  // as they went on
	late    []LateKey          // pressed when the process had left its calls
	known   []engine.Know
	renew   bool // the next process has been away for a while
	shared  Shared
}

func live(t *testing.T) *lives {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	l := &lives{rung: &rung{t: t, wire: &fakeWire{sinks: map[string]ua.Sink{}}}, file: f, tickets: &keptTickets{}}
	l.begin()
	p := invite(t, "110")
	l.wire.Bind(p.CallID(), l.x.Incoming(pstn, p))
	synctest.Wait()
	l.rings()
	return l
}

// begin is the next process.
func (l *lives) begin() {
	l.t.Helper()
	j, err := journal.Open(l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = j.Close() })
	l.x = exchangeOf(l.wire, func(c *Config) {
		c.Renew, c.Shared = l.renew, l.shared
		c.Journal, c.Tickets, c.Turns = j, l.tickets, admission.NewTurns(1)
		c.Clock = journal.NewClock(time.Now) // the machine's own clock knows nothing of the bubble
		c.Late = func(k LateKey) { l.late = append(l.late, k) }
		c.Restored = func(_ string, sounds func(engine.Event), legs []engine.LegState) (Media, error) {
			l.sounds, l.legs = sounds, legs
			return knowing{l: l}, nil
		}
	})
	l.x.Restore()
	synctest.Wait()
}

// knowing is sound that notes which presses it is told of.
type knowing struct {
	fakeMedia
	l *lives
}

func (k knowing) Do(c engine.Command) {
	if c, ok := c.(engine.Know); ok {
		k.l.known = append(k.l.known, c)
	}
}

// dies leaves everything as it is.
func (l *lives) dies() {
	l.x.Leave()
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	l.wire.sinks, l.wire.sent = map[string]ua.Sink{}, nil
}

// A call goes on in the next process: nobody is told anything, the desk answers to it, and its keys work.
func TestCallGoesOnInTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.dies()
		l.begin()
		for _, sent := range l.wire.sent {
			if !strings.HasPrefix(sent, "INVITE sip:1101@") && !strings.HasPrefix(sent, "SIP/2.0 180") &&
				!strings.HasPrefix(sent, "SIP/2.0 100") {
				t.Errorf("what is new is sent:\n%s", sent)
			}
		}
		l.answer(200)
		if _, ok := l.wire.find("SIP/2.0 200"); !ok {
			t.Fatalf("the citizen is not answered: %q", l.wire.sent)
		}
		l.dies()
		l.begin()
		if ref, talks := l.x.seats.Talks("1101"); !talks {
			t.Errorf("the desk of %q does not talk", ref)
		}
		if err := l.x.Press("", "1101", verb.Verb{Name: verb.Urgent}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := l.tickets.last(); e.CallRef == "" || e.CallerE164 == "" {
			t.Errorf("the entry is %+v", e)
		}
		if _, ok := l.wire.find("BYE"); ok {
			t.Error("somebody was let go")
		}
		if s := l.x.Stats(); s.Live != 1 || s.Restored != 1 || s.Lost != 0 {
			t.Errorf("%+v", s)
		}
		l.x.Stop()
		if n := len(l.x.cfg.Journal.All(journal.Call)); n != 0 {
			t.Errorf("%d calls are left in the journal", n)
		}
	})
}

// When nobody has carried a call for a while its parties are offered their sessions again: who knows of no call any
// more has left it.
func TestCallIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.answer(200)
		l.dies()
		l.renew = true
		l.begin()
		if text, ok := l.wire.find("INVITE sip:1101@"); ok {
			t.Errorf("the desk is asked at once, with all others: %q", text)
		}
		time.Sleep(patience + renewPace)
		synctest.Wait()
		text, ok := l.wire.find("INVITE sip:1101@")
		if !ok || !strings.Contains(text, "m=audio ") {
			t.Fatalf("the desk is not asked: %q", l.wire.sent)
		}
		l.invite = text
		l.answer(481)
		if _, talks := l.x.seats.Talks("1101"); talks {
			t.Error("the desk still talks")
		}
		if s := l.x.Stats(); s.Panics != 0 {
			t.Errorf("%+v", s)
		}
		l.x.Stop()
	})
}

// A desk has answered in time while there was no process: what waits in the socket is taken before the timer that is
// due by then.
func TestAnswerWaitsInTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.dies()
		time.Sleep(time.Minute) // nobody is rung for so long
		l.begin()
		l.answer(200)
		if _, ok := l.wire.find("SIP/2.0 200"); !ok {
			t.Errorf("the citizen is not answered: %q", l.wire.sent)
		}
		if _, ok := l.wire.find("CANCEL"); ok {
			t.Error("the desk is no longer rung")
		}
		l.x.Stop()
	})
}

// A call that cannot go on is given up alone: its parties are let go, its matter is told to the end, and what was
// stored of it is kept.
func TestCallThatCannotGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.answer(200)
		key := l.x.cfg.Journal.All(journal.Call)[0]
		l.x.keepKey(key.Key, engine.DigitReceived{Leg: 2, Digit: '*'}) // pressed and not taken
		l.dies()
		r, err := ReadRecord(key.Value)
		if err != nil {
			t.Fatal(err)
		}
		r.Call.Matter = &call.Matter{Stub: "01HTGTZ6CJRX90WDGAMG244Z4G", Mode: "three_way", From: "110", To: "12345",
			FromAgent: "1101", KeyAt: time.Now(), Told: true}
		r.Parties = append(r.Parties, &party{ID: 9, Network: "lab"}) // which has no signalling
		b, err := snapshot.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		l.x.cfg.Journal.Put(journal.Call, "another", []byte("no call"))
		l.x.cfg.Journal.Put(journal.Call, key.Key, b)
		l.begin()
		lost, decided := l.tickets.all[len(l.tickets.all)-2], l.tickets.last()
		if lost.Event != "failed" || decided.Event != "decided" || decided.StubID != r.Call.Matter.Stub {
			t.Errorf("the last entries are %+v and %+v", lost, decided)
		}
		want := call.Owed(r.Call, l.x.directory(), time.Now())[0]
		if lost.EventID != want.EventID || lost.Reason != ticket.SwitchLost {
			t.Errorf("the matter has failed as %+v", lost)
		}
		if s := l.x.Stats(); s.Lost != 2 || s.Restored != 0 {
			t.Errorf("%+v", s)
		}
		if n := len(l.x.cfg.Journal.All(journal.Quarantine)); n != 2 {
			t.Errorf("%d calls are kept for who looks into them", n)
		}
		time.Sleep(5 * time.Minute) // nobody answers the BYEs, nor has the citizen sent an ACK
		synctest.Wait()
		for _, who := range []string{"BYE sip:1101@", "BYE sip:13812345678@"} {
			if text, ok := l.wire.find(who); !ok || !strings.Contains(text, "\r\nReason: ") {
				t.Errorf("%s was sent as %q", who, text)
			}
		}
		if s := l.x.Stats(); s.Live != 0 || s.SeatsBusy != 0 {
			t.Errorf("%+v", s)
		}
		if !l.x.cfg.Turns.Try() {
			t.Error("a call that is given up keeps a turn")
		}
		l.x.Stop()
	})
}

// A call that a later program has written in a form which is not known here is let go, not misread.
func TestCallOfAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.answer(200)
		key := l.x.cfg.Journal.All(journal.Call)[0]
		l.dies()
		r, err := ReadRecord(key.Value)
		if err != nil {
			t.Fatal(err)
		}
		r.Version = recordVersion + 1
		b, err := snapshot.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		l.x.cfg.Journal.Put(journal.Call, key.Key, b)
		l.begin()
		if s := l.x.Stats(); s.Lost != 1 || s.Restored != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, who := range []string{"BYE sip:1101@", "BYE sip:13812345678@"} {
			if _, ok := l.wire.find(who); !ok {
				t.Errorf("%s was not sent", who)
			}
		}
		l.x.Stop()
	})
}

// Calls that could not be restored are kept for a week, and of many the newest.
func TestQuarantineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		defer func() { l.x.Stop() }()
		j := l.x.cfg.Journal
		l.dies()
		for i := range maxQuarantined + 3 {
			j.Put(journal.Call, fmt.Sprintf("bad-%02d", i), []byte("no call"))
		}
		for i := range maxQuarantined + 3 {
			l.x.quarantine(journal.Entry{Key: fmt.Sprintf("bad-%02d", i)})
		}
		all := j.All(journal.Quarantine)
		if len(all) != maxQuarantined || !strings.HasSuffix(all[0].Key, " bad-03") {
			t.Errorf("%d are kept, the oldest is %q", len(all), all[0].Key)
		}
		time.Sleep(6 * 24 * time.Hour)
		l.begin()
		if n := len(l.x.cfg.Journal.All(journal.Quarantine)); n != maxQuarantined {
			t.Errorf("%d are kept of %d", n, maxQuarantined)
		}
		l.dies()
		time.Sleep(2 * 24 * time.Hour)
		l.begin()
		if n := len(l.x.cfg.Journal.All(journal.Quarantine)); n != maxQuarantined {
			t.Errorf("after six days %d are kept", n)
		}
		l.dies()
		time.Sleep(6 * 24 * time.Hour)
		l.begin()
		if n := len(l.x.cfg.Journal.All(journal.Quarantine)); n != 0 {
			t.Errorf("after a week %d are kept", n)
		}
	})
}

// A timer whose bug has been got over does not keep the call from being stored from then on.
func TestStoredAfterABugInATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		defer func() { l.x.Stop() }()
		l.answer(200)
		l.x.actors()[0].inbox.put(input{ask: func(c *Core) {
			whole := c.parties
			func() {
				defer func() {
					if recover() == nil {
						t.Error("a party without a leg is no bug")
					}
				}()
				c.parties = append(slices.Clone(whole), &party{ID: 99})
				c.Tick(c.now)
			}()
			c.parties = whole
			before := l.x.cfg.Journal.Stats().Writes
			c.MediaEvent(c.now, engine.Checkpoint{State: engine.LegState{ID: 1, Port: 7}})
			if l.x.cfg.Journal.Stats().Writes == before {
				t.Error("what comes next is not stored")
			}
		}}, own)
		synctest.Wait()
	})
}

// Lamps are watched on in the next process.
func TestSubscriptionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		p := subscribe(t, "1102", "1101")
		l.wire.Bind(p.CallID(), l.x.Incoming(ua.Origin{Network: "lab", User: "1102"}, p))
		synctest.Wait()
		text, before := l.wire.told(t, "1102", "1101")
		if !strings.Contains(text, "early") {
			t.Fatalf("told %q", text)
		}
		l.wire.answerNotifies(t, 0)
		synctest.Wait()
		l.dies()
		l.begin()
		l.wire.answerNotifies(t, 0) // told again: it may not have been told
		l.answer(200)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if text, version := l.wire.told(t, "1102", "1101"); !strings.Contains(text, "confirmed") || version <= before {
			t.Errorf("told %q", text)
		}
		l.x.Stop()
	})
}

// A message that the journal keeps, since nobody sends it twice, is kept until its call is stored with what came of it.
func TestTakenIsNoLongerKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		j := l.x.cfg.Journal
		j.Put(journal.Registration, "note/a", []byte("INVITE"))
		j.Put(journal.Registration, "note/b", []byte("BYE"))
		p := invite(t, "110")
		p.Kept = "note/a"
		sink, _ := l.wire.Sink(p.CallID())
		sink.Post(ua.Inbound{Packet: p})
		synctest.Wait()
		if left := j.All(journal.Registration); len(left) != 1 || left[0].Key != "note/b" {
			t.Errorf("kept are %v", left)
		}
		l.x.Stop()
	})
}

// A key that the media engine has heard is pressed once, whether the process ended before its call had taken it or
// after, or had left its calls when it came.
func TestKeyIsNotLost(t *testing.T) {
	for _, taken := range []string{"before", "after", "late"} {
		synctest.Test(t, func(t *testing.T) {
			l := live(t)
			l.answer(200)
			ref, _ := l.x.seats.Talks("1101")
			l.dies()
			l.begin()
			star := engine.DigitReceived{Leg: 2, Digit: '*', Press: dtmf.Press{Digit: '*', TS: 4711, Seq: 7}}
			l.sounds(engine.Checkpoint{State: engine.LegState{ID: 2, Network: "lab", Port: 20002, SSRC: 1}})
			switch taken {
			case "after":
				l.sounds(star)
				l.sounds(engine.DigitReleased{Leg: 2})
				synctest.Wait()
			case "before":
				l.x.keepKey(ref, star)
			}
			l.dies()
			if taken == "late" {
				l.sounds(star)
			}
			time.Sleep(10 * time.Second) // longer than a code may wait for its next key
			l.begin()
			for _, k := range l.late {
				l.x.TakeLateKey(k)
			}
			if taken == "late" {
				if want := (engine.Know{Leg: 2, Press: star.Press}); !slices.Contains(l.known, want) {
					t.Errorf("the media engine knows of %+v", l.known)
				}
			} else if len(l.legs) != 2 || l.legs[1].Key != star.Press || !l.legs[1].Down {
				t.Errorf("taken %s: the media engine knows of %+v", taken, l.legs)
			}
			l.sounds(engine.DigitReleased{Leg: 2})
			l.sounds(engine.DigitReceived{Leg: 2, Digit: '9', Press: dtmf.Press{Digit: '9', TS: 8711, Seq: 27}})
			synctest.Wait()
			if e := l.tickets.last(); e.Event != ticket.Urgent {
				t.Errorf("taken %s: *9 has come to %+v", taken, e)
			}
			if left := l.x.cfg.Journal.All(journal.Key); len(left) != 0 {
				t.Errorf("taken %s: %d keys are kept", taken, len(left))
			}
			l.x.Stop()
		})
	}
}

// What is stored of a call says whether it is over, without all of it being read.
func TestIsOver(t *testing.T) {
	for _, what := range frozen {
		for _, e := range thawed(t, what).All(journal.Call) {
			r, err := ReadRecord(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			for _, phase := range []call.Phase{r.Call.Phase, call.Ended} {
				r.Call.Phase = phase
				b, err := snapshot.Encode(&r)
				if err != nil {
					t.Fatal(err)
				}
				if got := isOver(journal.Entry{Value: b}); got != (phase == call.Ended) {
					t.Errorf("%s while %s: %v", what, phase, got)
				}
			}
		}
	}
	if isOver(journal.Entry{Value: []byte("no call")}) {
		t.Error("what cannot be read is taken for a call that is over: it is to be told of at once")
	}
}
