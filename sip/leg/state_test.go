package leg

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"liandong/sip/header"
	"liandong/sip/sdp"
	"liandong/sip/snapshot"
)

var freeze = flag.Bool("freeze", false, "write testdata/state-1, which is frozen once the format has been released")

// rebirth says that legs die after every input, and others go on from what was
// written of them. Nothing that a test sees may differ by it.
var rebirth bool

// TestMain runs everything twice, the second time with rebirth.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !only("bench") && !only("fuzz") {
		rebirth = true
		fmt.Println("the same with legs that are written and read after every input:")
		code = m.Run()
	}
	os.Exit(code)
}

func only(what string) bool {
	f := flag.Lookup("test." + what)
	return f != nil && f.Value.String() != ""
}

// reborn puts into the place of a leg the one that is read from what is written of it.
func reborn(t testing.TB, l *Leg, local Local) {
	t.Helper()
	if rebirth {
		*l = *Restore(l.cfg, local, reread(t, write(t, l.State)))
	}
}

func write(t testing.TB, v any) []byte {
	t.Helper()
	b, err := snapshot.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pruned is what package cbor reads of a state, without the zeroes that were once written.
func pruned(t testing.TB, b []byte) (v any) {
	t.Helper()
	if err := snapshot.Decode(b, &v); err != nil {
		t.Fatal(err)
	}
	return prune(v)
}

func prune(v any) any {
	switch v := v.(type) {
	case map[any]any:
		for k, x := range v {
			if v[k] = prune(x); v[k] == nil {
				delete(v, k)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	case []byte:
		if len(v) == 0 {
			return nil
		}
	default:
		if v == nil || reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return v
}

// reread reads a state, of which all has to be there.
func reread(t testing.TB, b []byte) (s State) {
	t.Helper()
	if err := snapshot.Decode(b, &s); err != nil {
		t.Fatal(err)
	}
	if again := write(t, s); !bytes.Equal(again, b) && !reflect.DeepEqual(pruned(t, again), pruned(t, b)) {
		i := 0
		for i < min(len(b), len(again)) && b[i] == again[i] {
			i++
		}
		t.Fatalf("wrote %d bytes, %d came back; they differ from\n%.200q\non", len(b), len(again), b[max(0, i-50):])
	}
	return s
}

// What is written of a leg is all of it.
func TestStateHidesNothing(t *testing.T) {
	if hidden := snapshot.Hidden(reflect.TypeFor[State]()); hidden != nil {
		t.Errorf("lost: %v", hidden)
	}
}

// A packet that has not been sent yet is part of a call's state.
func TestPacketsComeBack(t *testing.T) {
	s := outbound(t)
	for _, p := range append(s.sent, Packet{Target: "pbx.example:5060"}) {
		var got Packet
		if err := snapshot.Decode(write(t, p), &got); err != nil {
			t.Fatal(err)
		}
		if got.Flow != p.Flow || got.Target != p.Target || (got.Msg == nil) != (p.Msg == nil) ||
			got.Msg != nil && got.Msg.String() != p.Msg.String() {
			t.Errorf("%+v became %+v", p, got)
		}
	}
}

// frozen are legs in the middle of everything, by name.
var frozen = map[string]func(t *testing.T) *script{
	"calling":         states[0],
	"delayed offer":   states[1],
	"early dialog":    states[2],
	"cancelling":      states[3],
	"session timer":   states[4],
	"modifying":       states[5],
	"called":          states[6],
	"refused":         states[7],
	"waits for prack": states[8],
	"waits for ack":   states[9],
	"saying bye":      states[11],
	"quiet":           quiet40,
	"challenged": func(t *testing.T) *script {
		s := outbound(t, known)
		s.reply(s.last("INVITE"), 401, "", challenge)
		return s
	},
	"referred": func(t *testing.T) *script {
		s := talkingIn(t)
		s.request("REFER", "", "Refer-To: <sip:12345@10.0.0.1>")
		s.do(Report{ID: uint32(s.seq), Code: 100})
		s.do(Conference{Name: "room-1"})
		return s
	},
	"glare": func(t *testing.T) *script {
		s := talkingOut(t)
		s.do(Modify{Direction: sdp.SendOnly, Identity: []header.Field{field("P-Asserted-Identity", "<tel:110>")}})
		s.reply(s.last("INVITE"), 491, "")
		return s
	},
}

// quiet40 is a leg that has been talking for a while.
func quiet40(t *testing.T) *script {
	s := talkingIn(t)
	s.pass(40 * time.Second)
	return s
}

// States of format 1 are read for ever: each is whole, and its leg goes on.
func TestFrozenStates(t *testing.T) {
	for name, build := range frozen {
		file := filepath.Join("testdata", "state-1", strings.ReplaceAll(name, " ", "-")+".cbor")
		if *freeze {
			if err := os.WriteFile(file, write(t, build(t).leg.State), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := newScript(t)
		s.now = epoch.Add(time.Minute)
		s.leg = Restore(testConfig(1), s.local, reread(t, b))
		if s.leg.CallID() == "" {
			t.Errorf("%s: no Call-ID", name)
		}
		s.do(End{})
		s.wantDone()
	}
}

// BenchmarkState writes and reads a quiet leg, and others in the middle of something.
func BenchmarkState(b *testing.B) {
	for _, name := range []string{"quiet", "called", "early dialog", "modifying"} {
		state := frozen[name](&testing.T{}).leg.State
		data := write(b, state)
		b.Run(name+"/write", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = snapshot.Encode(state)
			}
			b.ReportMetric(float64(len(data)), "bytes")
		})
		b.Run(name+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = snapshot.Decode(data, &State{})
			}
		})
	}
}
