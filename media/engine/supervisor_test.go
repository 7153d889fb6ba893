package engine

import (
	"testing"
	"time"

	"liandong/media/codec"
)

// TestWhisperToTheDesk: the supervisor is heard by the desk and not by the caller, and hears both.
func TestWhisperToTheDesk(t *testing.T) {
	r := newRig(t, labConfig(nil))
	caller, desk, supervisor := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	caller.hears(Playlist{}, desk)
	desk.hears(Playlist{}, caller, supervisor)
	supervisor.hears(Playlist{}, caller, desk)
	r.settle()
	r.run(2 * time.Second)
	caller.mustHear(desk)
	caller.mustNotHear(supervisor)
	desk.mustHear(caller, supervisor)
	supervisor.mustHear(caller, desk)
}

// TestListenOnly: a supervisor who is in nobody's From hears both and is heard by none, and
// the two are in a plain relay.
func TestListenOnly(t *testing.T) {
	r := newRig(t, labConfig(nil))
	caller, desk, supervisor := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	caller.hears(Playlist{}, desk)
	desk.hears(Playlist{}, caller)
	supervisor.hears(Playlist{}, caller, desk)
	r.settle()
	r.run(2 * time.Second)
	supervisor.mustHear(caller, desk)
	for _, pair := range [][2]*phone{{caller, desk}, {desk, caller}} {
		pair[0].mustNotHear(supervisor)
		if like := pair[0].likeness(pair[1]); like < 0.98 {
			t.Errorf("leg %d hears leg %d with correlation %.2f, want nothing else beside it", pair[0].leg, pair[1].leg,
				like)
		}
	}
}
