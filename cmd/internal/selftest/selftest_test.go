package selftest

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// A switch that refuses, one that says nothing and one that hears nothing are each a fault, and twice in a row an
// alarm; one that answers, sounds and hangs up on a key is well.
func TestRounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		policy phone.Policy
		speech []int16
		well   bool
	}{
		{"well", phone.AnswerAfter(0), phone.Tone(450, time.Second), true},
		{"refuses", phone.RefuseWith(503, "Service Unavailable"), nil, false},
		{"silent", phone.AnswerAfter(0), nil, false},
		{"deaf", phone.AnswerAfter(0), phone.Tone(450, time.Second), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, err := phone.New(phone.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), User: "switch",
				Policy: tt.policy, Speech: tt.speech})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if tt.name != "deaf" {
				go hangUpOnKeys(server, t.Context().Done())
			}
			rounds := make(chan Round, 10)
			tester := New([]Way{{Trunk: "pstn", Line: "110", Number: "110", User: "secret-pstn", Server: server.Addr(),
				Transport: "udp"}},
				10*time.Millisecond, func(r Round) {
					select {
					case rounds <- r:
					default:
					}
				}, slog.New(slog.DiscardHandler))
			tester.Start(true)
			defer tester.Stop()
			first, second := <-rounds, <-rounds
			if !first.First || second.First {
				t.Error("which is the first?")
			}
			if tt.well != (len(first.Faults) == 0) || len(first.Alarms) != 0 {
				t.Errorf("first round: %+v", first)
			}
			if tt.well != (len(second.Alarms) == 0) || tester.OK()["110"] != tt.well {
				t.Errorf("second round: %+v, ok %v", second, tester.OK())
			}
		})
	}
}

// hangUpOnKeys is what the switch does in its own calls.
func hangUpOnKeys(server *phone.Phone, over <-chan struct{}) {
	for {
		select {
		case c := <-server.Incoming():
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if c.WaitState(ctx, phone.Confirmed) == nil && c.WaitDigits(ctx, "5") == nil {
					_ = c.Cancel()
				}
			}()
		case <-over:
			return
		}
	}
}
