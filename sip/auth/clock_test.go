package auth

import (
	"fmt"
	"testing"
	"time"

	"liandong/sip/header"
)

// proof is a phone's answer to a challenge, by the count that it has reached.
func proof(t *testing.T, s *Server, now time.Time, challenge string, nc int) error {
	t.Helper()
	c, err := parseChallenge(challenge)
	if err != nil {
		t.Fatal(err)
	}
	f, err := (Credentials{"1101", "secret"}).Respond([]header.Field{{Name: "WWW-Authenticate", Value: c.String()}},
		"REGISTER", "sip:h", nc, "c0ffee")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(now, "REGISTER", f.Value, func(string, string) (string, bool) { return "secret", true })
	return err
}

// Whatever the clock does, a phone gets in with the challenge that it was just given.
func TestClockMaySetItself(t *testing.T) {
	for _, step := range []time.Duration{
		5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour,
	} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			cfg := Default("r")
			cfg.Nonces = 4 // so few that some are forgotten
			s, now := NewServer(cfg), time.Unix(1_700_000_000, 0)
			for range 10 {
				if err := proof(t, s, now, s.Challenge(now, false, MD5)[0].Value, 1); err != nil {
					t.Fatal(err)
				}
			}
			held := s.Challenge(now, false, MD5)[0].Value
			now = now.Add(step)
			if err := proof(t, s, now, held, 1); err != nil && step <= cfg.Life {
				t.Errorf("a challenge of before the step: %v", err)
			}
			for range 10 {
				now = now.Add(time.Second)
				if err := proof(t, s, now, s.Challenge(now, true, MD5)[0].Value, 1); err != nil {
					t.Fatalf("a challenge of now: %v", err)
				}
			}
		})
	}
}

// A server that goes on from what another has kept takes that one's nonces, by counts that rise, and no replay.
func TestRestoredServerGoesOn(t *testing.T) {
	kept, now := map[string]int64{}, time.Unix(1_700_000_000, 0)
	cfg := Default("r")
	cfg.Secret, cfg.Nonces = []byte("the same"), 4
	cfg.Keep = func(nonce string, count int64) {
		if kept[nonce] = count; count == Forgotten {
			delete(kept, nonce)
		}
	}
	s := NewServer(cfg)
	used, fresh := s.Challenge(now, false, MD5)[0].Value, ""
	for range 5 {
		used = s.Challenge(now, false, MD5)[0].Value
		if err := proof(t, s, now, used, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := proof(t, s, now, used, 2); err != nil {
		t.Fatal(err)
	}
	first := s.Challenge(now, false, MD5)[0].Value
	fresh = s.Challenge(now, false, MD5)[0].Value
	next := NewServer(cfg)
	next.Restore(kept)
	if len(kept) != 5 {
		t.Errorf("%d values are kept of 4 nonces and a time", len(kept))
	}
	if err := proof(t, next, now, used, 2); err == nil {
		t.Error("a replay was taken")
	}
	for _, err := range []error{proof(t, next, now, used, 3), proof(t, next, now, first, 1),
		proof(t, next, now, fresh, 1)} {
		if err != nil {
			t.Errorf("a phone is asked again: %v", err)
		}
	}
}
