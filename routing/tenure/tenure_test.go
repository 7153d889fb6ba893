package tenure

import (
	"testing"
	"time"
)

// The end of the partner is no gap for the one that acts; and a partner who has been told that all is left begins at
// once.
func TestNoGap(t *testing.T) {
	cfg := Config{Lease: DefaultLease, First: true}
	m := New(cfg, 0)
	begun := time.Duration(0)
	for now := time.Duration(0); now < 5*time.Second; now += 20 * time.Millisecond {
		for _, e := range m.Addressed(now, true, true) {
			switch {
			case e.Begin:
				begun = now
			case e.Say != nil && e.Say.Kind == Ask && now < 3*time.Second: // then the partner ends
				m.Heard(now+time.Millisecond, Word{Kind: Yes, Epoch: e.Say.Epoch, Number: e.Say.Number})
			}
		}
		if begun > 0 && !m.Acting(now) {
			t.Fatalf("silent at %v", now)
		}
	}
	if begun == 0 {
		t.Error("it has never begun")
	}
	o := New(Config{Lease: DefaultLease}, 0)
	o.Heard(0, Word{Kind: Ask, Epoch: 1})
	o.Addressed(time.Millisecond, true, true)
	do := o.Heard(2*time.Millisecond, Word{Kind: Left, Epoch: 1})
	if len(do) == 0 || do[0].Say == nil || do[0].Say.Kind != Ask {
		t.Fatalf("does not ask at once: %+v", do)
	}
	if do = o.Heard(3*time.Millisecond, Word{Kind: Yes, Epoch: 2, Number: do[0].Say.Number}); len(do) == 0 ||
		!do[0].Begin {
		t.Errorf("does not begin at once: %+v", do)
	}
}

// The process that comes next on the same machine goes on with the turn, and no longer than it was given.
func TestNextProcess(t *testing.T) {
	m := Resume(Config{Lease: DefaultLease, First: true}, time.Hour, 7, time.Hour+100*time.Millisecond)
	if !m.Acting(time.Hour+99*time.Millisecond) || m.Acting(time.Hour+100*time.Millisecond) || m.Epoch() != 7 {
		t.Error("it does not go on, or for too long")
	}
	far := Resume(Config{Lease: DefaultLease, First: true}, time.Hour, 7, 2*time.Hour) // of another boot
	if far.Acting(time.Hour + DefaultLease) {
		t.Error("it believes that it has longer than a lease")
	}
}

func TestWords(t *testing.T) {
	for _, w := range []Word{{Ask, 1 << 40, 5, false}, {No, 3, 4, true}} {
		if got, err := Decode(w.Encode()); err != nil || got != w {
			t.Errorf("%+v is %+v, %v", w, got, err)
		}
	}
	if _, err := Decode([]byte("a")); err == nil {
		t.Error("half a word is one")
	}
}

// The address moves to a partner who has no copy, and comes back: the turn goes on. When it does not come back, or the
// partner is ready, the turn ends in order.
func TestAddressComesBack(t *testing.T) {
	for name, c := range map[string]struct {
		ready bool
		away  time.Duration
		ends  bool
	}{"back at once": {away: 300 * time.Millisecond}, "back late": {away: time.Second, ends: true},
		"to who is ready": {ready: true, away: 300 * time.Millisecond, ends: true}} {
		t.Run(name, func(t *testing.T) {
			m := New(Config{Lease: DefaultLease, First: true}, 0)
			ended, orderly := false, false
			for now := time.Duration(0); now < 5*time.Second; now += 20 * time.Millisecond {
				away := now >= 2*time.Second && now < 2*time.Second+c.away
				do := m.Addressed(now, !away, c.ready)
				if away && m.Acting(now) {
					t.Fatalf("it acts at %v, without the address", now)
				}
				for i := 0; i < len(do); i++ {
					switch e := do[i]; {
					case e.Cease:
						ended, orderly = true, e.Orderly
					case e.Say != nil && e.Say.Kind == Ask && !ended:
						do = append(do, m.Heard(now+time.Millisecond, Word{Kind: Yes, Epoch: e.Say.Epoch,
							Number: e.Say.Number})...)
					}
				}
				if away && !ended { // the partner has it, and would begin
					for _, e := range m.Heard(now+time.Millisecond, Word{Kind: Ask, Epoch: 2, Number: 1}) {
						if e.Say != nil && e.Say.Kind == Yes {
							t.Fatalf("at %v it lets the partner begin, and goes on later", now)
						}
					}
				}
			}
			if ended != c.ends || ended && !orderly || !ended && !m.Acting(5*time.Second-20*time.Millisecond) {
				t.Errorf("ended %v, in order %v", ended, orderly)
			}
		})
	}
}
